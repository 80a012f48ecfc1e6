"""Does it stay fast when the tables grow? The same question with few rows and with many, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session, SQLModel

from bench.people import MORNING
from bench.table import Row
from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.availability import finding, soonest
from mhms_app.availability.models import Slot
from mhms_app.availability.when_rules import When
from mhms_app.booking import lists
from mhms_app.booking.models import Appointment
from mhms_app.db import Page
from mhms_app.directory import people
from mhms_app.notifications import outbox
from mhms_app.notifications import service as notifications
from mhms_app.notifications.models import OutboxMessage
from mhms_app.notifications.service import Message
from mhms_app.oversight import trail
from tests import builders
from tests.databases import ENGINES, fresh_database

SLOTS = (1_000, 100_000, 1_000_000)
LISTED = (1_000, 100_000)
DOCTORS, A_DAY = 100, 10
LENGTH = timedelta(minutes=20)
BATCH = 10_000
FIRST_KEY = 1_000  # leaves room for the staff
NOW = datetime.now(UTC)

Question = Callable[[Session, Actor], object]


def measure_slots() -> Iterator[Row]:
    """Finding a free time among a thousand, a hundred thousand and a million slots."""
    questions: dict[str, Question] = {
        "the free slots of a doctor's week": lambda session, _: finding.free_slots(
            session, None, doctor_id=1, first=MORNING, last=MORNING + finding.WEEK
        ),
        "next available of a hundred doctors": lambda session, _: finding.next_available(
            session, None, department_id=1, after=NOW, limit=12
        ),
    }
    questions |= {
        "the next mornings with any of them": lambda session, _: soonest.next_times(
            session, None, department_id=1, when=When(part="morning"), limit=6
        ),
        "why there is nothing in the year 2150": lambda session, _: soonest.why_nothing(
            session, None, department_id=1, when=When(day=date(2150, 1, 1))
        ),
    }
    yield from _growth(SLOTS, _add_slots, questions, aim="less than 1.5")


def measure_lists() -> Iterator[Row]:
    """The administrator's lists of people, bookings, messages and the trail: first page, a search, the last one."""
    asks: dict[str, Callable[[Session, Actor, str, int], Page[Any]]] = {
        "people": lambda session, admin, search, page: people.list_people(session, admin, search=search, page=page),
        "bookings": lambda session, admin, search, page: lists.list_bookings(
            session, admin, wanted=lists.Filter(search=search), page=page
        ),
        "messages": lambda session, admin, search, page: outbox.list_messages(session, admin, search=search, page=page),
        "the trail": lambda session, admin, search, page: trail.list_entries(
            session, admin, wanted=trail.Filter(search=search), page=page
        ),
    }
    questions: dict[str, Question] = {}
    for name, ask in asks.items():
        questions[f"{name}, first page"] = lambda session, admin, ask=ask: ask(session, admin, "", 1)
        questions[f"{name}, search"] = lambda session, admin, ask=ask: ask(session, admin, "person 77", 1)
        questions[f"{name}, last page"] = lambda session, admin, ask=ask: _last_page(session, admin, ask)
    yield from _growth(LISTED, _add_rows, questions, aim="")


