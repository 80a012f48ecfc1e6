"""Booking a slot.

It is tried first as one guarded statement (``statement.book_at_once``); where that changes nothing,
``book`` looks again under a lock and lets ``rules`` say why.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.availability import finding
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import offers, rules
from mhms_app.booking.models import ACTIVE, Appointment, Status
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.policies import policy_of
from mhms_app.booking.rules import PatientBusy, PatientView, Policy, SlotTaken, SlotView
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import NotAllowed, NotFound
from mhms_app.notifications import service as notifications
from mhms_app.settings import settings


@dataclass(frozen=True, slots=True)
class Booked:
    """What a booking came to.

    Attributes:
        repeated: the same request had been made before; this is its appointment.
    """

    id: int
    reference: str
    slot_id: int
    doctor_id: int
    starts_at: datetime
    ends_at: datetime
    repeated: bool


def book(session: Session, actor: Actor | None, *, slot_id: int, reason: str, key: str) -> Booked:
    """Book a slot for the acting patient; the same key returns the same booking, and so does a slot that they have.

    A page that lost its answer together with its key asks for the slot that it has booked already.

    Raises:
        SlotTaken, SlotWithdrawn, SlotPast, DoctorUnavailable, PatientBusy, EmailNotConfirmed, TooManyAppointments: as
            ``rules.why_not_bookable`` decides.
        Invalid: the reason is too long.
        NotFound: there is no such slot.
    """
    patient, patient_id = require_patient(actor)
    reason = rules.tidy_reason(reason)
    lock_patient(session, patient_id)
    if earlier := find_by_key(session, patient_id, key) or _find_by_slot(session, patient_id, slot_id):
        return earlier
    slot = slot_under_lock(session, slot_id)
    refusal = rules.why_not_bookable(
        slot.view, patient_view(session, patient_id, slot), now=db.clock.now(), policy=slot.policy
    )
    if isinstance(refusal, SlotTaken):
        raise with_next_free(session, slot)
    if refusal:
        raise refusal
    try:
        with session.begin_nested():
            return _take(session, patient, patient_id, slot, reason=reason, key=key)
    except IntegrityError as error:
        raise translate(session, error, slot) from None


def require_patient(actor: Actor | None) -> tuple[Actor, int]:
    """The acting patient, and their key."""
    patient = require_role(actor, Role.PATIENT)
    if patient.patient_id is None:
        raise NotAllowed
    return patient, patient.patient_id


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """A slot with what booking needs to know of its doctor and its department."""

    id: int
    state: str
    starts_at: datetime
    ends_at: datetime
    doctor_id: int
    doctor: str
    department_id: int
    department: str
    location: str
    doctor_visible: bool
    held_by: int | None
    held_until: datetime | None
    offered: bool
    busy: bool
    from_hours: bool
    policy: Policy

    @property
    def view(self) -> SlotView:
        """What the rules look at."""
        return SlotView(
            self.state, self.starts_at, self.ends_at, self.doctor_visible, self.held_by, self.held_until, self.busy
        )


def lock_patient(session: Session, patient_id: int) -> None:
    """Let one change of a patient's appointments happen at a time.

    The weaker kind of lock (FOR NO KEY UPDATE) lets go on what only refers to the row, as every new appointment
    does: with the stronger kind the two could wait for each other.
    """
    _lock(session, select(col(Patient.id)).where(col(Patient.id) == patient_id).with_for_update(key_share=True))


def lock_slots(session: Session, slot_ids: Collection[int | None]) -> None:
    """Lock several slots in the order of their keys, as everybody does."""
    _lock(session, select(col(Slot.id)).where(col(Slot.id).in_(slot_ids)).order_by(col(Slot.id)).with_for_update())


def _lock(session: Session, statement: Select[Any]) -> None:
    """Take row locks; the constraints hold without them, but then the refusals come later."""
    session.execute(statement)


def slot_under_lock(session: Session, slot_id: int) -> SlotFacts:
    """Lock a slot and read it.

    Raises:
        NotFound: there is no such slot.
    """
    _lock(session, select(col(Slot.id)).where(col(Slot.id) == slot_id).with_for_update())
    found = session.execute(
        select(
            col(Slot.id),
            col(Slot.state),
            col(Slot.starts_at),
            col(Slot.ends_at),
            col(Slot.doctor_id),
            col(User.full_name),
            col(Department.id),
            col(Department.name),
            col(Department.location),
            directory.VISIBLE,
            col(Slot.held_by),
            col(Slot.held_until),
            col(Slot.offered),
            col(Slot.busy),
            col(Slot.from_hours),
            Department,
        )
        .join(Doctor, col(Doctor.id) == col(Slot.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(col(Slot.id) == slot_id)
    ).first()
    if found is None:
        raise NotFound
    facts: list[Any] = list(found)
    facts.append(policy_of(facts.pop()))
    return SlotFacts(*facts)


def patient_view(session: Session, patient_id: int, slot: SlotFacts, *, without: int | None = None) -> PatientView:
    """What the rules look at of a patient who wants a slot.

    Args:
        without: an appointment that does not count, because it is the one to be moved.
    """
    now = db.clock.now()
    mine = col(Appointment.patient_id) == patient_id
    active = session.execute(
        select(col(Appointment.starts_at), col(Appointment.ends_at)).where(
            mine,
            col(Appointment.status).in_(ACTIVE),
            col(Appointment.ends_at) > now,
            col(Appointment.id).is_distinct_from(without),
        )
    )
    missed = missed_by(session, patient_id, slot.department_id, slot.policy)
    times = tuple((starts_at, ends_at) for starts_at, ends_at in active)
    return PatientView(times, missed, id=patient_id, confirmed=is_confirmed(session, patient_id))


def is_confirmed(session: Session, patient_id: int) -> bool:
    """Whether a patient's e-mail address is known to be theirs."""
    confirmed_at = select(col(User.email_confirmed_at)).join(Patient, col(Patient.user_id) == col(User.id))
    return session.scalar(confirmed_at.where(col(Patient.id) == patient_id)) is not None


