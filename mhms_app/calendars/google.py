"""A doctor's Google calendar: connecting it, choosing what it is for, and disconnecting it.

Nothing here waits for Google: what has to be asked there is asked between two calls. Without credentials in the
settings there is none of it.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.sessions import hash_token
from mhms_app.actor import Actor, require_oneself
from mhms_app.audit import service as audit
from mhms_app.availability import busy
from mhms_app.calendars import google_client
from mhms_app.calendars.google_client import Calendar, Tokens
from mhms_app.calendars.google_rules import CONSENT, Trouble
from mhms_app.calendars.models import GoogleConnection, GoogleConsent, GoogleEvent
from mhms_app.calendars.rules import Shows
from mhms_app.directory import service as directory
from mhms_app.errors import ClinicError, Conflict, NotFound
from mhms_app.sealed import Unreadable, seal, unseal
from mhms_app.settings import settings


class ConsentOver(ClinicError):
    """The answer from Google belongs to no question of this login session, or comes too late."""

    sentence = "This took too long, or was begun in another window. Please connect again."


class ReconnectNeeded(ClinicError):
    """The access to the account is gone."""

    sentence = "Google no longer lets us into this account. Please connect it again."


@dataclass(frozen=True, slots=True)
class Connection:
    """How a doctor's Google calendar stands; instants are aware UTC.

    Attributes:
        calendar: the name of the chosen calendar, ``""`` until one is chosen.
        shows: what is written about patients.
        synced_at: when it was last in step.
        next_sync_at: when it is looked at again; None when that waits for the doctor.
        leaving: it is being disconnected.
    """

    calendar: str
    shows: Shows
    trouble: Trouble
    synced_at: datetime | None
    next_sync_at: datetime | None
    leaving: bool


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """Announced after a commit that makes a connection due at once."""


def connection(session: Session, actor: Actor | None) -> Connection | None:
    """The acting doctor's connection; None when there is none."""
    row = session.get(GoogleConnection, directory.require_doctor(session, actor).id)
    if row is None or not settings().has_google:
        return None
    return Connection(
        row.calendar_name, Shows(row.shows), Trouble(row.trouble), row.synced_at, row.next_sync_at, row.leaving
    )


def begin(session: Session, actor: Actor | None) -> str:
    """Begin to connect the acting doctor's account; returns the address at Google where they are asked.

    What Google answers is taken once, from the same login session, within ``CONSENT``.

    Raises:
        NotFound: the clinic has no credentials for Google.
        Conflict: the account that was connected before is still being disconnected.
        NotAsSomebodyElse: an administrator acts as the doctor.
    """
    require_oneself(actor)
    doctor = directory.require_doctor(session, actor)
    if actor is None or not settings().has_google:
        raise NotFound
    row = session.get(GoogleConnection, doctor.id)
    if row and row.leaving:
        raise Conflict("Your calendar is still being disconnected. Please try again in a minute.")
    state = secrets.token_urlsafe(32)
    address, verifier = google_client.consent(state)
    session.merge(
        GoogleConsent(
            session_id=actor.session_id,
            state_hash=hash_token(state),
            sealed_verifier=seal(verifier),
            expires_at=db.clock.now() + CONSENT,
        )
    )
    return address


def come_back(session: Session, actor: Actor | None, *, state: str) -> str:
    """Take the answer of Google to this state, once; returns the PKCE verifier.

    Raises:
        ConsentOver: there is no such question of this login session, or it is too old.
    """
    directory.require_doctor(session, actor)
    found = session.execute(
        delete(GoogleConsent)
        .where(
            col(GoogleConsent.session_id) == (actor.session_id if actor else None),
            col(GoogleConsent.state_hash) == hash_token(state),
        )
        .returning(col(GoogleConsent.sealed_verifier), col(GoogleConsent.expires_at))
    ).first()
    if found is None or found.expires_at <= db.clock.now():
        raise ConsentOver
    try:
        return unseal(found.sealed_verifier)
    except Unreadable:
        raise ConsentOver from None


def keep(session: Session, actor: Actor | None, *, tokens: Tokens) -> None:
    """Connect the account that these tokens open; what was chosen before stays chosen."""
    doctor = directory.require_doctor(session, actor)
    now = db.clock.now()
    row = session.get(GoogleConnection, doctor.id, with_for_update=True)
    row = row or GoogleConnection(doctor_id=doctor.id, sealed_tokens="", created_at=now)
    row.sealed_tokens, row.trouble, row.failures = seal(tokens.to_json()), Trouble.NONE.value, 0
    row.sync_token, row.next_sync_at = "", now if row.calendar_id else None
    session.add(row)
    db.announce(session, ConnectionChanged())
    _record(session, actor, "google.connect", doctor.id)


def access(session: Session, actor: Actor | None) -> Tokens:
    """What opens the acting doctor's account, to ask Google which calendars there are.

    Raises:
        NotFound: none is connected.
        ReconnectNeeded: the access is gone.
    """
    row = session.get(GoogleConnection, directory.require_doctor(session, actor).id)
    if row is None or row.leaving or not settings().has_google:
        raise NotFound
    if row.trouble == Trouble.RECONNECT:
        raise ReconnectNeeded
    return tokens_in(row.sealed_tokens)


