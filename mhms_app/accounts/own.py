"""One's own account: what one is called, how one is reached, and what one chose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from sqlmodel import Session, select

from mhms_app.accounts import rules
from mhms_app.accounts import service as accounts
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role, require_oneself, require_person, require_role
from mhms_app.audit import service as audit
from mhms_app.errors import Invalid, InvalidForm

_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@dataclass(frozen=True, slots=True)
class Profile:
    """What the page of one's account shows.

    Attributes:
        time_zone: an IANA name, or ``""`` for the clinic's.
        reminded: a patient is reminded of appointments.
    """

    name: str
    phone: str
    time_zone: str
    reminded: bool


@cache
def time_zones() -> tuple[str, ...]:
    """The zones to choose from, by name: those that are called after places."""
    return tuple(sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS))


def look(session: Session, actor: Actor | None) -> Profile:
    """Return one's own account."""
    person = require_person(actor)
    user, patient = session.get_one(User, person.user_id), _patient(session, person)
    return Profile(user.full_name, user.phone, user.time_zone, reminded=patient is not None and patient.reminded)


def save(session: Session, actor: Actor | None, *, full_name: str, phone: str, time_zone: str) -> None:
    """Change one's own name, phone number and time zone.

    Raises:
        InvalidForm: one of them is not acceptable.
    """
    person = require_oneself(actor)
    name, errors = rules.tidy_name(full_name), dict[str, str]()
    if problem := rules.name_problem(name):
        errors["full_name"] = problem
    try:
        phone = accounts.tidy_phone(phone)
    except Invalid as refusal:
        errors["phone"] = refusal.sentence
    if time_zone and time_zone not in time_zones():
        errors["time_zone"] = "Please choose a time zone from the list."
    if errors:
        raise InvalidForm(errors)
    user = lock_user(session, person.user_id)
    user.full_name, user.name_key, user.phone, user.time_zone = name, rules.search_key(name)[:120], phone, time_zone
    session.add(user)
    _record(session, person, "account.edit")


def remind(session: Session, actor: Actor | None, *, wanted: bool) -> None:
    """Let a patient be reminded of their appointments, or not."""
    person = require_oneself(require_role(actor, Role.PATIENT))
    patient = _patient(session, person)
    if patient is not None and patient.reminded != wanted:
        patient.reminded = wanted
        session.add(patient)
        _record(session, person, "account.reminders")


def _patient(session: Session, person: Actor) -> Patient | None:
    return session.exec(select(Patient).where(Patient.id == person.patient_id)).first()


def _record(session: Session, person: Actor, action: str) -> None:
    audit.record(session, actor_id=person.user_id, action=action, object_type="user", object_id=person.user_id)
