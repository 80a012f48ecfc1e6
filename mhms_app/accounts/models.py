"""People who can log in, and their login sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, false, text
from sqlmodel import Field, SQLModel

from mhms_app.actor import Role as Role
from mhms_app.db import UTCDateTime

CLOSED = text("NOT user_account.active")
_CLOSED = text("NOT active")


class User(SQLModel, table=True):
    """A person with a password. ``email_key`` is the case-folded address: unique regardless of case."""

    __tablename__ = "user_account"
    __table_args__ = (
        CheckConstraint("role IN ('patient', 'doctor', 'admin')", name="role_known"),
        Index("ix_user_account_role_name", "role", "name_key", "id"),
        Index("ix_user_account_name", "name_key", "id"),
        Index("ix_user_account_closed", "name_key", "id", postgresql_where=_CLOSED, sqlite_where=_CLOSED),
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(max_length=254)
    email_key: str = Field(max_length=254, unique=True)
    full_name: str = Field(max_length=120)
    name_key: str = Field(max_length=120, description="case-folded full name, for searching and sorting")
    phone: str = Field(default="", max_length=40)
    role: str = Field(max_length=10)
    password_hash: str = Field(max_length=80)
    active: bool = True
    created_at: datetime = Field(sa_type=UTCDateTime)
    email_confirmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    password_is_temporary: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    closed_at: datetime | None = Field(default=None, sa_type=UTCDateTime, description="its owner has closed it")


class Patient(SQLModel, table=True):
    """Somebody who is seen by doctors."""

    __tablename__ = "patient"

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id", unique=True)


class LoginSession(SQLModel, table=True):
    """One login on one browser. Only the SHA-256 of its 256-bit token is stored."""

    __tablename__ = "login_session"
    __table_args__ = (Index("ix_login_session_user_open", "user_id", postgresql_where=text("revoked_at IS NULL")),)

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(max_length=64, unique=True)
    user_id: int = Field(foreign_key="user_account.id")
    created_at: datetime = Field(sa_type=UTCDateTime)
    last_seen_at: datetime = Field(sa_type=UTCDateTime)
    idle_until: datetime = Field(sa_type=UTCDateTime, description="ends when nothing happened until then")
    expires_at: datetime = Field(sa_type=UTCDateTime, description="ends then, whatever happens")
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    device: str = Field(default="", max_length=80, sa_column_kwargs={"server_default": ""}, description="as people say")
    address: str = Field(default="", max_length=45, sa_column_kwargs={"server_default": ""})
    must_do: str = Field(
        default="",
        max_length=20,
        sa_column_kwargs={"server_default": ""},
        description="what its person has to do before anything else: an ``actor.Duty``",
    )
