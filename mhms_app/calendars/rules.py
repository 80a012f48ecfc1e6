"""Decisions about calendars. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from mhms_app.actor import Role
from mhms_app.errors import ClinicError, Conflict, NotAllowed

MOST_FEEDS = 5
PAST, COMING = timedelta(days=30), timedelta(days=365)


class Shows(StrEnum):
    """What a private address shows: a patient's own appointments, or a doctor's with or without initials."""

    OWN = "own"
    BUSY = "busy"
    INITIALS = "initials"


_MAY_SHOW = {Role.PATIENT: {Shows.OWN}, Role.DOCTOR: {Shows.BUSY, Shows.INITIALS}}


def may_show(role: Role, shows: Shows) -> bool:
    """Say whether somebody of this role may read such a calendar."""
    return shows in _MAY_SHOW.get(role, set())


def why_no_feed(role: Role, shows: Shows, *, standing: int) -> ClinicError | None:
    """Say why somebody with so many standing addresses may not have this one, or None if they may."""
    if not may_show(role, shows):
        return NotAllowed()
    if standing >= MOST_FEEDS:
        return Conflict(f"You have {MOST_FEEDS} calendar addresses. Revoke one that you no longer use first.")
    return None


def google_link(*, title: str, starts_at: datetime, ends_at: datetime, details: str, location: str) -> str:
    """The address at which Google Calendar asks whether to add an event; it needs no account here and no key."""
    times = "/".join(f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}" for instant in (starts_at, ends_at))
    event = {"action": "TEMPLATE", "text": title, "dates": times, "details": details, "location": location}
    return f"https://calendar.google.com/calendar/render?{urlencode(event)}"