def missed_by(session: Session, patient_id: int, department_id: int, policy: Policy) -> int:
    """How many appointments of a department a patient has missed within the policy's period."""
    found = session.scalar(
        select(func.count()).where(
            col(Appointment.patient_id) == patient_id,
            col(Appointment.status) == Status.NO_SHOW.value,
            col(Appointment.department_id) == department_id,
            col(Appointment.starts_at) > db.clock.now() - policy.missed_within,
        )
    )
    return found or 0


def take_slot(session: Session, slot: SlotFacts, patient_id: int) -> bool:
    """Compare and swap: make a slot that this patient may have booked; says whether it was."""
    swapped = session.execute(
        update(Slot)
        .where(col(Slot.id) == slot.id, free_for(patient_id))
        .values(state=SlotState.BOOKED.value, held_by=None, held_until=None, offered=False)
        .execution_options(synchronize_session=False)
    )
    if slot.offered:
        offers.settle(session, slot_id=slot.id, patient_id=patient_id)
    return bool(swapped.rowcount == 1)  # type: ignore[attr-defined]


def free_for(patient_id: int) -> ColumnElement[bool]:
    """The slots that are held for this patient, or that anybody can have: open, or held until a moment ago."""
    held = col(Slot.state) == SlotState.HELD.value
    anybody = or_(col(Slot.state) == SlotState.OPEN.value, and_(held, col(Slot.held_until) <= db.clock.now()))
    return or_(and_(held, col(Slot.held_by) == patient_id), and_(anybody, not_(col(Slot.busy))))


def _take(session: Session, patient: Actor, patient_id: int, slot: SlotFacts, *, reason: str, key: str) -> Booked:
    """Swap the slot's state and write appointment, message and audit entry with it."""
    if not take_slot(session, slot, patient_id):
        raise with_next_free(session, slot)
    appointment = Appointment(
        reference=rules.new_reference(),
        slot_id=slot.id,
        patient_id=patient_id,
        doctor_id=slot.doctor_id,
        department_id=slot.department_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        reason=reason,
        idempotency_key=key,
        created_at=db.clock.now(),
    )
    session.add(appointment)
    session.flush()
    notifications.enqueue(
        session,
        notifications.booking_confirmation(
            reference=appointment.reference,
            email=patient.email,
            name=patient.name,
            doctor=slot.doctor,
            department=slot.department,
            location=slot.location,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            time_zone=patient.time_zone,
        ),
    )
    audit.record(
        session,
        actor_id=patient.user_id,
        action="appointment.book",
        object_type="appointment",
        object_id=appointment.id,
    )
    db.announce(session, SlotsChanged(slot.doctor_id, gone=(slot.id,), came=False))
    db.announce(session, PatientChanged(patient_id))
    session.flush()
    return _booked(appointment, repeated=False)


def translate(session: Session, error: IntegrityError, slot: SlotFacts) -> Exception:
    """Name what a constraint refused, in the words of the rule that it guards."""
    match db.violated(error):
        case "uq_appointment_slot_active":
            return with_next_free(session, slot)
        case "appointment_patient_no_overlap":
            return PatientBusy()
        case _:
            return error


def with_next_free(session: Session, slot: SlotFacts) -> SlotTaken:
    """The refusal of a taken slot, with the doctor's next free time from there on."""
    taken = _clock_time(slot.starts_at)
    following = finding.next_free(session, None, doctor_id=slot.doctor_id, after=slot.starts_at)
    if following is None:
        return SlotTaken(f"{taken} has just been taken. This doctor has no later free slot.")
    local, here = following.starts_at.astimezone(settings().zone), slot.starts_at.astimezone(settings().zone)
    day = "" if local.date() == here.date() else f"{local:%a} {local.day} {local:%b}, "
    return SlotTaken(f"{taken} has just been taken. The next free slot with this doctor is {day}{local:%H:%M}.")


def _clock_time(instant: datetime) -> str:
    return f"{instant.astimezone(settings().zone):%H:%M}"


def find_by_key(session: Session, patient_id: int, key: str) -> Booked | None:
    """What this patient has booked with this key."""
    found = session.scalars(
        select(Appointment).where(col(Appointment.patient_id) == patient_id, col(Appointment.idempotency_key) == key)
    ).first()
    return _booked(found, repeated=True) if found else None


def has_booked(session: Session, actor: Actor | None, *, slot_id: int) -> bool:
    """Whether the acting patient has this slot."""
    _, patient_id = require_patient(actor)
    return _find_by_slot(session, patient_id, slot_id) is not None


def _find_by_slot(session: Session, patient_id: int, slot_id: int) -> Booked | None:
    """What this patient has booked of this slot, and not cancelled."""
    active = (
        select(Appointment)
        .where(col(Appointment.patient_id) == patient_id, col(Appointment.slot_id) == slot_id)
        .where(col(Appointment.status).in_(ACTIVE))
    )
    found = session.scalars(active).first()
    return _booked(found, repeated=True) if found else None


def _booked(row: Appointment, *, repeated: bool) -> Booked:
    if row.id is None:
        raise RuntimeError("the appointment is not stored yet")
    return Booked(row.id, row.reference, row.slot_id, row.doctor_id, row.starts_at, row.ends_at, repeated)
