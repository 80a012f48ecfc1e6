"""A doctor's leave: which appointments it hits, and what becomes of each.

Taking a leave closes its days and writes down what was chosen for every appointment, in one transaction. Then each
appointment is seen to in a transaction of its own, together with its message and the mark that it is done: whoever
goes on after an interruption, the page, another worker or the next start, does what is left, and nothing twice.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role
from mhms_app.audit import service as audit
from mhms_app.availability import hours
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import DAY, span
from mhms_app.booking import changes, leave_rules, rules
from mhms_app.booking.leave_rules import Candidate, Displaced
from mhms_app.booking.models import ACTIVE, Appointment, Leave, LeaveItem, Status
from mhms_app.booking.rules import NotBookable, NotChangeable
from mhms_app.booking.service import lock_patient
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.service import DoctorRow
from mhms_app.errors import ClinicError, Conflict, Invalid, NotFound
from mhms_app.settings import settings

log = logging.getLogger(__name__)

_CANDIDATES = 5_000  # free slots of other doctors that are looked at
_TRIES = 5  # proposals that may be lost before a person has to look


class Fate(StrEnum):
    """What is chosen for an appointment."""

    MOVE = "move"
    CANCEL = "cancel"
    DESK = "desk"


class Outcome(StrEnum):
    """What became of it. Gone: it had been cancelled or moved meanwhile."""

    MOVED = "moved"
    CANCELLED = "cancelled"
    DESK = "desk"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen for an appointment; ``slot_id`` is where it moves to."""

    fate: Fate
    slot_id: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another time for an appointment; instants are aware UTC."""

    slot_id: int
    doctor_id: int
    doctor: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """An appointment that is booked in the days of a leave, with another time if there is one."""

    id: int
    reference: str
    patient: str
    starts_at: datetime
    ends_at: datetime
    proposal: Proposal | None


@dataclass(frozen=True, slots=True)
class LeaveRow:
    """A leave, and how many of its appointments came to which ``Outcome``; ``left`` are still to be seen to."""

    id: int
    first: date
    last: date
    left: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)


def affected(
    session: Session, actor: Actor | None, *, doctor_id: int | None = None, first: date, last: date
) -> tuple[Affected, ...]:
    """The appointments to come that are booked from the first to the last of these clinic days, by time.

    Each has a proposal, as ``leave_rules.propose`` makes it: with the same doctor after the leave, else with another
    doctor of the department whom patients can find.

    Raises:
        Invalid: these days cannot be a leave.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    _check(first, last)
    booked = _booked(session, doctor.id, first, last)
    proposals = _proposals(session, doctor, first, last, booked)
    names = dict(
        session.execute(
            select(col(Patient.id), col(User.full_name))
            .join(User, col(User.id) == col(Patient.user_id))
            .where(col(Patient.id).in_({row.patient_id for row in booked}))
        ).all()
    )
    return tuple(
        Affected(
            row.id or 0, row.reference, names[row.patient_id], row.starts_at, row.ends_at, proposals.get(row.id or 0)
        )
        for row in booked
    )


