"""The step between the right password and a session, where somebody has a second factor; and a login by passkey.

A step is a random token in a cookie of its own: no session anywhere. It is good for one login, for ten minutes and
for five codes. What is locked: the step, then the account, then what belongs to it.

A refusal that has to be written down is returned instead of raised, so that its transaction is committed.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import entrance, factors, passkeys
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.factors import CodeUsed, PasskeyCopied
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import LoginStep, Totp, User
from mhms_app.accounts.passkeys import PasskeyRefused
from mhms_app.accounts.sessions import Browser, hash_token
from mhms_app.actor import Actor
from mhms_app.audit import service as audit
from mhms_app.errors import ClinicError
from mhms_app.notifications import service as notifications

GOOD_FOR = timedelta(minutes=10)
TRIES = 5
_SWEPT = timedelta(hours=1)  # so long after its end nobody holds a step any more


class StepOver(ClinicError):
    """There is no such step, or it is over, or the account is not what it was."""

    sentence = "This took too long. Please log in again."


class WrongCode(ClinicError):
    """A code that is not right, or was used already."""

    sentence = "This code is not right, or was used already. Please try another one."
    field = "code"


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that has just begun; its token is stored nowhere else."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StepView:
    """What a login that has begun can go on with.

    Attributes:
        has_app: codes of an authenticator app.
        passkey: what the browser needs to use one of the person's passkeys, as JSON; ``""`` when they have none.
    """

    has_app: bool
    passkey: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Somebody has shown who they are.

    Attributes:
        codes_left: how many recovery codes are left, when they have used one.
    """

    entered: Entered
    codes_left: int | None = None


def after_password(session: Session, *, user_id: int, browser: Browser, earlier: str) -> Entered | Begun:
    """Go on after the right password: a session, or the step before it where there is a second factor.

    Whoever calls has locked the account, and seen that the password still is the right one (``service.still_so``).
    """
    if not factors.has_one(session, user_id):
        return entrance.enter(session, user_id=user_id, browser=browser, earlier=earlier)
    return begin(session, user=session.get_one(User, user_id))


def begin(session: Session, *, user: User | None = None) -> Begun:
    """Begin a step.

    Args:
        user: whose password was right; None when a passkey has to say who it is.
    """
    token, now = secrets.token_urlsafe(32), db.clock.now()
    session.execute(delete(LoginStep).where(col(LoginStep.expires_at) < now - _SWEPT))
    mark = _mark(user) if user else ""
    row = LoginStep(token_hash=hash_token(token), password_mark=mark, expires_at=now + GOOD_FOR)
    row.user_id = user.id if user else None
    session.add(row)
    session.flush()
    return Begun(token)


def whose(session: Session, *, token: str) -> int:
    """Whose password was right.

    Raises:
        StepOver: nobody's.
    """
    user_id = session.scalar(select(col(LoginStep.user_id)).where(*_is_open(token)))
    if user_id is None:
        raise StepOver
    return user_id


def look(session: Session, _actor: Actor | None, *, token: str) -> StepView:
    """Say what a login can go on with; a passkey gets a new challenge.

    Raises:
        StepOver: there is no such login.
    """
    user_id = whose(session, token=token)
    own = [one.credential_id for one in factors.passkeys_of(session, user_id)]
    return StepView(
        has_app=session.get(Totp, user_id) is not None,
        passkey=ask_passkey(session, token=token, allowed=own) if own else "",
    )


def ask_passkey(session: Session, *, token: str, allowed: list[str] | None = None) -> str:
    """What the browser needs to use a passkey, as JSON, with a new challenge for this step.

    Args:
        allowed: the credentials of the person whose password was right.
    """
    challenge = passkeys.new_challenge()
    session.execute(update(LoginStep).where(*_is_open(token)).values(challenge=challenge))
    return passkeys.request_options(challenge, allowed=allowed or ())


def enter_code(
    session: Session, *, token: str, code: str, browser: Browser, earlier: str
) -> Passed | WrongCode | StepOver:
    """Finish a login with a code of the app or a recovery code. The try counts before the code is looked at.

    Raises:
        StepOver: there is no such login any more.
    """
    step = session.execute(
        update(LoginStep)
        .where(*_is_open(token), col(LoginStep.user_id).is_not(None))
        .values(tries=col(LoginStep.tries) + 1)
        .returning(LoginStep.id, LoginStep.user_id, LoginStep.password_mark, LoginStep.tries)  # type: ignore[call-overload]
    ).first()
    if step is None:
        raise StepOver
    user = _account(session, step.user_id, step.password_mark)
    used = factors.use_code(session, user_id=step.user_id, code=code)
    if used is None:
        _record(session, "session.refuse_code", step.user_id)
        return WrongCode() if step.tries < TRIES else StepOver("These were too many wrong codes. Please log in again.")
    entered = _enter(session, step.id, user, browser, earlier)
    if used.codes_left is not None:
        _tell_of_recovery(session, user, used)
    return Passed(entered, used.codes_left)


def enter_passkey(session: Session, *, token: str, answer: str, browser: Browser, earlier: str) -> Passed | ClinicError:
    """Finish a login with a passkey: as the second factor, or, in a step of nobody, instead of the password too.

    Raises:
        StepOver: there is no such login any more.
    """
    step = session.scalars(select(LoginStep).where(*_is_open(token)).with_for_update()).first()
    if step is None:
        raise StepOver
    challenge, step.challenge = step.challenge, ""  # good once, whatever the answer is
    session.flush()
    user_id = step.user_id
    try:
        user = _account(session, step.user_id or factors.owner_of(session, answer), step.password_mark)
        user_id = user.id
        factors.use_passkey(
            session, user_id=user.id or 0, answer=answer, challenge=challenge, by_itself=step.user_id is None
        )
    except PasskeyRefused as refusal:
        action = "passkey.copied" if isinstance(refusal, PasskeyCopied) else "session.refuse_passkey"
        _record(session, action, user_id)
        return refusal
    return Passed(_enter(session, step.id, user, browser, earlier))


def _is_open(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(LoginStep.token_hash) == hash_token(token),
        col(LoginStep.expires_at) > db.clock.now(),
        col(LoginStep.tries) < TRIES,
    )


def _account(session: Session, user_id: int, mark: str) -> User:
    """Lock the account, which must be open and, where there is a mark, have the password that it had.

    Raises:
        StepOver: it is not.
    """
    user = lock_user(session, user_id)
    if not user.active or mark not in ("", _mark(user)):
        raise StepOver
    return user


def _enter(session: Session, step_id: int | None, user: User, browser: Browser, earlier: str) -> Entered:
    session.execute(delete(LoginStep).where(col(LoginStep.id) == step_id))
    return entrance.enter(session, user_id=user.id or 0, browser=browser, earlier=earlier)


def _mark(user: User) -> str:
    """Changes with the password."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()


def _tell_of_recovery(session: Session, user: User, used: CodeUsed) -> None:
    _record(session, "second_factor.use_recovery_code", user.id, f"{used.codes_left} left")
    notifications.second_factor_changed(session, email=user.email, name=user.full_name, change="code_used")


def _record(session: Session, action: str, user_id: int | None, detail: str = "") -> None:
    audit.record(session, actor_id=None, action=action, object_type="user", object_id=user_id, detail=detail)
