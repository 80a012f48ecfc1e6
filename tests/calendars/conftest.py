"""A stand-in for Google that the settings point to, and a doctor whose calendar is connected there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.actor import Actor
from mhms_app.calendars import google as service
from mhms_app.calendars.google_client import Calendar, Tokens
from mhms_app.calendars.rules import Shows
from mhms_app.directory.models import Doctor
from tests import builders
from tests.calendars.google_stand_in import Google, credentials, running

MAIN = "jo@example.com"


@pytest.fixture
def google(configure: Callable[[str, str], None]) -> Iterator[Google]:
    """Google, and a clinic that has credentials for it."""
    with running() as google:
        for name, value in credentials(google).items():
            configure(name, value)
        yield google


@pytest.fixture
def doctor(database: str, now: datetime) -> Doctor:
    """A doctor; what the tests of this folder add is committed, for others look at it."""
    with db.transaction() as session:
        return builders.doctor(session)


@pytest.fixture
def haddad(doctor: Doctor) -> Actor:
    """The doctor, logged in."""
    with db.transaction() as session:
        return builders.actor(session, doctor)


@pytest.fixture
def connected(google: Google, haddad: Actor) -> Actor:
    """The doctor, whose main calendar is connected."""
    with db.transaction() as session:
        connect(session, haddad)
    return haddad


def connect(session: Session, actor: Actor, *, shows: Shows = Shows.BUSY, calendar: str = MAIN) -> None:
    service.keep(session, actor, tokens=Tokens("refresh-0", "access-0"))
    session.flush()
    service.choose(session, actor, calendar=Calendar(calendar, "Jo Moreau"), shows=shows)
