"""The waiting list: joining and leaving it, and taking or declining what it offers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, not_, or_, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.sessions import hash_token
from mhms_app.actor import Actor
from mhms_app.audit import service as audit
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import weekday_bits, weekdays_in
from mhms_app.booking import changes, offers, rules, waiting_rules
from mhms_app.booking.models import ACTIVE, Appointment, Outcome, Waiting, WaitingOffer
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.policies import policy_of
from mhms_app.booking.rules import BookingPaused, EmailNotConfirmed
from mhms_app.booking.service import book, is_confirmed, lock_patient, missed_by, require_patient, slot_under_lock
from mhms_app.booking.waiting_rules import OfferOver, TooManyWaits
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import InvalidForm, NotFound

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """What one patient waits for.

    Attributes:
        doctor: ``""`` means anybody of the department.
        weekdays: Monday is 0.
        part: one of ``waiting_rules.PARTS``.
        is_gone: nobody whom they wait for can be booked any more.
    """

    id: int
    doctor: str
    department: str
    weekdays: tuple[int, ...]
    part: str
    earliest: date
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as whoever has its link sees it; instants are aware UTC. To whom it was made it does not say.

    Attributes:
        is_open: it can still be taken.
        is_mine: the acting patient is the one to whom it was made.
        instead_of: when the appointment begins that moves to this time; None for a new one, and to everybody else.
    """

    doctor_id: int
    doctor: str
    department: str
    location: str
    starts_at: datetime
    ends_at: datetime
    until: datetime
    is_open: bool
    is_mine: bool
    instead_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking an offer came to: a new appointment, or one that was ``moved``."""

    reference: str
    moved: bool


def join(
    session: Session,
    actor: Actor | None,
    *,
    doctor_id: int | None = None,
    department_id: int | None = None,
    anybody: bool = False,
    weekdays: Collection[int],
    part: str,
    earliest: date,
) -> None:
    """Wait for a time with a doctor or in a department; asking for the same twice is asking once.

    Args:
        department_id: where anybody will do, when no doctor is named.
        anybody: others of the doctor's department will do too.
        weekdays: Monday is 0.
        earliest: the first day, in the clinic's time zone.

    Raises:
        InvalidForm: as ``waiting_rules.problems`` decides.
        TooManyWaits: the patient waits for enough already.
        BookingPaused: they have missed too many appointments there to be offered one.
        EmailNotConfirmed: an offer would keep a time for somebody who cannot take it.
        NotFound: there is no such doctor, or no such open department.
    """
    patient, patient_id = require_patient(actor)
    today = db.clock.today()
    if wrong := waiting_rules.problems(weekdays, part, earliest, today=today):
        raise InvalidForm(wrong)
    if doctor_id is not None:
        department_id = directory.get_doctor(session, actor, doctor_id=doctor_id).department_id
    elif department_id not in {row.id for row in departments.list_departments(session, actor)}:
        raise NotFound
    lock_patient(session, patient_id)
    if not is_confirmed(session, patient_id):
        raise EmailNotConfirmed
    if refusal := _paused(session, patient_id, department_id):
        raise refusal
    wanted = Waiting(
        patient_id=patient_id,
        department_id=department_id,
        doctor_id=None if anybody else doctor_id,
        weekdays=weekday_bits(weekdays),
        part=part,
        earliest=earliest,
        created_at=db.clock.now(),
    )
    known = session.scalars(select(Waiting).where(col(Waiting.patient_id) == patient_id, _IS_OPEN)).all()
    if any(_asks(entry) == _asks(wanted) for entry in known):
        return
    if len(known) >= waiting_rules.MOST_ENTRIES:
        raise TooManyWaits
    session.add(wanted)
    session.flush()
    db.announce(session, PatientChanged(patient_id))
    _record(session, patient, "waiting.join", wanted.id)


def leave(session: Session, actor: Actor | None, *, entry_id: int) -> None:
    """Stop waiting; what was offered for it goes to the next. Leaving twice is leaving once.

    Raises:
        NotFound: there is no such entry that is theirs.
    """
    patient, patient_id = require_patient(actor)
    theirs = select(Waiting).where(col(Waiting.id) == entry_id, col(Waiting.patient_id) == patient_id)
    entry = session.scalars(theirs).first()
    if entry is None:
        raise NotFound
    if entry.ended_at is not None:
        return
    end(session, entry_id=entry_id)
    _record(session, patient, "waiting.leave", entry_id)


def mine(session: Session, actor: Actor | None) -> tuple[Entry, ...]:
    """What the acting patient waits for, the oldest first."""
    _, patient_id = require_patient(actor)
    found = session.execute(
        select(Waiting, col(User.full_name), col(Department.name), is_gone())
        .join(Department, col(Department.id) == col(Waiting.department_id))
        .outerjoin(Doctor, col(Doctor.id) == col(Waiting.doctor_id))
        .outerjoin(User, col(User.id) == col(Doctor.user_id))
        .where(col(Waiting.patient_id) == patient_id, _IS_OPEN)
        .order_by(col(Waiting.id))
    )
    return tuple(
        Entry(row.id or 0, doctor or "", department, weekdays_in(row.weekdays), row.part, row.earliest, is_over)
        for row, doctor, department, is_over in found
    )


def is_gone() -> ColumnElement[bool]:
    """The entries of the list for which there is nobody whom patients can book."""
    theirs = or_(col(Waiting.doctor_id).is_(None), col(Doctor.id) == col(Waiting.doctor_id))
    serving = directory.visible_doctors().where(col(Doctor.department_id) == col(Waiting.department_id), theirs)
    return ~serving.correlate(Waiting).exists()


def offered(session: Session, actor: Actor | None, *, token: str) -> Offer:
    """The offer behind a link, for whoever has it.

    Raises:
        NotFound: there is none.
    """
    found = session.execute(
        select(
            WaitingOffer,
            col(Slot.starts_at),
            col(Slot.ends_at),
            col(Doctor.id),
            col(User.full_name),
            col(Department.name),
            col(Department.location),
        )
        .join(Slot, col(Slot.id) == col(WaitingOffer.slot_id))
        .join(Doctor, col(Doctor.id) == col(Slot.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(col(WaitingOffer.token_hash) == hash_token(token))
    ).first()
    if found is None:
        raise NotFound
    offer, starts_at, ends_at, doctor_id, doctor, department, location = found
    is_open, is_mine = _is_open(session, offer), actor is not None and actor.patient_id == offer.patient_id
    later = _to_be_moved(session, offer, starts_at) if is_open and is_mine else None
    return Offer(
        doctor_id,
        doctor,
        department,
        location,
        starts_at,
        ends_at,
        offer.until,
        is_open=is_open,
        is_mine=is_mine,
        instead_of=later.starts_at if later else None,
    )


def take(session: Session, actor: Actor | None, *, token: str) -> Taken:
    """Take the offered slot for the patient to whom it was offered; taking twice takes once.

    An appointment to come that is what they wait for, but later, is moved; without one the slot is booked.

    Raises:
        OfferOver: it was declined, its time is over, or the slot was taken back.
        NotBookable: as ``rules.why_not_bookable`` decides.
        NotChangeable: it is too late to move the appointment that they have.
        NotFound: there is no such offer that was made to them.
    """
    _, patient_id = require_patient(actor)
    lock_patient(session, patient_id)
    offer = _theirs(session, patient_id, token)
    if offer.outcome == Outcome.TAKEN and (done := _taken(session, offer)):
        return done
    if not _is_open(session, offer):
        raise OfferOver
    if later := _to_be_moved(session, offer, session.get_one(Slot, offer.slot_id).starts_at):
        moved = changes.move(session, actor, reference=later.reference, slot_id=offer.slot_id)
        return Taken(moved.reference, moved=True)
    booked = book(session, actor, slot_id=offer.slot_id, reason="", key=_key(offer))
    return Taken(booked.reference, moved=False)


def decline(session: Session, actor: Actor | None, *, token: str) -> None:
    """Let the offered slot go to the next; the patient waits on for another.

    Raises:
        NotFound: there is no such offer that was made to them.
    """
    patient, patient_id = require_patient(actor)
    lock_patient(session, patient_id)
    offer = _theirs(session, patient_id, token)
    if offer.outcome == Outcome.OPEN:
        _end(session, offer, Outcome.DECLINED)
        _record(session, patient, "waiting.decline", offer.waiting_id)


def over(session: Session) -> tuple[int, ...]:
    """The offers whose time is over and that nobody has ended."""
    wanted = select(col(WaitingOffer.id)).where(offers.IS_OPEN, col(WaitingOffer.until) <= db.clock.now())
    return tuple(session.scalars(wanted.order_by(col(WaitingOffer.until)).limit(_AT_ONCE)))


def closed_accounts(session: Session) -> tuple[int, ...]:
    """The entries of patients whose accounts were closed."""
    wanted = select(col(Waiting.id)).join(Patient, col(Patient.id) == col(Waiting.patient_id))
    closed = wanted.join(User, col(User.id) == col(Patient.user_id)).where(_IS_OPEN, not_(col(User.active)))
    return tuple(session.scalars(closed.order_by(col(Waiting.id)).limit(_AT_ONCE)))


def end(session: Session, *, entry_id: int) -> None:
    """End an entry of the list; what was offered for it goes to the next. Ending twice is ending once."""
    entry = session.get_one(Waiting, entry_id)
    lock_patient(session, entry.patient_id)
    session.refresh(entry, with_for_update={"key_share": True})
    if entry.ended_at is not None:
        return
    entry.ended_at, entry.ended_why = db.clock.now(), "left"
    session.add(entry)
    session.flush()
    db.announce(session, PatientChanged(entry.patient_id))
    open_one = select(WaitingOffer).where(col(WaitingOffer.waiting_id) == entry_id, offers.IS_OPEN)
    if offer := session.scalars(open_one).first():
        _end(session, offer, Outcome.DECLINED)


def expire(session: Session, *, offer_id: int) -> None:
    """End an offer whose time is over; the slot goes to the next, or to everybody."""
    offer = session.get_one(WaitingOffer, offer_id)
    if offer.until <= db.clock.now():
        _end(session, offer, Outcome.EXPIRED)


_IS_OPEN = col(Waiting.ended_at).is_(None)


def _paused(session: Session, patient_id: int, department_id: int) -> BookingPaused | None:
    """Say why no time of the department could be offered to this patient, whatever becomes free."""
    policy = policy_of(session.get_one(Department, department_id))
    return rules.why_paused(missed_by(session, patient_id, department_id, policy), policy=policy)


def _asks(entry: Waiting) -> tuple[object, ...]:
    return entry.department_id, entry.doctor_id, entry.weekdays, entry.part, entry.earliest


def _is_open(session: Session, offer: WaitingOffer) -> bool:
    """Whether it can be taken: its time is not over, and the slot was not taken back."""
    if offer.outcome != Outcome.OPEN or offer.until <= db.clock.now():
        return False
    kept = select(col(Slot.id)).where(
        col(Slot.id) == offer.slot_id, col(Slot.offered), col(Slot.held_by) == offer.patient_id
    )
    return session.scalars(kept).first() is not None


def _to_be_moved(session: Session, offer: WaitingOffer, starts_at: datetime) -> Appointment | None:
    """The appointment that this earlier time replaces, if they have one."""
    later = (
        select(Appointment)
        .join(Waiting, col(Waiting.id) == offer.waiting_id)
        .where(offers.would_do(db.clock.now()), col(Appointment.starts_at) > starts_at)
    )
    return session.scalars(later.order_by(col(Appointment.starts_at)).limit(1)).first()


def _taken(session: Session, offer: WaitingOffer) -> Taken | None:
    """The appointment that they have at the offered time."""
    there = select(Appointment).where(
        col(Appointment.slot_id) == offer.slot_id,
        col(Appointment.patient_id) == offer.patient_id,
        col(Appointment.status).in_(ACTIVE),
    )
    found = session.scalars(there).first()
    return Taken(found.reference, moved=found.idempotency_key != _key(offer)) if found else None


def _key(offer: WaitingOffer) -> str:
    return f"offer-{offer.id}"


def _theirs(session: Session, patient_id: int, token: str) -> WaitingOffer:
    wanted = select(WaitingOffer).where(
        col(WaitingOffer.token_hash) == hash_token(token), col(WaitingOffer.patient_id) == patient_id
    )
    found = session.scalars(wanted.execution_options(populate_existing=True)).first()
    if found is None:
        raise NotFound
    return found


def _end(session: Session, offer: WaitingOffer, outcome: Outcome) -> None:
    """End an offer that is still open, and pass its slot on; the slot's lock lets one do so at a time."""
    slot = slot_under_lock(session, offer.slot_id)
    session.refresh(offer)
    if offer.outcome != Outcome.OPEN:
        return
    offer.outcome = outcome.value
    session.add(offer)
    session.flush()
    freed = session.execute(
        update(Slot)
        .where(col(Slot.id) == slot.id, col(Slot.offered), col(Slot.held_by) == offer.patient_id)
        .values(state=SlotState.OPEN.value, held_by=None, held_until=None, offered=False)
        .execution_options(synchronize_session=False)
    )
    if freed.rowcount == 1:  # type: ignore[attr-defined]
        offers.pass_on(session, slot, but=offer.patient_id)


def _record(session: Session, person: Actor, action: str, entry_id: int | None) -> None:
    audit.record(session, actor_id=person.user_id, action=action, object_type="waiting", object_id=entry_id)
