"""Seeing what is booked: as the patient, as the doctor, as an administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, func, or_, select, union
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.rules import search_key
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import day_of
from mhms_app.booking.models import ACTIVE, Appointment, Status
from mhms_app.db import Page
from mhms_app.directory import people
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.people import PersonRow
from mhms_app.errors import NotFound
from mhms_app.notifications import outbox
from mhms_app.notifications.outbox import OutboxCounts
from mhms_app.settings import settings

_Person, _Practitioner = aliased(User), aliased(User)
_LATEST = (col(Appointment.starts_at).desc(), col(Appointment.id).desc())


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """An appointment as its patient sees it."""

    id: int
    reference: str
    doctor_id: int
    doctor: str
    title: str
    department: str
    location: str
    starts_at: datetime
    ends_at: datetime
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Home:
    """A patient's own page: what is to come, and a page of what was."""

    upcoming: tuple[AppointmentRow, ...]
    past: Page[AppointmentRow]


@dataclass(frozen=True, slots=True)
class VisitRow:
    """An appointment as its doctor sees it."""

    id: int
    reference: str
    patient: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class BookingRow:
    """An appointment as an administrator sees it."""

    id: int
    reference: str
    patient: str
    email: str
    doctor: str
    department: str
    starts_at: datetime
    ends_at: datetime
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """Which bookings an administrator wants to see; None and ``""`` leave a question open.

    Attributes:
        search: looked for in the names of patient and doctor, in the patient's address and as the reference.
        first, last: clinic days, both included.
    """

    search: str = ""
    doctor_id: int | None = None
    department_id: int | None = None
    status: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """The filter that the query of an address asks for; what makes no sense there leaves a question open."""
        return cls(
            search=query.get("q", "")[:100],
            doctor_id=_key(query.get("doctor", "")),
            department_id=_key(query.get("department", "")),
            status=query.get("status", "") if query.get("status") in set(Status) else "",
            first=day_of(query.get("from", "")),
            last=day_of(query.get("to", "")),
        )

    def kinds(self) -> tuple[str, ...]:
        """What is asked for, without what is looked for."""
        return tuple(f"by {field.name.removesuffix('_id')}" for field in fields(self) if getattr(self, field.name))


@dataclass(frozen=True, slots=True)
class Week:
    """How much of a past week's published time was used."""

    monday: date
    booked: int
    published: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many patients came, and how many did not."""

    seen: int
    missed: int


@dataclass(frozen=True, slots=True)
class Overview:
    """An administrator's first page: the numbers, and what needs a person."""

    booked_today: int
    booked_same_day_last_week: int
    free_next_week: int
    published_next_week: int
    month: Outcome
    month_before: Outcome
    pending: tuple[PersonRow, ...]
    outbox: OutboxCounts
    latest: tuple[BookingRow, ...]


def upcoming(session: Session, actor: Actor | None) -> tuple[AppointmentRow, ...]:
    """The acting patient's appointments that are not over, soonest first."""
    wanted = _of_patient(actor).where(col(Appointment.status).in_(ACTIVE), col(Appointment.ends_at) > db.clock.now())
    return _appointment_rows(session, wanted.order_by(col(Appointment.starts_at)))


def past(
    session: Session, actor: Actor | None, *, search: str = "", status: str = "", page: int = 1, size: int = 10
) -> Page[AppointmentRow]:
    """The acting patient's appointments that are over or cancelled, latest first.

    Args:
        search: looked for in the names of doctor and department.
        status: a ``Status``, or ``""`` for any.
    """
    wanted = _of_patient(actor).where(
        or_(col(Appointment.status).not_in(ACTIVE), col(Appointment.ends_at) <= db.clock.now())
    )
    if key := search_key(search):
        named = (col(name).contains(key, autoescape=True) for name in (User.name_key, Department.name_key))
        wanted = wanted.where(or_(*named))
    if status:
        wanted = wanted.where(col(Appointment.status) == status)
    total = db.count(session, wanted)
    ordered = wanted.order_by(col(Appointment.starts_at).desc(), col(Appointment.id).desc())
    return Page(_appointment_rows(session, ordered.offset((page - 1) * size).limit(size)), total)


def appointment(session: Session, actor: Actor | None, *, reference: str) -> AppointmentRow:
    """One appointment of the acting patient.

    Raises:
        NotFound: there is none with this reference, or it is somebody else's.
    """
    found = _appointment_rows(session, _of_patient(actor).where(col(Appointment.reference) == reference))
    if not found:
        raise NotFound
    return found[0]


def home(
    session: Session, actor: Actor | None, *, search: str = "", status: str = "", page: int = 1, size: int = 10
) -> Home:
    """All that the acting patient's own page shows; ``search`` and ``status`` as ``past``."""
    return Home(upcoming(session, actor), past(session, actor, search=search, status=status, page=page, size=size))


