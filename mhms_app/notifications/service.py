"""The outbox: writing a message down together with the change that causes it.

What a kind holds is the contract with ``email_lambda/messages.py``; ``tests/contract`` keeps them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from email_validator import validate_email
from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, or_

from mhms_app import db, routes, spans
from mhms_app.notifications.models import Delivery, OutboxMessage
from mhms_app.settings import settings

FORGOTTEN = {
    "ACCOUNT_PASSWORD": "The password in this message is not kept. Give the person a new temporary password instead.",
    "EMAIL_CONFIRM": "The link in this message is not kept. The person can ask for another one after logging in.",
    "EMAIL_CHANGE": "The link in this message is not kept. The person can ask for the change again, in their account.",
    "PASSWORD_RESET": "The link in this message is not kept. The person can ask for another one on the login page.",
    "WAITLIST_OFFER": "The link in this message is not kept. Once its time is over, the offer goes to the next.",
}
"""Kinds whose payload is blanked as soon as the message is sent or dead, and what to do instead of sending it again."""


BLANK: dict[str, Any] = {
    "payload": {},
    "recipient_email": "",
    "recipient_name": "",
    "last_error": "",
    "recipient_left": False,
}
"""What remains of a message to somebody who has left, once it is sent or dead: beside it kind, time and key."""


AccountAction = Literal["locked", "unlocked", "new_password_asked", "sessions_ended"]
FactorChange = Literal["app_on", "app_off", "passkey_on", "passkey_off", "codes_new", "code_used", "reset"]
"""What may happen to somebody's second factor."""


@dataclass(frozen=True, slots=True)
class OutboxChanged:
    """Announced after a commit that left a message to send."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be written into the outbox.

    Attributes:
        key: the idempotency key; the Lambda sends each key once, whatever happens on the way.
    """

    kind: str
    email: str = field(repr=False)
    name: str = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    key: str


@dataclass(frozen=True, slots=True)
class AppointmentFacts:
    """What every message about an appointment says; instants are aware UTC.

    Attributes:
        email: the patient's address; ``name`` is the patient's too.
        location: where the doctor sees people; may be empty.
        sequence: RFC 5546 SEQUENCE, already raised by the change that the message tells of.
        time_zone: in which the patient also reads times (IANA); ``""`` is the clinic's.
    """

    reference: str
    email: str = field(repr=False)
    name: str = field(repr=False)
    doctor: str
    department: str
    location: str
    starts_at: datetime
    ends_at: datetime
    sequence: int
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class DayEntry:
    """One patient in the summary of a doctor's day; instants are aware UTC."""

    starts_at: datetime
    ends_at: datetime
    initials: str


def enqueue(session: Session, message: Message) -> None:
    """Write a message into the outbox, in the caller's transaction; it is sent after the commit."""
    session.add(OutboxMessage(**columns(message)))
    db.announce(session, OutboxChanged())


def columns(message: Message) -> dict[str, Any]:
    """The outbox row of a message, by column; for statements that insert it themselves."""
    now = db.clock.now()
    return {
        "kind": message.kind,
        "recipient_email": message.email,
        "recipient_name": message.name,
        "payload": message.data,
        "idempotency_key": message.key,
        "state": Delivery.WAITING.value,
        "attempts": 0,
        "next_attempt_at": now,
        "last_error": "",
        "created_at": now,
        "traceparent": spans.traceparent(),
    }


def forget_recipient(session: Session, *conditions: ColumnElement[bool]) -> None:
    """Blank these messages: those that are sent or dead at once, the others as soon as they are."""
    mark = update(OutboxMessage).where(or_(*conditions)).values(recipient_left=True)
    session.execute(mark.execution_options(synchronize_session=False))
    is_over = col(OutboxMessage.state).in_((Delivery.SENT.value, Delivery.DEAD.value))
    blank = update(OutboxMessage).where(col(OutboxMessage.recipient_left), is_over).values(BLANK)
    session.execute(blank.execution_options(synchronize_session=False))


def account_closed(session: Session, *, email: str, name: str) -> None:
    """Tell somebody that their account is closed: the last that they hear."""
    data = {"action_url": f"{settings().base_url}{routes.SIGNUP}"}
    enqueue(session, Message("ACCOUNT_CLOSED", email, name, data, f"closed-{uuid4()}"))


def signup_welcome(
    session: Session, *, user_id: int, email: str, name: str, role: str, awaiting_approval: bool
) -> None:
    """Welcome somebody who signed up, once."""
    data = {"role": role, "awaiting_approval": awaiting_approval, "action_url": _url(routes.LOGIN)}
    enqueue(session, Message("SIGNUP_WELCOME", email, name, data, f"welcome-{user_id}"))


