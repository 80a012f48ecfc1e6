"""Telling doctors who want it, early in the morning, who comes on the day.

A row says that a doctor wants it, and until which day it is done. Whoever writes a summary holds that row's lock and
moves it in the same transaction, so that every day is told once, whichever worker comes first and however late.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import and_, delete, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.rules import initials
from mhms_app.actor import Actor, Role
from mhms_app.audit import service as audit
from mhms_app.availability.rules import span
from mhms_app.booking import rules
from mhms_app.booking.models import ACTIVE, Appointment, DaySummary
from mhms_app.directory import service as directory
from mhms_app.directory.models import Doctor
from mhms_app.notifications import service as notifications
from mhms_app.notifications.service import DayEntry
from mhms_app.settings import settings

_MOST = 300  # entries that the message may have
_Patient, _Doctor = aliased(User), aliased(User)


def wants_summary(session: Session, actor: Actor | None) -> bool:
    """Whether the acting doctor is told each morning who comes."""
    return session.get(DaySummary, directory.require_doctor(session, actor).id) is not None


def want_summary(session: Session, actor: Actor | None, *, wanted: bool) -> None:
    """Tell the acting doctor each morning who comes, from tomorrow on, or no longer."""
    doctor = directory.require_doctor(session, actor)
    session.execute(select(col(Doctor.id)).where(col(Doctor.id) == doctor.id).with_for_update())
    if wanted == wants_summary(session, actor):
        return
    if wanted:
        session.add(DaySummary(doctor_id=doctor.id, done_until=db.clock.today()))
    else:
        session.execute(delete(DaySummary).where(col(DaySummary.doctor_id) == doctor.id))
    session.flush()
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action="summary.on" if wanted else "summary.off",
        object_type="doctor",
        object_id=doctor.id,
    )


def summarise_all() -> int:
    """Write every summary that is due, each in a transaction of its own; returns how many days had somebody to name."""
    if not rules.is_summary_time(db.clock.now().astimezone(settings().zone)):
        return 0
    with db.transaction(read_only=True) as session:
        due = session.scalars(
            select(col(DaySummary.doctor_id))
            .where(col(DaySummary.done_until) < db.clock.today())
            .order_by(col(DaySummary.doctor_id))
        ).all()
    written = 0
    for doctor_id in due:
        with db.transaction() as session:
            written += summarise(session, doctor_id=doctor_id)
    return written


def summarise(session: Session, *, doctor_id: int) -> bool:
    """Write the summary of today, unless that is done or nobody comes any more; says whether it was written."""
    today = db.clock.today()
    wanted = (
        select(DaySummary)
        .where(col(DaySummary.doctor_id) == doctor_id, col(DaySummary.done_until) < today)
        .with_for_update()
    )
    mark = session.scalars(wanted.execution_options(populate_existing=True)).first()
    if mark is None:
        return False
    mark.done_until = today
    session.add(mark)
    session.flush()
    found = _day(session, doctor_id, today)
    if not found:
        return False
    email, name = session.execute(
        select(col(User.email), col(User.full_name))
        .join(Doctor, col(Doctor.user_id) == col(User.id))
        .where(col(Doctor.id) == doctor_id)
    ).one()
    notifications.enqueue(
        session,
        notifications.doctor_day_summary(doctor_id=doctor_id, email=email, name=name, day=today, appointments=found),
    )
    return True


def _day(session: Session, doctor_id: int, day: date) -> list[DayEntry]:
    """Who is still to come on a clinic day to a doctor who works here, by initials, in order of time."""
    begin, end = span(day, 1, zone=settings().zone)
    found = session.execute(
        select(col(Appointment.starts_at), col(Appointment.ends_at), col(_Patient.full_name))
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(_Patient, col(_Patient.id) == col(Patient.user_id))
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .join(_Doctor, and_(col(_Doctor.id) == col(Doctor.user_id), col(_Doctor.active)))
        .where(
            col(_Doctor.role) == Role.DOCTOR.value,
            col(Appointment.doctor_id) == doctor_id,
            col(Appointment.starts_at) >= begin,
            col(Appointment.starts_at) < end,
            col(Appointment.ends_at) > db.clock.now(),
            col(Appointment.status).in_(ACTIVE),
        )
        .order_by(col(Appointment.starts_at), col(Appointment.id))
        .limit(_MOST)
    )
    return [DayEntry(starts_at, ends_at, initials(name)) for starts_at, ends_at, name in found]
