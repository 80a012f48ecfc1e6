"""A doctor's own days: every slot with the patient who has it, as the doctor's screens show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor
from mhms_app.audit import service as audit
from mhms_app.availability import rules as slots
from mhms_app.availability import service as availability
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import Plan
from mhms_app.availability.service import Preview
from mhms_app.availability.slots import IS_FREE, SHOWN_STATE
from mhms_app.booking.lists import VisitRow, upcoming_visits
from mhms_app.booking.models import Appointment, Status
from mhms_app.db import Page
from mhms_app.directory import service as directory
from mhms_app.directory.service import DoctorRow
from mhms_app.errors import Invalid
from mhms_app.settings import settings

LOOKED_BACK = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Entry:
    """One slot of the doctor; the last four are empty unless a patient has it.

    Attributes:
        state: a ``SlotState``, never withdrawn.
        status: of the appointment, a ``Status``, never cancelled.
    """

    slot_id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    patient: str
    reason: str
    status: str
    appointment_id: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """What a doctor sees of one day.

    Attributes:
        week: the slots of the day's week, Monday to Sunday, by time.
        upcoming: the first appointments after the day that are still to come.
        unused: when the slots of the last four weeks started that nobody booked.
    """

    doctor: DoctorRow
    week: tuple[Entry, ...]
    upcoming: Page[VisitRow]
    unused: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """What a doctor sees of one week while planning.

    Attributes:
        preview: what publishing the plan would do; None without a plan, or with one that is refused.
        refusal: why the plan cannot be published.
    """

    doctor: DoctorRow
    entries: tuple[Entry, ...]
    preview: Preview | None
    refusal: Invalid | None


def day(session: Session, actor: Actor | None, *, of: date, upcoming: int) -> Day:
    """The acting doctor's day with its week.

    Args:
        of: a day of the clinic.
        upcoming: how many of the later appointments.

    Raises:
        Invalid: the day is too far away.
    """
    doctor = directory.require_doctor(session, actor)
    audit.note(
        session,
        actor_id=doctor.user_id,
        action="agenda.day",
        object_type="doctor",
        object_id=doctor.id,
        detail=of.isoformat(),
    )
    now, zone = db.clock.now(), settings().zone
    _, over = slots.span(of, 1, zone=zone)
    return Day(
        doctor,
        _entries(session, doctor.id, of),
        upcoming_visits(session, actor, after=max(over, now), size=upcoming),
        _unused(session, doctor.id, since=now - LOOKED_BACK, until=now),
    )


def week(session: Session, actor: Actor | None, *, of: date, plan: Plan | None = None) -> Week:
    """The acting doctor's week that holds a day, and what publishing a plan would do.

    Raises:
        Invalid: the day is too far away.
    """
    doctor = directory.require_doctor(session, actor)
    monday = slots.week_of(of)
    audit.note(
        session,
        actor_id=doctor.user_id,
        action="agenda.week",
        object_type="doctor",
        object_id=doctor.id,
        detail=monday.isoformat(),
    )
    preview, refusal = None, None
    if plan is not None:
        try:
            preview = availability.preview(session, actor, plan=plan)
        except Invalid as error:
            refusal = error
    return Week(doctor, _entries(session, doctor.id, of), preview, refusal)


def _entries(session: Session, doctor_id: int, of: date) -> tuple[Entry, ...]:
    """The doctor's slots of the week that holds a day, by time."""
    first, last = slots.span(slots.week_of(of), 7, zone=settings().zone)
    found = session.execute(
        select(
            col(Slot.id),
            col(Slot.starts_at),
            col(Slot.ends_at),
            SHOWN_STATE,
            col(User.full_name),
            col(Appointment.reason),
            col(Appointment.status),
            col(Appointment.id),
        )
        .select_from(Slot)
        .outerjoin(
            Appointment,
            and_(col(Appointment.slot_id) == col(Slot.id), col(Appointment.status) != Status.CANCELLED.value),
        )
        .outerjoin(Patient, col(Patient.id) == col(Appointment.patient_id))
        .outerjoin(User, col(User.id) == col(Patient.user_id))
        .where(
            col(Slot.doctor_id) == doctor_id,
            col(Slot.starts_at) >= first,
            col(Slot.starts_at) < last,
            col(Slot.state) != SlotState.WITHDRAWN.value,
        )
        .order_by(col(Slot.starts_at))
    )
    return tuple(
        Entry(slot_id, starts_at, ends_at, state, patient or "", reason or "", status or "", appointment_id or 0)
        for slot_id, starts_at, ends_at, state, patient, reason, status, appointment_id in found
    )


def _unused(session: Session, doctor_id: int, *, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """When the doctor's slots started that nobody booked."""
    return tuple(
        session.scalars(
            select(col(Slot.starts_at))
            .where(
                col(Slot.doctor_id) == doctor_id,
                IS_FREE,
                col(Slot.starts_at) > since,
                col(Slot.starts_at) <= until,
            )
            .order_by(col(Slot.starts_at))
        )
    )
