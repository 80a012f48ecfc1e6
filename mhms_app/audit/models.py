"""Who did what to what: append-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime


class AuditEntry(SQLModel, table=True):
    """One fact. The migration adds triggers that refuse to change or delete it."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_object", "object_type", "object_id"),
        Index("ix_audit_entry_actor", "actor_id", "id"),
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