def account_password(session: Session, *, email: str, name: str, temporary_password: str, good_for: str) -> None:
    """Send a temporary password, which is ``good_for`` ("3 days"); the outbox forgets it as soon as it is sent."""
    data = {"temporary_password": temporary_password, "good_for": good_for, "action_url": _url(routes.LOGIN)}
    enqueue(session, Message("ACCOUNT_PASSWORD", email, name, data, f"password-{uuid4()}"))


def email_confirm(session: Session, *, email: str, name: str, path: str, good_for: str, welcome: bool) -> None:
    """Ask somebody to confirm that an address is theirs.

    Args:
        path: where in this app, with the token of the link; the outbox forgets it as soon as it is sent.
        good_for: how long it works: "3 days".
        welcome: they have just signed up, and get no other message.
    """
    data = {"welcome": welcome, "good_for": good_for, "action_url": _url(path)}
    enqueue(session, Message("EMAIL_CONFIRM", email, name, data, f"confirm-{uuid4()}"))


def email_change(
    session: Session,
    *,
    email: str,
    name: str,
    side: Literal["old", "new", "taken"],
    new_email: str,
    path: str,
    good_for: str,
) -> None:
    """Ask the old and the new mailbox of an account whether its address may change.

    Args:
        side: which of the two this is; ``taken``: the new one has an account already, and is only told.
        path, good_for: as in ``email_confirm``.
    """
    # As punycode (RFC 5890), which the contract asks for; nor does a look-alike pass for another domain then.
    new_email = validate_email(new_email, check_deliverability=False).ascii_email or new_email
    data = {"side": side, "new_email": new_email, "good_for": good_for, "action_url": _url(path)}
    enqueue(session, Message("EMAIL_CHANGE", email, name, data, f"change-{uuid4()}"))


def email_changed(session: Session, *, email: str, name: str, by: Literal["owner", "clinic"]) -> None:
    """Tell somebody, at the old address or the new one, that their account has another address now."""
    data = {"by": by, "action_url": _url(routes.LOGIN)}
    enqueue(session, Message("EMAIL_CHANGED", email, name, data, f"changed-{uuid4()}"))


def password_reset(session: Session, *, email: str, name: str, path: str, good_for: str) -> None:
    """Send the link with which somebody who forgot their password chooses one; ``path`` as in ``email_confirm``."""
    data = {"good_for": good_for, "action_url": _url(path)}
    enqueue(session, Message("PASSWORD_RESET", email, name, data, f"reset-{uuid4()}"))


def password_changed(session: Session, *, email: str, name: str) -> None:
    """Tell somebody that their password was changed, and where to go if it was not by them."""
    data = {"action_url": _url(routes.FORGOT)}
    enqueue(session, Message("PASSWORD_CHANGED", email, name, data, f"password-{uuid4()}"))


def acted_for_you(session: Session, *, email: str, name: str, reason: str) -> None:
    """Tell somebody that an administrator acts in their account, and why."""
    data = {"reason": reason, "action_url": _url(routes.ACCOUNT_SESSIONS)}
    enqueue(session, Message("ACTED_FOR_YOU", email, name, data, f"acted-{uuid4()}"))


def account_action(session: Session, *, email: str, name: str, action: AccountAction) -> None:
    """Tell somebody what an administrator has done to their account."""
    data = {"action": action, "action_url": _url(routes.LOGIN)}
    enqueue(session, Message("ACCOUNT_ACTION", email, name, data, f"account-{uuid4()}"))


def second_factor_changed(session: Session, *, email: str, name: str, change: FactorChange) -> None:
    """Tell somebody what was done to the second factor of their account."""
    data = {"change": change, "action_url": _url(routes.ACCOUNT_SECURITY)}
    enqueue(session, Message("SECOND_FACTOR_CHANGED", email, name, data, f"second-factor-{uuid4()}"))


def sign_in_new_device(session: Session, *, email: str, name: str, device: str, address: str) -> None:
    """Tell somebody that their account was just used on a device for the first time.

    Args:
        device: as people say: ``Firefox on Windows``.
        address: its network address; may be empty.
    """
    data = {
        "device": device,
        "address": address,
        "at": db.clock.now().isoformat(),
        "time_zone": settings().time_zone,
        "action_url": f"{settings().base_url}{routes.ACCOUNT_SESSIONS}",
        "forgot_url": _url(routes.FORGOT),
    }
    enqueue(session, Message("SIGN_IN_NEW_DEVICE", email, name, data, f"device-{uuid4()}"))


