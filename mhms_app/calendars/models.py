"""Private calendar addresses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime

STANDING = text("revoked_at IS NULL")


class CalendarFeed(SQLModel, table=True):
    """One private address under which a calendar program reads appointments; only its token's SHA-256 is stored."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        CheckConstraint("shows IN ('own', 'busy', 'initials')", name="shows_known"),
        Index("ix_calendar_feed_user", "user_id", postgresql_where=STANDING, sqlite_where=STANDING),
    )

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id")
    token_hash: str = Field(max_length=64, unique=True)
    shows: str = Field(max_length=10)
    created_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
