"""The outbox: messages that were promised together with the change that causes them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, false, text
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime


class Delivery(StrEnum):
    """Where a message is in its life."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


# Spelled out, not bound: only then may either engine use the index on unfinished messages.
UNFINISHED = text("state IN ('waiting', 'sending')")


class OutboxMessage(SQLModel, table=True):
    """One message for one recipient, sent at least once and received once (by its key).

    ``next_attempt_at`` says when the dispatcher may take it: for a waiting message the next attempt, for
    one being sent the end of the claim, after which another worker may take it over.
    """

    __tablename__ = "outbox_message"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sending', 'sent', 'dead')", name="state_known"),
        Index("ix_outbox_message_due", "next_attempt_at", postgresql_where=UNFINISHED, sqlite_where=UNFINISHED),
        Index("ix_outbox_message_state", "state", "id"),
        Index("ix_outbox_message_sent_at", "sent_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=40)
    recipient_email: str = Field(max_length=254)
    recipient_name: str = Field(max_length=120)
    payload: dict[str, Any] = Field(sa_type=JSON)
    idempotency_key: str = Field(max_length=128, unique=True)
    state: str = Field(default=Delivery.WAITING.value, max_length=10)
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UTCDateTime)
    last_error: str = Field(default="", max_length=200)
    created_at: datetime = Field(sa_type=UTCDateTime, description="since when it waits: written, or sent again")
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    recipient_left: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="they have closed their account: it is blanked as soon as it is sent or dead",
    )
    traceparent: str | None = Field(
        default=None,
        max_length=55,
        description="the trace in which it was promised (W3C Trace Context, section 3.2); None where nobody traces",
    )
