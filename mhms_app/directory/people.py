"""Everybody with an account, for those who administer them: signing up, roles, approving doctors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import links
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import CLOSED, User
from mhms_app.accounts.rules import search_key, tidy_name
from mhms_app.accounts.service import UserRow
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.db import Page
from mhms_app.directory import rules
from mhms_app.directory import service as directory
from mhms_app.directory.departments import lock_department, open_department
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.service import PENDING, DoctorRow, Rows
from mhms_app.errors import ClinicError, Invalid, NotFound
from mhms_app.notifications import service as notifications
from mhms_app.settings import settings


class DepartmentClosed(ClinicError):
    """Doctors of a closed department cannot be offered to patients."""

    sentence = "The doctor's department is closed. Open it first, or move the doctor."


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody with an account; the last four are a doctor's, else None, None, ``""`` and False."""

    id: int
    name: str
    email: str
    phone: str
    role: str
    active: bool
    created_at: datetime
    doctor_id: int | None
    department_id: int | None
    department: str
    approved: bool


@dataclass(frozen=True, slots=True)
class SignedUp:
    """What became of a sign-up."""

    user_id: int
    role: Role
    awaiting_approval: bool


def validate_signup(*, email: str, full_name: str, role: str, department_id: str) -> dict[str, str]:
    """Say what is wrong with a typed sign-up form, all fields at once: a sentence by field.

    The password is judged by ``accounts.passwords``, in a thread.
    """
    problems = rules.signup_problems(full_name=full_name, role=role, department_id=department_id)
    try:
        accounts.tidy_email(email)
    except Invalid as refusal:
        problems["email"] = refusal.sentence
    return problems


def sign_up(
    session: Session,
    *,
    email: str,
    full_name: str,
    password_hash: str,
    role: str,
    department_id: int | None,
    auto_approve: bool,
    then: str = "",
) -> SignedUp:
    """Open an account for a patient or a doctor, and welcome them by e-mail, with a link if they have to confirm it.

    Args:
        role: ``patient`` or ``doctor``; nobody signs up as an administrator.
        department_id: a doctor's department; patients have none.
        auto_approve: whether patients can find a new doctor at once.
        then: the page of this app where they were, to go on there once they have confirmed their address.

    Raises:
        Invalid: the name, address, role or department is not acceptable.
        EmailTaken: another account has the address.
    """
    if role not in rules.SIGN_UP_ROLES:
        raise Invalid("Please choose whether you are a patient or a doctor.", field="role")
    is_doctor = role == Role.DOCTOR
    department = open_department(session, department_id) if is_doctor else None
    confirmed = not settings().verify_email
    user = accounts.add_user(
        session, email=email, full_name=full_name, password_hash=password_hash, role=Role(role), confirmed=confirmed
    )
    if department is not None:
        _add_doctor(session, user, department, approved=auto_approve)
    awaiting = is_doctor and not auto_approve
    user_id = directory.key_of(user.id)
    if confirmed:
        notifications.signup_welcome(
            session, user_id=user_id, email=user.email, name=user.full_name, role=role, awaiting_approval=awaiting
        )
    else:
        links.send_confirmation(session, user, welcome=True, then=then)
    audit.record(session, actor_id=user_id, action="user.sign_up", object_type="user", object_id=user_id, detail=role)
    return SignedUp(user_id, Role(role), awaiting)


def create_user(
    session: Session,
    actor: Actor | None,
    *,
    email: str,
    full_name: str,
    phone: str,
    role: str,
    department_id: int | None,
    password: str,
    password_hash: str,
) -> UserRow:
    """Open an account of any role and send the temporary password to its owner.

    Args:
        department_id: a doctor's department; others have none.
        password: the temporary password, in the e-mail only.
        password_hash: its hash, in the database only.

    Raises:
        Invalid, EmailTaken: as ``accounts.add_user``; also the role or the department.
    """
    admin = require_role(actor, Role.ADMIN)
    wanted, phone = _role(role), tidy_name(phone)
    if refusal := rules.why_not_a_phone(phone):
        raise refusal
    department = open_department(session, department_id) if wanted is Role.DOCTOR else None
    user = accounts.add_user(
        session,
        email=email,
        full_name=full_name,
        password_hash=password_hash,
        role=wanted,
        phone=phone,
        password_is_temporary=True,
        confirmed=not settings().verify_email,
    )
    if department is not None:
        _add_doctor(session, user, department, approved=True)
    accounts.send_temporary_password(session, user, password)
    user_id = directory.key_of(user.id)
    audit.record(
        session, actor_id=admin.user_id, action="user.add", object_type="user", object_id=user_id, detail=wanted.value
    )
    return accounts.get_user(session, actor, user_id=user_id)


