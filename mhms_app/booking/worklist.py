"""Appointments that no rule could help: a person has to call the patient.

What a leave has left for the desk, and what is still booked with somebody who is no longer a doctor here. Both are
found by looking, not copied; an appointment leaves the list when it is moved, cancelled or marked as done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import CompoundSelect, Select, and_, exists, func, not_, or_, select, union
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.booking import rules
from mhms_app.booking.models import Appointment, DeskNote, Leave, LeaveItem, Status
from mhms_app.booking.news import PatientChanged
from mhms_app.db import Page, UTCDateTime
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import NotFound

_Person, _Practitioner, _Left = aliased(User), aliased(User), aliased(LeaveItem)


@dataclass(frozen=True, slots=True)
class DeskRow:
    """An appointment on the list; instants are aware UTC.

    Attributes:
        first, last: the days of the leave that it is in, or None when the doctor is gone.
        since: when the leave left it for the desk, or the doctor's account was closed or changed.
    """

    id: int
    reference: str
    patient: str
    phone: str
    email: str
    doctor: str
    department: str
    starts_at: datetime
    ends_at: datetime
    first: date | None
    last: date | None
    since: datetime | None


def worklist(session: Session, actor: Actor | None, *, page: int = 1, size: int = 25) -> Page[DeskRow]:
    """The appointments that need a person, the soonest first, for an administrator."""
    admin = require_role(actor, Role.ADMIN)
    audit.note(
        session, actor_id=admin.user_id, action="worklist.list", object_type="appointment", detail=f"page {page}"
    )
    waiting = _waiting().subquery()
    latest = (
        select(func.max(LeaveItem.id))
        .where(
            col(LeaveItem.appointment_id) == col(Appointment.id),
            col(LeaveItem.slot_id) == col(Appointment.slot_id),
            col(LeaveItem.outcome) == "desk",
        )
        .scalar_subquery()
    )
    gone_since = (
        select(func.max(AuditEntry.at))
        .where(
            col(AuditEntry.object_type) == "user",
            col(AuditEntry.object_id) == col(Doctor.user_id),
            col(AuditEntry.action).in_(("user.deactivate", "user.assign_role")),
        )
        .scalar_subquery()
    )
    found = session.execute(
        select(
            col(Appointment.id),
            col(Appointment.reference),
            col(_Person.full_name),
            col(_Person.phone),
            col(_Person.email),
            col(_Practitioner.full_name),
            col(Department.name),
            col(Appointment.starts_at),
            col(Appointment.ends_at),
            col(Leave.first_day),
            col(Leave.last_day),
            func.coalesce(col(_Left.done_at), gone_since, type_=UTCDateTime),
        )
        .join(waiting, waiting.c.id == col(Appointment.id))
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(_Person, col(_Person.id) == col(Patient.user_id))
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .join(_Practitioner, col(_Practitioner.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Appointment.department_id))
        .outerjoin(_Left, col(_Left.id) == latest)
        .outerjoin(Leave, col(Leave.id) == col(_Left.leave_id))
        .order_by(col(Appointment.starts_at), col(Appointment.id))
        .offset((page - 1) * size)
        .limit(size)
    )
    return Page(tuple(DeskRow(*row) for row in found), count(session))


def count(session: Session) -> int:
    """How many appointments need a person; the caller has authorised it."""
    return session.scalar(select(func.count()).select_from(_waiting().subquery())) or 0


def left_behind(session: Session, actor: Actor | None, *, user_id: int) -> int:
    """How many appointments to come would need a person if this doctor were gone, for an administrator."""
    require_role(actor, Role.ADMIN)
    found = session.scalar(
        select(func.count())
        .select_from(Appointment)
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .where(
            col(Doctor.user_id) == user_id,
            col(Appointment.status) == Status.BOOKED.value,
            col(Appointment.starts_at) > db.clock.now(),
        )
    )
    return found or 0


def mark_done(session: Session, actor: Actor | None, *, appointment_id: int, note: str) -> None:
    """Take an appointment off the list: a person has seen to it. Asking twice marks it once.

    Args:
        note: what was done, at most 200 characters.

    Raises:
        Invalid: the note is too long.
        NotFound: no such appointment is on the list.
    """
    person = require_role(actor, Role.ADMIN)
    note = rules.tidy_reason(note, most=rules.WHY_LENGTH, field="note")
    row = session.scalars(select(Appointment).where(col(Appointment.id) == appointment_id).with_for_update()).first()
    if row is None:
        raise NotFound
    if session.get(DeskNote, (appointment_id, row.slot_id)):
        return
    listed = _waiting().subquery()
    if session.execute(select(listed.c.id).where(listed.c.id == appointment_id)).first() is None:
        raise NotFound
    session.add(
        DeskNote(
            appointment_id=appointment_id,
            slot_id=row.slot_id,
            note=note,
            done_by=person.user_id,
            done_at=db.clock.now(),
        )
    )
    session.flush()
    db.announce(session, PatientChanged(row.patient_id))
    audit.record(
        session,
        actor_id=person.user_id,
        action="worklist.done",
        object_type="appointment",
        object_id=appointment_id,
        detail=note,
    )


def _waiting() -> CompoundSelect[Any]:
    """The keys of the appointments on the list."""
    seen_to = exists().where(
        col(DeskNote.appointment_id) == col(Appointment.id), col(DeskNote.slot_id) == col(Appointment.slot_id)
    )
    booked: Select[Any] = select(col(Appointment.id).label("id")).where(
        col(Appointment.status) == Status.BOOKED.value, not_(seen_to)
    )
    left = and_(
        col(LeaveItem.appointment_id) == col(Appointment.id), col(LeaveItem.slot_id) == col(Appointment.slot_id)
    )
    gone = (
        select(col(Doctor.id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .where(or_(not_(col(User.active)), col(User.role) != Role.DOCTOR.value))
    )
    return union(
        booked.join(LeaveItem, left).where(col(LeaveItem.outcome) == "desk"),
        booked.where(col(Appointment.doctor_id).in_(gone), col(Appointment.starts_at) > db.clock.now()),
    )
