"""What happens to an appointment after it is booked: cancelling, moving, and the day itself.

Whoever changes an appointment locks in one order: the patient, the appointment, the slots by their keys. Booking
does too, so that two changes wait for each other and never against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.availability.models import HoursException, Slot, SlotState
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import lists, offers, rules
from mhms_app.booking.lists import AppointmentRow
from mhms_app.booking.models import Appointment, AppointmentMove, Leave, Status
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.policies import policy_of
from mhms_app.booking.rules import NotChangeable, Policy, SlotTaken
from mhms_app.booking.service import (
    SlotFacts,
    lock_patient,
    lock_slots,
    patient_view,
    slot_under_lock,
    take_slot,
    translate,
    with_next_free,
)
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department
from mhms_app.errors import Invalid, LoginRequired, NotFound
from mhms_app.notifications import service as notifications
from mhms_app.notifications.service import AppointmentFacts
from mhms_app.settings import settings


@dataclass(frozen=True, slots=True)
class Choices:
    """What the person may do with an appointment now, and how.

    Attributes:
        refusal: why it can no longer be cancelled or moved; None when it can.
        reasons: what the department lets patients choose from when they cancel.
        until: the last moment for the patient; staff have none.
    """

    refusal: NotChangeable | None
    reasons: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class Own:
    """One appointment of the acting patient, and what can be done with it.

    Attributes:
        email: the address to which its messages go.
        before: the times that it had, oldest first.
        why: what was said when it was cancelled.
    """

    appointment: AppointmentRow
    email: str
    choices: Choices
    before: tuple[tuple[datetime, datetime], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an appointment went; instants are aware UTC."""

    reference: str
    starts_at: datetime
    ends_at: datetime


def choices(session: Session, actor: Actor | None, *, reference: str) -> Choices:
    """Say whether an appointment can still be cancelled or moved by this person.

    Raises:
        NotFound: there is none with this reference that is theirs.
    """
    person = _require_anybody(actor)
    return _choices(*_of(session, person, reference), person)


def own(session: Session, actor: Actor | None, *, reference: str) -> Own:
    """All that the acting patient's page of one appointment shows.

    Raises:
        NotFound: there is none with this reference, or it is somebody else's.
    """
    shown = lists.appointment(session, actor, reference=reference)
    moves = session.execute(
        select(col(AppointmentMove.starts_at), col(AppointmentMove.ends_at))
        .where(col(AppointmentMove.appointment_id) == shown.id)
        .order_by(col(AppointmentMove.id))
    )
    before = tuple((starts_at, ends_at) for starts_at, ends_at in moves)
    patient = require_role(actor, Role.PATIENT)
    row, policy = _of(session, patient, reference)
    return Own(shown, patient.email, _choices(row, policy, patient), before, row.cancel_reason)


def cancel(session: Session, actor: Actor | None, *, reference: str, choice: str, note: str) -> None:
    """Cancel an appointment; its time is free again, and its patient gets one message.

    Args:
        choice: one of the department's reasons, or ``""``.
        note: the person's own words; they and the choice are at most 200 characters together.

    Raises:
        AlreadyCancelled, AlreadyBegun, WindowClosed: as ``rules.why_not_changeable`` decides.
        Invalid: no reason is given, or it is too long.
        NotFound: there is no such appointment that is theirs to cancel.
    """
    person = _require_anybody(actor)
    row, policy = _locked(session, person, reference)
    by_staff = _is_staff(person)
    why = _why(choice, note, policy, by_staff=by_staff)
    slot = slot_under_lock(session, row.slot_id)
    if refusal := _refusal(row, policy, person):
        raise refusal
    _cancel(session, person, row, slot, why=why, by_staff=by_staff)


