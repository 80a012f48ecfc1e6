"""What an administrator can do to somebody's access: each is in the audit trail, and its owner is told by e-mail."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from mhms_app.accounts import factors, own_sessions, sessions
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import User
from mhms_app.accounts.own_sessions import OpenSession, SignIn
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.errors import ClinicError, NotFound
from mhms_app.notifications import service as notifications

_SIGN_INS = 20


class NotYourself(ClinicError):
    """What is meant for others would only lock the administrator out."""

    sentence = "This is for others. Your own account you look after under Account."


@dataclass(frozen=True, slots=True)
class Access:
    """How somebody can get in, and when they did.

    Attributes:
        must_choose: they choose a new password at the next login.
        sign_ins: the latest first, refused ones too.
    """

    has_second_factor: bool
    must_choose: bool
    sessions: tuple[OpenSession, ...]
    sign_ins: tuple[SignIn, ...]


def access(session: Session, actor: Actor | None, *, user_id: int) -> Access:
    """How somebody can get in, for an administrator."""
    require_role(actor, Role.ADMIN)
    return Access(
        factors.has_one(session, user_id),
        session.get_one(User, user_id).password_is_temporary,
        own_sessions.standing(session, user_id=user_id),
        own_sessions.sign_ins(session, user_id=user_id, most=_SIGN_INS),
    )


def ask_for_new_password(session: Session, actor: Actor | None, *, user_id: int) -> None:
    """End somebody's sessions; at the next login they choose a new password before anything else.

    Raises:
        NotFound, NotYourself: there is no such user, or they have closed their account; or it is the administrator.
    """
    user = _other(session, actor, user_id)
    user.password_is_temporary = True
    session.add(user)
    sessions.close_all(session, user_id=user_id)
    _tell(session, actor, user, "user.force_password", "new_password_asked")


def end_sessions(session: Session, actor: Actor | None, *, user_id: int) -> None:
    """Log somebody out everywhere.

    Raises:
        NotFound, NotYourself: as above.
    """
    user = _other(session, actor, user_id)
    sessions.close_all(session, user_id=user_id)
    _tell(session, actor, user, "session.end_all", "sessions_ended")


def _other(session: Session, actor: Actor | None, user_id: int) -> User:
    admin = require_role(actor, Role.ADMIN)
    if admin.user_id == user_id:
        raise NotYourself
    user = lock_user(session, user_id)
    if user.closed_at:
        raise NotFound
    return user


def _tell(session: Session, actor: Actor | None, user: User, action: str, told: notifications.AccountAction) -> None:
    """Write it into the trail, and tell the owner of the account."""
    audit.record(
        session,
        actor_id=require_role(actor, Role.ADMIN).user_id,
        action=action,
        object_type="user",
        object_id=user.id,
    )
    notifications.account_action(session, email=user.email, name=user.full_name, action=told)
