"""Who did what to what: append-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, SmallInteger, text
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime

_ACTED = text("acted_by IS NOT NULL")
_OF_AN_EVENT = text("event_id <> ''")


class AuditEntry(SQLModel, table=True):
    """One fact. The migration adds triggers that refuse to change it, and to delete it within a year."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_object", "object_type", "object_id"),
        Index("ix_audit_entry_actor", "actor_id", "id"),
        Index("ix_audit_entry_at", "at", "id"),
        Index("ix_audit_entry_action", "action", "at", "id"),
        Index("ix_audit_entry_acted_by", "acted_by", "id", postgresql_where=_ACTED, sqlite_where=_ACTED),
        Index("ix_audit_entry_event", "event_id", postgresql_where=_OF_AN_EVENT, sqlite_where=_OF_AN_EVENT),
    )

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime)
    actor_id: int | None = Field(default=None, description="the user, or None for the system or a visitor")
    action: str = Field(max_length=40, description="such as appointment.book")
    object_type: str = Field(default="", max_length=30)
    object_id: int | None = None
    detail: str = Field(default="", max_length=300, description="what changed; never personal data")
    address: str = Field(default="", max_length=45, sa_column_kwargs={"server_default": ""}, description="from where")
    session_id: int | None = Field(default=None, description="the login session in which it was done")
    acted_by: int | None = Field(default=None, description="the administrator who acted as ``actor_id``")
    event_id: str = Field(
        default="",
        max_length=32,
        sa_column_kwargs={"server_default": ""},
        description="the request or event that it belongs to, as ``trace`` names it; the same stands in the logs",
    )


class AuditSeal(SQLModel, table=True):
    """The place of an entry in the chain of hashes; it can be changed and deleted as little as the entry.

    It refers to the entry by its number only, so that it still testifies when the entry is gone.
    """

    __tablename__ = "audit_seal"

    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False}, description="1, 2, 3...")
    entry_id: int = Field(unique=True)
    at: datetime = Field(sa_type=UTCDateTime, description="when it was sealed")
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64, description="as ``rules.seal`` makes it")
    covers: int = Field(
        default=1,
        sa_type=SmallInteger,
        sa_column_kwargs={"server_default": "1"},
        description="1: all but the event's id, as before version 0004; 2: that too",
    )


class PolicyViolation(SQLModel, table=True):
    """How often browsers reported that a directive of the content policy was broken."""

    __tablename__ = "policy_violation"

    directive: str = Field(primary_key=True, max_length=30)
    times: int
    last_at: datetime = Field(sa_type=UTCDateTime)
