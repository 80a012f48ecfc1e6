"""Closing one's own account: what is personal goes from every table, what the clinic has done stays on record.

Appointments stay under the name ``Closed account``. The audit trail cannot be changed; it names people by number
only. Messages that are still to be sent keep their address until they are (``docs/adr/0018``).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import factors, links, sessions
from mhms_app.accounts import service as accounts
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import Acting, FactorSetup, KnownDevice, LoginSession, LoginStep, Patient, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.rules import search_key
from mhms_app.actor import Actor, Role, require_oneself
from mhms_app.audit import service as audit
from mhms_app.booking import changes, holds, waiting
from mhms_app.booking.models import ACTIVE, Appointment, DaySummary, DeskNote, Leave, Waiting
from mhms_app.calendars import google
from mhms_app.calendars.models import CalendarFeed, GoogleConsent
from mhms_app.directory.models import Doctor
from mhms_app.errors import ClinicError
from mhms_app.notifications import service as notifications
from mhms_app.notifications.models import OutboxMessage

NAME = "Closed account"
WHY = "The account was closed"
_ABOUT = ("booked", "moved", "cancelled", "reminder")  # how the keys of messages about an appointment begin
_AT_ONCE = 50


class PatientsExpected(ClinicError):
    """A doctor whom patients will come to see cannot just leave."""

    def __init__(self, number: int) -> None:
        whom = "A patient is" if number == 1 else f"{number} patients are"
        super().__init__(
            f"{whom} still booked with you. Enter a leave for those days, or ask the clinic's office to move them; "
            "then you can close your account."
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What closing the account would do.

    Attributes:
        cancelled: how many appointments would be cancelled.
        waits: how many entries of the waiting list would end.
        refusal: why it cannot be closed now; None when it can.
    """

    cancelled: int
    waits: int
    refusal: ClinicError | None


def look(session: Session, actor: Actor | None) -> Outlook:
    """Say what closing one's own account would do."""
    person = require_oneself(actor)
    patient_id, doctor_id = _keys(session, person.user_id)
    coming = select(func.count()).where(
        col(Appointment.patient_id) == patient_id,
        col(Appointment.status) == "booked",
        col(Appointment.starts_at) > db.clock.now(),
    )
    waits = select(func.count()).where(col(Waiting.patient_id) == patient_id, col(Waiting.ended_at).is_(None))
    refusal: ClinicError | None = None
    try:
        _require_free_to_go(session, person, doctor_id)
    except ClinicError as found:
        refusal = found
    return Outlook(session.scalar(coming) or 0, session.scalar(waits) or 0, refusal)


def close(session: Session, actor: Actor | None, *, known_hash: str) -> None:
    """Close one's own account for good; its address can sign up again.

    Args:
        known_hash: of the password that was typed again, as ``own_password.own`` gave it.

    Raises:
        LastAdministrator: nobody would be left to administer.
        PatientsExpected: patients are still booked with this doctor.
        WrongPassword: it was changed meanwhile.
    """
    person = require_oneself(actor)
    patient_id, doctor_id = _keys(session, person.user_id)
    if patient_id is not None:
        changes.cancel_all_of(session, person, patient_id=patient_id, why=WHY)
        holds.release_all_of(session, patient_id=patient_id)
        _stop_waiting(session, patient_id)
    _require_free_to_go(session, person, doctor_id)
    user = lock_user(session, person.user_id)
    if user.password_hash != known_hash:
        raise WrongPassword
    audit.record(session, actor_id=person.user_id, action="account.close", object_type="user", object_id=person.user_id)
    notifications.account_closed(session, email=user.email, name=user.full_name)
    session.flush()
    _forget_messages(session, user, patient_id)
    _forget_account(session, user)
    if patient_id is not None:
        _forget_patient(session, patient_id)
    if doctor_id is not None:
        _forget_doctor(session, doctor_id)


