"""Whoever has not confirmed their address books nothing and keeps no time from others; on both engines."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import func, select

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.accounts.models import User
from mhms_app.availability.models import Slot
from mhms_app.booking import changes, holds, service, waiting
from mhms_app.booking.models import Appointment, Waiting
from mhms_app.booking.rules import DoctorUnavailable, EmailNotConfirmed, SlotTaken
from mhms_app.booking.statement import book_at_once
from mhms_app.directory.models import Doctor
from tests import builders


class Clinic:
    """A doctor with two slots tomorrow, and a patient who has signed up just now."""

    def __init__(self, now: datetime) -> None:
        with db.transaction() as session:
            self.doctor, self.patient = builders.doctor(session), builders.patient(session)
            self.slots = [
                builders.key(builders.slot(session, self.doctor, now + timedelta(days=1, hours=hour)))
                for hour in range(2)
            ]
            self.token = sessions.open_session(session, user_id=self.patient.user_id)
        self.confirm(self.patient.user_id, None)

    @staticmethod
    def confirm(user_id: int, at: datetime | None) -> None:
        with db.transaction() as session:
            session.get_one(User, user_id).email_confirmed_at = at

    def book(self, slot_id: int) -> service.Booked:
        """Book as the browser does: the guarded statement first, then the service."""
        wanted = {"slot_id": slot_id, "reason": "", "key": str(uuid4())}
        if booked := book_at_once(self.token, "", **wanted):  # type: ignore[arg-type]
            return booked
        with db.transaction() as session:
            return service.book(session, sessions.resolve(session, self.token), **wanted)  # type: ignore[arg-type]


@pytest.fixture
def clinic(database: str, now: datetime) -> Clinic:
    return Clinic(now)


def count(table: type) -> int:
    with db.transaction(read_only=True) as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_nothing_is_booked_before_and_everything_after(clinic: Clinic, now: datetime) -> None:
    with pytest.raises(EmailNotConfirmed):
        clinic.book(clinic.slots[0])
    assert count(Appointment) == 0
    clinic.confirm(clinic.patient.user_id, now)
    clinic.book(clinic.slots[0])
    assert count(Appointment) == 1


def test_no_slot_is_held(clinic: Clinic) -> None:
    with pytest.raises(EmailNotConfirmed), db.transaction() as session:
        holds.hold(session, sessions.resolve(session, clinic.token), slot_id=clinic.slots[0])
    with db.transaction(read_only=True) as session:
        assert {slot.state for slot in session.exec(select(Slot))} == {"open"}


def test_that_a_time_is_gone_is_said_first(clinic: Clinic) -> None:
    with db.transaction() as session:
        other = builders.actor(session, builders.patient(session))
        service.book(session, other, slot_id=clinic.slots[0], reason="", key="1")
    with pytest.raises(SlotTaken):
        clinic.book(clinic.slots[0])


def test_nobody_waits_for_a_time_that_they_could_not_take(clinic: Clinic, now: datetime) -> None:
    wanted = {"weekdays": range(7), "part": "any", "earliest": now.date()}
    with pytest.raises(EmailNotConfirmed), db.transaction() as session:
        actor = sessions.resolve(session, clinic.token)
        waiting.join(session, actor, doctor_id=builders.key(clinic.doctor), **wanted)  # type: ignore[arg-type]
    assert count(Waiting) == 0


def test_nobody_is_offered_a_time_whose_address_was_changed_meanwhile(clinic: Clinic, now: datetime) -> None:
    clinic.confirm(clinic.patient.user_id, now)
    with db.transaction() as session:
        actor = sessions.resolve(session, clinic.token)
        waiting.join(
            session,
            actor,
            doctor_id=builders.key(clinic.doctor),
            weekdays=range(7),
            part="any",
            earliest=now.date(),
        )
        other = builders.actor(session, builders.patient(session))
        given_back = service.book(session, other, slot_id=clinic.slots[1], reason="", key="1")
    clinic.confirm(clinic.patient.user_id, None)
    with db.transaction() as session:
        changes.cancel(session, other, reference=given_back.reference, choice="I am better", note="")
    with db.transaction(read_only=True) as session:
        assert session.get_one(Slot, clinic.slots[1]).state == "open"


def test_an_appointment_that_is_there_can_still_be_moved(clinic: Clinic, now: datetime) -> None:
    clinic.confirm(clinic.patient.user_id, now)
    later = now + timedelta(days=3)
    with db.transaction() as session:
        doctor = session.get_one(Doctor, clinic.doctor.id)
        far = [builders.key(builders.slot(session, doctor, later + timedelta(hours=hour))) for hour in range(2)]
    booked = clinic.book(far[0])
    clinic.confirm(clinic.patient.user_id, None)
    with db.transaction() as session:
        actor = sessions.resolve(session, clinic.token)
        changes.move(session, actor, reference=booked.reference, slot_id=far[1])


def test_a_doctor_who_has_not_confirmed_cannot_be_booked(clinic: Clinic, now: datetime) -> None:
    clinic.confirm(clinic.patient.user_id, now)
    clinic.confirm(clinic.doctor.user_id, None)
    with pytest.raises(DoctorUnavailable):
        clinic.book(clinic.slots[0])
