"""The browsers with which somebody logs in: a new one is told to its owner, a known one is trusted a little more."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import KnownDevice, User
from mhms_app.accounts.sessions import Browser
from mhms_app.notifications import service as notifications


@dataclass(frozen=True, slots=True)
class Met:
    """A browser at a login.

    Attributes:
        id: of its ``KnownDevice``.
        token: what the browser keeps, for this and every other account that is used on it.
    """

    id: int
    token: str = field(repr=False)


def meet(session: Session, *, user: User, browser: Browser, tell: bool = True) -> Met:
    """Write down that somebody logs in with this browser; a new one is told to them, but for the account's first.

    Args:
        tell: False where they are told anyway.
    """
    session.refresh(user, with_for_update={"key_share": True})  # two logins at once meet one after the other
    now, token = db.clock.now(), browser.device_token or secrets.token_urlsafe(32)
    theirs = list(session.scalars(select(KnownDevice).where(col(KnownDevice.user_id) == user.id)))
    hashed = _hash(token)
    device = next((each for each in theirs if each.token_hash == hashed), None)
    if device is None or device.forgotten_at is not None:
        if theirs and tell:
            _tell(session, user, replace(browser, device=browser.device or "An unknown device"))
        device = device or KnownDevice(
            user_id=user.id or 0, token_hash=hashed, device="", first_seen_at=now, last_seen_at=now
        )
    device.device, device.last_seen_at, device.forgotten_at = browser.device[:80], now, None
    session.add(device)
    session.flush()
    return Met(device.id or 0, token)


def known(session: Session, *, email_key: str, device_token: str) -> bool:
    """Say whether somebody with this address has logged in with this browser before."""
    if not device_token:
        return False
    found = (
        select(col(KnownDevice.id))
        .join(User, col(User.id) == col(KnownDevice.user_id))
        .where(
            col(User.email_key) == email_key,
            col(KnownDevice.token_hash) == _hash(device_token),
            col(KnownDevice.forgotten_at).is_(None),
        )
    )
    return session.scalar(found) is not None


def forget(session: Session, *conditions: ColumnElement[bool], user_id: int) -> None:
    """Let these devices of somebody be as unknown as any other at the next login.

    Args:
        conditions: which of them; all, when there are none.
    """
    session.execute(
        update(KnownDevice)
        .where(col(KnownDevice.user_id) == user_id, col(KnownDevice.forgotten_at).is_(None), *conditions)
        .values(forgotten_at=db.clock.now())
        .execution_options(synchronize_session=False)
    )


def _tell(session: Session, user: User, browser: Browser) -> None:
    notifications.sign_in_new_device(
        session, email=user.email, name=user.full_name, device=browser.device, address=browser.address
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
