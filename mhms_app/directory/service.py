"""Use cases around departments and doctors: who works where, who may be seen, and finding one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.exc import IntegrityError
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
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications import service as notifications
from mhms_app.replica import may_be_stale
from mhms_app.settings import settings

Rows: TypeAlias = Select[*tuple[Any, ...]]


class DepartmentInUse(ClinicError):
    """A department with doctors whom patients can find cannot be closed."""

    field = "active"


class DepartmentClosed(ClinicError):
    """Doctors of a closed department cannot be offered to patients."""

    sentence = "The doctor's department is closed. Open it first, or move the doctor."


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    """One department; ``doctors`` counts those whom patients can find."""

    id: int
    name: str
    description: str
    location: str
    active: bool
    doctors: int


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


_PENDING = and_(col(User.role) == Role.DOCTOR.value, col(User.active), col(Doctor.approved_at).is_(None))

# Patients find a doctor who is approved, has an open account with an address that is confirmed, and works in an open
# department.
VISIBLE = and_(
    col(Doctor.approved_at).is_not(None),
    col(User.role) == Role.DOCTOR.value,
    col(User.active),
    col(User.email_confirmed_at).is_not(None),
    col(Department.active),
)


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
    require_role(actor, Role.ADMIN)
    name, description, location = tidy_name(name), rules.tidy_text(description), tidy_name(location)
    if refusal := rules.why_not_a_department(name=name, description=description, location=location):
        raise refusal
    department = Department(name="", name_key="") if department_id is None else _lock_department(session, department_id)
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
    _record(session, actor, action, "department", _id(department.id))
    return _department_row(department, _visible_by_department(session))


def set_department_active(session: Session, actor: Actor | None, *, department_id: int, active: bool) -> DepartmentRow:
    """Open or close a department.

    Raises:
        DepartmentInUse: patients can still find doctors in it.
        NotFound: there is no such department.
    """
    require_role(actor, Role.ADMIN)
    department = _lock_department(session, department_id)
    doctors = _visible_by_department(session).get(department_id, 0)
    if not active and doctors:
        who = "1 approved doctor still works" if doctors == 1 else f"{doctors} approved doctors still work"
        raise DepartmentInUse(f"{who} in {department.name}. Move them or withdraw their approval first.")
    department.active = active
    session.add(department)
    session.flush()
    action = "department.open" if active else "department.close"
    _record(session, actor, action, "department", department_id)
    return _department_row(department, _visible_by_department(session))


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
    department = _open_department(session, department_id) if is_doctor else None
    confirmed = not settings().verify_email
    user = accounts.add_user(
        session, email=email, full_name=full_name, password_hash=password_hash, role=Role(role), confirmed=confirmed
    )
    if department is not None:
        _add_doctor(session, user, department, approved=auto_approve)
    awaiting = is_doctor and not auto_approve
    user_id = _id(user.id)
    if confirmed:
        notifications.signup_welcome(
            session, user_id=user_id, email=user.email, name=user.full_name, role=role, awaiting_approval=awaiting
        )
    else:
        links.send_confirmation(session, user, welcome=True, then=then)
    audit.record(session, actor_id=user_id, action="user.sign_up", object_type="user", object_id=user_id, detail=role)
    return SignedUp(user_id, Role(role), awaiting)


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
    doctor = _lock_doctor(session, target.id)
    doctor.title, doctor.title_key = title, search_key(title)[:80]
    doctor.bio, doctor.languages = bio, languages
    session.add(doctor)
    session.flush()
    _record(session, actor, "doctor.edit", "doctor", target.id)
    return managed_doctor(session, actor, doctor_id=doctor_id)


def set_approved(session: Session, actor: Actor | None, *, doctor_id: int, approved: bool) -> DoctorRow:
    """Let patients find a doctor, or no longer.

    Raises:
        DepartmentClosed: the doctor works in a closed department.
        NotFound: there is no such doctor.
    """
    require_role(actor, Role.ADMIN)
    doctor = _lock_doctor(session, doctor_id)
    if approved and not _lock_department(session, doctor.department_id, shared=True).active:
        raise DepartmentClosed
    doctor.approved_at = (doctor.approved_at or db.clock.now()) if approved else None
    session.add(doctor)
    session.flush()
    _record(session, actor, "doctor.approve" if approved else "doctor.disapprove", "doctor", doctor_id)
    return managed_doctor(session, actor, doctor_id=doctor_id)


def list_pending_doctors(session: Session, actor: Actor | None) -> tuple[DoctorRow, ...]:
    """List the doctors who wait for approval, those who have waited longest first."""
    require_role(actor, Role.ADMIN)
    return _rows(
        session,
        doctors().where(_PENDING).order_by(col(User.created_at), col(Doctor.id)),
    )


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
        wanted = wanted.where(_PENDING)
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


def doctor_of_user(session: Session, actor: Actor | None, *, user_id: int) -> DoctorRow | None:
    """Return the doctor that a user is, or once was, for an administrator."""
    require_role(actor, Role.ADMIN)
    return _find(session, doctors().where(col(Doctor.user_id) == user_id))


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
    require_role(actor, Role.ADMIN)
    wanted, phone = _role(role), tidy_name(phone)
    if refusal := rules.why_not_a_phone(phone):
        raise refusal
    department = _open_department(session, department_id) if wanted is Role.DOCTOR else None
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
    user_id = _id(user.id)
    _record(session, actor, "user.add", "user", user_id, detail=wanted.value)
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
    require_role(actor, Role.ADMIN)
    wanted, was = _role(role), session.scalar(select(col(User.role)).where(col(User.id) == user_id))
    if was is None:
        raise NotFound
    doctor = session.scalars(select(Doctor).where(col(Doctor.user_id) == user_id).with_for_update()).first()
    moves = wanted is Role.DOCTOR and (doctor is None or was != Role.DOCTOR or department_id is not None)
    department = _open_department(session, department_id) if moves else None
    user = accounts.change_role(session, user_id, wanted)
    if doctor is None and department is not None:
        _add_doctor(session, user, department, approved=True)
    elif doctor is not None:
        if department is not None:
            doctor.department_id = _id(department.id)
        if was != wanted:
            doctor.approved_at = db.clock.now() if wanted is Role.DOCTOR else None
        session.add(doctor)
        session.flush()
    _record(session, actor, "user.assign_role", "user", user_id, detail=f"{was} to {wanted}")
    return accounts.get_user(session, actor, user_id=user_id)


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


def visible_doctors(*, search: str = "", department_id: int | None = None) -> Rows:
    """The columns of a ``DoctorRow``, of the doctors whom patients can find; in no order."""
    wanted = doctors().where(VISIBLE)
    if department_id is not None:
        wanted = wanted.where(col(Doctor.department_id) == department_id)
    for word in search_key(tidy_name(search)).split():
        texts = (col(User.name_key), col(Doctor.title_key), col(Department.name_key))
        wanted = wanted.where(or_(*(text.contains(word, autoescape=True) for text in texts)))
    return wanted


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


def _rows(session: Session, wanted: Rows) -> tuple[DoctorRow, ...]:
    return tuple(DoctorRow(*row) for row in session.execute(wanted))


def _find(session: Session, wanted: Rows) -> DoctorRow | None:
    return next(iter(_rows(session, wanted)), None)


def _get(session: Session, wanted: Rows) -> DoctorRow:
    doctor = _find(session, wanted)
    if doctor is None:
        raise NotFound
    return doctor


def _visible_by_department(session: Session) -> dict[int, int]:
    """How many doctors patients can find, by department."""
    wanted = visible_doctors().with_only_columns(col(Doctor.department_id), func.count())
    return dict(session.execute(wanted.group_by(col(Doctor.department_id))).all())


def _add_doctor(session: Session, user: User, department: Department, *, approved: bool) -> None:
    session.add(
        Doctor(
            user_id=_id(user.id),
            department_id=_id(department.id),
            approved_at=db.clock.now() if approved else None,
        )
    )
    session.flush()


def _open_department(session: Session, department_id: int | None) -> Department:
    """Find the department of a new doctor; nobody closes it before this transaction ends."""
    department = session.scalars(
        select(Department).where(col(Department.id) == department_id, col(Department.active)).with_for_update(read=True)
    ).first()
    if department is None:
        raise Invalid("Please choose a department that is open.", field="department")
    return department


def _lock_department(session: Session, department_id: int, *, shared: bool = False) -> Department:
    department = session.scalars(
        select(Department).where(col(Department.id) == department_id).with_for_update(read=shared)
    ).first()
    if department is None:
        raise NotFound
    return department


def _lock_doctor(session: Session, doctor_id: int) -> Doctor:
    doctor = session.scalars(select(Doctor).where(col(Doctor.id) == doctor_id).with_for_update()).first()
    if doctor is None:
        raise NotFound
    return doctor


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise Invalid("Please choose a role.", field="role") from None


def _record(
    session: Session, actor: Actor | None, action: str, object_type: str, object_id: int, *, detail: str = ""
) -> None:
    actor_id = actor.user_id if actor else None
    audit.record(session, actor_id=actor_id, action=action, object_type=object_type, object_id=object_id, detail=detail)


def _department_row(row: Department, doctors: dict[int, int]) -> DepartmentRow:
    key = _id(row.id)
    return DepartmentRow(key, row.name, row.description, row.location, row.active, doctors.get(key, 0))


def _id(value: int | None) -> int:
    """The key of a row that is stored."""
    if value is None:
        raise RuntimeError("the row is not stored yet")
    return value
