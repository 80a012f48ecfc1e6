"""Login sessions: one for each login on each browser, behind a token that only the browser knows."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts import rules
from mhms_app.accounts.models import Acting, LoginSession, Patient, User
from mhms_app.actor import Actor, Duty, Role
from mhms_app.audit import service as audit
from mhms_app.audit.service import Origin
from mhms_app.facts import shared


@dataclass(frozen=True, slots=True)
class Browser:
    """What is known of the browser that somebody logs in with.

    Attributes:
        device: what it is, as people say: ``Firefox on Windows``; at most 80 characters.
        address: its network address.
        device_token: by which it is known from earlier logins, or ``""``.
    """

    device: str = ""
    address: str = ""
    device_token: str = field(default="", repr=False)


@shared("sessions")
@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """Announced after a commit that ended sessions before their time; these are the hashes of their tokens."""

    token_hashes: frozenset[str] = field(repr=False)


def hash_token(token: str) -> str:
    """The stored form of a session token: the hexadecimal SHA-256 of 256 random bits."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def open_session(
    session: Session,
    *,
    user_id: int,
    browser: Browser = Browser(),
    must_do: Duty | None = None,
    device_id: int | None = None,
) -> str:
    """Start a login session and return its token, which is stored nowhere.

    Args:
        must_do: what its person has to do before anything else.
        device_id: the known device that the browser is.
    """
    token, session_id = add(session, user_id=user_id, browser=browser, must_do=must_do, device_id=device_id)
    audit.record(
        session, actor_id=user_id, action="session.open", object_type="user", object_id=user_id, session_id=session_id
    )
    return token


def add(
    session: Session,
    *,
    user_id: int,
    browser: Browser,
    lasts: timedelta = rules.ABSOLUTE,
    must_do: Duty | None = None,
    device_id: int | None = None,
) -> tuple[str, int]:
    """Add a login session that nobody has signed in for; returns its token and its key. The caller records it."""
    token, now = secrets.token_urlsafe(32), db.clock.now()
    login = LoginSession(
        token_hash=hash_token(token),
        user_id=user_id,
        created_at=now,
        last_seen_at=now,
        idle_until=now + rules.IDLE,
        expires_at=now + lasts,
        device=browser.device[:80],
        address=browser.address[:45],
        must_do=must_do.value if must_do else "",
        device_id=device_id,
    )
    session.add(login)
    session.flush()
    return token, _id(login.id)


def resolve(session: Session, token: str, *, address: str = "") -> Actor | None:
    """Find who is behind a session token now; None when the session is over or never was.

    Whatever is recorded in this transaction from now on comes from that session and ``address``.
    """
    audit.come_from(session, Origin(address))
    if not token:
        return None
    found = session.exec(
        select(LoginSession, User, Patient.id, Acting)
        .join(User, User.id == LoginSession.user_id)  # type: ignore[arg-type]
        .outerjoin(Patient, Patient.user_id == User.id)  # type: ignore[arg-type]
        .outerjoin(Acting, Acting.session_id == LoginSession.id)  # type: ignore[arg-type]
        .where(LoginSession.token_hash == hash_token(token))
    ).first()
    if found is None:
        return None
    login, user, patient_id, acting = found
    now = db.clock.now()
    view = rules.SessionView(login.last_seen_at, login.idle_until, login.expires_at, login.revoked_at, user.active)
    if not rules.session_is_open(view, now=now) or (acting and not administrator_stands(session, acting)):
        return None
    acted_by = acting.admin_id if acting else None
    audit.come_from(session, Origin(address, _id(login.id), acted_by))
    return Actor(
        user_id=_id(user.id),
        session_id=_id(login.id),
        role=Role(user.role),
        name=user.full_name,
        email=user.email,
        patient_id=patient_id if user.role == Role.PATIENT else None,
        touch_due=rules.touch_is_due(view, now=now),
        must_do=Duty(login.must_do) if login.must_do else None,
        acted_by=acted_by,
        time_zone=user.time_zone,
        acting_until=login.expires_at if acting else None,
    )


def still_stands(session: Session, actor: Actor) -> bool:
    """Lock the session that somebody acts in, and say whether nobody has ended it since it was resolved."""
    standing = select(LoginSession.id).where(
        col(LoginSession.id) == actor.session_id, col(LoginSession.revoked_at).is_(None)
    )
    return session.exec(standing.with_for_update()).first() is not None


