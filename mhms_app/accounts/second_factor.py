"""Setting up, changing and removing one's own second factors; and an administrator who helps whoever has lost theirs.

Every change needs the password again. It is compared outside, because that takes long (``own_password.prove``): what
comes here is the hash that it fits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts import entrance, factors, passkeys, rules, sessions, throttle, totp
from mhms_app.accounts import service as accounts
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.login_step import WrongCode
from mhms_app.accounts.models import FactorSetup, Passkey, Totp, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.passkeys import PasskeyRefused
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Duty, Role, require_oneself, require_person, require_role
from mhms_app.audit import service as audit
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications import service as notifications
from mhms_app.notifications.service import FactorChange
from mhms_app.sealed import Unreadable, seal, unseal

SETUP = timedelta(minutes=30)
_MOST_PASSKEYS = 20


class SetupOver(ClinicError):
    """What is being set up was begun elsewhere, or too long ago."""

    sentence = "This took too long, or was begun in another window. Please begin again."


class LastFactor(ClinicError):
    """Nothing would be left, and the role needs something."""

    sentence = "Your role needs a second factor. Set up another one before you remove this."


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """One passkey of a list; instants are aware UTC."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Factors:
    """Somebody's second factors.

    Attributes:
        app_since: since when there is an authenticator app, aware UTC; None when there is none.
        codes_left: recovery codes that are not used.
        is_duty: nothing else can be done before there is one.
    """

    app_since: datetime | None
    passkeys: tuple[PasskeyRow, ...]
    codes_left: int
    is_duty: bool


@dataclass(frozen=True, slots=True)
class NewApp:
    """What an authenticator app is given: the secret to type, and the same as a picture to scan."""

    secret: str = field(repr=False)
    qr_code: str = field(repr=False)


def overview(session: Session, actor: Actor | None) -> Factors:
    """The acting person's second factors."""
    person = require_person(actor, with_duty=True)
    app = session.get(Totp, person.user_id)
    return Factors(
        app_since=app.created_at if app else None,
        passkeys=tuple(
            PasskeyRow(one.id or 0, one.name, one.created_at, one.last_used_at)
            for one in factors.passkeys_of(session, person.user_id)
        ),
        codes_left=factors.codes_left(session, person.user_id),
        is_duty=person.must_do is Duty.SECOND_FACTOR,
    )


def begin_app(session: Session, actor: Actor | None) -> NewApp:
    """Make a secret for an authenticator app; it is worth nothing until ``add_app``."""
    person = require_oneself(actor, with_duty=True)
    secret = totp.new_secret()
    _begin(session, FactorSetup(session_id=person.session_id, sealed_secret=seal(secret), expires_at=_until()))
    return NewApp(totp.in_groups(secret), totp.qr_code(secret, email=person.email))


def add_app(
    session: Session, actor: Actor | None, *, known_hash: str, code: str, old_code: str = ""
) -> tuple[str, ...]:
    """Use the app that was begun from now on, in place of another one; its code shows that it works.

    Args:
        code: one that the app shows now.
        old_code: one of the app until now, or a recovery code; not needed for the first app.

    Returns:
        The recovery codes, to be shown once; none when there are some already.

    Raises:
        WrongPassword, WrongCode, SetupOver: as they say.
    """
    person, user = _oneself(session, actor, known_hash)
    setup = session.get(FactorSetup, person.session_id, populate_existing=True)
    if setup is None or not setup.sealed_secret or setup.expires_at <= db.clock.now():
        raise SetupOver
    try:
        secret = unseal(setup.sealed_secret)
    except Unreadable:
        raise SetupOver from None
    step = totp.matching_step(secret, "".join(code.split()), now=db.clock.now())
    if step is None:
        raise WrongCode("This is not the code that the app shows now. Is the clock of your phone right?")
    app = session.get(Totp, person.user_id, populate_existing=True)
    if app:
        _use_code(session, person, old_code, field="old_code")
    session.delete(setup)
    now = db.clock.now()
    session.merge(Totp(user_id=person.user_id, sealed_secret=seal(secret), last_step=step, created_at=now))
    _changed(session, person, user, "app_on")
    return _first_codes(session, person)


