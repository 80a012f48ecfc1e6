"""Use cases that change a doctor's slots: publishing, withdrawing, and giving one another time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time

from sqlalchemy import ColumnElement, and_, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.actor import Actor, Role
from mhms_app.audit import service as audit
from mhms_app.availability import busy, rules
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import Plan, Times
from mhms_app.availability.slots import (
    OPEN,
    SlotRow,
    SlotsChanged,
    lock_doctor,
    note_fresh,
    read_slots,
    select_slots,
)
from mhms_app.directory import service as directory
from mhms_app.errors import ClinicError, Conflict, Invalid, NotFound
from mhms_app.settings import settings


class SlotsOverlap(Conflict):
    """The doctor has another slot at this time."""

    sentence = "You have another slot at this time. Choose a time that is free, or withdraw the other one."


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing a plan would do.

    Attributes:
        fresh: the slots that would be new.
        skipped: those left out because they overlap slots that the doctor has.
        past: how many are left out because their time is over.
    """

    fresh: tuple[Times, ...]
    skipped: tuple[Times, ...]
    past: int


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing a plan did."""

    created: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many slots were withdrawn, and how many of those asked for were not."""

    withdrawn: int
    kept: int


def preview(session: Session, actor: Actor | None, *, doctor_id: int | None = None, plan: Plan) -> Preview:
    """Say what publishing a plan would do; nothing changes.

    Args:
        doctor_id: None means the acting doctor; an administrator names one.

    Raises:
        Invalid: the plan cannot be published, as ``rules.why_not_publishable`` says.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    return _preview(session, doctor.id, plan)


def publish(session: Session, actor: Actor | None, *, doctor_id: int | None = None, plan: Plan) -> Published:
    """Publish the slots of a plan that overlap none of the doctor's; a repetition adds nothing.

    Raises:
        Invalid, NotFound: as ``preview``.
        Conflict: slots came to these times in spite of the lock.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    lock_doctor(session, doctor.id)
    found = _preview(session, doctor.id, plan)
    if found.fresh:
        add_slots(session, doctor.id, found.fresh)
        _record(session, actor, "slots.publish", doctor.id, len(found.fresh))
        db.announce(session, SlotsChanged(doctor.id, gone=(), came=True))
    return Published(len(found.fresh), len(found.skipped))


def withdraw(session: Session, actor: Actor | None, *, slot_ids: tuple[int, ...]) -> Withdrawn:
    """Withdraw open slots to come: a doctor's own, an administrator's any.

    Raises:
        SlotBooked, SlotHeld, SlotWithdrawn, SlotPast: none could be withdrawn, and this is why.
        NotFound: none exists, or none is the actor's to withdraw.
    """
    asked = set(slot_ids)
    if len(asked) > rules.MOST_SLOTS:
        raise Invalid(f"Please withdraw at most {rules.MOST_SLOTS} slots at once.")
    theirs = and_(col(Slot.id).in_(asked), _manageable(session, actor))
    gone = _take_away(session, theirs)
    if asked and not gone:
        raise _why_kept(session, theirs)
    for doctor_id in sorted({doctor_id for _, doctor_id in gone}):
        mine = tuple(slot_id for slot_id, of in gone if of == doctor_id)
        _record(session, actor, "slots.withdraw", doctor_id, len(mine))
        db.announce(session, SlotsChanged(doctor_id, gone=mine, came=False))
    return Withdrawn(len(gone), len(asked) - len(gone))


def change_slot(session: Session, actor: Actor | None, *, slot_id: int, day: date, start: time, end: time) -> SlotRow:
    """Give an open slot to come another time: a doctor's own, an administrator's any.

    A slot is its time. So the old one is withdrawn, and what comes instead is published by hand: nobody books
    a time that they did not see, and working hours ask for neither of the two again.

    Args:
        day, start, end: when it shall be, on the clinic's wall clock.

    Raises:
        SlotBooked, SlotHeld, SlotWithdrawn, SlotPast: it is not open any more.
        SlotsOverlap: the doctor has another slot at this time.
        Invalid: no slot can be at this time, as ``rules.times_of`` says.
        NotFound: it does not exist, or is not the actor's to change.
    """
    theirs = and_(col(Slot.id) == slot_id, _manageable(session, actor))
    before = next(iter(read_slots(session, select_slots(theirs))), None)
    if before is None:
        raise NotFound
    times = rules.times_of(day, start, end, now=db.clock.now(), zone=settings().zone)
    if times == (before.starts_at, before.ends_at):
        return before
    lock_doctor(session, before.doctor_id)
    if not _take_away(session, theirs):
        raise _why_kept(session, theirs)
    try:
        (new_id,) = add_slots(session, before.doctor_id, (times,))
    except Conflict:
        raise SlotsOverlap from None
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action="slot.change",
        object_type="slot",
        object_id=new_id,
        detail=f"{before.starts_at:%F %H:%M} to {before.ends_at:%H:%M}, now {times[0]:%F %H:%M} to {times[1]:%H:%M}",
    )
    db.announce(session, SlotsChanged(before.doctor_id, gone=(slot_id,), came=True))
    (changed,) = read_slots(session, select_slots(col(Slot.id) == new_id))
    return changed


