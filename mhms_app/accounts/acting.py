"""An administrator acts as a patient or a doctor: for a reason, for half an hour, and under both names.

It is a login session of that person with nothing of a sign-in: no duty, no known device. The administrator's own
session stands still meanwhile (nobody has its token), and gets a new token at the end. What only the person themself
may do is refused by ``actor.require_oneself`` (``docs/adr/0020``).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from mhms_app.accounts import rules, sessions
from mhms_app.accounts.models import Acting, LoginSession, User
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Role, require_oneself, require_role
from mhms_app.audit import service as audit
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotFound
from mhms_app.notifications import service as notifications

LASTS = timedelta(minutes=30)
REASON = range(10, 301)  # characters


class NotThisPerson(ClinicError):
    """Nobody acts as an administrator, or in an account that is locked."""

    sentence = "You can act as patients and doctors whose account is open."
    field = "reason"


@dataclass(frozen=True, slots=True)
class Changed:
    """The session that the browser has from now on.

    Attributes:
        user_id: as whom the administrator acted, or acts.
    """

    token: str = field(repr=False)
    role: Role
    user_id: int


def begin(session: Session, actor: Actor | None, *, user_id: int, reason: str, browser: Browser) -> Changed:
    """Begin to act as somebody; the administrator's own session stands still from now on.

    Args:
        reason: why, for the audit trail and for the person; 10 to 300 characters.

    Raises:
        Invalid: the reason is too short or too long.
        NotFound: there is no such person.
        NotThisPerson: it is an administrator, or the account is locked.
    """
    admin = require_role(require_oneself(actor), Role.ADMIN)
    reason = rules.tidy_name(reason)
    if len(reason) not in REASON:
        raise Invalid("Please say why, in 10 to 300 characters.", field="reason")
    user = session.get(User, user_id)
    if user is None:
        raise NotFound
    if user.role == Role.ADMIN.value or not user.active:
        raise NotThisPerson
    _replace_token(session, admin.session_id)
    token, session_id = sessions.add(session, user_id=user_id, browser=browser, lasts=LASTS)
    session.add(Acting(session_id=session_id, admin_id=admin.user_id, admin_session_id=admin.session_id, reason=reason))
    audit.record(
        session,
        actor_id=admin.user_id,
        action="acting.begin",
        object_type="user",
        object_id=user_id,
        detail=reason,
    )
    notifications.acted_for_you(session, email=user.email, name=user.full_name, reason=reason)
    return Changed(token, Role(user.role), user_id)


def end(session: Session, *, token: str) -> Changed:
    """Stop acting, or come back after its time: the administrator's own session goes on with a new token.

    Args:
        token: of the session in which they act; it may be over.

    Raises:
        LoginRequired: nobody acts there, or the administrator's own session is over too.
    """
    found = _paused(session, token)
    if found is None:
        raise LoginRequired
    acting, person_id = found
    sessions.end(session, col(LoginSession.id) == acting.session_id)
    session.delete(acting)  # whoever finds the token later goes nowhere with it
    audit.record(
        session,
        actor_id=acting.admin_id,
        action="acting.end",
        object_type="user",
        object_id=person_id,
        session_id=acting.admin_session_id,
    )
    own = _replace_token(session, acting.admin_session_id)
    return Changed(own, Role.ADMIN, person_id)


def can_come_back(session: Session, _actor: Actor | None, *, token: str) -> bool:
    """Whether ``end`` would lead the browser with this token back to an administrator's own session."""
    return _paused(session, token) is not None


def _paused(session: Session, token: str) -> tuple[Acting, int] | None:
    """In which session somebody acts with this token and as whom, if the administrator's own still stands."""
    found = session.execute(
        select(Acting, col(LoginSession.user_id))
        .join(LoginSession, col(LoginSession.id) == col(Acting.session_id))
        .where(col(LoginSession.token_hash) == sessions.hash_token(token))
    ).first()
    if found is None or not sessions.administrator_stands(session, found[0]):
        return None
    return found[0], found[1]


def _replace_token(session: Session, session_id: int) -> str:
    """Give a session a new token; the tabs that have the old one are nobody's from now on."""
    token = secrets.token_urlsafe(32)
    own = session.get_one(LoginSession, session_id)
    sessions.announce_end(session, own.token_hash)
    session.execute(
        update(LoginSession)
        .where(col(LoginSession.id) == session_id)
        .values(token_hash=sessions.hash_token(token))
        .execution_options(synchronize_session="fetch")
    )
    return token
