"""Booking: one slot, one appointment, and a named reason for every refusal, by either way in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from mhms_app import db, trace
from mhms_app.accounts import sessions
from mhms_app.accounts.models import Role, User
from mhms_app.audit.models import AuditEntry
from mhms_app.availability.models import Slot
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import rules, service
from mhms_app.booking.models import Appointment
from mhms_app.booking.service import Booked
from mhms_app.booking.statement import book_at_once
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders

Attempt = Callable[..., Booked]


class Clinic:
    """A doctor with slots tomorrow at 9, 10 and 11, and a logged-in patient."""

    def __init__(self, now: datetime) -> None:
        with db.transaction() as session:
            self.doctor = builders.doctor(session, name="Dr. Amira Haddad")
            self.patient = builders.patient(session, name="Jo Moreau", email="jo@example.com")
            tomorrow = now + timedelta(days=1)
            self.slots = [builders.slot(session, self.doctor, tomorrow + timedelta(hours=h)) for h in range(3)]
            self.token = self.log_in(session, self.patient.user_id)

    @staticmethod
    def log_in(session: Session, user_id: int) -> str:
        return sessions.open_session(session, user_id=user_id)

    def book(self, slot_id: int, *, reason: str = "", key: str = "", token: str | None = None) -> Booked:
        """Book as the browser does: the guarded statement first, then the service."""
        token = self.token if token is None else token
        wanted = {"slot_id": slot_id, "reason": reason, "key": key or str(uuid4())}
        return book_at_once(token, "", **wanted) or self.book_slowly(token, **wanted)

    def book_slowly(self, token: str, **wanted: str | int) -> Booked:
        with db.transaction() as session:
            return service.book(session, sessions.resolve(session, token), **wanted)  # type: ignore[arg-type]


@pytest.fixture
def clinic(database: str, now: datetime) -> Clinic:
    return Clinic(now)


def rows(*tables: type) -> list[int]:
    with db.transaction(read_only=True) as session:
        return [len(session.exec(select(table)).all()) for table in tables]


def test_f10_booking_takes_the_slot_and_promises_a_confirmation_in_one_transaction(clinic: Clinic) -> None:
    booked = clinic.book(clinic.slots[0].id, reason="Palpitations")
    with db.transaction(read_only=True) as session:
        appointment = session.get_one(Appointment, booked.id)
        assert (appointment.status, appointment.reason) == ("booked", "Palpitations")
        assert (appointment.starts_at, appointment.ends_at) == (booked.starts_at, booked.ends_at)
        assert session.get_one(Slot, clinic.slots[0].id).state == "booked"
        message = session.exec(select(OutboxMessage)).one()
        assert (message.kind, message.recipient_email) == ("BOOKING_CONFIRMATION", "jo@example.com")
        assert "Palpitations" not in str(message.payload)
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "appointment.book")).one()
        assert (entry.actor_id, entry.object_id) == (clinic.patient.user_id, booked.id)


@pytest.mark.parametrize("time_zone", ["", "Europe/Lisbon"])
def test_both_ways_in_write_the_same_rows(clinic: Clinic, time_zone: str) -> None:
    with db.transaction() as session:
        session.get_one(User, clinic.patient.user_id).time_zone = time_zone
    with trace.under_way("aaaa0000bbbb"):
        booked = [
            clinic.book(clinic.slots[0].id, reason="a", key="1"),
            clinic.book_slowly(clinic.token, slot_id=clinic.slots[1].id, reason="a", key="2"),
        ]
    with db.transaction(read_only=True) as session:
        appointments = [session.get_one(Appointment, b.id).model_dump() for b in booked]
        messages = [m.model_dump() for m in session.exec(select(OutboxMessage).order_by(OutboxMessage.id)).all()]
        entries = session.exec(select(AuditEntry.event_id).where(AuditEntry.action == "appointment.book")).all()
    assert entries == ["aaaa0000bbbb"] * 2
    assert [m["payload"].get("own_time_zone", "") for m in messages] == [time_zone] * 2
    ours = {"id", "reference", "slot_id", "starts_at", "ends_at", "idempotency_key", "uid"}
    without = lambda row: {k: v for k, v in row.items() if k not in ours}  # noqa: E731
    assert without(appointments[0]) == without(appointments[1])
    for message, appointment in zip(messages, appointments, strict=True):
        assert message["payload"]["starts_at"] == appointment["starts_at"].isoformat()
        assert message["payload"]["ends_at"] == appointment["ends_at"].isoformat()
        assert message["idempotency_key"] == f"booked-{appointment['reference']}"
    payloads = [without(message.pop("payload")) for message in messages]
    assert payloads[0] == payloads[1]
    assert without(messages[0]) == without(messages[1])


def test_a_repeated_request_returns_the_first_appointment(clinic: Clinic) -> None:
    first = clinic.book(clinic.slots[0].id, key="same")
    again = clinic.book(clinic.slots[0].id, key="same")
    assert (again.id, again.repeated, first.repeated) == (first.id, True, False)
    assert rows(Appointment, OutboxMessage) == [1, 1]


def test_a_slot_that_one_has_is_booked_once_although_the_key_was_lost(clinic: Clinic) -> None:
    first = clinic.book(clinic.slots[0].id)
    again = clinic.book(clinic.slots[0].id)
    assert (again.reference, again.repeated) == (first.reference, True)
    assert rows(Appointment, OutboxMessage) == [1, 1]


def test_f11_a_taken_slot_is_refused_and_the_next_free_one_offered(clinic: Clinic) -> None:
    clinic.book(clinic.slots[0].id)
    with db.transaction() as session:
        other = builders.patient(session)
        token = clinic.log_in(session, other.user_id)
    with pytest.raises(rules.SlotTaken) as refusal:
        clinic.book(clinic.slots[0].id, token=token)
    assert refusal.value.sentence == "09:00 has just been taken. The next free slot with this doctor is 10:00."


def change(table: type, key: int, **values: object) -> None:
    with db.transaction() as session:
        row = session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def test_every_refusal_has_its_name(clinic: Clinic, now: datetime) -> None:
    slot, doctor = clinic.slots[0], clinic.doctor
    with pytest.raises(NotFound):
        clinic.book(999_999)
    with pytest.raises(Invalid) as too_long:
        clinic.book(slot.id, reason="x" * 501)
    assert too_long.value.field == "reason"
    with pytest.raises(LoginRequired):
        clinic.book(slot.id, token="nobody")
    change(Slot, slot.id, state="withdrawn")
    with pytest.raises(rules.SlotWithdrawn):
        clinic.book(slot.id)
    change(Slot, slot.id, state="open")
    change(Doctor, doctor.id, approved_at=None)
    with pytest.raises(rules.DoctorUnavailable):
        clinic.book(slot.id)
    change(Doctor, doctor.id, approved_at=now)
    change(Department, doctor.department_id, active=False)
    with pytest.raises(rules.DoctorUnavailable):
        clinic.book(slot.id)
    change(Department, doctor.department_id, active=True)
    change(User, doctor.user_id, active=False)
    with pytest.raises(rules.DoctorUnavailable):
        clinic.book(slot.id)
    change(User, doctor.user_id, active=True)
    change(Slot, slot.id, starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(minutes=15))
    with pytest.raises(rules.SlotPast):
        clinic.book(slot.id)
    assert rows(Appointment, OutboxMessage) == [0, 0]


def test_a_patient_is_never_at_two_places_at_once(clinic: Clinic) -> None:
    with db.transaction() as session:
        other = builders.doctor(session)
        overlapping = builders.slot(session, other, clinic.slots[0].starts_at + timedelta(minutes=10))
    clinic.book(clinic.slots[0].id)
    with pytest.raises(rules.PatientBusy):
        clinic.book(overlapping.id)
    clinic.book(clinic.slots[1].id)


def test_a_patient_has_a_limited_number_of_upcoming_appointments(clinic: Clinic, now: datetime) -> None:
    with db.transaction() as session:
        slots = [builders.slot(session, clinic.doctor, now + timedelta(days=2, hours=h)).id for h in range(11)]
    for slot_id in slots[:10]:
        clinic.book(slot_id)
    with pytest.raises(rules.TooManyAppointments, match="10 upcoming appointments"):
        clinic.book(slots[10])


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.ADMIN])
def test_only_patients_book(clinic: Clinic, role: Role) -> None:
    with db.transaction() as session:
        token = clinic.log_in(session, builders.key(builders.user(session, role=role)))
    with pytest.raises(NotAllowed):
        clinic.book(clinic.slots[0].id, token=token)


def test_a_revoked_or_expired_session_books_nothing(clinic: Clinic, now: datetime) -> None:
    db.clock.freeze(now + timedelta(minutes=61))
    with pytest.raises(LoginRequired):
        clinic.book(clinic.slots[0].id)
    db.clock.freeze(now)
    with db.transaction() as session:
        sessions.close(session, token=clinic.token)
    with pytest.raises(LoginRequired):
        clinic.book(clinic.slots[0].id)


def test_other_screens_hear_of_a_booking_after_its_commit(clinic: Clinic) -> None:
    heard: list[object] = []
    stop = db.listen(heard.append)
    clinic.book(clinic.slots[0].id)
    stop()
    assert SlotsChanged(clinic.doctor.id, gone=(clinic.slots[0].id,), came=False) in heard


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one way in only
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_statement_and_the_rules_give_the_same_answer(clinic: Clinic, now: datetime, data: st.DataObject) -> None:
    """Whatever state the clinic is in, the guarded statement books exactly when the rules allow it."""
    with db.transaction() as session:
        doctor = builders.doctor(session, approved=data.draw(st.booleans(), "approved"))
        patient = builders.patient(session)
        department = session.get_one(Department, doctor.department_id)
        department.active = data.draw(st.booleans(), "department open")
        department.notice_minutes = data.draw(st.sampled_from([0, 0, 60, 120]), "notice")
        department.ahead_days = data.draw(st.sampled_from([1, 366, 366]), "ahead")
        department.most_active = data.draw(st.sampled_from([1, 10, 10]), "most active")
        department.most_missed = data.draw(st.sampled_from([1, 3]), "most missed")
        session.get_one(User, doctor.user_id).active = data.draw(st.booleans(), "doctor active")
        for person in (doctor, patient):
            confirmed_at = data.draw(st.sampled_from([now, now, None]), "address confirmed")
            session.get_one(User, person.user_id).email_confirmed_at = confirmed_at
        hour = data.draw(st.sampled_from([-2, -1, 0, 1, 2, 3, 24, 25]), "slot starts in hours")
        slot = builders.slot(
            session,
            doctor,
            now + timedelta(hours=hour),
            state=data.draw(st.sampled_from(["open", "open", "held", "booked", "withdrawn"]), "state"),
        )
        if slot.state == "held":
            slot.held_by = data.draw(st.sampled_from([patient.id, slot.held_by]), "holder")
            slot.held_until = now + timedelta(minutes=data.draw(st.integers(-1, 1), "held for"))
        slot.busy = data.draw(st.sampled_from([False, False, True]), "doctor busy elsewhere")
        if data.draw(st.booleans(), "has an appointment"):
            elsewhere = builders.slot(
                session,
                builders.doctor(session),
                now + timedelta(hours=hour, minutes=data.draw(st.integers(-40, 40), "minutes apart")),
                state="booked",
            )
            session.add(
                Appointment(
                    reference=rules.new_reference(),
                    slot_id=elsewhere.id,
                    patient_id=patient.id,
                    doctor_id=elsewhere.doctor_id,
                    department_id=doctor.department_id,
                    starts_at=elsewhere.starts_at,
                    ends_at=elsewhere.ends_at,
                    idempotency_key=str(uuid4()),
                    created_at=now,
                    status=data.draw(st.sampled_from(["booked", "checked_in", "completed", "no_show", "cancelled"])),
                )
            )
        token = clinic.log_in(session, patient.user_id)
        if data.draw(st.booleans(), "session revoked"):
            sessions.close(session, token=token)
    wanted = {"slot_id": slot.id, "reason": "", "key": str(uuid4())}
    with db.transaction() as session:
        savepoint = session.begin_nested()
        try:
            service.book(session, sessions.resolve(session, token), **wanted)
            by_rules = True
        except ClinicError:
            by_rules = False
        if savepoint.is_active:
            savepoint.rollback()
        session.info.clear()
    assert (book_at_once(token, "", **wanted) is not None) is by_rules


def test_the_rules_call_touching_appointments_no_overlap(now: datetime) -> None:
    hour = timedelta(hours=1)
    assert not rules.overlaps([(now, now + hour)], now + hour, now + 2 * hour)
    assert rules.overlaps([(now, now + hour)], now + hour - timedelta(seconds=1), now + 2 * hour)
