"""A doctor's own days and weeks, as their screens show them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlmodel import Session

from mhms_app.actor import Role
from mhms_app.availability.rules import Plan
from mhms_app.booking import agenda
from mhms_app.booking import service as booking
from mhms_app.booking.models import Appointment, Status
from mhms_app.errors import Invalid, LoginRequired, NotAllowed
from tests import builders

MONDAY = date(2026, 11, 23)  # the frozen day of the fixture ``now``, 09:00 in Berlin


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_day_shows_its_week_with_who_has_which_slot(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session)
    free, taken = builders.slot(session, doctor, at(24, 9)), builders.slot(session, doctor, at(24, 10))
    builders.slot(session, doctor, at(24, 11), state="withdrawn")
    builders.slot(session, doctor, at(30, 9))  # next week
    patient = builders.patient(session, name="Tobias Brandt")
    booking.book(session, builders.actor(session, patient), slot_id=builders.key(taken), reason="ECG", key="k" * 36)
    found = agenda.day(session, builders.actor(session, doctor), of=date(2026, 11, 24), upcoming=5)
    assert [(e.slot_id, e.state, e.patient, e.reason, e.status) for e in found.week] == [
        (free.id, "open", "", "", ""),
        (taken.id, "booked", "Tobias Brandt", "ECG", "booked"),
    ]
    assert found.doctor.id == doctor.id


def test_a_cancelled_appointment_leaves_its_slot_free(session: Session, now: datetime) -> None:
    doctor, patient = builders.doctor(session), builders.patient(session)
    slot = builders.slot(session, doctor, at(24, 9))
    booked = booking.book(
        session, builders.actor(session, patient), slot_id=builders.key(slot), reason="", key="k" * 36
    )
    session.get_one(Appointment, booked.id).status = Status.CANCELLED.value
    session.refresh(slot)
    slot.state = "open"
    session.flush()
    found = agenda.day(session, builders.actor(session, doctor), of=MONDAY, upcoming=5)
    assert [(e.state, e.patient) for e in found.week] == [("open", "")]
    assert found.upcoming.rows == ()


def test_upcoming_are_the_appointments_after_the_day(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session)
    for day in (23, 24, 25, 26):
        slot = builders.slot(session, doctor, at(day, 12))
        actor = builders.actor(session, builders.patient(session, name=f"Patient {chr(day + 64)}"))
        booking.book(session, actor, slot_id=builders.key(slot), reason="", key=f"{day:036}")
    found = agenda.day(session, builders.actor(session, doctor), of=date(2026, 11, 24), upcoming=1)
    assert [row.starts_at for row in found.upcoming.rows] == [at(25, 12)]
    assert found.upcoming.total == 2


def test_unused_are_the_free_slots_of_the_last_four_weeks(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session)
    builders.slot(session, doctor, now - timedelta(weeks=5))
    passed = builders.slot(session, doctor, now - timedelta(days=3))
    builders.slot(session, doctor, now - timedelta(days=2), state="withdrawn")
    builders.slot(session, doctor, now + timedelta(days=1))
    found = agenda.day(session, builders.actor(session, doctor), of=MONDAY, upcoming=5)
    assert found.unused == (passed.starts_at,)


def test_a_week_says_what_a_plan_would_publish(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session)
    builders.slot(session, doctor, at(24, 8))  # 09:00 in Berlin
    plan = Plan(date(2026, 11, 24), date(2026, 11, 24), time(9), time(10), timedelta(minutes=20))
    found = agenda.week(session, builders.actor(session, doctor), of=MONDAY, plan=plan)
    assert len(found.entries) == 1
    assert found.preview is not None
    assert [len(found.preview.fresh), len(found.preview.skipped)] == [2, 1]
    assert found.refusal is None


def test_a_week_says_why_a_plan_cannot_be_published(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session)
    plan = Plan(date(2026, 11, 24), date(2026, 11, 24), time(10), time(9), timedelta(minutes=20))
    found = agenda.week(session, builders.actor(session, doctor), of=MONDAY, plan=plan)
    assert found.preview is None
    assert found.refusal is not None
    assert found.refusal.field == "end"


def test_a_doctor_sees_their_own_slots_only(session: Session, now: datetime) -> None:
    mine, other = builders.doctor(session), builders.doctor(session, name="Dr. Samuel Okafor")
    slot = builders.slot(session, other, at(24, 9))
    patient = builders.actor(session, builders.patient(session))
    booking.book(session, patient, slot_id=builders.key(slot), reason="private", key="k" * 36)
    actor = builders.actor(session, mine)
    assert agenda.day(session, actor, of=MONDAY, upcoming=5).week == ()
    assert agenda.day(session, actor, of=MONDAY, upcoming=5).upcoming.total == 0
    assert agenda.week(session, actor, of=MONDAY).entries == ()


def test_nobody_else_has_an_agenda(session: Session, now: datetime) -> None:
    for stranger in (
        builders.actor(session, builders.patient(session)),
        builders.actor(session, builders.user(session, role=Role.ADMIN)),
    ):
        with pytest.raises(NotAllowed):
            agenda.day(session, stranger, of=MONDAY, upcoming=5)
        with pytest.raises(NotAllowed):
            agenda.week(session, stranger, of=MONDAY)
    with pytest.raises(LoginRequired):
        agenda.day(session, None, of=MONDAY, upcoming=5)
    with pytest.raises(LoginRequired):
        agenda.week(session, None, of=MONDAY)


def test_a_day_outside_of_the_calendar_is_refused(session: Session, now: datetime) -> None:
    with pytest.raises(Invalid):
        agenda.day(session, builders.actor(session, builders.doctor(session)), of=date(1900, 1, 1), upcoming=5)