def over(session: Session, token_hashes: Set[str]) -> frozenset[str]:
    """Those of these sessions that are over, or never were: behind whose tokens ``resolve`` finds nobody.

    One statement, with a parameter for each: a worker has fewer sockets than a statement may have parameters.
    """
    theirs, admin = aliased(LoginSession), aliased(User)
    standing = session.scalars(
        select(col(LoginSession.token_hash))
        .join(User, col(User.id) == col(LoginSession.user_id))
        .outerjoin(Acting, col(Acting.session_id) == col(LoginSession.id))
        .outerjoin(theirs, col(theirs.id) == col(Acting.admin_session_id))
        .outerjoin(admin, col(admin.id) == col(theirs.user_id))
        .where(
            col(LoginSession.token_hash).in_(token_hashes),
            stands(LoginSession),
            col(User.active),
            or_(
                col(Acting.session_id).is_(None),
                and_(stands(theirs), col(admin.active), col(admin.role) == Role.ADMIN.value),
            ),
        )
    )
    return frozenset(token_hashes - set(standing))


def stands(login: type[LoginSession]) -> ColumnElement[bool]:
    """Nobody has ended it, and its time is not over: ``rules.session_is_open`` as a condition, but for the person."""
    now = db.clock.now()
    return and_(col(login.revoked_at).is_(None), col(login.idle_until) > now, col(login.expires_at) > now)


def administrator_stands(session: Session, acting: Acting) -> bool:
    """Whether somebody who acts as another person is still an administrator, in a session that is not over."""
    login, user = session.exec(
        select(LoginSession, User)
        .join(User, User.id == LoginSession.user_id)  # type: ignore[arg-type]
        .where(LoginSession.id == acting.admin_session_id)
    ).one()
    view = rules.SessionView(login.last_seen_at, login.idle_until, login.expires_at, login.revoked_at, user.active)
    return user.role == Role.ADMIN and rules.session_is_open(view, now=db.clock.now())


def known_place(session: Session, *, email_key: str, network: str) -> bool:
    """Say whether somebody with this address has logged in from this network (``rules.network_of``) before."""
    addresses = session.scalars(
        select(col(LoginSession.address))
        .join(User, col(User.id) == col(LoginSession.user_id))
        .where(col(User.email_key) == email_key)
        .distinct()
    )
    return bool(network) and network in map(rules.network_of, addresses)


def touch(session: Session, *, session_id: int) -> None:
    """Write down that a session was used just now."""
    now = db.clock.now()
    session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id)  # type: ignore[arg-type]
        .values(last_seen_at=now, idle_until=now + rules.IDLE)
    )


def close(session: Session, *, token: str) -> None:
    """End the session of this token, on every tab; an unknown token ends nothing.

    Whoever acts as somebody else ends their own session with it: it is the one that they logged in to.
    """
    origin = audit.origin_of(session)
    actor = resolve(session, token, address=origin.address)
    if actor is not None:
        audit.record(
            session, actor_id=actor.user_id, action="session.close", object_type="user", object_id=actor.user_id
        )
    audit.come_from(session, origin)
    own = select(Acting.admin_session_id).join(LoginSession, col(LoginSession.id) == col(Acting.session_id))
    end(
        session,
        or_(
            col(LoginSession.token_hash) == hash_token(token),
            col(LoginSession.id).in_(own.where(LoginSession.token_hash == hash_token(token))),
        ),
    )


def close_all(session: Session, *, user_id: int, but: int | None = None) -> None:
    """End every session of a user, or all ``but`` this one."""
    end(session, col(LoginSession.user_id) == user_id, col(LoginSession.id).is_distinct_from(but))


def end(session: Session, *conditions: ColumnElement[bool]) -> None:
    """End those of these sessions that are not over yet; their tabs are closed after the commit."""
    ended = session.scalars(
        update(LoginSession)
        .where(col(LoginSession.revoked_at).is_(None), *conditions)
        .values(revoked_at=db.clock.now())
        .returning(col(LoginSession.token_hash))
    ).all()
    announce_end(session, *ended)


def announce_end(session: Session, *token_hashes: str) -> None:
    """Have the tabs of these tokens closed after the commit."""
    if token_hashes:
        db.announce(session, SessionsEnded(frozenset(token_hashes)))


def _id(value: int | None) -> int:
    """The key of a row that is stored."""
    if value is None:
        raise RuntimeError("the row is not stored yet")
    return value