def calendars(tokens: Tokens) -> tuple[Calendar, ...]:
    """Ask Google which calendars there are. It takes its time: not to be called within a transaction.

    Raises:
        ReconnectNeeded: the access is gone.
        Conflict: Google cannot be asked now.
    """
    try:
        with closing(google_client.Client(tokens)) as client:
            return client.calendars()
    except google_client.Failed as failure:
        if failure.trouble is Trouble.RECONNECT:
            raise ReconnectNeeded from None
        raise Conflict("Google does not answer at the moment. Please try again in a minute.") from None


def choose(session: Session, actor: Actor | None, *, calendar: Calendar | None, shows: Shows) -> None:
    """Choose what the acting doctor's appointments are written to, and what is written about patients.

    What was written to another calendar before is removed there.

    Args:
        calendar: one of ``calendars``; None keeps the one that is chosen.

    Raises:
        NotFound: no account is connected, or no calendar is chosen.
        NotAsSomebodyElse: an administrator acts as the doctor.
    """
    require_oneself(actor)
    doctor = directory.require_doctor(session, actor)
    row = session.get(GoogleConnection, doctor.id, with_for_update=True)
    if row is None or row.leaving or not (calendar or row.calendar_id) or not settings().has_google:
        raise NotFound
    if calendar and calendar.id != row.calendar_id:
        row.calendar_id, row.sync_token = calendar.id, ""
    if calendar:
        row.calendar_name = calendar.name
    row.shows = shows.value
    if row.trouble != Trouble.RECONNECT:
        row.trouble, row.failures, row.next_sync_at = Trouble.NONE.value, 0, db.clock.now()
    session.add(row)
    db.announce(session, ConnectionChanged())
    _record(session, actor, "google.choose", doctor.id, shows.value)


def disconnect(session: Session, actor: Actor | None, *, remove: bool) -> None:
    """Disconnect the acting doctor's account: the times at which it closed slots are open again at once.

    What else is to be done at Google follows: removing the coming appointments, and giving the access back.

    Args:
        remove: remove the coming appointments from the calendar; otherwise they stay as they are.

    Raises:
        NotFound: none is connected.
        NotAsSomebodyElse: an administrator acts as the doctor.
    """
    require_oneself(actor)
    doctor = directory.require_doctor(session, actor)
    busy.forget(session, doctor_id=doctor.id)
    left = session.execute(
        update(GoogleConnection)
        .where(col(GoogleConnection.doctor_id) == doctor.id)
        .values(leaving=True, next_sync_at=db.clock.now(), failures=0)
        .returning(col(GoogleConnection.doctor_id))
    ).first()
    if left is None:
        raise NotFound
    if not remove:
        session.execute(delete(GoogleEvent).where(col(GoogleEvent.doctor_id) == doctor.id))
    db.announce(session, ConnectionChanged())
    _record(session, actor, "google.disconnect", doctor.id, "appointments removed" if remove else "")


def forget_account(session: Session, *, doctor_id: int) -> None:
    """Forget the account of a doctor who leaves: at once, but for what is needed to give the access back to Google."""
    theirs = col(GoogleConnection.doctor_id) == doctor_id
    busy.change(session, doctor_id=doctor_id, events={}, all_of_them=True)
    session.execute(delete(GoogleEvent).where(col(GoogleEvent.doctor_id) == doctor_id))
    if not settings().has_google:
        session.execute(delete(GoogleConnection).where(theirs))
        return
    left = {"leaving": True, "next_sync_at": db.clock.now(), "failures": 0, "sync_token": ""}
    session.execute(update(GoogleConnection).where(theirs).values(**left, calendar_id="", calendar_name=""))
    db.announce(session, ConnectionChanged())


def forget_unused(session: Session) -> None:
    """Where the clinic has no credentials any more, no slot stays closed because of a calendar that nobody reads."""
    for doctor_id in session.scalars(select(col(GoogleConnection.doctor_id)).order_by(col(GoogleConnection.doctor_id))):
        busy.forget(session, doctor_id=doctor_id)
    session.execute(update(GoogleConnection).values(sync_token=""))


def reseal(session: Session) -> int:
    """Seal every account's tokens with the newest key; returns how many there were.

    One that a worker renews meanwhile is left alone: it is sealed with the newest key by that.

    Raises:
        Unreadable: one of them was sealed with a key that is not there.
    """
    connections = session.execute(select(GoogleConnection.doctor_id, GoogleConnection.sealed_tokens)).all()  # type: ignore[call-overload]
    for doctor_id, sealed in connections:
        session.execute(
            update(GoogleConnection)
            .where(col(GoogleConnection.doctor_id) == doctor_id, col(GoogleConnection.sealed_tokens) == sealed)
            .values(sealed_tokens=seal(unseal(sealed)))
        )
    return len(connections)


def tokens_in(sealed: str) -> Tokens:
    """Read tokens from the database.

    Raises:
        ReconnectNeeded: no key of the settings opens them.
    """
    try:
        return Tokens.from_json(unseal(sealed))
    except Unreadable:
        raise ReconnectNeeded from None


def _record(session: Session, actor: Actor | None, action: str, doctor_id: int, detail: str = "") -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="doctor",
        object_id=doctor_id,
        detail=detail,
    )
