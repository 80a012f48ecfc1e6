"""Use cases of people who can log in: accounts and roles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import CompoundSelect, union, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts import links, rules, sessions
from mhms_app.accounts.link_rules import CHANGING, TEMPORARY_PASSWORD, Purpose, in_words, password_is_over
from mhms_app.accounts.locks import lock_user
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.news import PersonChanged
from mhms_app.actor import Actor as Actor
from mhms_app.actor import Role as Role
from mhms_app.actor import require_role as require_role
from mhms_app.audit import service as audit
from mhms_app.errors import ClinicError, Invalid, NotFound
from mhms_app.notifications import service as notifications
from mhms_app.settings import settings


class EmailTaken(ClinicError):
    """Another account has this e-mail address."""

    sentence = "An account with this e-mail address exists already."
    field = "email"


class WrongCredentials(ClinicError):
    """Unknown address, wrong password and closed account: the answer is the same."""

    sentence = "E-mail address and password do not match."
    field = "password"


class TemporaryPasswordOver(ClinicError):
    """The password is right, and was not used in time; only whoever knows it is told."""

    sentence = "This temporary password works no longer. Choose one yourself: see “Forgot your password?” below."
    field = "password"


class LastAdministrator(ClinicError):
    """Nobody would be left to administer the clinic."""

    sentence = "This is the last active administrator. Make somebody else an administrator first."


class AccountClosed(ClinicError):
    """Its owner has left, and nothing is known of them any more."""

    sentence = "The owner of this account has closed it. They can sign up again."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login needs: whom to verify, and against what.

    Attributes:
        is_over: the password is a temporary one that was not used in time.
    """

    user_id: int
    password_hash: str
    active: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class UserRow:
    """One line of the administrator's list of users."""

    id: int
    name: str
    email: str
    phone: str
    role: Role
    active: bool
    created_at: datetime


def tidy_email(text: str) -> str:
    """Check an address with email-validator and return its normal form.

    Raises:
        Invalid: it is not an e-mail address.
    """
    try:
        return validate_email(text.strip(), allow_smtputf8=False, check_deliverability=False).normalized
    except EmailNotValidError:
        raise Invalid("This address is not complete. Something like name@example.com.", field="email") from None


def tidy_phone(text: str) -> str:
    """Return a phone number in its normal form.

    Raises:
        Invalid: it is too long.
    """
    phone = rules.tidy_name(text)
    if len(phone) > 40:
        raise Invalid("Please shorten the phone number to 40 characters.", field="phone")
    return phone


def email_key(email: str) -> str:
    """The form in which addresses are unique: regardless of case."""
    return email.casefold()


def account_key(typed: str) -> str:
    """The ``email_key`` that somebody means who types an address: one account is one, in all of its spellings."""
    try:
        return email_key(tidy_email(typed))
    except Invalid:
        known = email_key(typed).replace("\0", "")  # nobody's, in a form that a database can look for
        return known.encode(errors="ignore").decode()


def find_credentials(session: Session, *, email: str) -> Credentials | None:
    """Find what a login needs; None when nobody has this address."""
    user = session.exec(select(User).where(User.email_key == account_key(email))).first()
    return _credentials(user) if user else None


def still_so(session: Session, found: Credentials) -> bool:
    """Lock the account, and say whether a login needs the same now: checking a password takes long."""
    return _credentials(lock_user(session, found.user_id)) == found


