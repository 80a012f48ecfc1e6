"""Keeping doctors' Google calendars in step: their appointments are written there, their busy times are read.

Any number of workers may do this at once, each doctor is one worker's at a time: it takes the connection by
compare-and-swap until ``leased_until``, and whatever it writes down later it writes only while that is still so. No
transaction waits for Google. What is out of step is found by comparing a doctor's coming appointments with what was
written, so that nothing which happens in between is ever lost; a change in this process only makes it due at once.
"""

from __future__ import annotations

import logging
import random
import threading
from contextlib import closing
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlmodel import col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Role
from mhms_app.calendars import google, google_client, google_rules, google_turn
from mhms_app.calendars.google_client import Client, Failed, Tokens
from mhms_app.calendars.google_rules import Trouble
from mhms_app.calendars.google_turn import Claim, is_still_ours, leased, unchanged
from mhms_app.calendars.models import GoogleConnection, GoogleEvent
from mhms_app.directory.models import Doctor
from mhms_app.sealed import seal

LEASE = timedelta(minutes=5)
LEAVING_TRIES = 5

log = logging.getLogger(__name__)


def claim_due() -> Claim | None:
    """Take the connection that is due longest, and make it due again in ``google_rules.EVERY``.

    One that is being disconnected is seen through to its end, whatever has become of the doctor's account meanwhile.
    """
    now = db.clock.now()
    theirs = (
        select(col(Doctor.id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .where(col(Doctor.id) == col(GoogleConnection.doctor_id), col(User.active), col(User.role) == Role.DOCTOR.value)
    )
    due = (
        select(col(GoogleConnection.doctor_id))
        .where(
            col(GoogleConnection.next_sync_at).is_not(None),
            col(GoogleConnection.next_sync_at) <= now,
            or_(col(GoogleConnection.leased_until).is_(None), col(GoogleConnection.leased_until) <= now),
            or_(col(GoogleConnection.leaving), theirs.exists()),
        )
        .order_by(col(GoogleConnection.next_sync_at))
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    row = GoogleConnection
    take = (
        update(row)
        .where(col(row.doctor_id).in_(select(due.c.doctor_id)))
        .values(leased_until=now + LEASE, next_sync_at=now + google_rules.EVERY)
        .returning(
            col(row.doctor_id),
            col(row.leased_until),
            col(row.sealed_tokens),
            col(row.calendar_id),
            col(row.shows),
            col(row.sync_token),
            col(row.read_afresh_at),
            col(row.failures),
            col(row.leaving),
        )
        .execution_options(synchronize_session=False)
    )
    with db.transaction() as session:
        taken = session.execute(take).first()
    return Claim(*taken) if taken else None


def sync(claim: Claim, stop: threading.Event | None = None) -> Trouble:
    """Bring one calendar into step, and write down what became of it.

    Raises nothing but what the database raises.

    Args:
        stop: when it is set, what is left waits for the next turn.
    """
    try:
        client = Client(google.tokens_in(claim.sealed_tokens))
    except google.ReconnectNeeded:
        client = None
    failure, finished = Failed(Trouble.RECONNECT), False
    if client:
        with closing(client):
            failure, finished = _turn(claim, client, google_turn.Patience(stop))
    if claim.leaving and _may_leave(claim, failure, finished):
        _leave(claim, client)
        return Trouble.NONE
    _settle(claim, client, failure, finished)
    return failure.trouble


def _turn(claim: Claim, client: Client, patience: google_turn.Patience) -> tuple[Failed, bool]:
    """Do what is to be done; returns what went wrong, and whether that was all."""
    finished = True
    try:
        if claim.leaving:
            finished = google_turn.remove(claim, client, google_turn.written(claim), patience)
        else:
            google_turn.read(claim, client, patience)  # first: an event that cannot be written must not keep it away
            finished = google_turn.write(claim, client, patience)
    except Failed as failure:
        return failure, finished
    except Exception as error:  # an answer that the API's description does not allow; other doctors go on
        log.warning("the calendar of doctor %d: %s", claim.doctor_id, type(error).__name__)
        return Failed(Trouble.OUTAGE), finished
    return Failed(Trouble.NONE), finished


def sync_due(stop: threading.Event | None = None) -> int:
    """Bring every calendar that is due into step; returns how many turns that took."""
    turns = 0
    while claim := claim_due():
        sync(claim, stop)
        turns += 1
    return turns


def make_due(doctor_ids: set[int]) -> bool:
    """Let the calendars of these doctors be looked at now; says whether there is one. Who has to wait waits on."""
    now = db.clock.now()
    theirs = (
        col(GoogleConnection.doctor_id).in_(doctor_ids),
        col(GoogleConnection.next_sync_at) > now,
        col(GoogleConnection.failures) == 0,
    )
    with db.transaction(read_only=True) as session:
        if not session.execute(select(col(GoogleConnection.doctor_id)).where(*theirs).limit(1)).first():
            return False
    with db.transaction() as session:
        session.execute(update(GoogleConnection).where(*theirs).values(next_sync_at=now))
    return True


def _settle(claim: Claim, client: Client | None, failure: Failed, finished: bool) -> None:
    """End the lease, and say when it goes on. What the doctor changed meanwhile is due at once, as they left it."""
    now, trouble = db.clock.now(), failure.trouble
    values: dict[str, Any] = {"trouble": trouble.value, "failures": 0}
    if trouble:
        failures = claim.failures + 1
        chance = random.random()  # noqa: S311 - no secret
        pause = google_rules.pause_after(failures, chance=chance, asked=failure.retry_after)
        waits = trouble in google_rules.WAITS_FOR_PERSON
        values |= {"failures": failures, "next_sync_at": None if waits else now + pause}
        log.warning("the calendar of doctor %d, failure %d: %s", claim.doctor_id, failures, trouble.value)
    else:
        values |= {"synced_at": now} | ({} if finished else {"next_sync_at": now})
    if client is not None and (tokens := _renewed(claim, client)):
        values["sealed_tokens"] = seal(tokens.to_json())
    with db.transaction() as session:
        session.execute(update(GoogleConnection).where(*unchanged(claim)).values(**values))
        session.execute(update(GoogleConnection).where(*leased(claim)).values(leased_until=None))


def _renewed(claim: Claim, client: Client) -> Tokens | None:
    """The tokens, if Google has given new ones."""
    return client.tokens if client.tokens != google.tokens_in(claim.sealed_tokens) else None


def _may_leave(claim: Claim, failure: Failed, finished: bool) -> bool:
    """Whether nothing more can be removed from a calendar that is being disconnected."""
    if failure.trouble in (Trouble.OUTAGE, Trouble.SLOW_DOWN):
        return claim.failures + 1 >= LEAVING_TRIES
    return finished or bool(failure.trouble)


def _leave(claim: Claim, client: Client | None) -> None:
    """Give the access back, and forget the account."""
    if client is not None:
        google_client.revoke(client.tokens)
    with db.transaction() as session:
        if is_still_ours(session, claim):
            session.execute(delete(GoogleEvent).where(col(GoogleEvent.doctor_id) == claim.doctor_id))
            session.execute(delete(GoogleConnection).where(*leased(claim)))
    log.info("the calendar of doctor %d is disconnected", claim.doctor_id)
