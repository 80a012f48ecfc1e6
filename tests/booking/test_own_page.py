"""What a patient's own pages show, and to whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.accounts.models import Patient
from mhms_app.booking import changes, lists, service
from mhms_app.errors import LoginRequired, NotAllowed, NotFound
from tests import builders


def booked(session: Session, patient: Patient, starts_at: datetime) -> str:
    slot = builders.slot(session, builders.doctor(session), starts_at)
    actor = builders.actor(session, patient)
    return service.book(session, actor, slot_id=builders.key(slot), reason="", key=str(uuid4())).reference


def test_home_has_what_is_to_come_in_order_and_what_was_latest_first(session: Session, now: datetime) -> None:
    jo = builders.patient(session)
    references = [booked(session, jo, now + timedelta(days=days)) for days in (1, 2, 30, 20)]
    db.clock.freeze(now + timedelta(days=10))
    home = lists.home(session, builders.actor(session, jo), size=1)
    assert [row.reference for row in home.upcoming] == [references[3], references[2]]
    assert ([row.reference for row in home.past.rows], home.past.total) == ([references[1]], 2)


def test_past_appointments_are_searched_and_filtered(session: Session, now: datetime) -> None:
    jo = builders.patient(session)
    actor = builders.actor(session, jo)
    gone, done = (booked(session, jo, now + timedelta(days=days)) for days in (3, 4))
    changes.cancel(session, actor, reference=gone, choice="I am ill", note="")
    db.clock.freeze(now + timedelta(days=5))
    actor = builders.actor(session, jo)

    def found(**wanted: str) -> list[str]:
        return [row.reference for row in lists.past(session, actor, **wanted).rows]  # type: ignore[arg-type]

    assert found() == [done, gone]
    assert found(status="cancelled") == [gone]
    assert found(search="HADDAD") == [done, gone]
    assert found(search="nobody") == found(search="%") == []
    assert lists.past(session, actor, search="department", status="cancelled").total == 1


def test_home_shows_nobody_elses_appointments(session: Session, now: datetime) -> None:
    booked(session, builders.patient(session), now + timedelta(days=1))
    other = builders.actor(session, builders.patient(session, name="Rita Berg"))
    home = lists.home(session, other)
    assert (home.upcoming, home.past.total) == ((), 0)


def test_a_confirmation_is_for_its_patient_alone(session: Session, now: datetime) -> None:
    jo = builders.patient(session, email="jo@example.com")
    reference = booked(session, jo, now + timedelta(days=1))
    shown = changes.own(session, builders.actor(session, jo), reference=reference)
    assert (shown.appointment.reference, shown.email) == (reference, "jo@example.com")
    other = builders.actor(session, builders.patient(session, name="Rita Berg"))
    for stranger, refusal in ((other, NotFound), (None, LoginRequired)):
        with pytest.raises(refusal):
            changes.own(session, stranger, reference=reference)
    with pytest.raises(NotAllowed):
        lists.home(session, builders.actor(session, builders.doctor(session)))
