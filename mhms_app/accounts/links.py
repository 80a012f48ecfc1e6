"""Links that are mailed to people: good once, for a while, and only until a newer one takes their place."""

from __future__ import annotations

import secrets

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from mhms_app import db, routes
from mhms_app.accounts.link_rules import GOOD_FOR, Purpose, in_words
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import AccountLink, User
from mhms_app.accounts.sessions import hash_token
from mhms_app.errors import ClinicError
from mhms_app.notifications import service as notifications


class LinkOver(ClinicError):
    """There is no such link any more; why not, nobody is told."""

    sentence = "This link is over: it was used already, is too old, or a newer one took its place."


def issue(session: Session, user: User, purpose: Purpose, *, sent_to: str = "") -> str:
    """Make a link for somebody whose row is locked, instead of their earlier one, and return its token.

    Args:
        sent_to: the address that it is mailed to; ``""`` is the account's.
    """
    end(session, user, purpose)
    token, now = secrets.token_urlsafe(32), db.clock.now()
    session.add(
        AccountLink(
            user_id=user.id or 0,
            purpose=purpose.value,
            token_hash=hash_token(token),
            sent_to=sent_to or user.email,
            created_at=now,
            expires_at=now + GOOD_FOR[purpose],
        )
    )
    session.flush()
    return token


def find(session: Session, *, token: str, purposes: tuple[Purpose, ...]) -> AccountLink:
    """Return what a token stands for, and use nothing up.

    Raises:
        LinkOver: nothing, not for one of these purposes, or the account is closed.
    """
    found = session.scalars(
        select(AccountLink)
        .join(User, col(User.id) == col(AccountLink.user_id))
        .where(
            col(AccountLink.token_hash) == hash_token(token),
            col(AccountLink.purpose).in_(purposes),
            col(AccountLink.used_at).is_(None),
            col(AccountLink.expires_at) > db.clock.now(),
            col(User.active),
        )
    ).first()
    if found is None:
        raise LinkOver
    return found


def use(session: Session, *, token: str, purposes: tuple[Purpose, ...]) -> tuple[AccountLink, User]:
    """Use a link up, by compare-and-swap: of two at once one wins. Returns it with its person, whose row is locked.

    Raises:
        LinkOver: as ``find``; or somebody else was faster.
    """
    link = find(session, token=token, purposes=purposes)
    user, now = lock_user(session, link.user_id), db.clock.now()
    used = session.execute(
        update(AccountLink)
        .where(col(AccountLink.id) == link.id, col(AccountLink.used_at).is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    if used.rowcount != 1 or not user.active:  # type: ignore[attr-defined]
        raise LinkOver
    return link, user


def end(session: Session, user: User, *purposes: Purpose) -> None:
    """End somebody's links for these purposes; without any, all of them."""
    chosen = (col(AccountLink.purpose).in_(purposes),) if purposes else ()
    session.execute(
        delete(AccountLink)
        .where(col(AccountLink.user_id) == user.id, *chosen)
        .execution_options(synchronize_session=False)
    )


def send_confirmation(session: Session, user: User, *, welcome: bool = False, then: str = "") -> None:
    """Mail somebody the link with which they confirm their address; their row is locked, or new.

    Args:
        welcome: they have just signed up.
        then: the page of this app where they were, to go on there.
    """
    token = issue(session, user, Purpose.CONFIRM_EMAIL)
    notifications.email_confirm(
        session,
        email=user.email,
        name=user.full_name,
        path=routes.with_query(routes.confirm(token), next=routes.safe_next(then)),
        good_for=in_words(GOOD_FOR[Purpose.CONFIRM_EMAIL]),
        welcome=welcome,
    )
