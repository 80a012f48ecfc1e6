"""Choosing one's own password: after forgetting it, instead of a temporary one, or another one.

Hashing and judging take long, so they happen outside: what comes here is judged already, and is a hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session, select

from mhms_app import db, routes
from mhms_app.accounts import devices, entrance, links, passwords, sessions, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.link_rules import CHANGING, GOOD_FOR, Purpose, in_words
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import User
from mhms_app.accounts.rules import network_of
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Duty, require_oneself
from mhms_app.audit import service as audit
from mhms_app.errors import ClinicError, Invalid
from mhms_app.notifications import service as notifications


class WrongPassword(ClinicError):
    """The password that somebody types again is not theirs."""

    sentence = "This is not your password."
    field = "current"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose password it is.

    Attributes:
        password_hash: of the one until now.
        must_choose: they have just logged in with it, and nothing else opens before they have chosen another.
    """

    email: str
    name: str
    password_hash: str = field(repr=False)
    must_choose: bool = False


def ask_reset(session: Session, *, email: str) -> None:
    """Mail a link to whoever has an account with this address; to the one who asks, all addresses are alike."""
    try:
        key = accounts.email_key(accounts.tidy_email(email))
    except Invalid:
        key = ""
    user = session.exec(select(User).where(User.email_key == key, User.active).with_for_update()).first()
    _record(session, None, "password.forget", user)
    if user is None:
        return
    token = links.issue(session, user, Purpose.RESET_PASSWORD)
    notifications.password_reset(
        session,
        email=user.email,
        name=user.full_name,
        path=routes.reset(token),
        good_for=in_words(GOOD_FOR[Purpose.RESET_PASSWORD]),
    )


def resetting(session: Session, _actor: Actor | None, *, token: str) -> Owner:
    """Whose password a link sets.

    Raises:
        LinkOver: nobody's any more.
    """
    link = links.find(session, token=token, purposes=(Purpose.RESET_PASSWORD,))
    user = session.get_one(User, link.user_id)
    return Owner(user.email, user.full_name, user.password_hash)


def reset(session: Session, *, token: str, password_hash: str, browser: Browser) -> str:
    """Set the password of whoever was mailed this link; all their sessions end, and nobody is logged in.

    The link has reached its address, which is confirmed by that. Returns the token by which the browser is known from
    now on: so its person can log in, however many others try to.

    Raises:
        LinkOver: it is good for nothing any more.
    """
    _, user = links.use(session, token=token, purposes=(Purpose.RESET_PASSWORD,))
    user.email_confirmed_at = user.email_confirmed_at or db.clock.now()
    _set(session, user, password_hash)
    links.end(session, user, Purpose.CONFIRM_EMAIL, *CHANGING)
    _record(session, None, "password.reset", user)
    return devices.meet(session, user=user, browser=browser, tell=False).token


def own(session: Session, actor: Actor | None) -> Owner:
    """Oneself, as somebody with a password."""
    person = require_oneself(actor, with_duty=True)
    known = session.get_one(User, person.user_id).password_hash
    return Owner(person.email, person.name, known, must_choose=person.must_do is Duty.PASSWORD)


def prove(owner: Owner, *, password: str, address: str) -> None:
    """Check a password that somebody types again to show that it is them; it counts like a login from this address.

    Raises:
        TooManyAttempts, WrongPassword: it was tried too often, or is not theirs.
    """
    tried = f"{accounts.email_key(owner.email)} {network_of(address)}"
    throttle.check(login_place=tried)
    if not passwords.verify(password[:1024], owner.password_hash):
        raise WrongPassword
    throttle.forget(login_place=tried)


def change(session: Session, actor: Actor | None, *, known_hash: str, password_hash: str, browser: Browser) -> Entered:
    """Set one's own password, and begin a new session; every other one ends.

    Args:
        known_hash: of the password until now, as ``own`` gave it.

    Raises:
        WrongPassword: it was changed meanwhile.
    """
    person = require_oneself(actor, with_duty=True)
    user = lock_user(session, person.user_id)
    if user.password_hash != known_hash:
        raise WrongPassword
    _set(session, user, password_hash)
    links.end(session, user, Purpose.RESET_PASSWORD)
    _record(session, person, "password.change", user)
    return entrance.enter(session, user_id=person.user_id, browser=browser)


def _set(session: Session, user: User, password_hash: str) -> None:
    user.password_hash, user.password_is_temporary, user.password_ends_at = password_hash, False, None
    session.add(user)
    session.flush()
    sessions.close_all(session, user_id=user.id or 0)
    notifications.password_changed(session, email=user.email, name=user.full_name)


def _record(session: Session, actor: Actor | None, action: str, user: User | None) -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="user",
        object_id=user.id if user else None,
    )