def _last_page(session: Session, admin: Actor, ask: Callable[[Session, Actor, str, int], Page[Any]]) -> None:
    """The page that the list's last button leads to; finding out which one that is, is part of the question."""
    total = ask(session, admin, "", 1).total
    assert ask(session, admin, "", -(-total // 25)).rows


def _growth(
    sizes: Sequence[int], add: Callable[[int, int], None], questions: dict[str, Question], *, aim: str
) -> Iterator[Row]:
    """Ask everything at each size of the same database, and compare the largest with the smallest."""
    for kind in ENGINES:
        with fresh_database(kind) as url:
            db.use_engine(db.make_engine(url))
            allow_overlaps(kind)
            admin = _staff()
            seen: dict[str, list[float]] = {name: [] for name in questions}
            for before, size in zip((0, *sizes), sizes, strict=False):
                add(before, size)
                gather_statistics(kind)
                for name, question in questions.items():
                    seen[name].append(_seconds(question, admin))
            db.use_engine(None)
        for name, times in seen.items():
            steps = " / ".join(f"{seconds * 1000:.1f}" for seconds in times)
            rows = " / ".join(f"{size:,}" for size in sizes)
            yield Row(f"{kind}: {name}", f"{steps} ms", f"of {rows}", times[-1] / times[0], aim)


def _seconds(question: Question, admin: Actor) -> float:
    """How long an answer takes: the best of many, for what another program costs is no property of a question."""
    times = []
    for _ in range(60):
        begin = time.perf_counter()
        with db.transaction(read_only=True) as session:
            question(session, admin)
        times.append(time.perf_counter() - begin)
    return min(times)


def _staff() -> Actor:
    """A department of a hundred doctors; returns an administrator."""
    with db.transaction() as session:
        department = builders.department(session)
        for _ in range(DOCTORS):
            builders.doctor(session, within=department)
        return builders.actor(session, builders.user(session, role=Role.ADMIN))


def gather_statistics(kind: str) -> None:
    """Let the engine know its tables, as autovacuum and a nightly ``ANALYZE`` do."""
    if kind == "postgresql":
        with db.at_once() as connection:  # VACUUM is refused inside a transaction
            connection.exec_driver_sql("VACUUM ANALYZE")
    else:
        with db.transaction() as session:
            session.execute(text("ANALYZE"))


def _add_slots(before: int, size: int) -> None:
    """Slots of all doctors. One day is asked for; the others lie after it, or have been long ago."""
    insert_all(Slot, map(_slot, range(before, size)))


def _slot(number: int) -> dict[str, Any]:
    turn, doctor = divmod(number, DOCTORS)
    day, place = divmod(turn, A_DAY)
    away = 0 if day == 0 else 7 + day if day % 2 else -30 - day
    starts_at = MORNING + timedelta(days=away) + place * LENGTH
    state = "open" if place % 2 else "booked"
    return {"doctor_id": doctor + 1, "starts_at": starts_at, "ends_at": starts_at + LENGTH, "state": state}


def _add_rows(before: int, size: int) -> None:
    """So many patients, each with an appointment, the message about it and an entry of the trail."""
    numbers = range(FIRST_KEY + before, FIRST_KEY + size)
    insert_all(User, map(user, numbers))
    insert_all(Patient, ({"id": number, "user_id": number} for number in numbers))
    insert_all(Slot, (_slot(number) | {"id": number} for number in numbers))
    insert_all(Appointment, map(_appointment, numbers))
    insert_all(OutboxMessage, map(_message, numbers))
    insert_all(AuditEntry, map(_entry, numbers))


def user(number: int) -> dict[str, Any]:
    name, email = f"Person {number}", f"person{number}@example.org"
    return {
        "id": number,
        "email": email,
        "email_key": email,
        "full_name": name,
        "name_key": name.casefold(),
        "role": "patient",
        "password_hash": "",
        "created_at": NOW,
    }


def _appointment(number: int) -> dict[str, Any]:
    slot = _slot(number)
    return {
        "reference": f"MH-{number}",
        "slot_id": number,
        "patient_id": number,
        "doctor_id": slot["doctor_id"],
        "department_id": 1,
        "starts_at": slot["starts_at"],
        "ends_at": slot["ends_at"],
        "idempotency_key": str(number),
        "created_at": NOW,
    }


def _message(number: int) -> dict[str, Any]:
    message = Message("BOOKING_CONFIRMATION", f"person{number}@example.org", f"Person {number}", {}, f"booked-{number}")
    return notifications.columns(message)


def _entry(number: int) -> dict[str, Any]:
    at = NOW - timedelta(minutes=number)
    return {"at": at, "actor_id": number, "action": "user.edit", "object_type": "user", "object_id": number}


def insert_all(table: type[SQLModel], rows: Iterable[dict[str, Any]]) -> None:
    """Insert many rows, a batch in each transaction."""
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        with db.transaction() as session:
            session.execute(insert(table), batch)


def allow_overlaps(kind: str) -> None:
    """No question here reads what keeps slots apart, and without it a million are there in a minute."""
    with db.transaction() as session:
        if kind == "postgresql":
            session.execute(text("ALTER TABLE slot DROP CONSTRAINT slot_no_overlap"))
        else:
            session.execute(text("DROP TRIGGER slot_no_overlap_insert"))
