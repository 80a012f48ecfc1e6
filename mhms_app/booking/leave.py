"""A doctor's leave: which appointments it hits, and what is chosen for each.

Taking a leave closes its days and writes down what was chosen for every appointment, in one transaction. Then
``settling`` sees to each in a transaction of its own: whoever goes on after an interruption, the page, another worker
or the next start, does what is left, and nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func, insert, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, require_oneself, require_person
from mhms_app.audit import service as audit
from mhms_app.availability import hours
from mhms_app.booking import changes, leave_rules, offers, proposals, rules, settling
from mhms_app.booking.leave_rules import Fate
from mhms_app.booking.models import Appointment, Leave, LeaveItem, Status
from mhms_app.booking.proposals import Proposal
from mhms_app.directory import service as directory
from mhms_app.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen for an appointment; ``slot_id`` is where it moves to."""

    fate: Fate
    slot_id: int | None = None


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

    Each has a proposal, as ``proposals.propose`` makes it: with the same doctor after the leave, else with another
    doctor of the department whom patients can find.

    Raises:
        Invalid: these days cannot be a leave.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    _check(first, last)
    booked = _booked(session, doctor.id, first, last)
    audit.note(
        session,
        actor_id=require_person(actor).user_id,
        action="leave.look",
        object_type="doctor",
        object_id=doctor.id,
        detail=f"{first} to {last}",
        rows=len(booked),
    )
    instead = proposals.propose(session, doctor_id=doctor.id, first=first, last=last, displaced=booked)
    names = dict(
        session.execute(
            select(col(Patient.id), col(User.full_name))
            .join(User, col(User.id) == col(Patient.user_id))
            .where(col(Patient.id).in_({row.patient_id for row in booked}))
        ).all()
    )
    return tuple(
        Affected(
            row.id or 0, row.reference, names[row.patient_id], row.starts_at, row.ends_at, instead.get(row.id or 0)
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
        NotAsSomebodyElse: an administrator acts as the doctor, instead of entering the leave under their own name.
    """
    require_oneself(actor)
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    _check(first, last)
    message = rules.tidy_reason(message, most=rules.WHY_LENGTH)
    if not message and any(choice.fate is Fate.CANCEL for choice in choices.values()):
        raise Invalid("Please say why: those whose appointments are cancelled read this.", field="message")
    before = _booked(session, doctor.id, first, last)
    closed = hours.close_days(session, actor, doctor_id=doctor.id, first=first, last=last)
    offers.recall(session, doctor_id=doctor.id)
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
        settling.settle(session, item_id=item_id)
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


def _check(first: date, last: date) -> None:
    if refusal := leave_rules.why_not_a_leave(first, last, today=db.clock.today()):
        raise refusal


def _booked(session: Session, doctor_id: int, first: date, last: date) -> list[Appointment]:
    begin, end = proposals.days(first, last)
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
