"""People with a second factor, for tests."""

from __future__ import annotations

from datetime import timedelta

import pyotp
from sqlmodel import Session

from mhms_app import db
from mhms_app.accounts import factors, second_factor, totp
from mhms_app.accounts.models import Passkey, Totp, User
from mhms_app.sealed import seal
from tests import builders
from tests.accounts.authenticator import Authenticator


def an_app(session: Session, user: User) -> str:
    """Give somebody an authenticator app; returns its secret."""
    secret = totp.new_secret()
    builders.added(
        session,
        Totp(user_id=builders.key(user), sealed_secret=seal(secret), last_step=0, created_at=db.clock.now()),
    )
    return secret


def recovery_codes(session: Session, user: User) -> tuple[str, ...]:
    """Give somebody recovery codes."""
    return factors.new_recovery_codes(session, builders.key(user))


def a_passkey(session: Session, user: User, *, name: str = "Phone") -> Authenticator:
    """Give somebody a passkey, in the way that they would take."""
    device, actor = Authenticator(), builders.actor(session, user)
    options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name=name)
    second_factor.add_passkey(session, actor, answer=device.make(options))
    session.flush()
    return device


def code_of(secret: str, *, steps: int = 0) -> str:
    """What the app shows now, or some steps of thirty seconds from now."""
    return pyotp.TOTP(secret).at(db.clock.now() + timedelta(seconds=30 * steps))


def passkeys_of(session: Session, user: User) -> list[Passkey]:
    """Somebody's passkeys, as they are stored."""
    return factors.passkeys_of(session, builders.key(user))
