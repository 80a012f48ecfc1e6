"""What the clinic does by itself is done once, however many workers do it at the same moment.

The same clinic is made twice. One is tended by a single worker, the other by four at once: afterwards both must say
the same, in messages, in the trail, in slots, offers and seals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import Session

from mhms_app import db
from mhms_app.actor import Actor
from mhms_app.audit import chain
from mhms_app.availability import hours
from mhms_app.booking import changes, holds, leave, matching, reminders, service, settling, summaries, waiting
from mhms_app.booking.leave import Choice
from mhms_app.booking.leave_rules import Fate
from mhms_app.calendars import google_sync
from mhms_app.directory.models import Doctor
from mhms_app.live import keeper
from mhms_app.oversight import retention, tasks
from tests import builders
from tests.calendars.conftest import connect
from tests.calendars.conftest import google as google
from tests.databases import fresh_database

WORKERS = 4
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SAID = {
    "messages": "SELECT kind, recipient_email FROM outbox_message",
    "trail": "SELECT action, object_type FROM audit_entry",
    "slots": "SELECT state, starts_at, doctor_id FROM slot",
    "appointments": "SELECT status, starts_at, doctor_id FROM appointment",
    "offers": "SELECT outcome, slot_id FROM waiting_offer",
    "a gap among seals": "SELECT count(*) <> max(position) FROM audit_seal",
    "sessions": "SELECT user_id FROM login_session",
}


def at_once(work: Callable[[], Any], workers: int) -> list[Any]:
    start = Barrier(workers)

    def run(_: int) -> Any:
        start.wait()
        return work()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(workers)))


def tended(
    clinic: Callable[[Session, datetime], datetime], work: Callable[[], Any], workers: int, now: datetime
) -> Any:
    """What a clinic says after so many workers have done their work in it."""
    with fresh_database("postgresql") as url:
        db.use_engine(db.make_engine(url))
        db.clock.freeze(now)
        with db.transaction() as session:
            later = clinic(session, now)
        before = said()
        db.clock.freeze(later)
        at_once(work, workers)
        after = said()
        db.use_engine(None)
    assert after != before, "there was nothing to do"
    return after


def said() -> dict[str, Counter[Any]]:
    with db.transaction(read_only=True) as session:
        return {name: Counter(map(tuple, session.execute(text(query)))) for name, query in SAID.items()}


@pytest.fixture(autouse=True)
def same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """People of both clinics have the same addresses."""
    monkeypatch.setattr(builders, "_number", _Restarted())


class _Restarted:
    """Numbers that begin anew with every clinic."""

    url, last = "", 0

    def __next__(self) -> int:
        url = str(db.engine().url)
        self.last = self.last + 1 if url == self.url else 1
        self.url = url
        return self.last


# Clinics in which something is to be done: each is made at ``now``, and says when the workers come ------------------


def booked(session: Session, doctor: Doctor, starts_at: datetime) -> tuple[Actor, str, int]:
    """Somebody with an appointment; its reference and its id."""
    actor = builders.actor(session, builders.patient(session))
    slot_id = builders.key(builders.slot(session, doctor, starts_at))
    done = service.book(session, actor, slot_id=slot_id, reason="", key=str(uuid4()))
    return actor, done.reference, done.id


def with_reminders(session: Session, now: datetime) -> datetime:
    doctor = builders.doctor(session)
    session.commit()
    assert reminders.remind_all() == 0  # marks are set
    for number in range(5):
        booked(session, doctor, now + 8 * DAY + number * HOUR)
    return now + 2 * DAY


def with_summaries(session: Session, now: datetime) -> datetime:
    for _ in range(3):
        doctor = builders.doctor(session)
        summaries.want_summary(session, builders.actor(session, doctor), wanted=True)
        booked(session, doctor, now + DAY + HOUR)
    return now + DAY


def with_a_leave(session: Session, now: datetime) -> datetime:
    doctor = builders.doctor(session)
    made = [booked(session, doctor, now + 2 * DAY + number * HOUR)[2] for number in range(6)]
    later = [builders.key(builders.slot(session, doctor, now + 5 * DAY + number * HOUR)) for number in range(3)]
    choices = {key: Choice(Fate.MOVE, slot) for key, slot in zip(made, later, strict=False)}
    choices |= {key: Choice(Fate.CANCEL) for key in made[3:5]}  # and one is left for the desk
    day = (now + 2 * DAY).date()
    actor = builders.actor(session, doctor)
    leave.take(session, actor, first=day, last=day, message="I am ill.", choices=choices)
    return now


def wait(session: Session, doctor: Doctor, now: datetime) -> Actor:
    actor = builders.actor(session, builders.patient(session))
    waiting.join(
        session,
        actor,
        doctor_id=builders.key(doctor),
        anybody=False,
        weekdays=range(7),
        part="any",
        earliest=now.date(),
    )
    return actor


def with_published_times(session: Session, now: datetime) -> datetime:
    doctor = builders.doctor(session)
    for _ in range(3):
        wait(session, doctor, now)
    builders.hours(session, doctor)
    hours.extend_horizon(session, doctor_id=builders.key(doctor))
    return now


def with_offers_and_holds_that_are_over(session: Session, now: datetime) -> datetime:
    doctor, other = builders.doctor(session), builders.doctor(session)
    for _ in range(3):
        wait(session, doctor, now)
    patient, reference, _ = booked(session, doctor, now + 6 * DAY)
    changes.cancel(session, patient, reference=reference, choice="I am ill", note="")
    for number in range(4):
        somebody = builders.actor(session, builders.patient(session))
        slot = builders.slot(session, other, now + 3 * DAY + number * HOUR)
        holds.hold(session, somebody, slot_id=builders.key(slot))
    return now + DAY + HOUR


def with_hours(session: Session, now: datetime) -> datetime:
    for _ in range(3):
        builders.hours(session, builders.doctor(session))
    return now


def with_an_old_trail(session: Session, now: datetime) -> datetime:
    doctor = builders.doctor(session)
    for number in range(20):
        booked(session, doctor, now + 6 * DAY + number * HOUR)
    return now + 100 * DAY


def look_after_holds() -> None:
    keeper._end([])


CASES = {
    "reminders": (with_reminders, reminders.remind_all),
    "summaries": (with_summaries, summaries.summarise_all),
    "leaves": (with_a_leave, settling.finish_all),
    "the waiting list": (with_published_times, matching.tend),
    "holds and offers": (with_offers_and_holds_that_are_over, look_after_holds),
    "working hours": (with_hours, hours.publish_due),
    "sealing": (with_an_old_trail, chain.seal_all),
    "tidying": (with_an_old_trail, retention.tidy),
    "verifying": (with_an_old_trail, tasks.every_hour),
}


@pytest.fixture
def clock() -> Iterator[None]:
    yield
    db.clock.freeze(None)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("clinic", "work"), CASES.values(), ids=CASES.keys())
def test_four_workers_do_at_once_what_one_would_do(
    clinic: Callable[[Session, datetime], datetime], work: Callable[[], Any], now: datetime
) -> None:
    one, four = (tended(clinic, work, workers, now) for workers in (1, WORKERS))
    assert four == one


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("google", "now")
def test_one_of_four_workers_has_the_turn_of_a_google_calendar(database: str) -> None:
    with db.transaction() as session:
        connect(session, builders.actor(session, builders.doctor(session)))
    claims = at_once(google_sync.claim_due, WORKERS)
    assert len([claim for claim in claims if claim is not None]) == 1
