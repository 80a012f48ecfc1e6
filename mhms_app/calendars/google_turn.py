"""What one turn does at Google for one doctor: write appointments, remove events, read busy times.

No transaction waits for Google: what is to be done is looked up before, and written down after.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.availability import busy
from mhms_app.availability.slots import lock_doctor, note_fresh
from mhms_app.booking import matching
from mhms_app.booking.models import ACTIVE, Appointment, Status
from mhms_app.calendars import google_rules, service
from mhms_app.calendars.google_client import Client, Failed, SyncTokenGone
from mhms_app.calendars.google_rules import Trouble
from mhms_app.calendars.ical import Entry
from mhms_app.calendars.models import GoogleConnection, GoogleEvent
from mhms_app.calendars.rules import Shows
from mhms_app.notifications.service import calendar_uid
from mhms_app.settings import settings

PATIENCE = 120.0  # seconds for one doctor; well within the lease, for a request begun then may take its time
AT_ONCE = 50  # events written or removed in one turn
_NOT_WRITTEN = -1  # noted before the request, so that what a crash leaves at Google is known here


@dataclass(frozen=True, slots=True)
class Claim:
    """One doctor's connection, this worker's until ``until``."""

    doctor_id: int
    until: datetime
    sealed_tokens: str = field(repr=False)
    calendar_id: str
    shows: str
    sync_token: str = field(repr=False)
    read_afresh_at: datetime | None
    failures: int
    leaving: bool


class Patience:
    """How long one doctor may take: some time, and not longer than until ``stop`` is set."""

    def __init__(self, stop: threading.Event | None) -> None:
        self._stop, self._until = stop, time.monotonic() + PATIENCE

    @property
    def is_over(self) -> bool:
        """Whether what is left has to wait for the next turn."""
        return time.monotonic() > self._until or bool(self._stop and self._stop.is_set())


def is_still_ours(session: Session, claim: Claim) -> bool:
    """Whether the connection is still this worker's and what it was; locks it."""
    found = session.execute(select(col(GoogleConnection.doctor_id)).where(*unchanged(claim)).with_for_update())
    return found.first() is not None