def _keys(session: Session, user_id: int) -> tuple[int | None, int | None]:
    """The records of somebody as a patient and as a doctor; after a change of role they have both."""
    return (
        session.scalar(select(col(Patient.id)).where(col(Patient.user_id) == user_id)),
        session.scalar(select(col(Doctor.id)).where(col(Doctor.user_id) == user_id)),
    )


def _require_free_to_go(session: Session, person: Actor, doctor_id: int | None) -> None:
    if person.role is Role.ADMIN:
        accounts.keep_an_administrator(session, leaving=person.user_id)
    expected = select(func.count()).where(
        col(Appointment.doctor_id) == doctor_id,
        col(Appointment.status).in_(ACTIVE),
        col(Appointment.ends_at) > db.clock.now(),
    )
    if number := session.scalar(expected):
        raise PatientsExpected(number)


def _stop_waiting(session: Session, patient_id: int) -> None:
    entries = select(Waiting).where(col(Waiting.patient_id) == patient_id, col(Waiting.ended_at).is_(None))
    for entry in session.scalars(entries.order_by(col(Waiting.id))).all():
        waiting.end(session, entry_id=entry.id or 0)


def _forget_messages(session: Session, user: User, patient_id: int | None) -> None:
    """What was written to them, at this address or an earlier one."""
    theirs = func.lower(col(OutboxMessage.recipient_email)) == user.email.lower()
    notifications.forget_recipient(session, theirs)
    references = session.scalars(
        select(col(Appointment.reference)).where(col(Appointment.patient_id) == patient_id)
    ).all()
    for start in range(0, len(references), _AT_ONCE):
        named = (f"{about}-{name}" for about in _ABOUT for name in references[start : start + _AT_ONCE])
        notifications.forget_recipient(session, *(col(OutboxMessage.idempotency_key).startswith(key) for key in named))


def _forget_account(session: Session, user: User) -> None:
    """Who they are, how they get in, and from where they did."""
    user_id = user.id or 0
    links.end(session, user)
    factors.take_away(session, user_id)
    sessions.close_all(session, user_id=user_id)
    theirs = select(col(LoginSession.id)).where(col(LoginSession.user_id) == user_id)
    session.execute(delete(GoogleConsent).where(col(GoogleConsent.session_id).in_(theirs)))
    session.execute(delete(FactorSetup).where(col(FactorSetup.session_id).in_(theirs)))
    session.execute(update(Acting).where(col(Acting.session_id).in_(theirs)).values(reason=""))
    session.execute(
        update(LoginSession).where(col(LoginSession.user_id) == user_id).values(device="", address="", device_id=None)
    )
    for table in (KnownDevice, LoginStep, CalendarFeed):
        session.execute(delete(table).where(col(table.user_id) == user_id))
    user.email = user.email_key = f"closed-{user_id}@closed.invalid"  # RFC 2606: nobody ever has such an address
    user.full_name, user.name_key, user.phone, user.time_zone = NAME, search_key(NAME), "", ""
    user.password_hash, user.password_is_temporary, user.password_ends_at = "", False, None
    user.active, user.closed_at, user.email_confirmed_at = False, db.clock.now(), None
    session.add(user)
    session.flush()


def _forget_patient(session: Session, patient_id: int) -> None:
    """What they wrote, and what was noted about them."""
    theirs = col(Appointment.patient_id) == patient_id
    session.execute(update(Appointment).where(theirs).values(reason="", cancel_reason=""))
    appointments = select(col(Appointment.id)).where(theirs)
    session.execute(update(DeskNote).where(col(DeskNote.appointment_id).in_(appointments)).values(note=""))


def _forget_doctor(session: Session, doctor_id: int) -> None:
    """What patients read about them, why they were away, and their calendar."""
    session.execute(
        update(Doctor)
        .where(col(Doctor.id) == doctor_id)
        .values(title="", title_key="", bio="", languages="", approved_at=None)
    )
    session.execute(update(Leave).where(col(Leave.doctor_id) == doctor_id).values(message=""))
    session.execute(delete(DaySummary).where(col(DaySummary.doctor_id) == doctor_id))
    google.forget_account(session, doctor_id=doctor_id)