def add_user(
    session: Session,
    *,
    email: str,
    full_name: str,
    password_hash: str,
    role: Role,
    phone: str = "",
    password_is_temporary: bool = False,
    confirmed: bool = True,
) -> User:
    """Add an account, and the patient record of a patient. The caller has decided that it may be added.

    Args:
        password_is_temporary: somebody else has made it, so its owner has to choose one at the first login.
        confirmed: the address is known to be theirs, or nobody asks whether it is.

    Raises:
        Invalid: the e-mail address, the name or the phone number is not acceptable.
        EmailTaken: another account has the address.
    """
    email, name, now = tidy_email(email), rules.tidy_name(full_name), db.clock.now()
    if problem := rules.name_problem(name):
        raise Invalid(problem, field="full_name")
    user = User(
        email=email,
        email_key=email_key(email),
        full_name=name,
        name_key=rules.search_key(name)[:120],
        phone=tidy_phone(phone),
        role=role.value,
        password_hash=password_hash,
        password_is_temporary=password_is_temporary,
        password_ends_at=now + TEMPORARY_PASSWORD if password_is_temporary else None,
        email_confirmed_at=now if confirmed else None,
        created_at=now,
    )
    with unique_address(session):
        session.add(user)
        session.flush()
        if role is Role.PATIENT:
            session.add(Patient(user_id=_id(user.id)))
    return user


def rehash(session: Session, verified: Credentials, *, password_hash: str) -> None:
    """Store a hash of the same password made with the cost that is configured now, over no other hash."""
    session.execute(
        update(User)
        .where(col(User.id) == verified.user_id, col(User.password_hash) == verified.password_hash)
        .values(password_hash=password_hash)
    )


def confirm_by_password(session: Session, *, user_id: int) -> None:
    """Somebody has typed their password: a temporary one was mailed, so they have confirmed their address by that."""
    session.execute(
        update(User)
        .where(col(User.id) == user_id, col(User.password_ends_at).is_not(None), col(User.email_confirmed_at).is_(None))
        .values(email_confirmed_at=db.clock.now())
    )


_SEARCHED = (col(User.name_key), col(User.email_key))


def people_called(key: str) -> CompoundSelect[int]:
    """The keys of the users in whose name or address a ``rules.search_key`` stands; reads two indexes and no row."""
    return union(
        *(
            select(User.id).where(text.contains(key, autoescape=True))
            for text in (col(User.name_key), col(User.email_key))
        )
    )


def get_user(session: Session, actor: Actor | None, *, user_id: int) -> UserRow:
    """Return one user for an administrator.

    Raises:
        NotFound: there is no such user.
    """
    require_role(actor, Role.ADMIN)
    user = session.get(User, user_id)
    if user is None:
        raise NotFound
    return _row(user)


def set_active(session: Session, actor: Actor | None, *, user_id: int, active: bool) -> UserRow:
    """Unlock an account or lock it; locking it ends all its sessions at once. Its owner is told.

    Raises:
        LastAdministrator: nobody would be left to administer.
    """
    admin = require_role(actor, Role.ADMIN)
    if not active:
        keep_an_administrator(session, leaving=user_id, field="active")
    user = _lock_open(session, user_id)
    if not active:
        sessions.close_all(session, user_id=user_id)
    user.active = active
    session.add(user)
    action = "user.activate" if active else "user.deactivate"
    audit.record(session, actor_id=admin.user_id, action=action, object_type="user", object_id=user_id)
    db.announce(session, PersonChanged(user_id))
    notifications.account_action(
        session, email=user.email, name=user.full_name, action="unlocked" if active else "locked"
    )
    return _row(user)


def edit_user(
    session: Session, actor: Actor | None, *, user_id: int, email: str, full_name: str, phone: str
) -> UserRow:
    """Change an account's address, name and phone number.

    A new address has to be confirmed by its owner; the old one is told, and a temporary password that went there ends.

    Raises:
        Invalid, EmailTaken: as ``add_user``.
    """
    admin = require_role(actor, Role.ADMIN)
    user = _lock_open(session, user_id)
    email, name = tidy_email(email), rules.tidy_name(full_name)
    if problem := rules.name_problem(name):
        raise Invalid(problem, field="full_name")
    phone = tidy_phone(phone)
    old, moves = user.email, email_key(email) != user.email_key
    with unique_address(session):
        user.email, user.email_key = email, email_key(email)
        user.full_name, user.name_key, user.phone = name, rules.search_key(name)[:120], phone
        session.add(user)
    if moves:
        _move(session, user, old)
    audit.record(session, actor_id=admin.user_id, action="user.edit", object_type="user", object_id=user_id)
    return _row(user)