def _of_patient(actor: Actor | None) -> Select[*tuple[Any, ...]]:
    patient = require_role(actor, Role.PATIENT)
    return (
        select(
            col(Appointment.id),
            col(Appointment.reference),
            col(Appointment.doctor_id),
            col(User.full_name),
            col(Doctor.title),
            col(Department.name),
            col(Department.location),
            col(Appointment.starts_at),
            col(Appointment.ends_at),
            col(Appointment.status),
            col(Appointment.reason),
        )
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Appointment.department_id))
        .where(col(Appointment.patient_id) == patient.patient_id)
    )


def _appointment_rows(session: Session, wanted: Select[*tuple[Any, ...]]) -> tuple[AppointmentRow, ...]:
    return tuple(AppointmentRow(*row) for row in session.execute(wanted))


def visits(session: Session, actor: Actor | None, *, first: datetime, last: datetime) -> tuple[VisitRow, ...]:
    """The acting doctor's appointments that start in ``[first, last)``, by time; cancelled ones left out."""
    return _visit_rows(
        session,
        _of_doctor(session, actor)
        .where(col(Appointment.starts_at) >= first, col(Appointment.starts_at) < last)
        .order_by(col(Appointment.starts_at)),
    )


def upcoming_visits(
    session: Session, actor: Actor | None, *, after: datetime, page: int = 1, size: int = 20
) -> Page[VisitRow]:
    """The acting doctor's appointments from ``after`` on, by time, a page at a time."""
    wanted = _of_doctor(session, actor).where(col(Appointment.starts_at) >= after)
    total = db.count(session, wanted)
    ordered = wanted.order_by(col(Appointment.starts_at), col(Appointment.id))
    return Page(_visit_rows(session, ordered.offset((page - 1) * size).limit(size)), total)


def _of_doctor(session: Session, actor: Actor | None) -> Select[*tuple[Any, ...]]:
    doctor = directory.require_doctor(session, actor)
    return (
        select(
            col(Appointment.id),
            col(Appointment.reference),
            col(User.full_name),
            col(Appointment.reason),
            col(Appointment.starts_at),
            col(Appointment.ends_at),
            col(Appointment.status),
        )
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(User, col(User.id) == col(Patient.user_id))
        .where(col(Appointment.doctor_id) == doctor.id, col(Appointment.status) != Status.CANCELLED.value)
    )


def _visit_rows(session: Session, wanted: Select[*tuple[Any, ...]]) -> tuple[VisitRow, ...]:
    return tuple(VisitRow(*row) for row in session.execute(wanted))


def list_bookings(
    session: Session, actor: Actor | None, *, wanted: Filter, page: int = 1, size: int = 25
) -> Page[BookingRow]:
    """The clinic's bookings for an administrator, latest start first, a page at a time."""
    admin = require_role(actor, Role.ADMIN)
    fitting = _fitting(wanted)
    shown = fitting.order_by(*_LATEST).offset((page - 1) * size).limit(size)
    rows = _booking_rows(session, shown, *_LATEST)
    asked = ", ".join((f"page {page}", *wanted.kinds()))
    audit.note(
        session,
        actor_id=admin.user_id,
        action="appointment.list",
        object_type="appointment",
        detail=asked,
        rows=len(rows),
    )
    return Page(rows, db.count(session, fitting))


def export_bookings(
    session: Session, actor: Actor | None, *, wanted: Filter, after_id: int = 0, size: int = 1000
) -> tuple[BookingRow, ...]:
    """The next rows of an export, in the order of their keys: call again with the last key until it is empty."""
    admin = require_role(actor, Role.ADMIN)
    if not after_id:
        asked = ", ".join(wanted.kinds())
        audit.record(
            session, actor_id=admin.user_id, action="appointment.export", object_type="appointment", detail=asked
        )
    following = _fitting(wanted).where(col(Appointment.id) > after_id).order_by(col(Appointment.id)).limit(size)
    return _booking_rows(session, following, col(Appointment.id))


def _fitting(wanted: Filter) -> Select[Any]:
    """The keys of the bookings that a filter lets through: what they show is joined only to those of one page."""
    return select(col(Appointment.id)).where(*_conditions(wanted))


def _booking_rows(session: Session, keys: Select[Any], *order: Any) -> tuple[BookingRow, ...]:
    """The bookings with these keys, in this order."""
    found = (
        select(
            col(Appointment.id),
            col(Appointment.reference),
            col(_Person.full_name),
            col(_Person.email),
            col(_Practitioner.full_name),
            col(Department.name),
            col(Appointment.starts_at),
            col(Appointment.ends_at),
            col(Appointment.status),
            col(Appointment.created_at),
        )
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(_Person, col(_Person.id) == col(Patient.user_id))
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .join(_Practitioner, col(_Practitioner.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Appointment.department_id))
        .where(col(Appointment.id).in_(session.scalars(keys).all()))
        .order_by(*order)
    )
    return tuple(BookingRow(*row) for row in session.execute(found))


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """What a filter asks for; days are the clinic's own."""
    conditions: list[ColumnElement[bool]] = []
    if key := search_key(wanted.search):
        conditions.append(col(Appointment.id).in_(_found(key)))
    if wanted.doctor_id is not None:
        conditions.append(col(Appointment.doctor_id) == wanted.doctor_id)
    if wanted.department_id is not None:
        conditions.append(col(Appointment.department_id) == wanted.department_id)
    if wanted.status:
        conditions.append(col(Appointment.status) == wanted.status)
    if wanted.first is not None:
        conditions.append(col(Appointment.starts_at) >= _midnight(wanted.first))
    if wanted.last is not None:
        conditions.append(col(Appointment.starts_at) < _midnight(wanted.last + timedelta(days=1)))
    return conditions


