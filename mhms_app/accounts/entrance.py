"""Where every login session begins, however its person has shown who they are."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session

from mhms_app.accounts import devices, factors, sessions
from mhms_app.accounts.models import User
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Duty, Role


@dataclass(frozen=True, slots=True)
class Entered:
    """A session that has just begun.

    Attributes:
        token: what the browser keeps; it is stored nowhere else.
        must_do: what its person has to do before anything else, or None.
        device_token: by which the browser is known from now on.
    """

    token: str = field(repr=False)
    role: Role
    must_do: Duty | None
    device_token: str = field(repr=False)


def enter(session: Session, *, user_id: int, browser: Browser, earlier: str = "") -> Entered:
    """Begin a session of somebody who has shown who they are, and end the one that this browser had before.

    Args:
        earlier: the token of the browser's session until now, or ``""``.
    """
    user = session.get_one(User, user_id)
    sessions.close(session, token=earlier)
    must_do = _duty(session, user)
    device = devices.meet(session, user=user, browser=browser)
    token = sessions.open_session(session, user_id=user_id, browser=browser, must_do=must_do, device_id=device.id)
    return Entered(token, Role(user.role), must_do, device.token)


def _duty(session: Session, user: User) -> Duty | None:
    """What somebody has to do before anything else, and first."""
    if user.password_is_temporary:
        return Duty.PASSWORD
    if factors.needs_one(Role(user.role)) and not factors.has_one(session, user.id or 0):
        return Duty.SECOND_FACTOR
    return None
