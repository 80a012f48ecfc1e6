"""Appointments for people's own calendars: one as a file, or all of them under a private address."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db, routes
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.rules import initials
from mhms_app.accounts.sessions import hash_token
from mhms_app.actor import Actor, Role, require_oneself, require_role
from mhms_app.audit import service as audit
from mhms_app.booking.models import Appointment, Status
from mhms_app.calendars import ical, rules
from mhms_app.calendars.ical import Entry
from mhms_app.calendars.models import CalendarFeed
from mhms_app.calendars.rules import Shows
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import LoginRequired, NotFound
from mhms_app.settings import settings

_Patient, _Doctor = aliased(User), aliased(User)


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One private address of a person; the address itself is known to nobody but them."""

    id: int
    shows: Shows
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """An appointment with the names around it."""

    appointment: Appointment
    patient: str
    doctor: str
    department: str
    location: str


def appointment_file(session: Session, actor: Actor | None, *, reference: str) -> bytes:
    """One appointment of the acting patient as an iCalendar object.

    Raises:
        NotFound: there is none with this reference, or it is somebody else's.
    """
    patient = require_role(actor, Role.PATIENT)
    own = (col(Appointment.patient_id) == patient.patient_id, col(Appointment.reference) == reference)
    found = next(_appointments(session, *own), None)
    if found is None:
        raise NotFound
    return ical.file(replace(_for_patient(found), stamp=db.clock.now()))


def create_feed(session: Session, actor: Actor | None, *, shows: str) -> str:
    """Make a private address for the acting person and return its path, which is stored nowhere.

    Raises:
        NotAllowed: this role has no such calendar.
        NotAsSomebodyElse: an administrator acts as them.
        Conflict: they have as many addresses as one person may.
    """
    require_oneself(actor)
    person = _require_person(actor)
    wanted = Shows(shows)
    if refusal := rules.why_no_feed(person.role, wanted, standing=len(list_feeds(session, actor))):
        raise refusal
    token = secrets.token_urlsafe(32)
    feed = CalendarFeed(
        user_id=person.user_id, token_hash=hash_token(token), shows=wanted.value, created_at=db.clock.now()
    )
    session.add(feed)
    session.flush()
    audit.record(
        session,
        actor_id=person.user_id,
        action="feed.create",
        object_type="feed",
        object_id=feed.id,
        detail=wanted.value,
    )
    return routes.calendar_feed(token)


def revoke_feed(session: Session, actor: Actor | None, *, feed_id: int) -> None:
    """Close a private address of the acting person for good.

    Raises:
        NotFound: they have no such address, or it is closed already.
    """
    person = _require_person(actor)
    closed = session.execute(
        update(CalendarFeed)
        .where(col(CalendarFeed.id) == feed_id, *_standing(person))
        .values(revoked_at=db.clock.now())
        .returning(col(CalendarFeed.id))
    ).first()
    if closed is None:
        raise NotFound
    audit.record(session, actor_id=person.user_id, action="feed.revoke", object_type="feed", object_id=feed_id)


def list_feeds(session: Session, actor: Actor | None) -> tuple[FeedRow, ...]:
    """The acting person's private addresses that still work, oldest first."""
    columns = select(col(CalendarFeed.id), col(CalendarFeed.shows), col(CalendarFeed.created_at))
    found = session.execute(columns.where(*_standing(_require_person(actor))).order_by(col(CalendarFeed.id)))
    return tuple(FeedRow(key, Shows(shows), created_at) for key, shows, created_at in found)


def read_feed(session: Session, *, token: str) -> bytes:
    """The calendar behind a private address: from 30 days ago to 365 days ahead, cancelled appointments left out.

    Nothing in it depends on when it is read, so that it is the same bytes until something changes: DTSTAMP is the
    booking's.

    Raises:
        NotFound: the address never was, was revoked, or its person may no longer read such a calendar; which of
            these cannot be told apart.
    """
    owner = session.execute(
        select(col(CalendarFeed.shows), col(User.role), col(Patient.id), col(Doctor.id))
        .join(User, col(User.id) == col(CalendarFeed.user_id))
        .join(Patient, col(Patient.user_id) == col(User.id), isouter=True)
        .join(Doctor, col(Doctor.user_id) == col(User.id), isouter=True)
        .where(
            col(CalendarFeed.token_hash) == hash_token(token),
            col(CalendarFeed.revoked_at).is_(None),
            col(User.active),
        )
    ).first()
    if owner is None or not rules.may_show(Role(owner[1]), Shows(owner[0])):
        raise NotFound
    shows, _, patient_id, doctor_id = owner
    now = db.clock.now()
    found = _appointments(
        session,
        col(Appointment.patient_id) == patient_id if shows == Shows.OWN else col(Appointment.doctor_id) == doctor_id,
        col(Appointment.starts_at) >= now - rules.PAST,
        col(Appointment.starts_at) < now + rules.COMING,
        col(Appointment.status) != Status.CANCELLED.value,
    )
    write = {Shows.OWN: _for_patient, Shows.BUSY: _as_busy, Shows.INITIALS: _for_doctor}[Shows(shows)]
    return ical.feed(map(write, found), name=f"{settings().clinic_name}: appointments")


def entries_of(session: Session, appointment_ids: tuple[int, ...], *, shows: Shows) -> dict[int, Entry]:
    """These appointments as a doctor's calendar shows them, by their keys and in order of time."""
    write = _for_doctor if shows is Shows.INITIALS else _as_busy
    found = _appointments(session, col(Appointment.id).in_(appointment_ids))
    return {each.appointment.id or 0: write(each) for each in found}


def _for_patient(found: Found) -> Entry:
    url = f"{settings().base_url}{routes.booked(found.appointment.reference)}"
    return replace(
        _as_busy(found),
        summary=f"Appointment with {found.doctor}",
        location=", ".join(part for part in (settings().clinic_name, found.location) if part),
        description=f"{found.department}\nReference {found.appointment.reference}\n{url}",
        url=url,
    )


def _for_doctor(found: Found) -> Entry:
    """What a doctor's calendar may say of a patient: two letters, and never why they come."""
    day = found.appointment.starts_at.astimezone(settings().zone).date()
    url = f"{settings().base_url}{routes.doctor_day(day)}"
    return replace(_as_busy(found), summary=initials(found.patient), location=found.location, url=url)


def _as_busy(found: Found) -> Entry:
    appointment = found.appointment
    return Entry(
        reference=appointment.reference,
        sequence=appointment.sequence,
        stamp=appointment.created_at,
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        summary="Busy",
        is_cancelled=appointment.status == Status.CANCELLED,
    )


def _appointments(session: Session, *conditions: ColumnElement[bool]) -> Iterator[Found]:
    """Appointments by time."""
    names = (col(_Patient.full_name), col(_Doctor.full_name), col(Department.name), col(Department.location))
    wanted: Select[*tuple[Any, ...]] = (
        select(Appointment, *names)
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(_Patient, col(_Patient.id) == col(Patient.user_id))
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .join(_Doctor, col(_Doctor.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Appointment.department_id))
        .where(*conditions)
        .order_by(col(Appointment.starts_at), col(Appointment.id))
    )
    return (Found(*row) for row in session.execute(wanted))


def _standing(person: Actor) -> tuple[ColumnElement[bool], ...]:
    return (col(CalendarFeed.user_id) == person.user_id, col(CalendarFeed.revoked_at).is_(None))


def _require_person(actor: Actor | None) -> Actor:
    if actor is None:
        raise LoginRequired
    return actor