def _found(key: str) -> CompoundSelect[int]:
    """The keys of the bookings of those who are called this, and of the one with this reference.

    People are found first, by reading two indexes, then their appointments by others: as fast for a rare name
    as for a common one.
    """
    booked = select(col(Appointment.id))
    patients = select(col(Patient.id)).where(col(Patient.user_id).in_(accounts.people_called(key)))
    doctors = select(col(Doctor.id)).join(User, col(User.id) == col(Doctor.user_id))
    doctors = doctors.where(col(User.name_key).contains(key, autoescape=True))
    return union(
        booked.where(col(Appointment.patient_id).in_(patients)),
        booked.where(col(Appointment.doctor_id).in_(doctors)),
        booked.where(col(Appointment.reference) == key.upper()),
    )


def _key(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _midnight(day: date) -> datetime:
    """The instant at which a clinic day begins."""
    return datetime.combine(day, time(), tzinfo=settings().zone)


def overview(session: Session, actor: Actor | None) -> Overview:
    """What an administrator's first page shows, as of now."""
    admin = require_role(actor, Role.ADMIN)
    audit.note(
        session, actor_id=admin.user_id, action="appointment.list", object_type="appointment", detail="the latest"
    )
    now = db.clock.now()
    today = now.astimezone(settings().zone).date()
    tomorrow, next_week, month_ago = (
        _midnight(today + timedelta(days=1)),
        now + timedelta(days=7),
        now - timedelta(days=30),
    )
    open_slots, published = _slot_use(session, now, next_week)
    newest = (col(Appointment.created_at).desc(), col(Appointment.id).desc())
    return Overview(
        booked_today=_count_booked(session, _midnight(today), tomorrow),
        booked_same_day_last_week=_count_booked(
            session, _midnight(today - timedelta(days=7)), _midnight(today - timedelta(days=6))
        ),
        free_next_week=open_slots,
        published_next_week=published,
        month=_outcome(session, month_ago, now),
        month_before=_outcome(session, now - timedelta(days=60), month_ago),
        pending=people.list_people(session, actor, status="pending", size=100).rows,
        outbox=outbox.counts(session, actor),
        latest=_booking_rows(session, select(col(Appointment.id)).order_by(*newest).limit(8), *newest),
    )


def past_weeks(session: Session, actor: Actor | None, *, number: int = 8) -> tuple[Week, ...]:
    """How the published slots of the last whole weeks were used, the oldest first; for an administrator."""
    require_role(actor, Role.ADMIN)
    today = db.clock.today()
    monday = today - timedelta(days=today.weekday())
    return tuple(_week(session, monday - timedelta(weeks=weeks)) for weeks in range(number, 0, -1))


def _outcome(session: Session, first: datetime, last: datetime) -> Outcome:
    counts = _count_by_status(session, first, last)
    return Outcome(seen=counts.get(Status.COMPLETED.value, 0), missed=counts.get(Status.NO_SHOW.value, 0))


def _count_booked(session: Session, first: datetime, last: datetime) -> int:
    return sum(
        number for status, number in _count_by_status(session, first, last).items() if status != Status.CANCELLED.value
    )


def _count_by_status(session: Session, first: datetime, last: datetime) -> dict[str, int]:
    found = session.execute(
        select(col(Appointment.status), func.count())
        .where(col(Appointment.starts_at) >= first, col(Appointment.starts_at) < last)
        .group_by(col(Appointment.status))
    )
    return dict(found.all())


def _slot_use(session: Session, first: datetime, last: datetime) -> tuple[int, int]:
    """How many slots that start in ``[first, last)`` are open, and how many were published."""
    counts = dict(
        session.execute(
            select(col(Slot.state), func.count())
            .where(
                col(Slot.starts_at) >= first,
                col(Slot.starts_at) < last,
                col(Slot.state) != SlotState.WITHDRAWN.value,
            )
            .group_by(col(Slot.state))
        ).all()
    )
    return counts.get(SlotState.OPEN.value, 0), sum(counts.values())


def _week(session: Session, monday: date) -> Week:
    still_open, published = _slot_use(session, _midnight(monday), _midnight(monday + timedelta(days=7)))
    return Week(monday, booked=published - still_open, published=published)
