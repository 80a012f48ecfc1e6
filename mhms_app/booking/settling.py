"""Seeing to the appointments of a leave.

Each has a transaction of its own, together with its message and the mark that it is done.
"""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role
from mhms_app.availability import hours
from mhms_app.booking import changes, proposals
from mhms_app.booking.leave_rules import Fate, Outcome
from mhms_app.booking.models import Appointment, Leave, LeaveItem, Status
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.rules import NotBookable, NotChangeable
from mhms_app.booking.service import lock_patient
from mhms_app.directory import service as directory
from mhms_app.errors import ClinicError, Conflict, NotFound

log = logging.getLogger(__name__)

_TRIES = 5  # proposals that may be lost before a person has to look


def settle(session: Session, *, item_id: int) -> None:
    """Do what was chosen for one appointment, unless it is done already."""
    found = select(LeaveItem).where(col(LeaveItem.id) == item_id, col(LeaveItem.done_at).is_(None)).with_for_update()
    item = session.scalars(found.execution_options(populate_existing=True)).first()
    if item is None:
        return
    row = _appointment_under_lock(session, item.appointment_id)
    if row.slot_id != item.slot_id or row.status != Status.BOOKED:
        hours.take_back(session, [item.slot_id])  # it came free before anybody could know of the leave
        outcome = Outcome.GONE
    else:
        outcome = _do(session, item, row)
    item.done_at, item.outcome = db.clock.now(), outcome.value
    session.add(item)
    session.flush()
    if outcome is Outcome.DESK:
        db.announce(session, PatientChanged(row.patient_id))


def finish_all() -> int:
    """See to what interrupted leaves have left, each appointment in a transaction of its own; says to how many."""
    with db.transaction(read_only=True) as session:
        waiting = session.scalars(
            select(col(LeaveItem.id)).where(col(LeaveItem.done_at).is_(None)).order_by(col(LeaveItem.id))
        ).all()
    done = 0
    for item_id in waiting:
        try:
            with db.transaction() as session:
                settle(session, item_id=item_id or 0)
            done += 1
        except Exception as error:  # one that goes wrong must not keep the others waiting; it is tried again
            log.warning("appointment of a leave cannot be seen to: item %s (%s)", item_id, type(error).__name__)
    return done


def _appointment_under_lock(session: Session, appointment_id: int) -> Appointment:
    """The appointment once nobody else changes it: its patient is locked, as everybody locks first."""
    row = session.get_one(Appointment, appointment_id)
    lock_patient(session, row.patient_id)
    session.refresh(row)
    return row


def _do(session: Session, item: LeaveItem, row: Appointment) -> Outcome:
    """Do what was chosen; what cannot be done is left for the desk."""
    leave = session.get_one(Leave, item.leave_id)
    person = _decider(session, leave)
    try:
        match item.fate:
            case Fate.MOVE:
                return _move(session, person, leave, item, row)
            case Fate.CANCEL:
                with session.begin_nested():
                    changes.cancel(session, person, reference=row.reference, choice="", note=leave.message)
                return Outcome.CANCELLED
    except NotChangeable:
        return Outcome.GONE
    except ClinicError as refusal:
        log.warning("appointment %d is left for the desk: %s", item.appointment_id, refusal.sentence)
    return Outcome.DESK


def _decider(session: Session, leave: Leave) -> Actor:
    """Whoever took the leave, with the role that they have now."""
    user = session.get_one(User, leave.created_by)
    return Actor(leave.created_by, 0, Role(user.role), user.full_name, user.email, None)


def _move(session: Session, person: Actor, leave: Leave, item: LeaveItem, row: Appointment) -> Outcome:
    """Move to what was proposed, or when that is taken by now to what can be proposed instead."""
    doctor = directory.managed_doctor(session, person, doctor_id=leave.doctor_id)
    refused = set[int]()
    slot_id = item.proposed_id
    while slot_id is not None and len(refused) < _TRIES:
        try:
            with session.begin_nested():  # gives back what it has locked when it is refused
                changes.move(session, person, reference=row.reference, slot_id=slot_id, why="leave")
            return Outcome.MOVED
        except (NotBookable, NotFound, Conflict):
            refused.add(slot_id)
            proposed = select(col(LeaveItem.proposed_id)).where(
                col(LeaveItem.done_at).is_(None), col(LeaveItem.proposed_id).is_not(None), col(LeaveItem.id) != item.id
            )
            promised = {key for key in session.scalars(proposed) if key is not None}
            instead = proposals.propose(
                session,
                doctor_id=doctor.id,
                first=leave.first_day,
                last=leave.last_day,
                displaced=[row],
                without=refused | promised,
            ).get(item.appointment_id)
            slot_id = instead.slot_id if instead else None
    return Outcome.DESK
