"""Departments: adding, changing, opening and closing them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.rules import search_key, tidy_name
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.directory import rules
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Invalid, NotFound
from mhms_app.replica import may_be_stale


class DepartmentInUse(ClinicError):
    """A department with doctors whom patients can find cannot be closed."""

    field = "active"


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    """One department; ``doctors`` counts those whom patients can find."""

    id: int
    name: str
    description: str
    location: str
    active: bool
    doctors: int


@may_be_stale
def list_departments(
    session: Session, actor: Actor | None, *, include_closed: bool = False
) -> tuple[DepartmentRow, ...]:
    """List departments by name: the open ones for everybody, closed ones too for an administrator."""
    wanted = select(Department).order_by(col(Department.name_key))
    if include_closed:
        require_role(actor, Role.ADMIN)
    else:
        wanted = wanted.where(col(Department.active))
    doctors = _visible_by_department(session)
    return tuple(_department_row(row, doctors) for row in session.scalars(wanted))


def save_department(
    session: Session, actor: Actor | None, *, department_id: int | None, name: str, description: str, location: str
) -> DepartmentRow:
    """Add a department, or with ``department_id`` change one.

    Raises:
        Invalid: the words are missing or too long, or another department has this name.
        NotFound: there is no such department.
    """
    admin = require_role(actor, Role.ADMIN)
    name, description, location = tidy_name(name), rules.tidy_text(description), tidy_name(location)
    if refusal := rules.why_not_a_department(name=name, description=description, location=location):
        raise refusal
    department = Department(name="", name_key="") if department_id is None else lock_department(session, department_id)
    try:
        with session.begin_nested():
            department.name, department.name_key = name, search_key(name)[:80]
            department.description, department.location = description, location
            session.add(department)
            session.flush()
    except IntegrityError as error:
        if db.violated(error) == "uq_department_name_key":
            raise Invalid("There is already a department with this name.", field="name") from None
        raise
    action = "department.add" if department_id is None else "department.edit"
    audit.record(
        session,
        actor_id=admin.user_id,
        action=action,
        object_type="department",
        object_id=directory.key_of(department.id),
    )
    return _department_row(department, _visible_by_department(session))


def set_department_active(session: Session, actor: Actor | None, *, department_id: int, active: bool) -> DepartmentRow:
    """Open or close a department.

    Raises:
        DepartmentInUse: patients can still find doctors in it.
        NotFound: there is no such department.
    """
    admin = require_role(actor, Role.ADMIN)
    department = lock_department(session, department_id)
    doctors = _visible_by_department(session).get(department_id, 0)
    if not active and doctors:
        who = "1 approved doctor still works" if doctors == 1 else f"{doctors} approved doctors still work"
        raise DepartmentInUse(f"{who} in {department.name}. Move them or withdraw their approval first.")
    department.active = active
    session.add(department)
    session.flush()
    action = "department.open" if active else "department.close"
    audit.record(session, actor_id=admin.user_id, action=action, object_type="department", object_id=department_id)
    return _department_row(department, _visible_by_department(session))


def open_department(session: Session, department_id: int | None) -> Department:
    """Find the department of a new doctor; nobody closes it before this transaction ends."""
    department = session.scalars(
        select(Department).where(col(Department.id) == department_id, col(Department.active)).with_for_update(read=True)
    ).first()
    if department is None:
        raise Invalid("Please choose a department that is open.", field="department")
    return department


def lock_department(session: Session, department_id: int, *, shared: bool = False) -> Department:
    """Find a department that nobody else changes before this transaction ends.

    Raises:
        NotFound: there is no such department.
    """
    department = session.scalars(
        select(Department).where(col(Department.id) == department_id).with_for_update(read=shared)
    ).first()
    if department is None:
        raise NotFound
    return department


def _visible_by_department(session: Session) -> dict[int, int]:
    """How many doctors patients can find, by department."""
    return dict(session.execute(_counting()).all())


@cache
def _counting() -> Select[int, int]:
    wanted = directory.visible_doctors().with_only_columns(col(Doctor.department_id), func.count())
    return wanted.group_by(col(Doctor.department_id))


def _department_row(row: Department, doctors: dict[int, int]) -> DepartmentRow:
    key = directory.key_of(row.id)
    return DepartmentRow(key, row.name, row.description, row.location, row.active, doctors.get(key, 0))
