"""All that is held about somebody, for them to take away (GDPR, articles 15 and 20): one JSON document.

``docs/export.md`` describes it. It holds nothing of other people, and no secret: neither passwords and tokens nor
their hashes, and of second factors only that they are there.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import factors, own_sessions
from mhms_app.accounts.models import AccountLink, Acting, KnownDevice, LoginSession, Passkey, Patient, Totp, User
from mhms_app.actor import Actor, require_oneself
from mhms_app.audit import service as audit
from mhms_app.availability.models import BusyTime, HoursException, Slot, WorkingHours
from mhms_app.availability.rules import weekdays_in
from mhms_app.booking.models import Appointment, AppointmentMove, DaySummary, Leave, Waiting, WaitingOffer
from mhms_app.calendars.models import CalendarFeed, GoogleConnection
from mhms_app.directory.models import Department, Doctor
from mhms_app.notifications.models import OutboxMessage

VERSION = 1
MOST = 10_000
"""Rows of one list at most, the latest; ``complete`` says whether there were no more."""

Document = dict[str, Any]
_Practitioner = aliased(User)


def export(session: Session, actor: Actor | None) -> Document:
    """Everything about the acting person, as values that JSON knows."""
    person = require_oneself(actor)
    audit.record(
        session, actor_id=person.user_id, action="account.export", object_type="user", object_id=person.user_id
    )
    user = session.get_one(User, person.user_id)
    patient = session.scalars(select(Patient).where(col(Patient.user_id) == user.id)).first()
    doctor = session.scalars(select(Doctor).where(col(Doctor.user_id) == user.id)).first()
    lists = _of_account(user) | (_of_patient(patient) if patient else {}) | (_of_doctor(doctor) if doctor else {})
    written = {name: _read(session, rows) for name, rows in lists.items()}
    sign_ins = own_sessions.sign_ins(session, user_id=person.user_id, most=MOST + 1)
    written["sign_ins"] = [
        {"at": each.at, "device": each.device, "address": each.address, "succeeded": each.succeeded}
        for each in sign_ins
    ]
    document = {
        "version": VERSION,
        "written_at": db.clock.now(),
        "complete": all(len(rows) <= MOST for rows in written.values()),
        "account": _account(session, user, patient),
    }
    if doctor:
        document["profile"] = _profile(session, doctor)
    document |= {name: rows[:MOST] for name, rows in written.items()}
    plain: Document = _plain(document)
    return plain


def _account(session: Session, user: User, patient: Patient | None) -> Document:
    app = session.get(Totp, user.id)
    return {
        "name": user.full_name,
        "email": user.email,
        "email_confirmed_at": user.email_confirmed_at,
        "phone": user.phone,
        "role": user.role,
        "created_at": user.created_at,
        "time_zone": user.time_zone or None,
        "reminded": patient.reminded if patient else None,
        "authenticator_app_since": app.created_at if app else None,
        "recovery_codes_left": factors.codes_left(session, user.id or 0),
    }


def _profile(session: Session, doctor: Doctor) -> Document:
    google = session.get(GoogleConnection, doctor.id)
    return {
        "title": doctor.title,
        "biography": doctor.bio,
        "languages": doctor.languages,
        "department": session.get_one(Department, doctor.department_id).name,
        "approved_at": doctor.approved_at,
        "told_each_morning": session.get(DaySummary, doctor.id) is not None,
        "google_calendar": {"calendar": google.calendar_name, "since": google.created_at} if google else None,
    }


def _of_account(user: User) -> dict[str, Select[Any]]:
    return {
        "sessions": _select(
            LoginSession,
            since=LoginSession.created_at,
            last_used_at=LoginSession.last_seen_at,
            ended_at=LoginSession.revoked_at,
            device=LoginSession.device,
            address=LoginSession.address,
            reason_of_the_clinic=Acting.reason,
        )
        .outerjoin(Acting, col(Acting.session_id) == col(LoginSession.id))
        .where(col(LoginSession.user_id) == user.id),
        "devices": _select(
            KnownDevice,
            device=KnownDevice.device,
            first_used_at=KnownDevice.first_seen_at,
            last_used_at=KnownDevice.last_seen_at,
            forgotten_at=KnownDevice.forgotten_at,
        ).where(col(KnownDevice.user_id) == user.id),
        "passkeys": _select(
            Passkey, name=Passkey.name, since=Passkey.created_at, last_used_at=Passkey.last_used_at
        ).where(col(Passkey.user_id) == user.id),
        "links": _select(
            AccountLink,
            purpose=AccountLink.purpose,
            sent_to=AccountLink.sent_to,
            created_at=AccountLink.created_at,
            used_at=AccountLink.used_at,
        ).where(col(AccountLink.user_id) == user.id),
        "messages": _select(
            OutboxMessage, kind=OutboxMessage.kind, written_at=OutboxMessage.created_at, sent_at=OutboxMessage.sent_at
        ).where(col(OutboxMessage.recipient_email) == user.email),
        "calendar_addresses": _select(
            CalendarFeed,
            shows=CalendarFeed.shows,
            created_at=CalendarFeed.created_at,
            revoked_at=CalendarFeed.revoked_at,
        ).where(col(CalendarFeed.user_id) == user.id),
    }


def _of_patient(patient: Patient) -> dict[str, Select[Any]]:
    visit = {"doctor": _Practitioner.full_name, "department": Department.name}
    theirs = col(Appointment.patient_id) == patient.id
    return {
        "appointments": _with_doctor(
            _select(
                Appointment,
                reference=Appointment.reference,
                **visit,
                starts_at=Appointment.starts_at,
                ends_at=Appointment.ends_at,
                status=Appointment.status,
                reason=Appointment.reason,
                booked_at=Appointment.created_at,
                cancelled_at=Appointment.cancelled_at,
                cancel_reason=Appointment.cancel_reason,
            ),
            col(Appointment.doctor_id),
            col(Appointment.department_id),
        ).where(theirs),
        "appointment_moves": _select(
            AppointmentMove,
            reference=Appointment.reference,
            moved_at=AppointmentMove.moved_at,
            from_starts_at=AppointmentMove.starts_at,
            from_ends_at=AppointmentMove.ends_at,
        )
        .join(Appointment, col(Appointment.id) == col(AppointmentMove.appointment_id))
        .where(theirs),
        "waiting_list": _with_doctor(
            _select(
                Waiting,
                **visit,
                weekdays=Waiting.weekdays,
                part=Waiting.part,
                earliest=Waiting.earliest,
                since=Waiting.created_at,
                ended_at=Waiting.ended_at,
                ended_why=Waiting.ended_why,
            ),
            col(Waiting.doctor_id),
            col(Waiting.department_id),
        ).where(col(Waiting.patient_id) == patient.id),
        "offers": _select(
            WaitingOffer,
            starts_at=Slot.starts_at,
            ends_at=Slot.ends_at,
            offered_at=WaitingOffer.offered_at,
            until=WaitingOffer.until,
            outcome=WaitingOffer.outcome,
        )
        .join(Slot, col(Slot.id) == col(WaitingOffer.slot_id))
        .where(col(WaitingOffer.patient_id) == patient.id),
        "held_times": _select(Slot, starts_at=Slot.starts_at, ends_at=Slot.ends_at, until=Slot.held_until).where(
            col(Slot.held_by) == patient.id
        ),
    }


def _of_doctor(doctor: Doctor) -> dict[str, Select[Any]]:
    """What is a doctor's own: of their appointments when they were, and nobody's name."""
    return {
        "working_hours": _all_of(WorkingHours, "id", "doctor_id").where(col(WorkingHours.doctor_id) == doctor.id),
        "exceptions": _all_of(HoursException, "id", "doctor_id").where(col(HoursException.doctor_id) == doctor.id),
        "leaves": _select(
            Leave,
            first_day=Leave.first_day,
            last_day=Leave.last_day,
            message=Leave.message,
            created_at=Leave.created_at,
        ).where(col(Leave.doctor_id) == doctor.id),
        "busy_times": select(col(BusyTime.starts_at).label("starts_at"), col(BusyTime.ends_at).label("ends_at"))
        .where(col(BusyTime.doctor_id) == doctor.id)
        .order_by(col(BusyTime.starts_at).desc()),
        "visits": _select(
            Appointment, starts_at=Appointment.starts_at, ends_at=Appointment.ends_at, status=Appointment.status
        ).where(col(Appointment.doctor_id) == doctor.id),
    }


def _select(table: Any, **columns: Any) -> Select[Any]:
    """These columns of a table under these names, the latest row first."""
    named: list[Any] = [col(column).label(name) for name, column in columns.items()]
    return select(*named).select_from(table).order_by(col(table.id).desc())


def _all_of(table: Any, *but: str) -> Select[Any]:
    names = [column.name for column in table.__table__.columns if column.name not in but]
    return _select(table, **{name: getattr(table, name) for name in names})


def _with_doctor(rows: Select[Any], doctor_id: Any, department_id: Any) -> Select[Any]:
    return (
        rows.join(Department, col(Department.id) == department_id)
        .outerjoin(Doctor, col(Doctor.id) == doctor_id)
        .outerjoin(_Practitioner, col(_Practitioner.id) == col(Doctor.user_id))
    )


def _read(session: Session, rows: Select[Any]) -> list[Document]:
    return [dict(row._mapping) for row in session.execute(rows.limit(MOST + 1))]


def _plain(value: Any) -> Any:
    """The value as JSON knows it: instants in ISO 8601, weekdays as their numbers from 1, Monday."""
    if isinstance(value, dict):
        return {
            name: [day + 1 for day in weekdays_in(each)] if name == "weekdays" else _plain(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value
