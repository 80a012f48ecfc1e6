"""People who can log in, and their login sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, false, text, true
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
    password_ends_at: datetime | None = Field(
        default=None, sa_type=UTCDateTime, description="until when one that was mailed opens a session"
    )
    closed_at: datetime | None = Field(default=None, sa_type=UTCDateTime, description="its owner has closed it")
    time_zone: str = Field(
        default="",
        max_length=64,
        sa_column_kwargs={"server_default": ""},
        description="in which its owner also reads times; empty is the clinic's",
    )


class Patient(SQLModel, table=True):
    """Somebody who is seen by doctors."""

    __tablename__ = "patient"

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id", unique=True)
    reminded: bool = Field(
        default=True, sa_column_kwargs={"server_default": true()}, description="of appointments, by e-mail"
    )


class LoginSession(SQLModel, table=True):
    """One login on one browser. Only the SHA-256 of its 256-bit token is stored."""

    __tablename__ = "login_session"
    __table_args__ = (
        Index("ix_login_session_user_open", "user_id", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_login_session_user_address", "user_id", "address"),
    )

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
    device_id: int | None = Field(default=None, description="the ``KnownDevice`` on which it is")


class KnownDevice(SQLModel, table=True):
    """A browser with which somebody has logged in. Only the SHA-256 of its 256-bit token is stored.

    One that is forgotten stays for the records, and is as unknown as any other at the next login.
    """

    __tablename__ = "known_device"
    __table_args__ = (Index("uq_known_device_user_token", "user_id", "token_hash", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id")
    token_hash: str = Field(max_length=64)
    device: str = Field(max_length=80, description="as people say")
    first_seen_at: datetime = Field(sa_type=UTCDateTime)
    last_seen_at: datetime = Field(sa_type=UTCDateTime)
    forgotten_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Acting(SQLModel, table=True):
    """An administrator acts as the person whose login session this is."""

    __tablename__ = "acting"

    session_id: int = Field(foreign_key="login_session.id", primary_key=True, sa_column_kwargs={"autoincrement": False})
    admin_id: int = Field(foreign_key="user_account.id")
    admin_session_id: int = Field(foreign_key="login_session.id", description="where the administrator goes back to")
    reason: str = Field(max_length=300)


class AccountLink(SQLModel, table=True):
    """A link that was mailed to somebody, who has at most one for each purpose; a newer one takes its place.

    Only the SHA-256 of its 256-bit token is stored.
    """

    __tablename__ = "account_link"
    __table_args__ = (
        UniqueConstraint("user_id", "purpose"),
        CheckConstraint(
            "purpose IN ('confirm_email', 'reset_password', 'change_email_old', 'change_email_new')",
            name="purpose_known",
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id")
    purpose: str = Field(max_length=20, description="a ``link_rules.Purpose``")
    token_hash: str = Field(max_length=64, unique=True)
    sent_to: str = Field(max_length=254, description="the address that shows itself to be somebody's by its use")
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Totp(SQLModel, table=True):
    """Somebody's authenticator app (RFC 6238)."""

    __tablename__ = "totp"

    user_id: int = Field(foreign_key="user_account.id", primary_key=True, sa_column_kwargs={"autoincrement": False})
    sealed_secret: str = Field(max_length=400)
    last_step: int = Field(sa_type=BigInteger, description="of the last code: that one and those before are used up")
    created_at: datetime = Field(sa_type=UTCDateTime)


class Passkey(SQLModel, table=True):
    """A WebAuthn credential. All of one person have the same ``user_handle``, which says nothing about them."""

    __tablename__ = "passkey"
    __table_args__ = (Index("ix_passkey_user", "user_id"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id")
    user_handle: str = Field(max_length=86, description="base64url")
    credential_id: str = Field(max_length=1400, unique=True, description="base64url")
    public_key: bytes = Field(description="COSE_Key")
    sign_count: int = Field(sa_type=BigInteger)
    name: str = Field(max_length=60)
    created_at: datetime = Field(sa_type=UTCDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class RecoveryCode(SQLModel, table=True):
    """A code for whoever has lost their phone, good once. Only the SHA-256 of its 83 random bits is stored."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index("ix_recovery_code_user", "user_id"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id")
    code_hash: str = Field(max_length=64, unique=True)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class FactorSetup(SQLModel, table=True):
    """A second factor that somebody is setting up in one login session, until they have shown that it works."""

    __tablename__ = "factor_setup"

    session_id: int = Field(foreign_key="login_session.id", primary_key=True, sa_column_kwargs={"autoincrement": False})
    sealed_secret: str = Field(default="", max_length=400, description="of an authenticator app")
    challenge: str = Field(default="", max_length=86, description="of a passkey, base64url")
    user_handle: str = Field(default="", max_length=86)
    passkey_name: str = Field(default="", max_length=60)
    expires_at: datetime = Field(sa_type=UTCDateTime)


class LoginStep(SQLModel, table=True):
    """A login that has begun and is not over: no session anywhere. Only the SHA-256 of its 256-bit token is stored.

    ``user_id`` is whose password was right; None where a passkey has to say who it is.
    """

    __tablename__ = "login_step"
    __table_args__ = (Index("ix_login_step_expires_at", "expires_at"),)

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(max_length=64, unique=True)
    user_id: int | None = Field(default=None, foreign_key="user_account.id")
    password_mark: str = Field(default="", max_length=64, description="SHA-256 of the password's hash at that moment")
    challenge: str = Field(default="", max_length=86, description="of a passkey, base64url; empty when it is used up")
    tries: int = 0
    expires_at: datetime = Field(sa_type=UTCDateTime)
