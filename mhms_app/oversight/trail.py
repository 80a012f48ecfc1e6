"""Reading the audit trail, for an administrator: who did what to whose record, when, from where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, union
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.rules import search_key
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.rules import Head
from mhms_app.audit.words import GROUPS, words_of
from mhms_app.availability.rules import day_of, span
from mhms_app.booking.models import Appointment
from mhms_app.db import Page
from mhms_app.directory.models import Department, Doctor
from mhms_app.oversight import checks
from mhms_app.oversight.checks import Check
from mhms_app.settings import settings

_THING = re.compile(r"[a-z_]{1,30}-[0-9]{1,9}")
_MOST = 1000  # appointments of one person whose entries are found
_NEWEST = (col(AuditEntry.at).desc(), col(AuditEntry.id).desc())


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One entry, in words.

    Attributes:
        actor: who did it; ``""`` is the system, or somebody who was not logged in.
        acted_by: the administrator who acted as them, or ``""``.
        what: as it reads after the actor's name.
        about: whose record, such as ``Jo Moreau`` or ``MH-4K7D2Q, Jo Moreau``; ``""`` when it is about nothing.
        address: from where; ``""`` is the system.
        event_id: the request or event that it belongs to, as in the logs; ``""`` is the system.
    """

    id: int
    at: datetime
    actor: str
    acted_by: str
    action: str
    what: str
    about: str
    detail: str
    address: str
    session_id: int | None
    event_id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; None and ``""`` leave a question open.

    Attributes:
        search: looked for in the names and addresses of those who acted or are concerned; or an appointment's number,
            or the id of an event.
        person_id: a user who acted, or whose record it is.
        thing: one object, as ``type-number``.
        group: one of ``words.GROUPS``.
        first, last: clinic days, both included.
    """

    search: str = ""
    person_id: int | None = None
    thing: str = ""
    group: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """The filter that the query of an address asks for; what makes no sense there leaves a question open."""
        return cls(
            search=query.get("q", "")[:100],
            person_id=_key(query.get("person", "")),
            thing=query.get("object", "") if _THING.fullmatch(query.get("object", "")) else "",
            group=query.get("group", "") if query.get("group", "") in GROUPS else "",
            first=day_of(query.get("from", "")),
            last=day_of(query.get("to", "")),
        )

    def kinds(self) -> tuple[str, ...]:
        """What is asked for, without what is looked for."""
        return tuple(f"by {field.name.removesuffix('_id')}" for field in fields(self) if getattr(self, field.name))


@dataclass(frozen=True, slots=True)
class Standing:
    """How the trail stands: where its chain ends, and what verifying it came to last."""

    head: Head
    check: Check | None


def list_entries(
    session: Session, actor: Actor | None, *, wanted: Filter, page: int = 1, size: int = 25
) -> Page[TrailRow]:
    """The entries that a filter lets through, the newest first, a page at a time."""
    admin = require_role(actor, Role.ADMIN)
    fitting = select(AuditEntry).where(*_conditions(session, wanted))
    shown = session.scalars(fitting.order_by(*_NEWEST).offset((page - 1) * size).limit(size)).all()
    asked = ", ".join((f"page {page}", *wanted.kinds()))
    audit.note(session, actor_id=admin.user_id, action="audit.list", object_type="audit", detail=asked, rows=len(shown))
    return Page(_in_words(session, shown), db.count(session, fitting))


def export_entries(
    session: Session, actor: Actor | None, *, wanted: Filter, after_id: int = 0, size: int = 1000
) -> tuple[TrailRow, ...]:
    """The next entries of an export, in the order of their keys: call again with the last key until it is empty."""
    admin = require_role(actor, Role.ADMIN)
    if not after_id:
        audit.record(
            session,
            actor_id=admin.user_id,
            action="audit.export",
            object_type="audit",
            detail=", ".join(wanted.kinds()),
        )
    following = select(AuditEntry).where(*_conditions(session, wanted), col(AuditEntry.id) > after_id)
    return _in_words(session, session.scalars(following.order_by(col(AuditEntry.id)).limit(size)).all())


def standing(session: Session, actor: Actor | None) -> Standing:
    """How the trail stands."""
    require_role(actor, Role.ADMIN)
    return Standing(chain.head(session), checks.last_check(session))


def verify(session: Session, actor: Actor | None) -> chain.Verified:
    """Verify the whole chain; ``note_check`` writes down what that came to."""
    require_role(actor, Role.ADMIN)
    return chain.verify(session)


def note_check(session: Session, actor: Actor | None, *, found: chain.Verified) -> None:
    """Write down what verifying came to."""
    checks.note(session, require_role(actor, Role.ADMIN), found=found)


def name_of(session: Session, actor: Actor | None, *, user_id: int) -> str:
    """The name of a person whose entries are looked at; ``""`` when there is nobody."""
    require_role(actor, Role.ADMIN)
    return _names(session, (user_id,)).get(user_id, "")


def _conditions(session: Session, wanted: Filter) -> list[ColumnElement[bool]]:
    """What a filter asks for; days are the clinic's own."""
    conditions: list[ColumnElement[bool]] = []
    if key := search_key(wanted.search):
        numbered = select(col(Appointment.id)).where(col(Appointment.reference) == key.upper())
        of_it = _keys().where(_about("appointment", numbered))
        of_event = _keys().where(col(AuditEntry.event_id) == key, col(AuditEntry.event_id) != "")
        conditions.append(col(AuditEntry.id).in_(union(*_concerning(accounts.people_called(key)), of_it, of_event)))
    if wanted.person_id is not None:
        conditions.append(_of_one(session, wanted.person_id))
    if wanted.thing:
        kind, _, number = wanted.thing.partition("-")
        conditions += [col(AuditEntry.object_type) == kind, col(AuditEntry.object_id) == int(number)]
    if wanted.group:
        conditions.append(col(AuditEntry.action).in_(GROUPS[wanted.group][1]))
    zone = settings().zone
    if wanted.first is not None:
        conditions.append(col(AuditEntry.at) >= span(wanted.first, 1, zone=zone)[0])
    if wanted.last is not None:
        conditions.append(col(AuditEntry.at) < span(wanted.last, 1, zone=zone)[1])
    return conditions