def remove_app(session: Session, actor: Actor | None, *, known_hash: str, code: str) -> None:
    """Remove the authenticator app.

    Args:
        code: one that it shows now, or a recovery code.

    Raises:
        WrongPassword, WrongCode, LastFactor: as they say.
    """
    person, user = _oneself(session, actor, known_hash)
    _use_code(session, person, code, field="code")
    session.execute(delete(Totp).where(col(Totp.user_id) == person.user_id))
    _keep_one(session, person)
    _changed(session, person, user, "app_off")


def begin_passkey(session: Session, actor: Actor | None, *, known_hash: str, name: str) -> str:
    """What the browser needs to make a passkey, as JSON.

    Args:
        name: as its owner calls it.

    Raises:
        WrongPassword: it is not.
        Invalid: there is no name, or there are enough passkeys.
    """
    person, user = _oneself(session, actor, known_hash)
    name = rules.tidy_name(name)
    own = factors.passkeys_of(session, person.user_id)
    if not name or len(name) > 60:
        raise Invalid("Give it a name by which you will know it, of at most 60 characters.", field="name")
    if len(own) >= _MOST_PASSKEYS:
        raise Invalid("These are enough passkeys. Remove one that you no longer use.", field="name")
    setup = FactorSetup(
        session_id=person.session_id,
        challenge=passkeys.new_challenge(),
        user_handle=own[0].user_handle if own else passkeys.new_user_handle(),
        passkey_name=name,
        expires_at=_until(),
    )
    _begin(session, setup)
    return passkeys.creation_options(
        setup.challenge,
        user_handle=setup.user_handle,
        email=user.email,
        name=user.full_name,
        known=[one.credential_id for one in own],
    )


def add_passkey(session: Session, actor: Actor | None, *, answer: str) -> tuple[str, ...]:
    """Take the passkey that the browser has made.

    Returns:
        The recovery codes, to be shown once; none when there are some already.

    Raises:
        PasskeyRefused: it does not answer the question that this login session was asked last.
        LoginRequired: the session was ended meanwhile.
    """
    person = require_oneself(actor, with_duty=True)
    user = _lock_standing(session, person)
    setup = session.get(FactorSetup, person.session_id, populate_existing=True)
    if setup is None or setup.expires_at <= db.clock.now():
        raise PasskeyRefused
    made = passkeys.check_new(answer, challenge=setup.challenge)
    session.delete(setup)
    session.flush()
    try:
        with session.begin_nested():
            session.add(
                Passkey(
                    user_id=person.user_id,
                    user_handle=setup.user_handle,
                    credential_id=made.credential_id,
                    public_key=made.public_key,
                    sign_count=made.sign_count,
                    name=setup.passkey_name,
                    created_at=db.clock.now(),
                )
            )
    except IntegrityError as error:
        if db.violated(error) == "uq_passkey_credential_id":
            raise PasskeyRefused from None
        raise
    _changed(session, person, user, "passkey_on")
    return _first_codes(session, person)


def remove_passkey(session: Session, actor: Actor | None, *, known_hash: str, passkey_id: int) -> None:
    """Remove one of the acting person's passkeys.

    Raises:
        WrongPassword, LastFactor: as they say.
        NotFound: there is no such passkey, or it is somebody else's.
    """
    person, user = _oneself(session, actor, known_hash)
    row = session.get(Passkey, passkey_id)
    if row is None or row.user_id != person.user_id:
        raise NotFound
    session.delete(row)
    session.flush()
    _keep_one(session, person)
    _changed(session, person, user, "passkey_off")


def new_codes(session: Session, actor: Actor | None, *, known_hash: str) -> tuple[str, ...]:
    """Make recovery codes in place of those that there are.

    Raises:
        WrongPassword: it is not.
        NotFound: there is no second factor to recover.
    """
    person, user = _oneself(session, actor, known_hash)
    if not factors.has_one(session, person.user_id):
        raise NotFound
    _changed(session, person, user, "codes_new")
    return factors.new_recovery_codes(session, person.user_id)


