"""Holds: a slot is a patient's for some minutes while they fill in the form.

A hold is a state of the slot in the database, so it survives a restart and is seen by every worker; it is taken by
compare-and-swap like a booking. A patient holds one slot at a time: taking another lets go of the first. What the
waiting list offers is held too, but not here: it neither ends with a hold nor ends one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, not_, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.actor import Actor
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.slots import SlotRow, SlotsChanged
from mhms_app.booking import offers, rules
from mhms_app.booking.models import Waiting
from mhms_app.booking.rules import SlotTaken
from mhms_app.booking.service import (
    free_for,
    lock_patient,
    lock_slots,
    patient_view,
    require_patient,
    slot_under_lock,
    with_next_free,
)
from mhms_app.directory.models import Doctor

_HELD = SlotState.HELD.value
_HELD_FOR_A_FORM = (col(Slot.state) == _HELD, not_(col(Slot.offered)))
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot that is kept for a patient until an instant (aware UTC)."""

    slot_id: int
    patient_id: int
    until: datetime


def hold(session: Session, actor: Actor | None, *, slot_id: int, moving: int | None = None) -> Hold:
    """Keep a slot for the acting patient while they fill in the form; asking again begins anew.

    Args:
        moving: the key of the appointment that is to be moved there, if one is.

    Raises:
        NotBookable: as ``rules.why_not_bookable`` decides. That undoes the transaction: what was held before is held
            still, until whoever asked lets go of it.
        NotFound: there is no such slot.
    """
    _, patient_id = require_patient(actor)
    lock_patient(session, patient_id)
    others = (col(Slot.held_by) == patient_id, col(Slot.id) != slot_id)
    before = select(col(Slot.id)).where(*_HELD_FOR_A_FORM, *others)
    lock_slots(session, {slot_id, *session.scalars(before)})
    _open(session, *others)
    slot, now = slot_under_lock(session, slot_id), db.clock.now()
    patient = patient_view(session, patient_id, slot, without=moving)
    why_not = rules.why_not_movable if moving else rules.why_not_bookable
    if refusal := why_not(slot.view, patient, now=now, policy=slot.policy):
        raise with_next_free(session, slot) if isinstance(refusal, SlotTaken) else refusal
    if slot.offered and slot.held_until and slot.held_until > now:
        return Hold(slot_id, patient_id, slot.held_until)  # longer than for a form
    if slot.offered:
        offers.settle(session, slot_id=slot_id, patient_id=None)
    until = now + slot.policy.hold
    session.execute(
        update(Slot)
        .where(col(Slot.id) == slot_id, free_for(patient_id))
        .values(state=_HELD, held_by=patient_id, held_until=until, offered=False)
        .execution_options(synchronize_session=False)
    )
    db.announce(session, SlotsChanged(slot.doctor_id, gone=(slot_id,), came=False))
    return Hold(slot_id, patient_id, until)


def release(session: Session, actor: Actor | None) -> None:
    """Let go of what the acting patient holds."""
    _, patient_id = require_patient(actor)
    release_all_of(session, patient_id=patient_id)


def release_all_of(session: Session, *, patient_id: int) -> None:
    """Let go of what a patient holds."""
    _open(session, col(Slot.held_by) == patient_id)


def let_go(session: Session, held: Hold) -> None:
    """Let go of a hold whose screen is gone, unless it was renewed since."""
    _open(
        session, col(Slot.id) == held.slot_id, col(Slot.held_by) == held.patient_id, col(Slot.held_until) == held.until
    )


def any_expired(session: Session) -> bool:
    """Whether a hold is over that nobody has ended."""
    over = select(col(Slot.id)).where(*_HELD_FOR_A_FORM, col(Slot.held_until) <= db.clock.now()).limit(1)
    return session.execute(over).first() is not None


def open_expired(session: Session) -> int:
    """Open the slots whose hold is over; returns how many."""
    return _open(session, col(Slot.held_until) <= db.clock.now())


def _open(session: Session, *which: ColumnElement[bool]) -> int:
    """Open held slots: those in whose department somebody waits are offered, the others are everybody's."""
    awaited = exists().where(
        col(Doctor.id) == col(Slot.doctor_id),
        col(Waiting.department_id) == col(Doctor.department_id),
        col(Waiting.ended_at).is_(None),
    )
    columns = (Slot.id, Slot.doctor_id, Slot.starts_at, Slot.ends_at, Slot.held_by, Slot.busy)
    found = session.execute(
        select(*(col(column) for column in columns), awaited)
        .where(*_HELD_FOR_A_FORM, *which)
        .order_by(col(Slot.id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if not found:
        return 0
    session.execute(
        update(Slot)
        .where(col(Slot.id).in_([row.id for row in found]), *_HELD_FOR_A_FORM)
        .values(state=SlotState.OPEN.value, held_by=None, held_until=None)
        .execution_options(synchronize_session=False)
    )
    for slot_id, doctor_id, starts_at, ends_at, held_by, is_busy, is_awaited in found:
        if is_awaited:
            offers.pass_on(session, slot_under_lock(session, slot_id), but=held_by)
        else:
            row = SlotRow(slot_id, doctor_id, starts_at, ends_at, SlotState.OPEN.value)
            db.announce(session, SlotsChanged(doctor_id, gone=(), came=False, freed=() if is_busy else (row,)))
    return len(found)