def take(
    session: Session,
    actor: Actor | None,
    *,
    doctor_id: int | None = None,
    first: date,
    last: date,
    message: str = "",
    choices: Mapping[int, Choice],
) -> LeaveRow:
    """Close the days of a leave and write down what shall become of its appointments; ``carry_on`` then does it.

    Args:
        message: what those read whose appointments are cancelled, at most 200 characters.
        choices: by the key of the appointment. One that is not named, because it was booked a moment ago, is left
            for the desk.

    Raises:
        Invalid: these days cannot be a leave, or appointments shall be cancelled without a word.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    _check(first, last)
    message = rules.tidy_reason(message, most=rules.WHY_LENGTH)
    if not message and any(choice.fate is Fate.CANCEL for choice in choices.values()):
        raise Invalid("Please say why: those whose appointments are cancelled read this.", field="message")
    before = _booked(session, doctor.id, first, last)
    closed = hours.close_days(session, actor, doctor_id=doctor.id, first=first, last=last)
    # Who booked while the days were closed is in the second look only; who cancelled meanwhile in the first, so that
    # the slot which came free is taken back too.
    found = {row.id or 0: row for row in (*before, *_booked(session, doctor.id, first, last))}
    person = changes.require_staff(actor)
    row = Leave(
        doctor_id=doctor.id,
        first_day=first,
        last_day=last,
        message=message,
        created_by=person.user_id,
        created_at=db.clock.now(),
    )
    session.add(row)
    session.flush()
    desk = Choice(Fate.DESK)
    items = [
        {
            "leave_id": row.id,
            "appointment_id": key,
            "slot_id": appointment.slot_id,
            "fate": choices.get(key, desk).fate.value,
            "proposed_id": choices.get(key, desk).slot_id,
        }
        for key, appointment in found.items()
    ]
    if items:
        session.execute(insert(LeaveItem), items)
    audit.record(
        session,
        actor_id=person.user_id,
        action="leave.take",
        object_type="doctor",
        object_id=doctor.id,
        detail=f"{first} to {last}, {len(items)} appointments, {closed} slots taken back",
    )
    return LeaveRow(row.id or 0, first, last, left=len(items))


def carry_on(session: Session, actor: Actor | None, *, leave_id: int) -> LeaveRow:
    """See to the next appointment of a leave; called until none is left.

    Raises:
        NotFound: there is no such leave that is theirs.
    """
    row = session.get(Leave, leave_id)
    if row is None:
        raise NotFound
    directory.managed_doctor(session, actor, doctor_id=row.doctor_id)
    following = select(col(LeaveItem.id)).where(col(LeaveItem.leave_id) == leave_id, col(LeaveItem.done_at).is_(None))
    item_id = session.scalar(following.order_by(col(LeaveItem.id)).limit(1))
    if item_id is not None:
        settle(session, item_id=item_id)
    return _rows(session, [row])[0]


def leaves(session: Session, actor: Actor | None, *, doctor_id: int | None = None) -> tuple[LeaveRow, ...]:
    """A doctor's leaves that are not over, by day.

    Raises:
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    found = session.scalars(
        select(Leave)
        .where(col(Leave.doctor_id) == doctor.id, col(Leave.last_day) >= db.clock.today())
        .order_by(col(Leave.first_day), col(Leave.id))
    )
    return _rows(session, found.all())


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


def finish_all() -> int:
    """See to every appointment that an interrupted leave has left, each in a transaction of its own; counts them."""
    with db.transaction(read_only=True) as session:
        waiting = session.scalars(
            select(col(LeaveItem.id)).where(col(LeaveItem.done_at).is_(None)).order_by(col(LeaveItem.id))
        ).all()
    for item_id in waiting:
        with db.transaction() as session:
            settle(session, item_id=item_id or 0)
    return len(waiting)


def _check(first: date, last: date) -> None:
    if refusal := leave_rules.why_not_a_leave(first, last, today=db.clock.today()):
        raise refusal