def _of_one(session: Session, user_id: int) -> ColumnElement[bool]:
    """What ``_concerning`` finds, for one person: keys that are read first let the database use its indexes."""
    appointments = select(col(Appointment.id)).join(Patient, col(Patient.id) == col(Appointment.patient_id))
    newest = appointments.where(col(Patient.user_id) == user_id).order_by(col(Appointment.id).desc()).limit(_MOST)
    doctors = select(col(Doctor.id)).where(col(Doctor.user_id) == user_id)
    return or_(
        col(AuditEntry.actor_id) == user_id,
        col(AuditEntry.acted_by) == user_id,
        _about("user", [user_id]),
        _about("doctor", session.scalars(doctors).all()),
        _about("appointment", session.scalars(newest).all()),
    )


def _concerning(people: Any) -> list[Select[Any]]:
    """The keys of the entries of what these users did, what was done as them, and of what was done to their records."""
    patients = select(col(Patient.id)).where(col(Patient.user_id).in_(people))
    doctors = select(col(Doctor.id)).where(col(Doctor.user_id).in_(people))
    appointments = select(col(Appointment.id)).where(col(Appointment.patient_id).in_(patients))
    return [
        _keys().where(col(AuditEntry.actor_id).in_(people)),
        _keys().where(col(AuditEntry.acted_by).in_(people)),
        _keys().where(_about("user", people)),
        _keys().where(_about("doctor", doctors)),
        _keys().where(_about("appointment", appointments)),
    ]


def _keys() -> Select[Any]:
    return select(col(AuditEntry.id))


def _about(kind: str, keys: Any) -> ColumnElement[bool]:
    return and_(col(AuditEntry.object_type) == kind, col(AuditEntry.object_id).in_(keys))


def _in_words(session: Session, entries: Sequence[AuditEntry]) -> tuple[TrailRow, ...]:
    """The entries with the names that their numbers stand for now."""
    names = _names(session, (key for entry in entries for key in (entry.actor_id, entry.acted_by)))
    objects = _objects(session, entries)
    return tuple(
        TrailRow(
            id=entry.id or 0,
            at=entry.at,
            actor=names.get(entry.actor_id or 0, ""),
            acted_by=names.get(entry.acted_by or 0, ""),
            action=entry.action,
            what=words_of(entry.action),
            about=objects.get((entry.object_type, entry.object_id)) or _numbered(entry),
            detail=entry.detail,
            address=entry.address,
            session_id=entry.session_id,
            event_id=entry.event_id,
        )
        for entry in entries
    )


def _names(session: Session, keys: Iterable[int | None]) -> dict[int, str]:
    """The names of users by their keys."""
    wanted = {key for key in keys if key is not None}
    return dict(session.execute(select(col(User.id), col(User.full_name)).where(col(User.id).in_(wanted))).all())


def _objects(session: Session, entries: Sequence[AuditEntry]) -> dict[tuple[str, int | None], str]:
    """What the objects of these entries are called, by type and key."""
    called = {
        "user": select(col(User.id), col(User.full_name)),
        "doctor": select(col(Doctor.id), col(User.full_name)).join(User, col(User.id) == col(Doctor.user_id)),
        "department": select(col(Department.id), col(Department.name)),
        "appointment": select(col(Appointment.id), col(Appointment.reference) + ", " + col(User.full_name))
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(User, col(User.id) == col(Patient.user_id)),
    }
    found: dict[tuple[str, int | None], str] = {}
    for kind, statement in called.items():
        keys = {entry.object_id for entry in entries if entry.object_type == kind and entry.object_id is not None}
        if keys:
            key = statement.selected_columns[0]
            found |= {(kind, row[0]): row[1] for row in session.execute(statement.where(key.in_(keys)))}
    return found


def _numbered(entry: AuditEntry) -> str:
    """What an object without a name is called."""
    known = entry.object_id is not None and entry.object_type != "audit"
    return f"{entry.object_type.capitalize()} {entry.object_id}" if known else ""


def _key(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
