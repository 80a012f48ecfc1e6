"""Writing messages and looking at what became of them."""

from __future__ import annotations

from sqlmodel import select

from mhms_app import db
from mhms_app.notifications import service
from mhms_app.notifications.models import OutboxMessage
from mhms_app.notifications.service import Message


def message(key: str, *, kind: str = "SIGNUP_WELCOME") -> Message:
    data = {"role": "patient", "awaiting_approval": False, "action_url": "http://localhost:3000/login"}
    return Message(kind, "jo.moreau@example.com", "Jo Moreau", data, key)


def write(*keys: str, kind: str = "SIGNUP_WELCOME") -> None:
    """Commit one message for each key."""
    with db.transaction() as session:
        for key in keys:
            service.enqueue(session, message(key, kind=kind))


def rows() -> dict[str, OutboxMessage]:
    """Every message by its key."""
    with db.transaction(read_only=True) as session:
        return {row.idempotency_key: row for row in session.exec(select(OutboxMessage).order_by(OutboxMessage.id))}


def states() -> dict[str, str]:
    """The state of every message by its key."""
    return {key: row.state for key, row in rows().items()}
