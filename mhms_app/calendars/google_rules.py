"""Decisions about a doctor's Google calendar. Standard library only; ``now`` and chance are parameters.

Field names and reasons are those of the Calendar API v3 (developers.google.com/workspace/calendar/api).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

EVERY = timedelta(minutes=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
BACK, AHEAD = timedelta(days=1), timedelta(days=400)
AFRESH = timedelta(days=7)
"""How often everything is read anew: what is read reaches from ``BACK`` to ``AHEAD`` of that moment."""
MOST_PAGES = 20
CONSENT = timedelta(minutes=15)

_RATE = {
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
    "dailyLimitExceeded",
    "calendarUsageLimitsExceeded",
}
_SCOPE = {"insufficientPermissions", "authError"}
_SETUP = {"accessNotConfigured"}


class Trouble(StrEnum):
    """Why a calendar is not in step."""

    NONE = ""
    OUTAGE = "outage"
    SLOW_DOWN = "slow_down"
    TOO_MUCH = "too_much"
    CALENDAR = "calendar"
    RECONNECT = "reconnect"


WAITS_FOR_PERSON = frozenset({Trouble.CALENDAR, Trouble.RECONNECT})
"""What no repetition mends: another calendar has to be chosen, or the account to be connected anew."""


def meaning(status: int, reason: str) -> Trouble:
    """Say what an error of the API means.

    Args:
        status: the HTTP status.
        reason: ``error.errors[0].reason`` of the answer, or ``""``.
    """
    if status == 401 or (status == 403 and reason in _SCOPE):
        return Trouble.RECONNECT
    if status == 429 or (status == 403 and reason in _RATE):
        return Trouble.SLOW_DOWN
    if status == 404 or (status == 403 and reason not in _SETUP):
        return Trouble.CALENDAR
    return Trouble.OUTAGE


def pause_after(failures: int, *, chance: float, asked: timedelta | None = None) -> timedelta:
    """Say how long to wait after so many failures in a row: exponential back-off with jitter.

    Args:
        failures: 1 after the first.
        chance: uniformly distributed in [0, 1); spreads those that failed together over half of the time.
        asked: what Google asked for (``Retry-After``); it is never undercut.
    """
    bound = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(failures, 12) - 1))
    return max(bound / 2 * (1 + chance), asked or timedelta())


def event_id(uid: str) -> str:
    """The key of an appointment's event: its calendar UID in base32hex, as the API wants keys to be made."""
    return base64.b32hexencode(uid.encode()).decode().lower().rstrip("=")


def is_ours(key: str, domain: str) -> bool:
    """Say whether ``event_id`` made this key for an appointment of the clinic at this domain."""
    try:
        uid = base64.b32hexdecode(key.upper() + "=" * (-len(key) % 8))
    except (binascii.Error, ValueError):
        return False
    return uid.endswith(f"@{domain}".encode())


def busy_times(event: Mapping[str, Any], *, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """From when until when an event keeps its owner busy (aware UTC), or None when it does not.

    Cancelled and free ("transparent") events do not, nor do invitations that were declined. Those that last whole
    days begin and end at midnight in the clinic's zone.
    """
    declined = any(who.get("self") and who.get("responseStatus") == "declined" for who in event.get("attendees", ()))
    if event.get("status") == "cancelled" or event.get("transparency") == "transparent" or declined:
        return None
    starts_at, ends_at = (_instant(event.get(name, {}), zone) for name in ("start", "end"))
    return (starts_at, ends_at) if starts_at and ends_at and starts_at < ends_at else None


def _instant(at: Mapping[str, str], zone: ZoneInfo) -> datetime | None:
    if "dateTime" in at:
        instant = datetime.fromisoformat(at["dateTime"])
        return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(at.get("timeZone", "UTC")))).astimezone(
            UTC
        )
    if "date" in at:
        return datetime.combine(date.fromisoformat(at["date"]), time(), zone).astimezone(UTC)
    return None
