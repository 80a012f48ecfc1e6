"""What changes many rows, or looks for few among many: each at a tenth of the size first, then at the whole."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, select
from sqlmodel import SQLModel

from bench import growth
from bench.table import Row
from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.availability import hours
from mhms_app.availability.models import Slot
from mhms_app.availability.rules import week_of
from mhms_app.booking import changes, leave, reminders, service, settling
from mhms_app.booking.leave import Choice
from mhms_app.booking.leave_rules import Fate
from mhms_app.booking.models import Appointment, LeaveItem, ReminderMark, Waiting, WaitingOffer
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.databases import ENGINES, fresh_database

WAITING, DOCTORS, AFFECTED, APPOINTMENTS = 10_000, 500, 200, 1_000_000
DUE = 100
DAY, HOUR, LENGTH = timedelta(days=1), timedelta(hours=1), timedelta(minutes=20)
MONDAY = week_of(datetime.now(UTC).date()) + timedelta(weeks=2)
MORNING = datetime.combine(MONDAY, time(8), UTC)


@dataclass(frozen=True, slots=True)
class Task:
    """What is measured.

    Attributes:
        prepare: fills an empty database for a size and returns what is to be done.
        touched: the table whose rows count, as the work's own figure.
        aim: what the growth should be when the size grows ten times.
    """

    what: str
    size: int
    unit: str
    prepare: Callable[[int, str], Callable[[], object]]
    touched: type[SQLModel]
    aim: str


def measure() -> Iterator[Row]:
    """Do each task at a tenth of its size and at the whole, on both engines."""
    for kind in ENGINES:
        for task in TASKS:
            (small, _), (large, rows) = (_once(kind, task, size) for size in (task.size // 10, task.size))
            ours = f"{large * 1000:,.0f} ms, {rows:,} rows"
            other = f"{small * 1000:,.0f} ms at {task.size // 10:,}"
            yield Row(f"{kind}: {task.what}, {task.size:,} {task.unit}", ours, other, large / small, task.aim)


def _once(kind: str, task: Task, size: int) -> tuple[float, int]:
    """Seconds that the work takes, and how many rows it has added."""
    with fresh_database(kind) as url:
        db.use_engine(db.make_engine(url))
        work = task.prepare(size, kind)
        growth.gather_statistics(kind)
        before = _count(task.touched)
        begin = clock.perf_counter()
        work()
        seconds = clock.perf_counter() - begin
        rows = _count(task.touched) - before
        db.use_engine(None)
        return seconds, rows


def _count(table: type[SQLModel]) -> int:
    with db.transaction(read_only=True) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def _free_a_slot(size: int, _: str) -> Callable[[], object]:
    """An appointment is cancelled while so many wait, of whom only the last wants this time."""
    with db.transaction() as session:
        doctor = builders.doctor(session)
        slot = builders.slot(session, doctor, MORNING)
        owner = builders.actor(session, builders.patient(session))
        done = service.book(session, owner, slot_id=builders.key(slot), reason="", key="bench")
    _add_patients(size)
    people = range(growth.FIRST_KEY, growth.FIRST_KEY + size)
    growth.insert_all(Waiting, (_waiting(number, wants=number == people[-1]) for number in people))

    def work() -> None:
        with db.transaction() as session:
            changes.cancel(session, owner, reference=done.reference, choice="", note="bench")

    return work


def _waiting(number: int, *, wants: bool) -> dict[str, object]:
    monday = 1
    return {
        "patient_id": number,
        "department_id": 1,
        "doctor_id": None,
        "weekdays": monday if wants else 0b1111110,
        "part": "any",
        "earliest": datetime.now(UTC).date(),
        "created_at": growth.NOW + timedelta(seconds=number),
        "ended_why": "",
    }


def _add_patients(size: int) -> None:
    numbers = range(growth.FIRST_KEY, growth.FIRST_KEY + size)
    growth.insert_all(User, map(growth.user, numbers))
    growth.insert_all(Patient, ({"id": number, "user_id": number} for number in numbers))


def _publish_a_year(size: int, _: str) -> Callable[[], object]:
    """So many doctors work three hours each weekday, and a year ahead is to be published."""
    with db.transaction() as session:
        department = builders.department(session)
        department.horizon_weeks = 52
        for _number in range(size):
            builders.hours(session, builders.doctor(session, within=department))
    return hours.publish_due


def _take_leave(size: int, _: str) -> Callable[[], object]:
    """A doctor with so many appointments in two weeks; every one is moved to the time proposed for it."""
    with db.transaction() as session:
        department = builders.department(session)
        department.most_active = 50
        doctor, colleague = (builders.doctor(session, within=department) for _ in range(2))
        for number in range(size):
            day, place = divmod(number, 20)
            starts_at = MORNING + day * DAY + place * LENGTH
            slot = builders.slot(session, doctor, starts_at)
            builders.slot(session, colleague, starts_at)
            patient = builders.actor(session, builders.patient(session))
            service.book(session, patient, slot_id=builders.key(slot), reason="", key=str(number))
        actor = builders.actor(session, doctor)

    def work() -> None:
        last = MONDAY + timedelta(days=13)
        with db.transaction() as session:
            found = leave.affected(session, actor, first=MONDAY, last=last)
            choices = {row.id: Choice(Fate.MOVE, row.proposal.slot_id) for row in found if row.proposal}
            leave.take(session, actor, first=MONDAY, last=last, choices=choices)
        settling.finish_all()

    return work


def _remind(size: int, kind: str) -> Callable[[], object]:
    """A hundred of so many appointments are due."""
    growth.allow_overlaps(kind)
    with db.transaction() as session:
        department = builders.department(session)
        builders.doctor(session, within=department)
        ahead = timedelta(hours=24)
        session.add(ReminderMark(department_id=1, hours=24, done_until=growth.NOW - HOUR))
    _add_patients(size)
    first = growth.FIRST_KEY
    numbers = range(first, first + size)
    growth.insert_all(Slot, (_spread(number - first, size) | {"id": number, "doctor_id": 1} for number in numbers))
    growth.insert_all(Appointment, (_appointment(number, _spread(number - first, size)) for number in numbers))

    def work() -> None:
        with db.transaction() as session:
            reminders.remind_due(session, department_id=1, ahead=ahead)

    return work


def _spread(number: int, size: int) -> dict[str, object]:
    """A hundred in the hour that is due, the others over two years around it."""
    if number < DUE:
        starts_at = growth.NOW + 23 * HOUR + number * HOUR / DUE
    else:
        away = (number - size // 2) * timedelta(days=730) / size
        starts_at = growth.NOW + away + (2 * DAY if away > timedelta() else timedelta())
    return {"starts_at": starts_at, "ends_at": starts_at + LENGTH, "state": "booked"}


def _appointment(number: int, slot: dict[str, object]) -> dict[str, object]:
    return {
        "reference": f"MH-{number}",
        "slot_id": number,
        "patient_id": number,
        "doctor_id": 1,
        "department_id": 1,
        "starts_at": slot["starts_at"],
        "ends_at": slot["ends_at"],
        "idempotency_key": str(number),
        "created_at": growth.NOW - timedelta(days=365),
    }


TASKS = (
    Task("freeing a slot", WAITING, "wait", _free_a_slot, WaitingOffer, "less than 10"),
    Task("a year of slots", DOCTORS, "doctors", _publish_a_year, Slot, "about 10"),
    Task("a leave", AFFECTED, "appointments", _take_leave, LeaveItem, "about 10"),
    Task("reminders due", APPOINTMENTS, "appointments", _remind, OutboxMessage, "about 1"),
)