def _move(session: Session, user: User, old: str) -> None:
    """What follows from an address that somebody else has entered."""
    links.end(session, user)
    if user.email_confirmed_at is not None:
        notifications.email_changed(session, email=old, name=user.full_name, by="clinic")
    if user.password_ends_at is not None:
        user.password_ends_at = db.clock.now()
    if settings().verify_email:
        user.email_confirmed_at = None
        links.send_confirmation(session, user)
    session.add(user)


def change_role(session: Session, user_id: int, role: Role) -> User:
    """Give a user another role and end their sessions; the caller has authorised it.

    Raises:
        LastAdministrator: nobody would be left to administer.
    """
    if role is not Role.ADMIN:
        keep_an_administrator(session, leaving=user_id, field="role")
    user = _lock_open(session, user_id)
    if user.role == role.value:
        return user
    user.role = role.value
    session.add(user)
    if role is Role.PATIENT and session.exec(select(Patient.id).where(Patient.user_id == user_id)).first() is None:
        session.add(Patient(user_id=user_id))
    sessions.close_all(session, user_id=user_id)
    session.flush()
    db.announce(session, PersonChanged(user_id))
    return user


def give_temporary_password(
    session: Session, actor: Actor | None, *, user_id: int, password: str, password_hash: str
) -> UserRow:
    """Replace a password by a temporary one, end the user's sessions and send it to them."""
    admin = require_role(actor, Role.ADMIN)
    user = _lock_open(session, user_id)
    user.password_hash, user.password_is_temporary = password_hash, True
    user.password_ends_at = db.clock.now() + TEMPORARY_PASSWORD
    session.add(user)
    sessions.close_all(session, user_id=user_id)
    links.end(session, user, Purpose.RESET_PASSWORD, *CHANGING)
    send_temporary_password(session, user, password)
    audit.record(
        session, actor_id=admin.user_id, action="user.temporary_password", object_type="user", object_id=user_id
    )
    return _row(user)


def send_temporary_password(session: Session, user: User, password: str) -> None:
    """Mail somebody the temporary password that opens their account."""
    notifications.account_password(
        session,
        email=user.email,
        name=user.full_name,
        temporary_password=password,
        good_for=in_words(TEMPORARY_PASSWORD),
    )


@contextmanager
def unique_address(session: Session) -> Iterator[None]:
    """Write what the block changes, and nothing of it when the address belongs to another account.

    Raises:
        EmailTaken: it does; the transaction around it goes on.
    """
    try:
        with session.begin_nested():
            yield
            session.flush()
    except IntegrityError as error:
        if db.violated(error) == "uq_user_account_email_key":
            raise EmailTaken from None
        raise


def keep_an_administrator(session: Session, *, leaving: int, field: str = "") -> None:
    """Refuse when ``leaving`` is the only active administrator.

    Locks all of them in one order, so that the last two cannot leave at once or wait for each other.
    """
    administrators = session.exec(
        select(User.id)
        .where(User.role == Role.ADMIN.value, User.active)
        .order_by(User.id)  # type: ignore[arg-type]
        .with_for_update()
    ).all()
    if list(administrators) == [leaving]:
        raise LastAdministrator(field=field)


def _credentials(user: User) -> Credentials:
    is_over = password_is_over(
        is_temporary=user.password_is_temporary, ends_at=user.password_ends_at, now=db.clock.now()
    )
    return Credentials(_id(user.id), user.password_hash, user.active, is_over)


def _row(user: User) -> UserRow:
    return UserRow(_id(user.id), user.full_name, user.email, user.phone, Role(user.role), user.active, user.created_at)


def _lock_open(session: Session, user_id: int) -> User:
    """Lock a user whose account is not closed for good.

    Raises:
        AccountClosed: it is.
        NotFound: there is no such user.
    """
    user = lock_user(session, user_id)
    if user.closed_at:
        raise AccountClosed
    return user


def _id(value: int | None) -> int:
    """The key of a row that is stored."""
    if value is None:
        raise RuntimeError("the row is not stored yet")
    return value
