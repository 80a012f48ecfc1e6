"""One's own sessions: where one is logged in, ending that, and the sign-ins until now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select
from sqlmodel import Session, col

from mhms_app.accounts import devices, sessions
from mhms_app.accounts.models import Acting, KnownDevice, LoginSession
from mhms_app.actor import Actor, require_oneself, require_person
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.errors import NotFound

SIGN_INS = ("session.open", "session.refuse", "session.refuse_code", "session.refuse_passkey")
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that stands; instants are aware UTC.

    Attributes:
        device: as people say; may be empty.
        is_here: it is the one that asks.
        is_clinics: an administrator acts in it.
    """

    id: int
    device: str
    address: str
    since: datetime
    last_seen_at: datetime
    is_here: bool
    is_clinics: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """One attempt to log in; ``device`` is known of those that succeeded and whose session is still on record."""

    at: datetime
    device: str
    address: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Own:
    """What the page of one's sessions shows: this one first, then those used last."""

    open: tuple[OpenSession, ...]
    sign_ins: tuple[SignIn, ...]


def look(session: Session, actor: Actor | None) -> Own:
    """Return one's own sessions that stand, and the last 20 sign-ins, refused ones included."""
    person = require_person(actor)
    return Own(
        standing(session, user_id=person.user_id, here=person.session_id),
        sign_ins(session, user_id=person.user_id, most=_SHOWN),
    )


def standing(session: Session, *, user_id: int, here: int = 0) -> tuple[OpenSession, ...]:
    """The sessions of a user that stand: the one that asks first, then those used last."""
    found = session.execute(
        select(LoginSession, col(Acting.admin_id))
        .outerjoin(Acting, col(Acting.session_id) == col(LoginSession.id))
        .where(col(LoginSession.user_id) == user_id, sessions.stands(LoginSession))
        .order_by(col(LoginSession.id) != here, col(LoginSession.last_seen_at).desc())
    )
    return tuple(_row(login, admin_id, here) for login, admin_id in found)


def sign_ins(session: Session, *, user_id: int, most: int | None = None) -> tuple[SignIn, ...]:
    """The attempts to log in to an account, the latest first."""
    found = session.execute(
        select(col(AuditEntry.at), col(LoginSession.device), col(AuditEntry.address), col(AuditEntry.action))
        .outerjoin(
            LoginSession,
            and_(col(LoginSession.id) == col(AuditEntry.session_id), col(AuditEntry.action) == "session.open"),
        )
        .where(
            col(AuditEntry.object_type) == "user",
            col(AuditEntry.object_id) == user_id,
            col(AuditEntry.action).in_(SIGN_INS),
        )
        .order_by(col(AuditEntry.id).desc())
        .limit(most)
    )
    return tuple(SignIn(at, device or "", address, action == "session.open") for at, device, address, action in found)


def end(session: Session, actor: Actor | None, *, session_id: int) -> None:
    """End another session of one's own; its device is as unknown as any other from now on.

    Raises:
        NotFound: there is no such session that is theirs and stands, or it is the one that asks.
    """
    person = require_oneself(actor)
    others = {each.id for each in look(session, person).open if not each.is_here}
    if session_id not in others:
        raise NotFound("This session is over already.")
    _end(session, person, session_id)


def end_others(session: Session, actor: Actor | None) -> int:
    """End every session of one's own but the one that asks, forget every other device, and return how many ended."""
    person = require_oneself(actor)
    others = [each.id for each in look(session, person).open if not each.is_here]
    for session_id in others:
        _end(session, person, session_id)
    here = session.get_one(LoginSession, person.session_id).device_id
    devices.forget(session, col(KnownDevice.id).is_distinct_from(here), user_id=person.user_id)
    return len(others)


def _end(session: Session, person: Actor, session_id: int) -> None:
    here = session.get_one(LoginSession, person.session_id).device_id
    there = session.get_one(LoginSession, session_id).device_id
    sessions.end(session, col(LoginSession.id) == session_id)
    if there is not None and there != here:
        devices.forget(session, col(KnownDevice.id) == there, user_id=person.user_id)
    audit.record(session, actor_id=person.user_id, action="session.end", object_type="user", object_id=person.user_id)


def _row(login: LoginSession, admin_id: int | None, here: int) -> OpenSession:
    return OpenSession(
        id=login.id or 0,
        device=login.device,
        address=login.address,
        since=login.created_at,
        last_seen_at=login.last_seen_at,
        is_here=login.id == here,
        is_clinics=admin_id is not None,
    )