def go_on(session: Session, actor: Actor | None, *, browser: Browser, earlier: str) -> Entered | None:
    """Begin a new session for whoever had to set up a second factor first, and has; None for everybody else.

    Only for them: whoever could renew a session at will would pass its absolute limit.

    Args:
        earlier: the token of the session, which ends.

    Raises:
        LoginRequired: the session was ended meanwhile.
    """
    person = require_oneself(actor, with_duty=True)
    _lock_standing(session, person)
    if person.must_do is not Duty.SECOND_FACTOR or not factors.has_one(session, person.user_id):
        return None
    return entrance.enter(session, user_id=person.user_id, browser=browser, earlier=earlier)


def reset(session: Session, actor: Actor | None, *, user_id: int) -> None:
    """Take a lost second factor away from somebody else, for an administrator; their sessions end.

    Raises:
        NotFound: there is no such user.
        NotAllowed: it is their own.
    """
    admin = require_role(actor, Role.ADMIN)
    if admin.user_id == user_id:
        raise NotAllowed("Your own second factor you remove yourself, under Security.")
    _reset(session, lock_user(session, user_id), by=admin)


def reset_from_outside(session: Session, *, email: str) -> None:
    """The same from the command line, where there is no administrator who could log in.

    Raises:
        NotFound: nobody has this address.
    """
    found = accounts.find_credentials(session, email=email)
    if found is None:
        raise NotFound("Nobody has this address.")
    _reset(session, lock_user(session, found.user_id), by=None)


def _reset(session: Session, user: User, *, by: Actor | None) -> None:
    factors.take_away(session, user.id or 0)
    sessions.close_all(session, user_id=user.id or 0)
    _changed(session, by, user, "reset")


def _oneself(session: Session, actor: Actor | None, known_hash: str) -> tuple[Actor, User]:
    """The acting person with their account locked, if the password that they typed is still theirs."""
    person = require_oneself(actor, with_duty=True)
    user = lock_user(session, person.user_id)
    if user.password_hash != known_hash:
        raise WrongPassword
    return person, user


def _lock_standing(session: Session, person: Actor) -> User:
    """Lock an account for what outlives the session: a new password may have ended that before its passkey is stored.

    Raises:
        LoginRequired: it was ended.
    """
    user = lock_user(session, person.user_id)
    if not sessions.still_stands(session, person):
        raise LoginRequired
    return user


def _use_code(session: Session, person: Actor, code: str, *, field: str) -> None:
    """Use a code up, and count a wrong one as at the login.

    Raises:
        WrongCode, TooManyAttempts: it is not right, or too many were not.
    """
    throttle.check(code_account=str(person.user_id))
    if factors.use_code(session, user_id=person.user_id, code=code) is None:
        raise WrongCode(field=field)
    throttle.forget(code_account=str(person.user_id))


def _until() -> datetime:
    return db.clock.now() + SETUP


def _begin(session: Session, setup: FactorSetup) -> None:
    """Set up one thing at a time in a login session."""
    session.execute(delete(FactorSetup).where(col(FactorSetup.expires_at) <= db.clock.now()))
    session.merge(setup)


def _first_codes(session: Session, person: Actor) -> tuple[str, ...]:
    """Whoever loses their phone needs another way in: the first factor brings recovery codes."""
    return () if factors.codes_left(session, person.user_id) else factors.new_recovery_codes(session, person.user_id)


def _keep_one(session: Session, person: Actor) -> None:
    """Refuse when nothing is left that the role needs; otherwise codes that would recover nothing go too."""
    if factors.has_one(session, person.user_id):
        return
    if factors.needs_one(person.role):
        raise LastFactor
    factors.take_away(session, person.user_id)


def _changed(session: Session, actor: Actor | None, user: User, change: FactorChange) -> None:
    """Write it down, and tell the owner."""
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=f"second_factor.{change}",
        object_type="user",
        object_id=user.id,
    )
    notifications.second_factor_changed(session, email=user.email, name=user.full_name, change=change)
