"""Reminding patients of their appointments, once for each of their department's times ahead.

Nothing is scanned: for each department and time ahead a mark says until when everybody has been reminded, and what
is due lies between the mark and now, read from the index on department and start. After an outage the stretch is
longer, and nothing is lost or sent twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.booking import rules
from mhms_app.booking.models import Appointment, ReminderMark, Status
from mhms_app.booking.policies import policy_of
from mhms_app.directory.models import Department, Doctor
from mhms_app.notifications import service as notifications
from mhms_app.notifications.models import OutboxMessage
from mhms_app.notifications.service import AppointmentFacts, Message
from mhms_app.settings import settings

_HOUR = timedelta(hours=1)
_Patient, _Doctor = aliased(User), aliased(User)


def remind_due(session: Session, *, department_id: int, ahead: timedelta) -> int:
    """Write the reminders of one department that are due for one time ahead; returns how many.

    The first call only sets the mark: nobody is reminded of what was due before reminders began.
    """
    now, hours = db.clock.now(), ahead // _HOUR
    mark = _mark(session, department_id, hours, now)
    messages = [_message(row, f"{hours}h") for row in _due(session, mark, ahead, now)]
    if messages:
        session.execute(insert(OutboxMessage), [notifications.columns(message) for message in messages])
        db.announce(session, notifications.OutboxChanged())
    mark.done_until = max(mark.done_until, now)  # another machine's clock, or this one's a minute ago, may be ahead
    session.add(mark)
    session.flush()
    return len(messages)


def remind_all() -> int:
    """Write every reminder that is due, each department and time ahead in a transaction of its own.

    At night nothing is due; the morning makes up for it. A closed department reminds too: what is booked there stands.
    """
    if rules.is_night(db.clock.now().astimezone(settings().zone)):
        return 0
    with db.transaction(read_only=True) as session:
        departments = session.scalars(select(Department)).all()
    written = 0
    for department in departments:
        for ahead in policy_of(department).reminders:
            with db.transaction() as session:
                written += remind_due(session, department_id=department.id or 0, ahead=ahead)
    return written


def _mark(session: Session, department_id: int, hours: int, now: datetime) -> ReminderMark:
    """The mark under its lock: another worker that reminds waits here, then finds nothing left to do."""
    wanted = select(ReminderMark).where(
        col(ReminderMark.department_id) == department_id, col(ReminderMark.hours) == hours
    )
    locked = wanted.with_for_update().execution_options(populate_existing=True)
    if found := session.scalars(locked).first():
        return found
    with suppress(IntegrityError), session.begin_nested():  # another worker may be faster
        session.add(ReminderMark(department_id=department_id, hours=hours, done_until=now))
        session.flush()
    return session.scalars(locked).one()


def _due(session: Session, mark: ReminderMark, ahead: timedelta, now: datetime) -> list[Sequence[Any]]:
    """The appointments whose turn came since the mark, with who and where: booked before it, and still to come."""
    found = session.execute(
        select(
            Appointment,
            col(_Patient.email),
            col(_Patient.full_name),
            col(_Patient.time_zone),
            col(_Doctor.full_name),
            col(Department.name),
            col(Department.location),
        )
        .join(Patient, col(Patient.id) == col(Appointment.patient_id))
        .join(_Patient, col(_Patient.id) == col(Patient.user_id))
        .join(Doctor, col(Doctor.id) == col(Appointment.doctor_id))
        .join(_Doctor, col(_Doctor.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Appointment.department_id))
        .where(
            col(Appointment.department_id) == mark.department_id,
            col(Appointment.starts_at) > max(mark.done_until + ahead, now),
            col(Appointment.starts_at) <= now + ahead,
            col(Appointment.status) == Status.BOOKED.value,
            col(Patient.reminded),
        )
        .order_by(col(Appointment.starts_at))
    )
    return [row for row in found if row[0].created_at <= row[0].starts_at - ahead]


def _message(row: Sequence[Any], before: str) -> Message:
    appointment, email, name, time_zone, doctor, department, location = row
    facts = AppointmentFacts(
        appointment.reference,
        email,
        name,
        doctor,
        department,
        location,
        appointment.starts_at,
        appointment.ends_at,
        appointment.sequence,
        time_zone,
    )
    return notifications.appointment_reminder(facts, before=before)
