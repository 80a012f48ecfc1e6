"""A small stock cast: each builder adds one believable thing and returns its row."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import count
from typing import TypeVar

from sqlmodel import Session, SQLModel

from mhms_app.accounts import passwords, sessions
from mhms_app.accounts.models import AccountLink, Patient, Role, User
from mhms_app.accounts.rules import search_key
from mhms_app.accounts.service import Actor
from mhms_app.availability.models import HoursException, Slot, WorkingHours
from mhms_app.db import clock
from mhms_app.directory.models import Department, Doctor

PASSWORD = "violet harbour lantern 9"
_number = count(1)
Row = TypeVar("Row", bound=SQLModel)


def added(session: Session, row: Row) -> Row:
    """Store a row and give it its key."""
    session.add(row)
    session.flush()
    return row


def user(session: Session, *, role: Role = Role.PATIENT, name: str = "", email: str = "", active: bool = True) -> User:
    """Somebody with an account; the password is ``builders.PASSWORD``."""
    number = next(_number)
    name, email = name or f"Person {number}", email or f"person{number}@example.com"
    return added(
        session,
        User(
            email=email,
            email_key=email.casefold(),
            full_name=name,
            name_key=search_key(name),
            role=role.value,
            password_hash=password_hash(),
            active=active,
            created_at=clock.now(),
            email_confirmed_at=clock.now(),
        ),
    )


def patient(session: Session, *, name: str = "Jo Moreau", email: str = "") -> Patient:
    """A patient with an account."""
    return added(session, Patient(user_id=key(user(session, name=name, email=email))))


def department(session: Session, *, name: str = "") -> Department:
    """An open department."""
    name = name or f"Department {next(_number)}"
    return added(session, Department(name=name, name_key=name.casefold(), location="Building B, 2nd floor"))


def doctor(
    session: Session, *, name: str = "Dr. Amira Haddad", within: Department | None = None, approved: bool = True
) -> Doctor:
    """A doctor in a department, approved unless said otherwise."""
    within = within or department(session)
    return added(
        session,
        Doctor(
            user_id=key(user(session, role=Role.DOCTOR, name=name)),
            department_id=key(within),
            title="Consultant",
            title_key="consultant",
            approved_at=clock.now() if approved else None,
        ),
    )


def slot(session: Session, of: Doctor, starts_at: datetime, *, minutes: int = 20, state: str = "open") -> Slot:
    """A slot of a doctor; a held one is held by somebody, for a while."""
    made = Slot(doctor_id=key(of), starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes), state=state)
    if state == "held":
        made.held_by, made.held_until = key(patient(session, name="Hol Der")), clock.now() + timedelta(minutes=5)
    return added(session, made)


def hours(
    session: Session,
    of: Doctor,
    *,
    weekdays: int = 0b0011111,
    start: time = time(9),
    end: time = time(12),
    since: date = date(2026, 1, 1),
) -> WorkingHours:
    """A weekly rule of a doctor: the mornings from Monday to Friday in slots of 30 minutes, unless said otherwise."""
    return added(
        session,
        WorkingHours(doctor_id=key(of), weekdays=weekdays, start=start, end=end, slot_minutes=30, valid_from=since),
    )


def day_off(session: Session, of: Doctor, day: date) -> HoursException:
    """A day on which a doctor does not work."""
    return added(session, HoursException(doctor_id=key(of), day=day, kind="off"))


def link(session: Session, of: User, *, purpose: str = "confirm_email") -> AccountLink:
    """A link that was mailed to somebody, and that nobody can follow."""
    now = clock.now()
    fields = {"token_hash": f"{next(_number):064}", "sent_to": of.email, "created_at": now, "expires_at": now}
    return added(session, AccountLink(user_id=key(of), purpose=purpose, **fields))


def actor(session: Session, person: User | Patient | Doctor) -> Actor:
    """The person as a logged-in actor."""
    account = person if isinstance(person, User) else session.get_one(User, person.user_id)
    token = sessions.open_session(session, user_id=key(account))
    session.flush()
    found = sessions.resolve(session, token)
    assert found is not None
    return found


@cache
def password_hash() -> str:
    """The hash of ``PASSWORD``, made once."""
    return passwords.hash_password(PASSWORD)


def key(row: User | Patient | Doctor | Department | Slot) -> int:
    """The key of a stored row."""
    assert row.id is not None
    return row.id