def cancel_all_of(session: Session, person: Actor, *, patient_id: int, why: str) -> int:
    """Cancel what is still to come of a patient who leaves, at whatever notice; the caller has authorised it.

    Returns how many there were. Each has its message, and its time goes to who waits for it.
    """
    lock_patient(session, patient_id)
    coming = (
        select(Appointment)
        .where(
            col(Appointment.patient_id) == patient_id,
            col(Appointment.status) == Status.BOOKED.value,
            col(Appointment.starts_at) > db.clock.now(),
        )
        .order_by(col(Appointment.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rows = session.scalars(coming).all()
    lock_slots(session, [row.slot_id for row in rows])
    for row in rows:
        _cancel(session, person, row, slot_under_lock(session, row.slot_id), why=why, by_staff=False)
    return len(rows)


def _cancel(session: Session, person: Actor, row: Appointment, slot: SlotFacts, *, why: str, by_staff: bool) -> None:
    """Cancel an appointment; it and its slot are locked."""
    row.status, row.sequence = Status.CANCELLED.value, row.sequence + 1
    row.cancelled_at, row.cancelled_by, row.cancel_reason = db.clock.now(), person.user_id, why
    session.add(row)
    session.flush()
    _free(session, slot, row.patient_id)
    message = notifications.booking_cancelled(
        _facts(session, row, slot),
        cancelled_by="clinic" if by_staff else "patient",
        why=why if by_staff else "",
        doctor_id=slot.doctor_id,
    )
    notifications.enqueue(session, message)
    db.announce(session, PatientChanged(row.patient_id))
    _record(session, person, "appointment.cancel", row, f"staff: {why}" if by_staff else "")


def move(session: Session, actor: Actor | None, *, reference: str, slot_id: int, why: str = "") -> Moved:
    """Move an appointment to another slot of its department: the old time is freed and the new one taken, or neither.

    Asking twice moves once. The appointment keeps its reference and its calendar entry; SEQUENCE rises.

    Args:
        why: the staff's reason, at most 200 characters, kept in the audit trail. They need one where they pass a limit
            that holds for patients.

    Raises:
        AlreadyCancelled, AlreadyBegun, WindowClosed: as ``rules.why_not_changeable`` decides.
        Invalid: staff pass a limit without a reason, or it is too long.
        NotBookable: the new slot cannot be had, as ``rules.why_not_movable`` decides; the old one is still theirs.
        NotFound: there is no such appointment that is theirs to move, or no such slot in its department.
    """
    person = _require_anybody(actor)
    row, policy = _locked(session, person, reference)
    if row.slot_id == slot_id:
        return Moved(row.reference, row.starts_at, row.ends_at)
    slots = {key: slot_under_lock(session, key) for key in sorted({row.slot_id, slot_id})}
    wanted = slots[slot_id]
    if wanted.department_id != row.department_id:
        raise NotFound
    if refusal := _refusal(row, policy, person) or _slot_refusal(session, row, wanted, person):
        raise with_next_free(session, wanted) if isinstance(refusal, SlotTaken) else refusal
    said = _said_by_staff(person, row, wanted, why)
    old = slots[row.slot_id]
    try:
        with session.begin_nested():
            if not take_slot(session, wanted, row.patient_id):
                raise with_next_free(session, wanted)
            _keep_history(session, row, person)
            row.slot_id, row.doctor_id, row.sequence = wanted.id, wanted.doctor_id, row.sequence + 1
            row.starts_at, row.ends_at = wanted.starts_at, wanted.ends_at
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise translate(session, error, wanted) from None
    _free(session, old, row.patient_id)
    facts = _facts(session, row, wanted)
    notifications.enqueue(
        session, notifications.booking_moved(facts, old_starts_at=old.starts_at, old_ends_at=old.ends_at)
    )
    _record(session, person, "appointment.move", row, said)
    db.announce(session, SlotsChanged(wanted.doctor_id, gone=(wanted.id,), came=False))
    db.announce(session, PatientChanged(row.patient_id))
    return Moved(row.reference, row.starts_at, row.ends_at)


def set_status(session: Session, actor: Actor | None, *, appointment_id: int, status: str) -> str:
    """Mark what became of an appointment: checked in, completed, missed, or back by mistake.

    Doctors mark their own, administrators any. Returns the status that it had.

    Raises:
        IllegalMove: ``rules.TRANSITIONS`` has no such move, or it is too early for it.
        NotFound: there is no such appointment that is theirs to mark.
    """
    person = require_staff(actor)
    theirs = _theirs(session, person)
    found = select(Appointment).where(col(Appointment.id) == appointment_id, theirs).with_for_update()
    row = session.scalars(found.execution_options(populate_existing=True)).first()
    if row is None or status not in rules.TRANSITIONS or status == Status.CANCELLED:
        raise NotFound
    if row.status == status:
        return status
    if refusal := rules.why_not_movable_to(row.status, status, row.starts_at, now=db.clock.now()):
        raise refusal
    was, row.status = row.status, status
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        if db.violated(error) != "appointment_patient_no_overlap":
            raise
        raise rules.IllegalMove("The patient has another appointment at that time by now.") from None
    _record(session, person, f"appointment.{status}", row, f"was {was}")
    db.announce(session, SlotsChanged(row.doctor_id, gone=(), came=False))
    db.announce(session, PatientChanged(row.patient_id))
    return was


def _require_anybody(actor: Actor | None) -> Actor:
    if actor is None:
        raise LoginRequired
    return actor


def require_staff(actor: Actor | None) -> Actor:
    """The acting doctor or administrator."""
    person = _require_anybody(actor)
    return person if person.role is Role.ADMIN else require_role(person, Role.DOCTOR)


def _is_staff(actor: Actor | None) -> bool:
    return actor is not None and actor.role is not Role.PATIENT


def _theirs(session: Session, person: Actor) -> ColumnElement[bool]:
    """The appointments that this person may change."""
    if person.role is Role.ADMIN:
        return true()
    if person.role is Role.DOCTOR:
        return col(Appointment.doctor_id) == directory.require_doctor(session, person).id
    return col(Appointment.patient_id) == person.patient_id


def _of(session: Session, person: Actor, reference: str) -> tuple[Appointment, Policy]:
    """An appointment of theirs with the policy of its department, not locked yet."""
    found = session.execute(
        select(Appointment, Department)
        .join(Department, col(Department.id) == col(Appointment.department_id))
        .where(col(Appointment.reference) == reference, _theirs(session, person))
    ).first()
    if found is None:
        raise NotFound
    appointment, department = found
    return appointment, policy_of(department)


def _locked(session: Session, person: Actor, reference: str) -> tuple[Appointment, Policy]:
    """An appointment of theirs as it is once nobody else changes it, with the policy of its department."""
    row, policy = _of(session, person, reference)
    lock_patient(session, row.patient_id)
    locked = select(Appointment).where(col(Appointment.id) == row.id).with_for_update()
    return session.scalars(locked.execution_options(populate_existing=True)).one(), policy


def _choices(row: Appointment, policy: Policy, person: Actor) -> Choices:
    return Choices(_refusal(row, policy, person), policy.reasons, row.starts_at - policy.change_until)


def _refusal(row: Appointment, policy: Policy, person: Actor) -> NotChangeable | None:
    return rules.why_not_changeable(
        row.status, row.starts_at, now=db.clock.now(), policy=policy, by_staff=_is_staff(person)
    )


def _slot_refusal(session: Session, row: Appointment, wanted: SlotFacts, person: Actor) -> Exception | None:
    policy = wanted.policy
    if _is_staff(person):  # notice and horizon are for patients
        policy = replace(policy, notice=timedelta(), ahead=timedelta(days=3660))
    patient = patient_view(session, row.patient_id, wanted, without=row.id)
    return rules.why_not_movable(wanted.view, patient, now=db.clock.now(), policy=policy)


def _said_by_staff(person: Actor, row: Appointment, wanted: SlotFacts, why: str) -> str:
    """What the audit trail says of a move by staff: why, and which limits of the patients they passed."""
    if not _is_staff(person):
        return ""
    why = rules.tidy_reason(why, most=rules.WHY_LENGTH, field="why")
    passed = rules.limits_passed(row.starts_at, wanted.starts_at, now=db.clock.now(), policy=wanted.policy)
    limits = " and ".join(passed)
    if limits and not why:
        raise Invalid(f"Please say why: this passes {limits}.", field="why")
    return f"staff, passing {limits}: {why}" if limits else f"staff{f': {why}' if why else ''}"


def _why(choice: str, note: str, policy: Policy, *, by_staff: bool) -> str:
    """What is kept of why: the choice and the person's own words."""
    if choice and choice not in policy.reasons:
        raise Invalid("Please choose a reason from the list.", field="choice")
    why = rules.tidy_reason(". ".join(part for part in (choice, note.strip()) if part), most=rules.WHY_LENGTH)
    if not why:
        raise Invalid(
            "Please say why." if by_staff else "Please choose a reason.", field="note" if by_staff else "choice"
        )
    return why


def _free(session: Session, slot: SlotFacts, patient_id: int) -> None:
    """Give a booked slot back to who waits for it, or to everybody; while its doctor is on leave, to nobody."""
    away = _on_leave(session, slot)
    state = SlotState.WITHDRAWN if away else SlotState.OPEN
    session.execute(
        update(Slot)
        .where(col(Slot.id) == slot.id, col(Slot.state) == SlotState.BOOKED.value)
        .values(state=state.value, **({"from_hours": False} if away else {}))
        .execution_options(synchronize_session=False)
    )
    if away:
        db.announce(session, SlotsChanged(slot.doctor_id, gone=(), came=False))
    else:
        offers.pass_on(session, slot, but=patient_id)


def _on_leave(session: Session, slot: SlotFacts) -> bool:
    """Whether the slot is in a leave of its doctor, who has not taken the day off back meanwhile."""
    day = slot.starts_at.astimezone(settings().zone).date()
    off = exists().where(
        col(HoursException.doctor_id) == slot.doctor_id,
        col(HoursException.day) == day,
        col(HoursException.kind) == "off",
        col(HoursException.start).is_(None),
    )
    leave = select(col(Leave.id)).where(
        col(Leave.doctor_id) == slot.doctor_id, col(Leave.first_day) <= day, col(Leave.last_day) >= day, off
    )
    return session.execute(leave.limit(1)).first() is not None


def _keep_history(session: Session, row: Appointment, person: Actor) -> None:
    session.add(
        AppointmentMove(
            appointment_id=row.id or 0,
            moved_at=db.clock.now(),
            moved_by=person.user_id,
            slot_id=row.slot_id,
            doctor_id=row.doctor_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
        )
    )


def _facts(session: Session, row: Appointment, slot: SlotFacts) -> AppointmentFacts:
    """What a message about the appointment says."""
    email, name, time_zone = session.execute(
        select(col(User.email), col(User.full_name), col(User.time_zone))
        .join(Patient, col(Patient.user_id) == col(User.id))
        .where(col(Patient.id) == row.patient_id)
    ).one()
    return AppointmentFacts(
        row.reference,
        email,
        name,
        slot.doctor,
        slot.department,
        slot.location,
        row.starts_at,
        row.ends_at,
        row.sequence,
        time_zone,
    )


def _record(session: Session, person: Actor, action: str, row: Appointment, detail: str) -> None:
    audit.record(
        session,
        actor_id=person.user_id,
        action=action,
        object_type="appointment",
        object_id=row.id,
        detail=detail,
    )
