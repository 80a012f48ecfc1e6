"""The outbox: writing a message down together with the change that causes it.

What a kind holds is the contract with ``email_lambda/messages.py``; ``tests/contract`` keeps them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, func, or_, select

from mhms_app import db, routes, spans
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.db import Page
from mhms_app.errors import ClinicError, Conflict, NotFound
from mhms_app.notifications.models import UNFINISHED, Delivery, OutboxMessage
from mhms_app.settings import settings

FORGOTTEN = {
    "ACCOUNT_PASSWORD": "The password in this message is not kept. Give the person a new temporary password instead.",
    "EMAIL_CONFIRM": "The link in this message is not kept. The person can ask for another one after logging in.",
    "EMAIL_CHANGE": "The link in this message is not kept. The person can ask for the change again, in their account.",
    "PASSWORD_RESET": "The link in this message is not kept. The person can ask for another one on the login page.",
    "WAITLIST_OFFER": "The link in this message is not kept. Once its time is over, the offer goes to the next.",
}
"""Kinds whose payload is blanked as soon as the message is sent or dead, and what to do instead of sending it again."""


AccountAction = Literal["locked", "unlocked", "new_password_asked", "sessions_ended"]
FactorChange = Literal["app_on", "app_off", "passkey_on", "passkey_off", "codes_new", "code_used", "reset"]
"""What may happen to somebody's second factor."""


class PayloadForgotten(ClinicError):
    """The message held a secret, which the outbox has forgotten."""


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


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One line of the administrator's list of messages; what was written in them is not shown.

    Attributes:
        created_at: since when it waits or waited: written, or sent again by an administrator.
        next_attempt_at: when it is tried next; None when it is sent or dead.
        last_error: why the last attempt failed, such as ``503 try_again``.
    """

    id: int
    kind: str
    email: str
    name: str
    state: Delivery
    attempts: int
    last_error: str
    created_at: datetime
    next_attempt_at: datetime | None
    sent_at: datetime | None
    can_resend: bool


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How the outbox stands; ``sent_today`` counts from midnight in the clinic's time zone."""

    waiting: int
    dead: int
    sent_today: int
    oldest_waiting_at: datetime | None
    last_sent_at: datetime | None


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
    blank_left(session)


def blank_left(session: Session, *conditions: ColumnElement[bool]) -> None:
    """Blank what was written to people who have left, once it is sent or dead: kind, time and key stay."""
    session.execute(
        update(OutboxMessage)
        .where(
            col(OutboxMessage.recipient_left),
            col(OutboxMessage.state).in_((Delivery.SENT.value, Delivery.DEAD.value)),
            *conditions,
        )
        .values(payload={}, recipient_email="", recipient_name="", last_error="", recipient_left=False)
        .execution_options(synchronize_session=False)
    )


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


def list_messages(
    session: Session,
    actor: Actor | None,
    *,
    state: str = "",
    search: str = "",
    page: int = 1,
    size: int = 25,
) -> Page[OutboxRow]:
    """List messages for an administrator, newest first; ``search`` is looked for in names and addresses."""
    admin = require_role(actor, Role.ADMIN)
    audit.note(session, actor_id=admin.user_id, action="message.list", object_type="message", detail=f"page {page}")
    wanted = select(OutboxMessage)
    if state:
        wanted = wanted.where(OutboxMessage.state == Delivery(state).value)
    if text := search.replace("\0", "").strip():
        wanted = wanted.where(
            or_(
                col(OutboxMessage.recipient_name).icontains(text, autoescape=True),
                col(OutboxMessage.recipient_email).icontains(text, autoescape=True),
            )
        )
    total = db.count(session, wanted)
    newest = wanted.order_by(col(OutboxMessage.id).desc()).offset((page - 1) * size).limit(size)
    return Page(tuple(_row(message) for message in session.exec(newest)), total)


def counts(session: Session, actor: Actor | None) -> OutboxCounts:
    """Say how the outbox stands, for an administrator."""
    require_role(actor, Role.ADMIN)
    return standing(session)


def standing(session: Session) -> OutboxCounts:
    """How the outbox stands; the caller has authorised it."""
    midnight = db.clock.now().astimezone(settings().zone).replace(hour=0, minute=0, second=0, microsecond=0)
    waiting, oldest = session.exec(select(func.count(), func.min(OutboxMessage.created_at)).where(UNFINISHED)).one()
    return OutboxCounts(
        waiting=waiting,
        dead=session.exec(select(func.count()).where(OutboxMessage.state == Delivery.DEAD.value)).one(),
        sent_today=session.exec(select(func.count()).where(col(OutboxMessage.sent_at) >= midnight)).one(),
        oldest_waiting_at=oldest,
        last_sent_at=session.exec(select(func.max(OutboxMessage.sent_at))).one(),
    )


def oldest_waiting_age(session: Session) -> timedelta | None:
    """Say for how long the oldest unsent message has been waiting; None when none is. Dead ones do not wait."""
    unfinished = select(func.min(OutboxMessage.created_at)).where(UNFINISHED)
    oldest: datetime | None = session.exec(unfinished).one()
    return None if oldest is None else db.clock.now() - oldest


def resend(session: Session, actor: Actor | None, *, message_id: int) -> OutboxRow:
    """Send a dead or sent message again, with all its attempts before it.

    A dead one keeps its key: should an attempt have arrived after all, the person gets one mail. One that was
    sent gets a new key, for the Lambda would rightly call the old one a duplicate.

    Raises:
        NotFound: there is no such message.
        Conflict: it is on its way already.
        PayloadForgotten: it held a secret.
    """
    admin = require_role(actor, Role.ADMIN)
    locked = select(OutboxMessage).where(OutboxMessage.id == message_id).with_for_update()
    message = session.exec(locked.execution_options(populate_existing=True)).first()
    if message is None:
        raise NotFound
    if message.state not in (Delivery.SENT, Delivery.DEAD):
        raise Conflict("This message is on its way already.")
    if message.kind in FORGOTTEN:
        raise PayloadForgotten(FORGOTTEN[message.kind])
    if not message.recipient_email:
        raise PayloadForgotten("This message is no longer kept: only that it was there.")
    if message.state == Delivery.SENT:
        base, _, number = message.idempotency_key.partition("#")
        message.idempotency_key = f"{base}#{int(number or 1) + 1}"
    message.state, message.attempts, message.last_error, message.sent_at = Delivery.WAITING.value, 0, "", None
    message.created_at = message.next_attempt_at = db.clock.now()
    message.traceparent = spans.traceparent()
    session.add(message)
    db.announce(session, OutboxChanged())
    audit.record(session, actor_id=admin.user_id, action="message.resend", object_type="message", object_id=message_id)
    return _row(message)


def _row(message: OutboxMessage) -> OutboxRow:
    state = Delivery(message.state)
    finished = state in (Delivery.SENT, Delivery.DEAD)
    return OutboxRow(
        id=message.id or 0,
        kind=message.kind,
        email=message.recipient_email,
        name=message.recipient_name,
        state=state,
        attempts=message.attempts,
        last_error=message.last_error,
        created_at=message.created_at,
        next_attempt_at=None if finished else message.next_attempt_at,
        sent_at=message.sent_at,
        can_resend=finished and message.kind not in FORGOTTEN and bool(message.recipient_email),
    )
