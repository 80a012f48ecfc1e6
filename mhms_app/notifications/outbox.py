"""The outbox as administrators see it: how it stands, what was written to whom, sending it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from mhms_app import db, spans
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.db import Page
from mhms_app.errors import ClinicError, Conflict, NotFound
from mhms_app.notifications.models import UNFINISHED, Delivery, OutboxMessage
from mhms_app.notifications.service import FORGOTTEN, OutboxChanged
from mhms_app.settings import settings


class PayloadForgotten(ClinicError):
    """The message held a secret, which the outbox has forgotten."""


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