def unchanged(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The connection, if it is still this worker's and what it was."""
    return (
        *leased(claim),
        col(GoogleConnection.calendar_id) == claim.calendar_id,
        col(GoogleConnection.shows) == claim.shows,
        col(GoogleConnection.sealed_tokens) == claim.sealed_tokens,
        col(GoogleConnection.leaving) == claim.leaving,
    )


def leased(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The connection, if it is still this worker's."""
    return (
        col(GoogleConnection.doctor_id) == claim.doctor_id,
        col(GoogleConnection.leased_until) == claim.until,
    )


def write(claim: Claim, client: Client, patience: Patience) -> bool:
    """Write appointments that are new or changed, and remove those that are gone; says whether that was all."""
    with db.transaction() as session:
        if not is_still_ours(session, claim):
            return True
        missing = _missing(session, claim)
        fresh = [entry for entry in missing if entry.sequence is None]
        if fresh:
            session.execute(
                insert(GoogleEvent),
                [
                    {
                        "doctor_id": claim.doctor_id,
                        "appointment_id": entry.appointment_id,
                        "calendar_id": claim.calendar_id,
                        "sequence": _NOT_WRITTEN,
                        "shows": claim.shows,
                        "ends_at": entry.entry.ends_at,
                    }
                    for entry in fresh
                ],
            )
    done: list[_Missing] = []
    try:
        for entry in missing:
            if patience.is_over:
                return False
            client.put(claim.calendar_id, _event(entry.entry), is_new=entry.sequence in (None, _NOT_WRITTEN))
            done.append(entry)
    finally:
        _note(claim, done)
    gone = remove(claim, client, _superfluous(claim), patience)
    return gone and len(missing) < AT_ONCE


@dataclass(frozen=True, slots=True)
class _Missing:
    """An appointment that is not in the calendar as it should be; ``sequence`` is what stands there, if it does."""

    appointment_id: int
    entry: Entry
    sequence: int | None


def _missing(session: Session, claim: Claim) -> list[_Missing]:
    """A doctor's coming appointments that are not written, or not as they are now: a walk along the index on them."""
    now = db.clock.now()
    written = and_(
        col(GoogleEvent.doctor_id) == claim.doctor_id,
        col(GoogleEvent.appointment_id) == col(Appointment.id),
        col(GoogleEvent.calendar_id) == claim.calendar_id,
    )
    found = dict(
        session.execute(
            select(col(Appointment.id), col(GoogleEvent.sequence))
            .outerjoin(GoogleEvent, written)
            .where(
                col(Appointment.doctor_id) == claim.doctor_id,
                col(Appointment.starts_at) > now,
                col(Appointment.starts_at) < now + google_rules.AHEAD,
                col(Appointment.status).in_(ACTIVE),
                or_(
                    col(GoogleEvent.sequence).is_(None),
                    col(GoogleEvent.sequence) != col(Appointment.sequence),
                    col(GoogleEvent.shows) != claim.shows,
                ),
            )
            .order_by(col(Appointment.starts_at), col(Appointment.id))
            .limit(AT_ONCE)
        ).all()
    )
    entries = service.entries_of(session, tuple(key for key in found if key), shows=Shows(claim.shows))
    return [_Missing(key, entry, found[key]) for key, entry in entries.items()]


def _note(claim: Claim, done: list[_Missing]) -> None:
    """Write down what stands in the calendar now."""
    if not done:
        return
    with db.transaction() as session:
        for each in done:
            session.execute(
                update(GoogleEvent)
                .where(*_rows(claim, claim.calendar_id), col(GoogleEvent.appointment_id) == each.appointment_id)
                .values(sequence=each.entry.sequence, shows=claim.shows, ends_at=each.entry.ends_at)
                .execution_options(synchronize_session=False)
            )


def _superfluous(claim: Claim) -> list[tuple[int, str, str]]:
    """What stands in a calendar of this doctor and should not: key of the appointment, reference, calendar.

    What is over stays in the calendar; it is only no longer looked at.
    """
    stays = and_(col(Appointment.doctor_id) == claim.doctor_id, col(Appointment.status) != Status.CANCELLED.value)
    with db.transaction() as session:
        session.execute(
            delete(GoogleEvent).where(
                col(GoogleEvent.doctor_id) == claim.doctor_id, col(GoogleEvent.ends_at) <= db.clock.now()
            )
        )
        return _events(session, claim, or_(col(GoogleEvent.calendar_id) != claim.calendar_id, ~stays))


def written(claim: Claim) -> list[tuple[int, str, str]]:
    """The coming appointments that stand in a calendar of this doctor."""
    with db.transaction(read_only=True) as session:
        return _events(session, claim, col(GoogleEvent.ends_at) > db.clock.now())


def _events(session: Session, claim: Claim, which: ColumnElement[bool]) -> list[tuple[int, str, str]]:
    found = session.execute(
        select(col(GoogleEvent.appointment_id), col(Appointment.reference), col(GoogleEvent.calendar_id))
        .join(Appointment, col(Appointment.id) == col(GoogleEvent.appointment_id))
        .where(col(GoogleEvent.doctor_id) == claim.doctor_id, which)
        .order_by(col(GoogleEvent.appointment_id))
        .limit(AT_ONCE)
    )
    return [(key, reference, calendar_id) for key, reference, calendar_id in found]


def remove(claim: Claim, client: Client, events: list[tuple[int, str, str]], patience: Patience) -> bool:
    """Remove events and forget them; says whether there were no more."""
    done: list[tuple[int, str]] = []
    try:
        for key, reference, calendar_id in events:
            if patience.is_over:
                return False
            with _calendar_may_be_gone(is_old=calendar_id != claim.calendar_id):
                client.remove(calendar_id, google_rules.event_id(calendar_uid(reference)))
            done.append((key, calendar_id))
    finally:
        if done:
            with db.transaction() as session:
                for key, calendar_id in done:
                    theirs = (*_rows(claim, calendar_id), col(GoogleEvent.appointment_id) == key)
                    session.execute(delete(GoogleEvent).where(*theirs))
    return len(events) < AT_ONCE


@contextmanager
def _calendar_may_be_gone(*, is_old: bool) -> Iterator[None]:
    """In a calendar that is no longer the chosen one, nothing is left to be removed if it cannot be reached."""
    try:
        yield
    except Failed as failure:
        if not is_old or failure.trouble is not Trouble.CALENDAR:
            raise


def _event(entry: Entry) -> dict[str, Any]:
    """The event as the API takes it; ``confirmed`` brings back one that was removed."""
    event: dict[str, Any] = {
        "id": google_rules.event_id(calendar_uid(entry.reference)),
        "status": "confirmed",
        "summary": entry.summary,
        "location": entry.location,
        "visibility": "private",
        "start": {"dateTime": entry.starts_at.isoformat()},
        "end": {"dateTime": entry.ends_at.isoformat()},
    }
    if entry.url:
        event["source"] = {"title": settings().clinic_name, "url": entry.url}
    return event


def read(claim: Claim, client: Client, patience: Patience) -> None:
    """Read what changed in the calendar, and close or open the slots concerned."""
    now = db.clock.now()
    sync_token = claim.sync_token if claim.read_afresh_at and claim.read_afresh_at > now else ""
    span = {"since": now - google_rules.BACK, "until": now + google_rules.AHEAD}
    try:
        found = client.changes(claim.calendar_id, sync_token=sync_token, patience=patience, **span)
    except SyncTokenGone:
        sync_token = ""
        found = client.changes(claim.calendar_id, sync_token="", patience=patience, **span)
    domain = calendar_uid("").removeprefix("@")
    events = {
        event["id"]: google_rules.busy_times(event, zone=settings().zone)
        for event in found.events
        if not google_rules.is_ours(event["id"], domain)
    }
    values: dict[str, Any] = {"sync_token": found.sync_token}
    if not sync_token:
        values["read_afresh_at"] = now + google_rules.AFRESH
    back: tuple[int, ...] = ()
    with db.transaction() as session:
        lock_doctor(session, claim.doctor_id)
        if is_still_ours(session, claim):
            if events or not sync_token:
                back = busy.change(session, doctor_id=claim.doctor_id, events=events, all_of_them=not sync_token)
                if back[AT_ONCE:]:
                    note_fresh(session, claim.doctor_id, back[AT_ONCE:])
            session.execute(
                update(GoogleConnection).where(col(GoogleConnection.doctor_id) == claim.doctor_id).values(**values)
            )
    for slot_id in back[:AT_ONCE]:  # whoever waits for such a time comes first, as for any that becomes free
        with db.transaction() as session:
            matching.offer(session, slot_id=slot_id)


def _rows(claim: Claim, calendar_id: str) -> tuple[ColumnElement[bool], ...]:
    return (col(GoogleEvent.doctor_id) == claim.doctor_id, col(GoogleEvent.calendar_id) == calendar_id)
