"""The address of an account: confirming it, and changing it with the consent of both mailboxes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlmodel import Session, col

from mhms_app import db, routes
from mhms_app.accounts import links, sessions, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.link_rules import CHANGING, CONFIRMING, GOOD_FOR, Purpose, in_words
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import AccountLink, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.service import EmailTaken
from mhms_app.actor import Actor, require_oneself, require_person
from mhms_app.audit import service as audit
from mhms_app.errors import Invalid
from mhms_app.notifications import service as notifications

Outcome = Literal["confirmed", "half", "changed", "taken"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of address under way.

    Attributes:
        left, taken: the old and the new mailbox have agreed; an address that was never confirmed is not asked.
        until: aware UTC; then it is as if nobody had asked.
    """

    email: str
    left: bool
    taken: bool
    until: datetime


@dataclass(frozen=True, slots=True)
class Address:
    """The address of an account."""

    email: str
    is_confirmed: bool
    change: Change | None


@dataclass(frozen=True, slots=True)
class Offered:
    """What a link does when it is used."""

    purpose: Purpose
    email: str


def look(session: Session, actor: Actor | None) -> Address:
    """Return one's own address."""
    person = require_person(actor)
    user = session.get_one(User, person.user_id)
    return Address(user.email, user.email_confirmed_at is not None, _change(session, user))


def offered(session: Session, _actor: Actor | None, *, token: str) -> Offered:
    """Say what a link does, to whoever has it.

    Raises:
        LinkOver: nothing any more.
    """
    link = links.find(session, token=token, purposes=CONFIRMING)
    return Offered(Purpose(link.purpose), link.sent_to)


def send_again(session: Session, actor: Actor | None, *, then: str = "") -> str:
    """Mail oneself another link to confirm one's address, and return the address; nothing is sent when it is confirmed.

    Args:
        then: the page of this app where they are, to go on there.

    Raises:
        TooManyAttempts: asked for too often.
    """
    person = require_oneself(actor)
    throttle.check(confirm_account=person.email)
    user = lock_user(session, person.user_id)
    if user.email_confirmed_at is None:
        links.send_confirmation(session, user, then=then)
        _record(session, person, "address.send_again", user)
    return user.email


def ask_change(session: Session, actor: Actor | None, *, email: str, current_hash: str) -> Address:
    """Ask both mailboxes to agree to another address. Whether it has an account already is not said here.

    Args:
        current_hash: of the password that the person has just typed again, and that was found to be right.

    Raises:
        Invalid: it is no address, or the account has it already.
        TooManyAttempts: asked for too often.
        WrongPassword: the password was changed meanwhile.
    """
    person = require_oneself(actor)
    email = accounts.tidy_email(email)
    throttle.check(confirm_account=person.email)
    user = lock_user(session, person.user_id)
    if user.password_hash != current_hash:
        raise WrongPassword
    if accounts.email_key(email) == user.email_key:
        raise Invalid("This is your address already.", field="email")
    links.end(session, user, *CHANGING)
    if user.email_confirmed_at is not None:
        _mail(session, user, Purpose.CHANGE_OLD, to=user.email, email=email)
    _mail(session, user, Purpose.CHANGE_NEW, to=email, email=email)
    _record(session, person, "address.ask", user)
    return look(session, actor)


def take_back(session: Session, actor: Actor | None) -> Address:
    """Give up a change of address."""
    person = require_oneself(actor)
    user = lock_user(session, person.user_id)
    if _change(session, user):
        links.end(session, user, *CHANGING)
        _record(session, person, "address.take_back", user)
    return look(session, actor)


def confirm(session: Session, actor: Actor | None, *, token: str) -> Outcome:
    """Use a link: confirm an address, or agree to a change of it; no login is needed, the mailbox is the proof.

    Returns:
        ``half``: the other mailbox has to agree too. ``taken``: another account has the address by now.

    Raises:
        LinkOver: there is nothing to do with it any more.
    """
    link, user = links.use(session, token=token, purposes=CONFIRMING)
    if link.purpose == Purpose.CONFIRM_EMAIL:
        user.email_confirmed_at = db.clock.now()
        session.add(user)
        _record(session, actor, "address.confirm", user)
        return "confirmed"
    _record(session, actor, "address.agree", user, detail=link.purpose)
    change = _change(session, user)
    if change is None or not (change.left and change.taken):
        return "half"
    return _take_effect(session, actor, user, change.email)


def _take_effect(session: Session, actor: Actor | None, user: User, email: str) -> Outcome:
    """Give the account its new address, tell both, and end every session but the one in which this happens."""
    old = user.email if user.email_confirmed_at is not None else ""
    links.end(session, user)
    try:
        with accounts.unique_address(session):
            user.email, user.email_key, user.email_confirmed_at = email, accounts.email_key(email), db.clock.now()
            session.add(user)
    except EmailTaken:
        return "taken"
    here = actor.session_id if actor and actor.user_id == user.id else None
    sessions.close_all(session, user_id=user.id or 0, but=here)
    for address in filter(None, (old, email)):
        notifications.email_changed(session, email=address, name=user.full_name, by="owner")
    _record(session, actor, "address.change", user)
    return "changed"


def _change(session: Session, user: User) -> Change | None:
    """The change of address under way, if any."""
    found = {
        Purpose(link.purpose): link
        for link in session.scalars(
            select(AccountLink)
            .where(
                col(AccountLink.user_id) == user.id,
                col(AccountLink.purpose).in_(CHANGING),
                col(AccountLink.expires_at) > db.clock.now(),
            )
            .execution_options(populate_existing=True)
        )
    }
    old, new = found.get(Purpose.CHANGE_OLD), found.get(Purpose.CHANGE_NEW)
    if new is None:
        return None
    return Change(new.sent_to, old is None or old.used_at is not None, new.used_at is not None, new.expires_at)


def _mail(session: Session, user: User, purpose: Purpose, *, to: str, email: str) -> None:
    """Ask one of the mailboxes; whoever has an account with the new address is told instead, and asked nothing."""
    token = links.issue(session, user, purpose, sent_to=to)
    other = select(User).where(col(User.email_key) == accounts.email_key(to), col(User.id) != user.id)
    taken_by = session.scalars(other).first()
    notifications.email_change(
        session,
        email=to,
        name=(taken_by or user).full_name,
        side="taken" if taken_by else "old" if purpose is Purpose.CHANGE_OLD else "new",
        new_email=email,
        path=routes.LOGIN if taken_by else routes.confirm(token),
        good_for=in_words(GOOD_FOR[purpose]),
    )


def _record(session: Session, actor: Actor | None, action: str, user: User, *, detail: str = "") -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="user",
        object_id=user.id,
        detail=detail,
    )
