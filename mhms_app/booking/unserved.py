"""Those on the waiting list whom no rule can help: a person has to call them.

Whoever waits for a doctor whom patients can no longer book, or has waited for very long. They are found by looking,
not copied, and leave this list when that is over, or when somebody has called them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.booking import waiting
from mhms_app.booking.models import Waiting
from mhms_app.booking.waiting_rules import LONG
from mhms_app.db import Page
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import NotFound

_Person, _Practitioner = aliased(User), aliased(User)


@dataclass(frozen=True, slots=True)
class UnservedRow:
    """Somebody who waits in vain.

    Attributes:
        doctor: ``""`` means anybody of the department.
        since: aware UTC.
        is_gone: nobody whom they wait for can be booked; otherwise they have waited for long.
    """

    id: int
    patient: str
    phone: str
    email: str
    doctor: str
    department: str
    since: datetime
    is_gone: bool


def unserved(session: Session, actor: Actor | None, *, size: int = 25) -> Page[UnservedRow]:
    """The first of those who wait in vain, those who wait longest first, for an administrator."""
    admin = require_role(actor, Role.ADMIN)
    audit.note(session, actor_id=admin.user_id, action="waiting.list", object_type="waiting")
    found = session.execute(
        _select()
        .add_columns(
            col(_Person.full_name),
            col(_Person.phone),
            col(_Person.email),
            func.coalesce(col(_Practitioner.full_name), ""),
            col(Department.name),
            col(Waiting.created_at),
            waiting.is_gone(),
        )
        .order_by(col(Waiting.created_at), col(Waiting.id))
        .limit(size)
    )
    return Page(tuple(UnservedRow(*row) for row in found), count(session))


def count(session: Session) -> int:
    """How many wait in vain; the caller has authorised it."""
    return db.count(session, _select())


def see_to(session: Session, actor: Actor | None, *, entry_id: int) -> None:
    """End an entry: a person has called the patient. Asking twice ends it once.

    Raises:
        NotFound: there is no such entry.
    """
    person = require_role(actor, Role.ADMIN)
    entry = session.get(Waiting, entry_id)
    if entry is None:
        raise NotFound
    if entry.ended_at is None:
        waiting.end(session, entry_id=entry_id)
        audit.record(
            session, actor_id=person.user_id, action="waiting.see_to", object_type="waiting", object_id=entry_id
        )


def _select() -> Select[int | None]:
    now = db.clock.now()
    in_vain = and_(col(Waiting.created_at) <= now - LONG, col(Waiting.earliest) <= db.clock.today() - LONG)
    return (
        select(col(Waiting.id))
        .join(Patient, col(Patient.id) == col(Waiting.patient_id))
        .join(_Person, col(_Person.id) == col(Patient.user_id))
        .join(Department, col(Department.id) == col(Waiting.department_id))
        .outerjoin(Doctor, col(Doctor.id) == col(Waiting.doctor_id))
        .outerjoin(_Practitioner, col(_Practitioner.id) == col(Doctor.user_id))
        .where(col(Waiting.ended_at).is_(None), col(_Person.active), or_(in_vain, waiting.is_gone()))
    )