def _days(first: date, last: date) -> tuple[datetime, datetime]:
    """The instants at which the first day begins and the last one is over."""
    return span(first, (last - first) // DAY + 1, zone=settings().zone)


def _booked(session: Session, doctor_id: int, first: date, last: date) -> list[Appointment]:
    begin, end = _days(first, last)
    found = session.scalars(
        select(Appointment)
        .where(
            col(Appointment.doctor_id) == doctor_id,
            col(Appointment.status) == Status.BOOKED.value,
            col(Appointment.starts_at) >= begin,
            col(Appointment.starts_at) < end,
            col(Appointment.starts_at) > db.clock.now(),
        )
        .order_by(col(Appointment.starts_at), col(Appointment.id))
        .execution_options(populate_existing=True)
    )
    return list(found)


def _proposals(
    session: Session,
    doctor: DoctorRow,
    first: date,
    last: date,
    displaced: Iterable[Appointment],
    *,
    without: Iterable[int] = (),
) -> dict[int, Proposal]:
    """Another time for each of these appointments for which there is one, by its key.

    An appointment keeps its department: of a doctor who has changed theirs it has no proposal.
    """
    begin, end = _days(first, last)
    rows = [row for row in displaced if row.department_id == doctor.department_id]
    busy = _busy(session, {row.patient_id for row in rows})
    wanted = [
        Displaced(
            row.id or 0,
            row.patient_id,
            row.starts_at,
            row.ends_at,
            tuple((begun, over) for key, begun, over in busy.get(row.patient_id, ()) if key != row.id),
        )
        for row in rows
    ]
    free = (
        select(col(Slot.id), col(Slot.doctor_id), col(Slot.starts_at), col(Slot.ends_at), col(User.full_name))
        .join(Doctor, col(Doctor.id) == col(Slot.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(
            directory.VISIBLE,
            col(Doctor.department_id) == doctor.department_id,
            col(Slot.state) == SlotState.OPEN.value,
            col(Slot.starts_at) > db.clock.now(),
            col(Slot.id).not_in(tuple(without)),
        )
        .order_by(col(Slot.starts_at), col(Slot.id))
        .limit(_CANDIDATES)
    )
    own = session.execute(free.where(col(Slot.doctor_id) == doctor.id, col(Slot.starts_at) >= end)).all()
    others = session.execute(free.where(col(Slot.doctor_id) != doctor.id, col(Slot.starts_at) >= begin)).all()
    names = {row.doctor_id: row.full_name for row in (*own, *others)}
    given = leave_rules.propose(wanted, [Candidate(*row[:4]) for row in own], [Candidate(*row[:4]) for row in others])
    return {
        key: Proposal(slot.id, slot.doctor_id, names[slot.doctor_id], slot.starts_at, slot.ends_at)
        for key, slot in given.items()
    }


def _busy(session: Session, patient_ids: set[int]) -> dict[int, list[tuple[int, datetime, datetime]]]:
    """The appointments to come of some patients: their keys and times."""
    found = session.execute(
        select(
            col(Appointment.patient_id), col(Appointment.id), col(Appointment.starts_at), col(Appointment.ends_at)
        ).where(
            col(Appointment.patient_id).in_(patient_ids),
            col(Appointment.status).in_(ACTIVE),
            col(Appointment.ends_at) > db.clock.now(),
        )
    )
    busy: dict[int, list[tuple[int, datetime, datetime]]] = {}
    for patient_id, key, starts_at, ends_at in found:
        busy.setdefault(patient_id, []).append((key, starts_at, ends_at))
    return busy


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
            instead = _proposals(
                session, doctor, leave.first_day, leave.last_day, [row], without=refused | promised
            ).get(item.appointment_id)
            slot_id = instead.slot_id if instead else None
    return Outcome.DESK


def _rows(session: Session, found: Iterable[Leave]) -> tuple[LeaveRow, ...]:
    """The leaves with what became of their appointments."""
    rows = tuple(found)
    counted = session.execute(
        select(col(LeaveItem.leave_id), col(LeaveItem.outcome), func.count())
        .where(col(LeaveItem.leave_id).in_(row.id for row in rows))
        .group_by(col(LeaveItem.leave_id), col(LeaveItem.outcome))
    ).all()
    by_leave: dict[int, Counter[str]] = {}
    for leave_id, outcome, number in counted:
        by_leave.setdefault(leave_id, Counter())[outcome or ""] = number
    return tuple(
        LeaveRow(
            row.id or 0,
            row.first_day,
            row.last_day,
            left=by_leave.get(row.id or 0, Counter())[""],
            outcomes={name: number for name, number in by_leave.get(row.id or 0, Counter()).items() if name},
        )
        for row in rows
    )
