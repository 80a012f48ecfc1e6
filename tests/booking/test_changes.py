"""After the booking: cancelling, moving, the day itself; by whom, until when, and what everybody is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.availability.models import Slot
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import changes, rules, service
from mhms_app.booking.models import Appointment, AppointmentMove, Status
from mhms_app.booking.rules import (
    AlreadyBegun,
    AlreadyCancelled,
    IllegalMove,
    PatientBusy,
    Policy,
    SlotTaken,
    WindowClosed,
)
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Ward:
    """A doctor with three free slots in two days, and a patient who has booked a fourth."""

    session: Session
    doctor: Doctor
    patient: Patient
    reference: str
    booked: int
    free: list[int]

    @property
    def row(self) -> Appointment:
        """The appointment as the database has it."""
        self.session.expire_all()
        return self.session.exec(select(Appointment).where(Appointment.reference == self.reference)).one()

    def as_patient(self) -> Actor:
        return builders.actor(self.session, self.patient)

    def as_doctor(self) -> Actor:
        return builders.actor(self.session, self.doctor)

    def state(self, slot_id: int) -> str:
        self.session.expire_all()
        return self.session.get_one(Slot, slot_id).state

    def messages(self, kind: str) -> list[OutboxMessage]:
        return list(self.session.exec(select(OutboxMessage).where(OutboxMessage.kind == kind)))


@pytest.fixture
def ward(session: Session, now: datetime) -> Ward:
    doctor, patient = builders.doctor(session), builders.patient(session)
    booked, *free = (builders.key(builders.slot(session, doctor, now + 2 * DAY + n * HOUR)) for n in range(4))
    actor = builders.actor(session, patient)
    done = service.book(session, actor, slot_id=booked, reason="A cough", key=str(uuid4()))
    return Ward(session, doctor, patient, done.reference, booked, free)


def admin(session: Session) -> Actor:
    return builders.actor(session, builders.user(session, role=Role.ADMIN))


def test_a_patient_cancels_and_the_time_is_free_again(ward: Ward) -> None:
    changes.cancel(ward.session, ward.as_patient(), reference=ward.reference, choice="I am ill", note="Fever")
    row = ward.row
    assert (row.status, row.sequence, row.cancel_reason, row.cancelled_by) == (
        "cancelled",
        1,
        "I am ill. Fever",
        ward.patient.user_id,
    )
    assert ward.state(ward.booked) == "open"
    (message,) = ward.messages("BOOKING_CANCELLED")
    assert message.payload["sequence"] == 1
    assert (message.payload["cancelled_by"], message.payload["why"]) == ("patient", "")
    with pytest.raises(AlreadyCancelled):
        changes.cancel(ward.session, ward.as_patient(), reference=ward.reference, choice="I am ill", note="")
    assert len(ward.messages("BOOKING_CANCELLED")) == 1
    other = builders.actor(ward.session, builders.patient(ward.session, name="Rita Berg"))
    assert service.book(ward.session, other, slot_id=ward.booked, reason="", key=str(uuid4())).slot_id == ward.booked


@pytest.mark.parametrize(
    ("choice", "note", "field"),
    [("", "", "choice"), ("Because", "", "choice"), ("I am ill", "x" * 200, "reason")],
)
def test_cancelling_needs_a_reason_of_the_department(ward: Ward, choice: str, note: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        changes.cancel(ward.session, ward.as_patient(), reference=ward.reference, choice=choice, note=note)
    assert refused.value.field == field
    assert ward.row.status == "booked"


def test_the_window_closes_for_patients_and_not_for_staff(ward: Ward, now: datetime) -> None:
    db.clock.freeze(now + DAY + timedelta(minutes=1))
    with pytest.raises(WindowClosed, match="24 hours before"):
        changes.cancel(ward.session, ward.as_patient(), reference=ward.reference, choice="I am ill", note="")
    with pytest.raises(WindowClosed):
        changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=ward.free[0])
    refusal = changes.choices(ward.session, ward.as_patient(), reference=ward.reference).refusal
    assert isinstance(refusal, WindowClosed)
    with pytest.raises(Invalid):
        changes.cancel(ward.session, ward.as_doctor(), reference=ward.reference, choice="", note=" ")
    changes.cancel(ward.session, ward.as_doctor(), reference=ward.reference, choice="", note="The doctor is ill")
    (message,) = ward.messages("BOOKING_CANCELLED")
    assert (message.payload["cancelled_by"], message.payload["why"]) == ("clinic", "The doctor is ill")
    entry = ward.session.exec(select(AuditEntry).where(AuditEntry.action == "appointment.cancel")).one()
    assert (entry.actor_id, entry.detail) == (ward.doctor.user_id, "staff: The doctor is ill")


def test_a_department_has_its_own_window_and_reasons(ward: Ward, now: datetime) -> None:
    department = ward.session.get_one(Department, ward.doctor.department_id)
    department.change_hours, department.cancel_reasons = 2, "Holiday\nMoved away"
    ward.session.add(department)
    db.clock.freeze(now + 2 * DAY - 3 * HOUR)
    found = changes.choices(ward.session, ward.as_patient(), reference=ward.reference)
    assert (found.refusal, found.reasons, found.until) == (None, ("Holiday", "Moved away"), now + 2 * DAY - 2 * HOUR)


def test_moving_frees_one_time_and_takes_another_in_one_step(ward: Ward) -> None:
    before = ward.row.starts_at
    moved = changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=ward.free[1])
    row = ward.row
    assert (row.slot_id, row.starts_at, row.sequence, row.reference) == (
        ward.free[1],
        moved.starts_at,
        1,
        ward.reference,
    )
    assert (ward.state(ward.booked), ward.state(ward.free[1])) == ("open", "booked")
    (message,) = ward.messages("BOOKING_MOVED")
    assert (message.payload["sequence"], message.payload["old"]["starts_at"]) == (1, before.isoformat())
    assert changes.own(ward.session, ward.as_patient(), reference=ward.reference).before == (
        (before, before + timedelta(minutes=20)),
    )
    again = changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=ward.free[1])
    assert again == moved
    assert len(ward.messages("BOOKING_MOVED")) == 1
    assert len(ward.session.exec(select(AppointmentMove)).all()) == 1


def test_when_the_new_time_is_lost_the_old_one_is_still_theirs(ward: Ward) -> None:
    rival = builders.actor(ward.session, builders.patient(ward.session, name="Rita Berg"))
    service.book(ward.session, rival, slot_id=ward.free[0], reason="", key=str(uuid4()))
    with pytest.raises(SlotTaken, match="next free"):
        changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=ward.free[0])
    assert (ward.row.slot_id, ward.row.sequence, ward.state(ward.booked)) == (ward.booked, 0, "booked")
    assert not ward.messages("BOOKING_MOVED")


def test_an_appointment_may_overlap_its_own_old_time_and_no_other(ward: Ward, now: datetime) -> None:
    colleague = builders.doctor(
        ward.session, name="Dr. Osei", within=ward.session.get_one(Department, ward.doctor.department_id)
    )
    near = builders.key(builders.slot(ward.session, colleague, now + 2 * DAY + timedelta(minutes=10)))
    clash = builders.key(builders.slot(ward.session, colleague, now + 2 * DAY + HOUR))
    service.book(ward.session, ward.as_patient(), slot_id=ward.free[0], reason="", key=str(uuid4()))
    with pytest.raises(PatientBusy):
        changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=clash)
    changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=near)
    assert (ward.row.slot_id, ward.row.doctor_id) == (near, colleague.id)


def test_an_appointment_stays_in_its_department(ward: Ward, now: datetime) -> None:
    elsewhere = builders.key(builders.slot(ward.session, builders.doctor(ward.session, name="Dr. Far"), now + 3 * DAY))
    with pytest.raises(NotFound):
        changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=elsewhere)


def acts(ward: Ward) -> list[Callable[[Actor | None], object]]:
    return [
        lambda actor: changes.cancel(ward.session, actor, reference=ward.reference, choice="I am ill", note="x"),
        lambda actor: changes.move(ward.session, actor, reference=ward.reference, slot_id=ward.free[0]),
        lambda actor: changes.choices(ward.session, actor, reference=ward.reference),
    ]


def test_nobody_changes_what_is_not_theirs(ward: Ward) -> None:
    strangers = (
        builders.actor(ward.session, builders.patient(ward.session, name="Rita Berg")),
        builders.actor(ward.session, builders.doctor(ward.session, name="Dr. Other")),
    )
    for act in acts(ward):
        for stranger in strangers:
            with pytest.raises(NotFound):
                act(stranger)
        with pytest.raises(LoginRequired):
            act(None)
    with pytest.raises(NotFound):
        changes.set_status(ward.session, strangers[1], appointment_id=ward.row.id or 0, status="checked_in")
    with pytest.raises(NotAllowed):
        changes.set_status(ward.session, ward.as_patient(), appointment_id=ward.row.id or 0, status="checked_in")
    assert (ward.row.status, ward.row.slot_id) == ("booked", ward.booked)


@pytest.mark.parametrize(("status", "wanted"), list(product(Status, Status)))
def test_statuses_move_as_the_table_says(ward: Ward, status: Status, wanted: Status) -> None:
    db.clock.freeze(ward.row.starts_at + timedelta(minutes=6))
    row = ward.row
    row.status = status.value
    ward.session.add(row)
    ward.session.flush()

    def mark() -> str:
        return changes.set_status(ward.session, ward.as_doctor(), appointment_id=row.id or 0, status=wanted.value)

    if wanted is Status.CANCELLED:
        with pytest.raises(NotFound):
            mark()
    elif status is wanted or wanted.value in rules.TRANSITIONS[status.value]:
        assert mark() == status.value
        assert ward.row.status == wanted.value
    else:
        with pytest.raises(IllegalMove):
            mark()
        assert ward.row.status == status.value


def test_nobody_is_checked_in_the_day_before_or_missed_before_the_time(ward: Ward) -> None:
    key, starts_at = ward.row.id or 0, ward.row.starts_at
    for at, status in ((starts_at - 13 * HOUR, "checked_in"), (starts_at, "no_show")):
        db.clock.freeze(at)
        with pytest.raises(IllegalMove):
            changes.set_status(ward.session, ward.as_doctor(), appointment_id=key, status=status)


def test_who_is_there_can_no_longer_cancel_or_move(ward: Ward) -> None:
    db.clock.freeze(ward.row.starts_at - timedelta(minutes=5))
    changes.set_status(ward.session, ward.as_doctor(), appointment_id=ward.row.id or 0, status="checked_in")
    for act in acts(ward)[:2]:
        for actor in (ward.as_patient(), admin(ward.session)):
            with pytest.raises(AlreadyBegun):
                act(actor)


def test_a_missed_appointment_comes_back_only_when_the_patient_is_free(ward: Ward) -> None:
    key, colleague = ward.row.id or 0, builders.doctor(ward.session, name="Dr. Osei")
    db.clock.freeze(ward.row.starts_at + timedelta(minutes=6))
    changes.set_status(ward.session, ward.as_doctor(), appointment_id=key, status="no_show")
    later = builders.key(builders.slot(ward.session, colleague, ward.row.starts_at + timedelta(minutes=10)))
    service.book(ward.session, ward.as_patient(), slot_id=later, reason="", key=str(uuid4()))
    with pytest.raises(IllegalMove, match="another appointment"):
        changes.set_status(ward.session, ward.as_doctor(), appointment_id=key, status="booked")


def test_who_missed_too_much_is_told_to_call(ward: Ward, now: datetime) -> None:
    slots = [builders.key(builders.slot(ward.session, ward.doctor, now - (n + 1) * DAY)) for n in range(3)]
    for number, slot_id in enumerate(slots):
        row = ward.session.get_one(Slot, slot_id)
        row.state = "booked"
        ward.session.add(
            Appointment(
                reference=f"MH-OLD{number}",
                slot_id=slot_id,
                patient_id=builders.key(ward.patient),
                doctor_id=builders.key(ward.doctor),
                department_id=ward.doctor.department_id,
                starts_at=row.starts_at,
                ends_at=row.ends_at,
                status="no_show",
                idempotency_key=str(uuid4()),
                created_at=now - 10 * DAY,
            )
        )
    ward.session.flush()
    with pytest.raises(rules.BookingPaused, match="3 appointments"):
        service.book(ward.session, ward.as_patient(), slot_id=ward.free[0], reason="", key=str(uuid4()))
    changes.move(ward.session, ward.as_patient(), reference=ward.reference, slot_id=ward.free[0])


@pytest.mark.parametrize(
    ("column", "value", "refusal"),
    [("notice_minutes", 3 * 24 * 60, rules.TooLate), ("ahead_days", 1, rules.TooEarly)],
)
def test_notice_and_horizon_are_the_departments(
    ward: Ward, column: str, value: int, refusal: type[ClinicError]
) -> None:
    department = ward.session.get_one(Department, ward.doctor.department_id)
    setattr(department, column, value)
    ward.session.add(department)
    ward.session.flush()
    with pytest.raises(refusal):
        service.book(ward.session, ward.as_patient(), slot_id=ward.free[0], reason="", key=str(uuid4()))
    with pytest.raises(Invalid, match="Please say why"):
        changes.move(ward.session, ward.as_doctor(), reference=ward.reference, slot_id=ward.free[0], why=" ")
    changes.move(ward.session, ward.as_doctor(), reference=ward.reference, slot_id=ward.free[0], why="By phone.")


def test_what_staff_pass_is_in_the_audit_trail_with_its_reason(ward: Ward, now: datetime) -> None:
    boss, near = admin(ward.session), now + 2 * DAY - HOUR
    changes.move(ward.session, boss, reference=ward.reference, slot_id=ward.free[0])
    db.clock.freeze(near)
    with pytest.raises(Invalid) as refused:
        changes.move(ward.session, boss, reference=ward.reference, slot_id=ward.free[1])
    assert refused.value.field == "why"
    changes.move(ward.session, boss, reference=ward.reference, slot_id=ward.free[1], why="Asked for on the phone.")
    found = ward.session.exec(select(AuditEntry.detail).where(AuditEntry.action == "appointment.move"))
    assert list(found) == [
        "staff",
        "staff, passing the time until which patients change it: Asked for on the phone.",
    ]
    assert len(ward.messages("BOOKING_MOVED")) == 2


@pytest.mark.parametrize(
    ("was_in", "wanted_in", "limits"),
    [
        (3 * DAY, 3 * DAY, ()),
        (DAY, 3 * DAY, ("the time until which patients change it",)),
        (3 * DAY, 2 * HOUR, ("the notice",)),
        (HOUR, 31 * DAY, ("the time until which patients change it", "how far ahead patients book")),
    ],
)
def test_the_limits_that_only_staff_pass(
    now: datetime, was_in: timedelta, wanted_in: timedelta, limits: tuple[str, ...]
) -> None:
    policy = Policy(notice=2 * HOUR, ahead=30 * DAY, change_until=DAY)
    assert rules.limits_passed(now + was_in, now + wanted_in, now=now, policy=policy) == limits


def test_open_screens_hear_which_time_came_back(ward: Ward) -> None:
    heard: list[SlotsChanged] = []
    stop = db.listen(lambda fact: heard.append(fact) if isinstance(fact, SlotsChanged) else None)
    try:
        patient = ward.as_patient()
        ward.session.commit()
        with db.transaction() as session:
            changes.move(session, patient, reference=ward.reference, slot_id=ward.free[0])
    finally:
        stop()
    assert [slot.id for change in heard for slot in change.freed] == [ward.booked]
    assert [slot_id for change in heard for slot_id in change.gone] == [ward.free[0]]


def test_names_in_messages_are_those_of_the_patient(ward: Ward) -> None:
    changes.cancel(ward.session, admin(ward.session), reference=ward.reference, choice="", note="Closed")
    (message,) = ward.messages("BOOKING_CANCELLED")
    account = ward.session.exec(select(User).where(col(User.id) == ward.patient.user_id)).one()
    assert (message.recipient_email, message.recipient_name) == (account.email, account.full_name)
