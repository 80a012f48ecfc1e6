"""Private calendar addresses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime

STANDING = text("revoked_at IS NULL")
_TO_BE_DONE = text("next_sync_at IS NOT NULL")


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


class GoogleConsent(SQLModel, table=True):
    """A doctor is at Google to be asked; one for each login session, gone as soon as they come back."""

    __tablename__ = "google_consent"

    session_id: int = Field(foreign_key="login_session.id", primary_key=True)
    state_hash: str = Field(max_length=64, description="SHA-256 of the state, hexadecimal")
    sealed_verifier: str = Field(max_length=400, description="of PKCE (RFC 7636)")
    expires_at: datetime = Field(sa_type=UTCDateTime)


class GoogleConnection(SQLModel, table=True):
    """A doctor's Google account and the calendar that is kept in step with their appointments.

    ``next_sync_at`` says when it is due, None that it waits for the doctor. ``leased_until`` is set while a worker is
    at it, and tells that worker whether it still is the one.
    """

    __tablename__ = "google_connection"
    __table_args__ = (
        CheckConstraint("shows IN ('busy', 'initials')", name="shows_known"),
        CheckConstraint(
            "trouble IN ('', 'outage', 'slow_down', 'calendar', 'too_much', 'reconnect')", name="trouble_known"
        ),
        CheckConstraint("next_sync_at IS NULL OR calendar_id <> '' OR leaving", name="calendar_chosen"),
        Index("ix_google_connection_due", "next_sync_at", postgresql_where=_TO_BE_DONE, sqlite_where=_TO_BE_DONE),
    )

    doctor_id: int = Field(foreign_key="doctor.id", primary_key=True)
    sealed_tokens: str = Field(sa_type=Text)
    calendar_id: str = Field(default="", max_length=1024, description="empty until one is chosen")
    calendar_name: str = Field(default="", max_length=1024)
    shows: str = Field(default="busy", max_length=10)
    sync_token: str = Field(default="", max_length=2048, description="empty: everything is to be read anew")
    read_afresh_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    next_sync_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    leased_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    failures: int = Field(default=0, description="since the last success")
    trouble: str = Field(default="", max_length=10)
    synced_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    leaving: bool = Field(default=False, description="it is being disconnected")
    created_at: datetime = Field(sa_type=UTCDateTime)


class GoogleEvent(SQLModel, table=True):
    """An appointment as it was last written to a Google calendar, until it is over."""

    __tablename__ = "google_event"
    __table_args__ = (Index("ix_google_event_end", "doctor_id", "ends_at"),)

    doctor_id: int = Field(foreign_key="google_connection.doctor_id", primary_key=True)
    appointment_id: int = Field(foreign_key="appointment.id", primary_key=True)
    calendar_id: str = Field(max_length=1024, primary_key=True)
    sequence: int = Field(description="of the appointment, when it was written")
    shows: str = Field(max_length=10)
    ends_at: datetime = Field(sa_type=UTCDateTime)
