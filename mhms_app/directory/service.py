"""Doctors: who works where, who may be seen, and finding one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Select, and_, or_, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.accounts.rules import search_key, tidy_name
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.db import Page
from mhms_app.directory import rules
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import LoginRequired, NotAllowed, NotFound

Rows: TypeAlias = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class DoctorRow:
    """One doctor with their department; ``location`` is where the department is."""

    id: int
    user_id: int
    name: str
    title: str
    bio: str
    languages: str
    department_id: int
    department: str
    location: str
    approved: bool


@dataclass(frozen=True, slots=True)
class DoctorCard:
    """A doctor as offered to somebody who looks for a time; ``availability`` fills it in.

    Attributes:
        next_free_at: when the first free slot starts, or None.
        next_slot_id: that slot.
        free_this_week: how many slots are free in the seven days from the moment asked about.
    """

    doctor: DoctorRow
    next_free_at: datetime | None
    next_slot_id: int | None
    free_this_week: int


# A doctor who awaits approval.
PENDING = and_(col(User.role) == Role.DOCTOR.value, col(User.active), col(Doctor.approved_at).is_(None))

# Patients find a doctor who is approved, has an open account with an address that is confirmed, and works in an open
# department.
VISIBLE = and_(
    col(Doctor.approved_at).is_not(None),
    col(User.role) == Role.DOCTOR.value,
    col(User.active),
    col(User.email_confirmed_at).is_not(None),
    col(Department.active),
)


def require_doctor(session: Session, actor: Actor | None) -> DoctorRow:
    """Return the acting doctor, approved or not.

    Raises:
        LoginRequired: nobody is logged in.
        NotAllowed: the person is no doctor.
    """
    person = require_role(actor, Role.DOCTOR)
    doctor = _find(session, doctors().where(col(Doctor.user_id) == person.user_id))
    if doctor is None:
        raise NotAllowed
    return doctor


def managed_doctor(session: Session, actor: Actor | None, *, doctor_id: int | None) -> DoctorRow:
    """Return the doctor whose matters the actor may manage: a doctor's own, an administrator's any.

    Args:
        doctor_id: None means the acting doctor.

    Raises:
        LoginRequired, NotAllowed: the actor is neither a doctor nor an administrator.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    if actor is None:
        raise LoginRequired
    if actor.role is not Role.ADMIN or doctor_id is None:
        doctor = require_doctor(session, actor)
        if doctor_id not in (None, doctor.id):
            raise NotFound
        return doctor
    return _get(session, doctors().where(col(Doctor.id) == doctor_id))


def get_doctor(session: Session, actor: Actor | None, *, doctor_id: int) -> DoctorRow:
    """Return a doctor whom patients can find; doctors also find themselves, administrators everybody.

    Raises:
        NotFound: there is no such doctor, or this actor may not see them.
    """
    wanted = doctors().where(col(Doctor.id) == doctor_id)
    if actor is None or actor.role is Role.PATIENT:
        wanted = wanted.where(VISIBLE)
    elif actor.role is Role.DOCTOR:
        wanted = wanted.where(or_(VISIBLE, col(Doctor.user_id) == actor.user_id))
    return _get(session, wanted)


def edit_profile(
    session: Session, actor: Actor | None, *, doctor_id: int | None, title: str, bio: str, languages: str
) -> DoctorRow:
    """Change what patients read about a doctor: a doctor's own profile, an administrator's any.

    Raises:
        Invalid: a text is too long.
        NotFound: there is no such doctor, or it is not the actor's to change.
    """
    target = managed_doctor(session, actor, doctor_id=doctor_id)
    title, bio, languages = tidy_name(title), rules.tidy_text(bio), tidy_name(languages)
    if refusal := rules.why_not_a_profile(title=title, bio=bio, languages=languages):
        raise refusal
    doctor = lock_doctor(session, target.id)
    doctor.title, doctor.title_key = title, search_key(title)[:80]
    doctor.bio, doctor.languages = bio, languages
    session.add(doctor)
    session.flush()
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action="doctor.edit",
        object_type="doctor",
        object_id=target.id,
    )
    return managed_doctor(session, actor, doctor_id=doctor_id)


def list_pending_doctors(session: Session, actor: Actor | None) -> tuple[DoctorRow, ...]:
    """List the doctors who wait for approval, those who have waited longest first."""
    require_role(actor, Role.ADMIN)
    return _rows(session, doctors().where(PENDING).order_by(col(User.created_at), col(Doctor.id)))


def list_all_doctors(session: Session, actor: Actor | None) -> tuple[DoctorRow, ...]:
    """List every doctor by name for an administrator, approved or not."""
    require_role(actor, Role.ADMIN)
    return _rows(
        session, doctors().where(col(User.role) == Role.DOCTOR.value).order_by(col(User.name_key), col(Doctor.id))
    )


def search_doctors(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    department_id: int | None = None,
    page: int = 1,
    size: int = 12,
) -> Page[DoctorRow]:
    """Find doctors by name; each word of ``search`` is in the name, the title or the department's name."""
    wanted = visible_doctors(search=search, department_id=department_id)
    rows = _rows(session, wanted.order_by(col(User.name_key), col(Doctor.id)).offset((page - 1) * size).limit(size))
    return Page(rows, db.count(session, wanted))


@cache
def doctors() -> Rows:
    """The columns of a ``DoctorRow``, of every doctor."""
    return (
        select(
            col(Doctor.id),
            col(Doctor.user_id),
            col(User.full_name),
            col(Doctor.title),
            col(Doctor.bio),
            col(Doctor.languages),
            col(Doctor.department_id),
            col(Department.name),
            col(Department.location),
            col(Doctor.approved_at).is_not(None),
        )
        .select_from(Doctor)
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
    )


@lru_cache(maxsize=256)
def visible_doctors(*, search: str = "", department_id: int | None = None) -> Rows:
    """The columns of a ``DoctorRow``, of the doctors whom patients can find; in no order."""
    wanted = doctors().where(VISIBLE)
    if department_id is not None:
        wanted = wanted.where(col(Doctor.department_id) == department_id)
    for word in search_key(tidy_name(search)).split():
        texts = (col(User.name_key), col(Doctor.title_key), col(Department.name_key))
        wanted = wanted.where(or_(*(text.contains(word, autoescape=True) for text in texts)))
    return wanted


def lock_doctor(session: Session, doctor_id: int) -> Doctor:
    """Find a doctor whom nobody else changes before this transaction ends.

    Raises:
        NotFound: there is no such doctor.
    """
    doctor = session.scalars(select(Doctor).where(col(Doctor.id) == doctor_id).with_for_update()).first()
    if doctor is None:
        raise NotFound
    return doctor


def key_of(value: int | None) -> int:
    """The key of a row that is stored."""
    if value is None:
        raise RuntimeError("the row is not stored yet")
    return value


def _rows(session: Session, wanted: Rows) -> tuple[DoctorRow, ...]:
    return tuple(DoctorRow(*row) for row in session.execute(wanted))


def _find(session: Session, wanted: Rows) -> DoctorRow | None:
    return next(iter(_rows(session, wanted)), None)


def _get(session: Session, wanted: Rows) -> DoctorRow:
    doctor = _find(session, wanted)
    if doctor is None:
        raise NotFound
    return doctor
