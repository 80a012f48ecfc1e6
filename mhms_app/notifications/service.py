"""The outbox: writing a message down together with the change that causes it.

What a kind holds is the contract with ``email_lambda/messages.py``; ``tests/contract`` keeps them equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlmodel import Session

from mhms_app import db
from mhms_app.notifications.models import Delivery, OutboxMessage
from mhms_app.settings import settings


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
    email: str
    name: str
    data: dict[str, Any]
    key: str


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
    }


def signup_welcome(
    session: Session, *, user_id: int, email: str, name: str, role: str, awaiting_approval: bool
) -> None:
    """Welcome somebody who signed up, once."""
    data = {"role": role, "awaiting_approval": awaiting_approval, "action_url": f"{settings().base_url}/login"}
    enqueue(session, Message("SIGNUP_WELCOME", email, name, data, f"welcome-{user_id}"))


def account_password(session: Session, *, email: str, name: str, temporary_password: str) -> None:
    """Send a temporary password; the outbox forgets it as soon as it is sent."""
    data = {"temporary_password": temporary_password, "action_url": f"{settings().base_url}/login"}
    enqueue(session, Message("ACCOUNT_PASSWORD", email, name, data, f"password-{uuid4()}"))


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
) -> Message:
    """The confirmation of one appointment, with what its calendar entry needs (RFC 5545)."""
    data = {
        "reference": reference,
        "uid": f"{reference.lower()}@{settings().base_url.split('://', 1)[1].split(':')[0].split('/')[0]}",
        "sequence": 0,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
        "time_zone": settings().time_zone,
        "doctor": doctor,
        "department": department,
        "location": location,
        "action_url": f"{settings().base_url}/patient",
    }
    return Message("BOOKING_CONFIRMATION", email, name, data, f"booked-{reference}")