def assign_role(
    session: Session, actor: Actor | None, *, user_id: int, role: str, department_id: int | None
) -> UserRow:
    """Give a user a role; a change ends their sessions.

    A new doctor needs a department and is approved by the act. Somebody who is a doctor already only
    moves, when a department is given. Who stops being a doctor is no longer found by patients.

    Raises:
        Invalid: the role or the department is not acceptable.
        LastAdministrator: nobody would be left to administer.
        NotFound: there is no such user.
    """
    admin = require_role(actor, Role.ADMIN)
    wanted, was = _role(role), session.scalar(select(col(User.role)).where(col(User.id) == user_id))
    if was is None:
        raise NotFound
    doctor = session.scalars(select(Doctor).where(col(Doctor.user_id) == user_id).with_for_update()).first()
    moves = wanted is Role.DOCTOR and (doctor is None or was != Role.DOCTOR or department_id is not None)
    department = open_department(session, department_id) if moves else None
    user = accounts.change_role(session, user_id, wanted)
    if doctor is None and department is not None:
        _add_doctor(session, user, department, approved=True)
    elif doctor is not None:
        if department is not None:
            doctor.department_id = directory.key_of(department.id)
        if was != wanted:
            doctor.approved_at = db.clock.now() if wanted is Role.DOCTOR else None
        session.add(doctor)
        session.flush()
    audit.record(
        session,
        actor_id=admin.user_id,
        action="user.assign_role",
        object_type="user",
        object_id=user_id,
        detail=f"{was} to {wanted}",
    )
    return accounts.get_user(session, actor, user_id=user_id)


def set_approved(session: Session, actor: Actor | None, *, doctor_id: int, approved: bool) -> DoctorRow:
    """Let patients find a doctor, or no longer.

    Raises:
        DepartmentClosed: the doctor works in a closed department.
        NotFound: there is no such doctor.
    """
    admin = require_role(actor, Role.ADMIN)
    doctor = directory.lock_doctor(session, doctor_id)
    if approved and not lock_department(session, doctor.department_id, shared=True).active:
        raise DepartmentClosed
    doctor.approved_at = (doctor.approved_at or db.clock.now()) if approved else None
    session.add(doctor)
    session.flush()
    audit.record(
        session,
        actor_id=admin.user_id,
        action="doctor.approve" if approved else "doctor.disapprove",
        object_type="doctor",
        object_id=doctor_id,
    )
    return directory.managed_doctor(session, actor, doctor_id=doctor_id)


def list_people(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    role: str = "",
    status: str = "",
    page: int = 1,
    size: int = 25,
) -> Page[PersonRow]:
    """List people by name for an administrator.

    Args:
        search: looked for in names and addresses.
        role: a ``Role``; ``""`` is everybody.
        status: ``active``, ``inactive``, ``pending`` (doctors who await approval) or ``""``.
    """
    admin = require_role(actor, Role.ADMIN)
    wanted = _people()
    if role:
        wanted = wanted.where(col(User.role) == _role(role).value)
    if status == "pending":
        wanted = wanted.where(PENDING)
    elif status:
        wanted = wanted.where(col(User.active) if status == "active" else CLOSED)
    if key := search_key(search):
        wanted = wanted.where(col(User.id).in_(accounts.people_called(key)))
    ordered = wanted.order_by(col(User.name_key), col(User.id)).offset((page - 1) * size).limit(size)
    rows = _person_rows(session, ordered)
    kinds = [f"by {name}" for name, value in (("search", search), ("role", role), ("status", status)) if value]
    audit.note(
        session,
        actor_id=admin.user_id,
        action="user.list",
        object_type="user",
        detail=", ".join((f"page {page}", *kinds)),
        rows=len(rows),
    )
    return Page(rows, db.count(session, wanted))


def get_person(session: Session, actor: Actor | None, *, user_id: int) -> PersonRow:
    """Return somebody with an account, for an administrator.

    Raises:
        NotFound: there is nobody with this key.
    """
    admin = require_role(actor, Role.ADMIN)
    found = _person_rows(session, _people().where(col(User.id) == user_id))
    if not found:
        raise NotFound
    audit.note(session, actor_id=admin.user_id, action="user.view", object_type="user", object_id=user_id)
    return found[0]


def _people() -> Rows:
    """The columns of a ``PersonRow``."""
    is_doctor = col(User.role) == Role.DOCTOR.value
    return (
        select(
            col(User.id),
            col(User.full_name),
            col(User.email),
            col(User.phone),
            col(User.role),
            col(User.active),
            col(User.created_at),
            col(Doctor.id),
            col(Doctor.department_id),
            func.coalesce(col(Department.name), ""),
            col(Doctor.approved_at).is_not(None),
        )
        .select_from(User)
        .outerjoin(Doctor, and_(col(Doctor.user_id) == col(User.id), is_doctor))
        .outerjoin(Department, col(Department.id) == col(Doctor.department_id))
    )


def _person_rows(session: Session, wanted: Rows) -> tuple[PersonRow, ...]:
    return tuple(PersonRow(*row) for row in session.execute(wanted))


def _add_doctor(session: Session, user: User, department: Department, *, approved: bool) -> None:
    session.add(
        Doctor(
            user_id=directory.key_of(user.id),
            department_id=directory.key_of(department.id),
            approved_at=db.clock.now() if approved else None,
        )
    )
    session.flush()


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise Invalid("Please choose a role.", field="role") from None