def calendar_uid(reference: str) -> str:
    """What an appointment is called in every calendar (RFC 5545, section 3.8.4.7); it never changes."""
    return f"{reference.lower()}@{urlsplit(settings().base_url).hostname}"


def booking_confirmation(
    *,
    reference: str,
    email: str,
    name: str,
    doctor: str,
    department: str,
    location: str,
    starts_at: datetime,
    ends_at: datetime,
    time_zone: str = "",
) -> Message:
    """The confirmation of one appointment, with what its calendar entry needs (RFC 5545)."""
    facts = AppointmentFacts(reference, email, name, doctor, department, location, starts_at, ends_at, 0, time_zone)
    return Message("BOOKING_CONFIRMATION", email, name, _appointment(facts), f"booked-{reference}")


def booking_moved(facts: AppointmentFacts, *, old_starts_at: datetime, old_ends_at: datetime) -> Message:
    """Tell a patient the new time of an appointment; the old one is aware UTC like it."""
    data = _appointment(facts) | {"old": _span(old_starts_at, old_ends_at)}
    return Message("BOOKING_MOVED", facts.email, facts.name, data, f"moved-{facts.reference}-{facts.sequence}")


def booking_cancelled(
    facts: AppointmentFacts, *, cancelled_by: Literal["patient", "clinic"], why: str, doctor_id: int
) -> Message:
    """Tell a patient that an appointment will not take place.

    Args:
        why: what the clinic says about it, at most 200 characters; may be empty.
        doctor_id: whose free times the message leads to.
    """
    free_times = f"{settings().base_url}{routes.doctor_profile(doctor_id)}"
    data = _appointment(facts) | {"cancelled_by": cancelled_by, "why": why, "action_url": free_times}
    return Message("BOOKING_CANCELLED", facts.email, facts.name, data, f"cancelled-{facts.reference}")


def appointment_reminder(facts: AppointmentFacts, *, before: str) -> Message:
    """Remind a patient of an appointment, once for each ``before``: how long ahead, such as ``7d``."""
    key = f"reminder-{facts.reference}-{facts.sequence}-{before}"
    return Message("APPOINTMENT_REMINDER", facts.email, facts.name, _appointment(facts), key)


def waitlist_offer(
    *,
    offer_id: int,
    email: str,
    name: str,
    doctor: str,
    department: str,
    location: str,
    starts_at: datetime,
    ends_at: datetime,
    kept_until: datetime,
    path: str,
) -> Message:
    """Offer a free time to somebody on the waiting list; instants are aware UTC.

    Args:
        path: where in this app the offer is taken, with its token: ``/offer/...``.
    """
    data = _span(starts_at, ends_at) | {
        "doctor": doctor,
        "department": department,
        "location": location,
        "kept_until": kept_until.isoformat(),
        "action_url": f"{settings().base_url}{path}",
    }
    return Message("WAITLIST_OFFER", email, name, data, f"offer-{offer_id}")


def doctor_day_summary(
    *, doctor_id: int, email: str, name: str, day: date, appointments: Sequence[DayEntry]
) -> Message:
    """Tell a doctor who comes on a day of the clinic's time: at most 300 people, by initials, in order of time."""
    data = {
        "day": day.isoformat(),
        "appointments": [
            _span(entry.starts_at, entry.ends_at) | {"initials": entry.initials} for entry in appointments
        ],
        "action_url": f"{settings().base_url}{routes.doctor_day(day)}",
    }
    return Message("DOCTOR_DAY_SUMMARY", email, name, data, f"summary-{doctor_id}-{day}")


def _appointment(facts: AppointmentFacts) -> dict[str, Any]:
    return _span(facts.starts_at, facts.ends_at) | {
        "reference": facts.reference,
        "uid": calendar_uid(facts.reference),
        "sequence": facts.sequence,
        "doctor": facts.doctor,
        "department": facts.department,
        "location": facts.location,
        "action_url": f"{settings().base_url}{routes.PATIENT}",
        **({"own_time_zone": facts.time_zone} if facts.time_zone else {}),
    }


def _url(path: str) -> str:
    """The whole address of a page."""
    return f"{settings().base_url}{path}"


def _span(starts_at: datetime, ends_at: datetime) -> dict[str, Any]:
    return {
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
        "time_zone": settings().time_zone,
    }
