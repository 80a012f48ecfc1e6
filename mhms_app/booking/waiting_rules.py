"""Who waits for which times, and how long an offer stands. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from mhms_app.errors import ClinicError

MOST_ENTRIES = 5
PARTS = ("any", "morning", "afternoon")
_NOON = 12
_LONGEST, _SHORTEST, _SHARE = timedelta(hours=2), timedelta(minutes=10), 10
_NEAREST = timedelta(hours=1)
_FURTHEST = timedelta(days=366)


class TooManyWaits(ClinicError):
    """The patient waits for as many times as one may."""

    sentence = f"You wait for {MOST_ENTRIES} times already. Stop waiting for one of them first."


class OfferOver(ClinicError):
    """The offer was taken, declined or let pass."""

    sentence = "This offer is over."


def kept_for(left: timedelta) -> timedelta | None:
    """How long a slot is kept for the person to whom it is offered; None when it is too near to be offered.

    A tenth of the time that is left until it can last be booked, but two hours at most and ten minutes at least.
    """
    return None if left < _NEAREST else max(_SHORTEST, min(_LONGEST, left / _SHARE))


def part_of(local: datetime) -> str:
    """The part of the day at which something starts, by the clinic's clock."""
    return "morning" if local.hour < _NOON else "afternoon"


def problems(weekdays: Collection[int], part: str, earliest: date, *, today: date) -> dict[str, str]:
    """What is wrong with the times that somebody wants to wait for: a sentence by field."""
    found = {}
    if not weekdays or not all(0 <= day <= 6 for day in weekdays):
        found["weekdays"] = "Please choose at least one day."
    if part not in PARTS:
        found["part"] = "Please choose a part of the day."
    if not today <= earliest <= today + _FURTHEST:
        found["earliest"] = "Please choose a day from today on, within a year."
    return found
