"""Other times for appointments that cannot stay: what a leave proposes, and what the desk chooses from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, or_, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.availability.models import Slot
from mhms_app.availability.rules import DAY, span
from mhms_app.availability.slots import IS_FREE
from mhms_app.booking import leave_rules
from mhms_app.booking.leave_rules import Candidate, Displaced
from mhms_app.booking.models import ACTIVE, Appointment
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import NotFound
from mhms_app.settings import settings

_CANDIDATES = 5_000  # free slots of other doctors that are looked at
_SHOWN = 24  # times that the desk is shown at once


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another time for an appointment; instants are aware UTC."""

    slot_id: int
    doctor_id: int
    doctor: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class OtherTimes:
    """What somebody at the desk can offer a patient on the phone.

    Attributes:
        times: the next free ones from the day that was asked for, by time; none overlaps with what the patient has.
        more: there are later ones.
    """

    times: tuple[Proposal, ...]
    more: bool


def other_times(
    session: Session, actor: Actor | None, *, reference: str, anybody: bool = False, first: date | None = None
) -> OtherTimes:
    """Find free times for an appointment, for an administrator.

    Args:
        anybody: with every doctor of the department whom patients can find; otherwise with its own doctor only.
        first: the clinic day at which the search begins; None or a day that is over mean now.

    Raises:
        NotFound: there is no such appointment.
    """
    admin = require_role(actor, Role.ADMIN)
    row = session.scalars(select(Appointment).where(col(Appointment.reference) == reference)).first()
    if row is None:
        raise NotFound
    audit.note(session, actor_id=admin.user_id, action="appointment.view", object_type="appointment", object_id=row.id)
    free = _free(row.department_id)
    if first is not None:
        free = free.where(col(Slot.starts_at) >= days(first, first)[0])
    if not anybody:
        free = free.where(col(Slot.doctor_id) == row.doctor_id)
    for key, begun, over in _busy(session, {row.patient_id}).get(row.patient_id, ()):
        if key != row.id:
            free = free.where(or_(col(Slot.starts_at) >= over, col(Slot.ends_at) <= begun))
    found = [Proposal(*slot) for slot in session.execute(free.limit(_SHOWN + 1))]
    return OtherTimes(tuple(found[:_SHOWN]), more=len(found) > _SHOWN)


def propose(
    session: Session,
    *,
    doctor_id: int,
    first: date,
    last: date,
    displaced: Iterable[Appointment],
    without: Iterable[int] = (),
) -> dict[int, Proposal]:
    """Another time for each of these appointments for which there is one, by its key.

    ``leave_rules.propose`` chooses. An appointment keeps its department: of a doctor who has changed theirs it has no
    proposal.

    Args:
        doctor_id: who is away, from the ``first`` clinic day to the ``last``.
        without: slots that are not to be proposed.
    """
    begin, end = days(first, last)
    department_id = session.get_one(Doctor, doctor_id).department_id
    rows = [row for row in displaced if row.department_id == department_id]
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
    free = _free(department_id).where(col(Slot.id).not_in(tuple(without))).limit(_CANDIDATES)
    own = session.execute(free.where(col(Slot.doctor_id) == doctor_id, col(Slot.starts_at) >= end)).all()
    others = session.execute(free.where(col(Slot.doctor_id) != doctor_id, col(Slot.starts_at) >= begin)).all()
    known = {slot.id: Proposal(*slot) for slot in (*own, *others)}
    given = leave_rules.propose(
        wanted, *([Candidate(slot[0], slot[1], *slot[3:]) for slot in some] for some in (own, others))
    )
    return {key: known[slot.id] for key, slot in given.items()}


def days(first: date, last: date) -> tuple[datetime, datetime]:
    """The instants at which the first clinic day begins and the last one is over."""
    return span(first, (last - first) // DAY + 1, zone=settings().zone)


def _free(department_id: int) -> Select[int | None, int, str, datetime, datetime]:
    """The free slots to come of the doctors of a department whom patients can find, by time."""
    return (
        select(col(Slot.id), col(Slot.doctor_id), col(User.full_name), col(Slot.starts_at), col(Slot.ends_at))
        .join(Doctor, col(Doctor.id) == col(Slot.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(
            directory.VISIBLE,
            col(Doctor.department_id) == department_id,
            IS_FREE,
            col(Slot.starts_at) > db.clock.now(),
        )
        .order_by(col(Slot.starts_at), col(Slot.id))
    )


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
