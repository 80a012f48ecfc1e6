"""The waiting list: joining and leaving it, and taking or declining what it offers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.accounts.service import hash_token
from mhms_app.actor import Actor
from mhms_app.audit import service as audit
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import weekday_bits, weekdays_in
from mhms_app.booking import offers, waiting_rules
from mhms_app.booking.models import Outcome, Waiting, WaitingOffer
from mhms_app.booking.service import Booked, book, find_by_key, lock_patient, require_patient, slot_under_lock
from mhms_app.booking.waiting_rules import OfferOver, TooManyWaits
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
    """

    id: int
    doctor: str
    department: str
    weekdays: tuple[int, ...]
    part: str
    earliest: date


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as whoever has its link sees it; instants are aware UTC. To whom it was made it does not say.

    Attributes:
        is_open: it can still be taken.
        is_mine: the acting patient is the one to whom it was made.
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


def join(
    session: Session,
    actor: Actor | None,
    *,
    doctor_id: int,
    anybody: bool,
    weekdays: Collection[int],
    part: str,
    earliest: date,
) -> None:
    """Wait for a time with a doctor; asking for the same twice is asking once.

    Args:
        anybody: others of the doctor's department will do too.
        weekdays: Monday is 0.
        earliest: the first day, in the clinic's time zone.

    Raises:
        InvalidForm: as ``waiting_rules.problems`` decides.
        TooManyWaits: the patient waits for enough already.
        NotFound: there is no such doctor.
    """
    patient, patient_id = require_patient(actor)
    today = db.clock.today()
    if wrong := waiting_rules.problems(weekdays, part, earliest, today=today):
        raise InvalidForm(wrong)
    doctor = directory.get_doctor(session, actor, doctor_id=doctor_id)
    lock_patient(session, patient_id)
    wanted = Waiting(
        patient_id=patient_id,
        department_id=doctor.department_id,
        doctor_id=None if anybody else doctor.id,
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
    _record(session, patient, "waiting.join", wanted.id)


def leave(session: Session, actor: Actor | None, *, entry_id: int) -> None:
    """Stop waiting; what was offered for it goes to the next. Leaving twice is leaving once.

    Raises:
        NotFound: there is no such entry that is theirs.
    """
    patient, patient_id = require_patient(actor)
    lock_patient(session, patient_id)
    wanted = select(Waiting).where(col(Waiting.id) == entry_id, col(Waiting.patient_id) == patient_id)
    entry = session.scalars(wanted.with_for_update(key_share=True).execution_options(populate_existing=True)).first()
    if entry is None:
        raise NotFound
    if entry.ended_at is not None:
        return
    entry.ended_at, entry.ended_why = db.clock.now(), "left"
    session.add(entry)
    session.flush()
    open_one = select(WaitingOffer).where(
        col(WaitingOffer.patient_id) == patient_id, col(WaitingOffer.waiting_id) == entry_id, offers.IS_OPEN
    )
    if offer := session.scalars(open_one).first():
        _end(session, offer, Outcome.DECLINED)
    _record(session, patient, "waiting.leave", entry_id)


def mine(session: Session, actor: Actor | None) -> tuple[Entry, ...]:
    """What the acting patient waits for, the oldest first."""
    _, patient_id = require_patient(actor)
    found = session.execute(
        select(Waiting, col(User.full_name), col(Department.name))
        .join(Department, col(Department.id) == col(Waiting.department_id))
        .outerjoin(Doctor, col(Doctor.id) == col(Waiting.doctor_id))
        .outerjoin(User, col(User.id) == col(Doctor.user_id))
        .where(col(Waiting.patient_id) == patient_id, _IS_OPEN)
        .order_by(col(Waiting.id))
    )
    return tuple(
        Entry(row.id or 0, doctor or "", department, weekdays_in(row.weekdays), row.part, row.earliest)
        for row, doctor, department in found
    )


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
    return Offer(
        doctor_id,
        doctor,
        department,
        location,
        starts_at,
        ends_at,
        offer.until,
        is_open=_is_open(offer),
        is_mine=actor is not None and actor.patient_id == offer.patient_id,
    )


def take(session: Session, actor: Actor | None, *, token: str) -> Booked:
    """Book the offered slot for the patient to whom it was offered; taking twice books once.

    Raises:
        OfferOver: it was declined, or its time is over.
        NotBookable: as ``rules.why_not_bookable`` decides.
        NotFound: there is no such offer that was made to them.
    """
    _, patient_id = require_patient(actor)
    lock_patient(session, patient_id)
    offer = _theirs(session, patient_id, token)
    key = f"offer-{offer.id}"
    if earlier := find_by_key(session, patient_id, key):
        return earlier
    if not _is_open(offer):
        raise OfferOver
    return book(session, actor, slot_id=offer.slot_id, reason="", key=key)


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


def expire(session: Session, *, offer_id: int) -> None:
    """End an offer whose time is over; the slot goes to the next, or to everybody."""
    offer = session.get_one(WaitingOffer, offer_id)
    if offer.until <= db.clock.now():
        _end(session, offer, Outcome.EXPIRED)


_IS_OPEN = col(Waiting.ended_at).is_(None)


def _asks(entry: Waiting) -> tuple[object, ...]:
    return entry.department_id, entry.doctor_id, entry.weekdays, entry.part, entry.earliest


def _is_open(offer: WaitingOffer) -> bool:
    return offer.outcome == Outcome.OPEN and offer.until > db.clock.now()


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
