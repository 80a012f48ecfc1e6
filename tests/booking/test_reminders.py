"""Reminders: once for each appointment and time ahead, in the day, whatever happened in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts.models import Patient
from mhms_app.actor import Role
from mhms_app.booking import changes, policies, reminders, service
from mhms_app.directory.models import Department, Doctor
from mhms_app.notifications.models import OutboxMessage
from mhms_app.settings import settings
from tests import builders

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def noon(session: Session, now: datetime) -> datetime:
    """Noon by the clinic's clock, when reminders have just begun."""
    noon = now.astimezone(settings().zone).replace(hour=12, minute=0)
    db.clock.freeze(noon)
    doctor = builders.doctor(session)
    session.commit()
    assert reminders.remind_all() == 0
    assert doctor.id
    return noon


def book(session: Session, patient: Patient, starts_at: datetime) -> str:
    doctor = session.exec(select(Doctor)).first()
    assert doctor is not None
    slot = builders.slot(session, doctor, starts_at)
    done = service.book(
        session, builders.actor(session, patient), slot_id=builders.key(slot), reason="", key=str(uuid4())
    )
    session.commit()
    return done.reference


def change_reminders(session: Session, hours: str) -> None:
    boss = builders.actor(session, builders.user(session, role=Role.ADMIN))
    key = builders.key(session.exec(select(Department)).one())
    typed = replace(policies.read_policy(session, boss, department_id=key), reminder_hours=hours)
    policies.save_policy(session, boss, department_id=key, typed=typed)
    session.commit()


def reminded(session: Session) -> list[str]:
    session.expire_all()
    found = session.exec(
        select(OutboxMessage).where(OutboxMessage.kind == "APPOINTMENT_REMINDER").order_by(OutboxMessage.id)  # type: ignore[arg-type]
    )
    return [row.idempotency_key for row in found]


def remind_at(at: datetime) -> int:
    db.clock.freeze(at)
    return reminders.remind_all()


def test_a_week_and_a_day_before(session: Session, noon: datetime) -> None:
    starts_at = noon + 10 * DAY
    reference = book(session, builders.patient(session), starts_at)
    assert remind_at(starts_at - 7 * DAY - MINUTE) == 0
    assert remind_at(starts_at - 7 * DAY) == 1
    assert remind_at(starts_at - 7 * DAY + MINUTE) == 0
    assert remind_at(starts_at - DAY) == 1
    assert remind_at(starts_at) == 0
    assert reminded(session) == [f"reminder-{reference}-0-168h", f"reminder-{reference}-0-24h"]


def test_who_books_later_than_that_is_not_reminded_of_what_they_just_did(session: Session, noon: datetime) -> None:
    reference = book(session, builders.patient(session), noon + 3 * DAY)
    assert [remind_at(noon + hours * HOUR) for hours in (1, 24, 47)] == [0, 0, 0]
    assert remind_at(noon + 2 * DAY) == 1
    assert reminded(session) == [f"reminder-{reference}-0-24h"]


def test_the_night_is_quiet_and_the_morning_makes_up_for_it(session: Session, noon: datetime) -> None:
    starts_at = (noon + 9 * DAY).replace(hour=21)
    book(session, builders.patient(session), starts_at)
    assert remind_at(starts_at - 7 * DAY + MINUTE) == 0
    assert remind_at((starts_at - 6 * DAY).replace(hour=7, minute=59)) == 0
    assert remind_at((starts_at - 6 * DAY).replace(hour=8)) == 1


def test_an_outage_of_days_loses_nothing_and_repeats_nothing(session: Session, noon: datetime) -> None:
    people = [builders.patient(session) for _ in range(3)]
    references = [book(session, person, noon + (8 + n) * DAY) for n, person in enumerate(people)]
    assert remind_at(noon + 5 * DAY) == 3
    assert remind_at(noon + 5 * DAY + MINUTE) == 0
    assert reminded(session) == [f"reminder-{reference}-0-168h" for reference in references]


def test_what_is_over_or_cancelled_is_left_alone(session: Session, noon: datetime) -> None:
    jo = builders.patient(session)
    gone = book(session, jo, noon + 10 * DAY)
    changes.cancel(session, builders.actor(session, jo), reference=gone, choice="I am ill", note="")
    book(session, jo, noon + 11 * DAY)
    session.commit()
    assert remind_at(noon + 12 * DAY) == 0


def test_a_moved_appointment_is_reminded_of_its_new_time(session: Session, noon: datetime) -> None:
    jo = builders.patient(session)
    reference = book(session, jo, noon + 8 * DAY)
    assert remind_at(noon + DAY) == 1
    doctor = session.exec(select(Doctor)).first()
    assert doctor is not None
    later = builders.key(builders.slot(session, doctor, noon + 20 * DAY))
    changes.move(session, builders.actor(session, jo), reference=reference, slot_id=later)
    session.commit()
    assert remind_at(noon + 7 * DAY) == 0  # the day before the old time
    assert remind_at(noon + 13 * DAY) == 1
    assert reminded(session) == [f"reminder-{reference}-0-168h", f"reminder-{reference}-1-168h"]


def test_a_closed_department_reminds_of_what_still_stands(session: Session, noon: datetime) -> None:
    reference = book(session, builders.patient(session), noon + 3 * DAY)
    department = session.exec(select(Department)).one()
    department.active = False
    session.add(department)
    session.commit()
    assert remind_at(noon + 2 * DAY) == 1
    assert reminded(session) == [f"reminder-{reference}-0-24h"]


@pytest.mark.parametrize("late", [False, True], ids=["all_know", "one_worker_is_late"])
def test_a_reminder_that_is_put_back_begins_anew(session: Session, noon: datetime, late: bool) -> None:
    """The turns that came while it was out are not made up for; those of the other reminder go on."""
    first = book(session, builders.patient(session), noon + 9 * DAY)
    second = book(session, builders.patient(session), noon + 15 * DAY)
    change_reminders(session, "24")
    if late:
        key = builders.key(session.exec(select(Department)).one())
        assert reminders.remind_due(session, department_id=key, ahead=7 * DAY) == 0
        session.commit()
    assert remind_at(noon + 5 * DAY) == 0
    change_reminders(session, "168, 24")
    assert remind_at(noon + 7 * DAY) == 0
    assert remind_at(noon + 8 * DAY) == 2
    assert reminded(session) == [f"reminder-{second}-0-168h", f"reminder-{first}-0-24h"]


def test_two_workers_remind_once(session: Session, noon: datetime) -> None:
    for number in range(5):
        book(session, builders.patient(session), noon + 8 * DAY + number * HOUR)
    db.clock.freeze(noon + 2 * DAY)
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: reminders.remind_all(), range(4)))
    assert sum(written) == 5
    assert len(reminded(session)) == 5


def test_nobody_is_reminded_who_does_not_want_it(session: Session, noon: datetime) -> None:
    """Also of many at once: the others are."""
    starts_at = noon + 3 * DAY
    patients = [builders.patient(session, name=f"Person {number}") for number in range(6)]
    references = [book(session, patient, starts_at + number * HOUR) for number, patient in enumerate(patients)]
    for patient in patients[::2]:
        patient.reminded = False
        session.add(patient)
    session.commit()
    assert remind_at(starts_at - 18 * HOUR) == 3
    assert reminded(session) == [f"reminder-{reference}-0-24h" for reference in references[1::2]]