def add_slots(
    session: Session, doctor_id: int, fresh: tuple[Times, ...], *, from_hours: bool = False
) -> tuple[int, ...]:
    """Store slots, thousands in a moment, and return their keys.

    The caller has authorised it and holds the doctor's lock.

    Args:
        from_hours: working hours ask for them, and may take them back.

    Raises:
        Conflict: others came to these times in spite of the lock.
    """
    closed = busy.closed(session, doctor_id, fresh)
    rows = [
        {
            "doctor_id": doctor_id,
            "starts_at": times[0],
            "ends_at": times[1],
            "from_hours": from_hours,
            "busy": times in closed,
        }
        for times in fresh
    ]
    try:
        with session.begin_nested():
            # RETURNING makes SQLAlchemy send a thousand rows a statement; without it SQLite takes them one by one.
            found = session.connection().execute(insert(Slot).returning(col(Slot.id)), rows).scalars()
            keys = tuple(key for key in found if key)
    except IntegrityError as error:
        if db.violated(error) == "slot_no_overlap":
            raise Conflict("Slots were published at these times meanwhile. Please look at the preview again.") from None
        raise
    note_fresh(session, doctor_id, keys)
    return keys


def _preview(session: Session, doctor_id: int, plan: Plan) -> Preview:
    now, zone = db.clock.now(), settings().zone
    if refusal := rules.why_not_publishable(plan, now=now, zone=zone):
        raise refusal
    planned = rules.slots_of(plan, zone=zone)
    future = tuple(times for times in planned if times[0] > now)
    fresh, skipped = rules.split_overlaps(future, _taken(session, doctor_id, future))
    return Preview(fresh, skipped, past=len(planned) - len(future))


def _taken(session: Session, doctor_id: int, among: tuple[Times, ...]) -> tuple[Times, ...]:
    """The times of the doctor's slots that could overlap one of these."""
    if not among:
        return ()
    found = session.execute(
        select(col(Slot.starts_at), col(Slot.ends_at))
        .where(
            col(Slot.doctor_id) == doctor_id,
            col(Slot.starts_at) > among[0][0] - rules.DAY,  # no slot is as long, so the index finds them all
            col(Slot.starts_at) < among[-1][1],
            col(Slot.state) != SlotState.WITHDRAWN.value,
        )
        .order_by(col(Slot.starts_at))
    )
    return tuple((starts_at, ends_at) for starts_at, ends_at in found)


def _take_away(session: Session, theirs: ColumnElement[bool]) -> list[tuple[int, int]]:
    """Withdraw those of these slots that are open and still to come; returns their keys and doctors.

    Compare and swap: a slot that is booked at this very moment is open for one of the two only.
    """
    found = session.execute(
        update(Slot)
        .where(theirs, col(Slot.state) == OPEN, col(Slot.starts_at) > db.clock.now())
        .values(state=SlotState.WITHDRAWN.value)
        .returning(col(Slot.id), col(Slot.doctor_id))
        .execution_options(synchronize_session=False)
    )
    return [(key, doctor_id) for key, doctor_id in found if key]


def _manageable(session: Session, actor: Actor | None) -> ColumnElement[bool]:
    """The slots that the actor may manage: all of them for an administrator, a doctor's own."""
    if actor is not None and actor.role is Role.ADMIN:
        return true()
    return col(Slot.doctor_id) == directory.require_doctor(session, actor).id


def _why_kept(session: Session, theirs: ColumnElement[bool]) -> ClinicError:
    """Say why none of these slots was withdrawn, by the first of them."""
    slot = next(iter(read_slots(session, select_slots(theirs).limit(1))), None)
    if slot is None:
        return NotFound()
    return rules.why_not_withdrawable(slot.state, slot.starts_at, now=db.clock.now()) or Conflict()


def _record(session: Session, actor: Actor | None, action: str, doctor_id: int, slots: int) -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="doctor",
        object_id=doctor_id,
        detail=f"{slots} slots",
    )
