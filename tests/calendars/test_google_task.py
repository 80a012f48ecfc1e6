"""The task that keeps calendars in step while the clinic is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from mhms_app import db
from mhms_app.actor import Actor
from mhms_app.availability.models import Slot
from mhms_app.booking import service as booking
from mhms_app.calendars import google_task
from mhms_app.calendars.models import GoogleConnection
from mhms_app.directory.models import Doctor
from tests import builders
from tests.calendars.conftest import MAIN, connect
from tests.calendars.google_stand_in import Answer, Google


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - what is waited for happens in threads
            await asyncio.sleep(0.02)


def while_it_runs(act: Callable[[], None], reached: Callable[[], bool]) -> None:
    """Start the task, act when it has nothing to do, and wait until that has had its effect."""

    async def main() -> None:
        task = asyncio.ensure_future(google_task.run())
        await asyncio.sleep(0.3)
        await asyncio.to_thread(act)
        await until(reached)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_change_reaches_the_calendar_at_once(
    google: Google, connected: Actor, doctor: Doctor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_task, "COLLECT", 0.01)
    db.clock.freeze(None)
    starts_at = db.clock.now() + timedelta(days=2)
    with db.transaction() as session:
        patient = builders.actor(session, builders.patient(session))
        slot_id = builders.key(builders.slot(session, doctor, starts_at))

    def book() -> None:
        with db.transaction() as session:
            booking.book(session, patient, slot_id=slot_id, reason="", key=str(uuid4()))

    while_it_runs(book, lambda: len(google.standing(MAIN)) == 1)


def test_an_outage_of_the_database_ends_and_the_task_goes_on(
    google: Google, connected: Actor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_task, "POLL", 0.05)
    real, calls = google_task.claim_due, []

    def claim_due() -> object:
        calls.append(1)
        if len(calls) < 6:
            raise OSError
        return real()

    monkeypatch.setattr(google_task, "claim_due", claim_due)
    while_it_runs(lambda: None, lambda: bool(google.requests))


def test_one_doctor_who_has_to_wait_holds_up_nobody(
    google: Google, connected: Actor, doctor: Doctor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_task, "POLL", 0.05)
    google.fail("GET /calendars/jo", Answer(200, delay=2.0))
    with db.transaction() as session:
        connect(session, builders.actor(session, builders.doctor(session)), calendar="clinic@group")
    asked = "GET /calendars/clinic%40group/events"
    while_it_runs(lambda: None, lambda: asked in google.requests)


def test_without_credentials_the_task_opens_what_was_closed_and_ends(
    google: Google, connected: Actor, doctor: Doctor, now: datetime, configure: Callable[[str, str], None]
) -> None:
    with db.transaction() as session:
        slot_id = builders.key(builders.slot(session, doctor, now + timedelta(days=2)))
        session.execute(update(Slot).values(busy=True))
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        configure(f"MHMS_GOOGLE_{name}", "")
    asyncio.run(asyncio.wait_for(google_task.run(), 30))
    with db.transaction(read_only=True) as session:
        assert not session.get_one(Slot, slot_id).busy
        assert session.get_one(GoogleConnection, builders.key(doctor)).sync_token == ""
    assert google.requests == []
