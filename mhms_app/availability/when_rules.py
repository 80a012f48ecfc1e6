"""When somebody could come, and why there is nothing for them then. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from mhms_app.availability.rules import DAY, EVERY_DAY, NOON, Times

PARTS = {"any": (time(), None), "morning": (time(), NOON), "afternoon": (NOON, None)}
"""The parts of a day, from and to on the clinic's clock; None is its end."""


@dataclass(frozen=True, slots=True)
class When:
    """When somebody could come, by the clinic's clock.

    Attributes:
        day: that day and no other; None means any.
        weekdays: Monday is 0.
        part: one of ``PARTS``.
    """

    day: date | None = None
    weekdays: frozenset[int] = EVERY_DAY
    part: str = "any"

    @property
    def is_narrow(self) -> bool:
        """Whether more than a day is asked for."""
        return self.part != "any" or self.weekdays != EVERY_DAY


ANY_TIME = When()


class Why(StrEnum):
    """Why there is nothing."""

    NOBODY = "nobody"
    UNPUBLISHED = "unpublished"
    NOTICE = "notice"
    AHEAD = "ahead"
    TAKEN = "taken"
    ELSEWHEN = "elsewhen"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the slots to come of those among whom somebody looks; instants are aware UTC.

    Attributes:
        doctors: how many patients can find.
        published_until: when the last slot begins, whatever its state but withdrawn; None when there is none.
        free_at: when the first open slot begins, however near or far it is; None when there is none.
        bookable_at: when the first begins that can be booked now; None when there is none.
    """

    doctors: int
    published_until: datetime | None
    free_at: datetime | None
    bookable_at: datetime | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why there is nothing, with the instant that goes with it.

    Attributes:
        at: ``UNPUBLISHED``: until when slots are published, None when none are; ``NOTICE`` and ``AHEAD``: the first
            open slot; ``TAKEN``: until when; ``ELSEWHEN``: the next one that can be booked.
    """

    why: Why
    at: datetime | None = None


def spans(when: When, first: date, last: date, *, zone: ZoneInfo) -> tuple[Times, ...]:
    """The instants at which each day that fits, or its part, begins and is over, from the first to the last day."""
    days = (first + number * DAY for number in range((last - first).days + 1))
    fitting = (day for day in days if day.weekday() in when.weekdays and when.day in (None, day))
    since, until = PARTS[when.part]

    def at(day: date, clock: time | None) -> datetime:
        wall = datetime.combine(day, clock, zone) if clock is not None else datetime.combine(day + DAY, time(), zone)
        return wall.astimezone(UTC)

    return tuple((at(day, since), at(day, until)) for day in fitting)


def why_nothing(facts: Facts, when: When, *, now: datetime, notice: timedelta, zone: ZoneInfo) -> Nothing:
    """Say why there is nothing that can be booked at these times.

    Args:
        notice: how long before its start a slot can last be booked.
    """
    until = facts.published_until
    if not facts.doctors:
        return Nothing(Why.NOBODY)
    if until is None or (when.day is not None and when.day > until.astimezone(zone).date()):
        return Nothing(Why.UNPUBLISHED, until)
    if facts.bookable_at is not None:
        return Nothing(Why.ELSEWHEN, facts.bookable_at)
    if facts.free_at is not None:
        return Nothing(Why.NOTICE if facts.free_at <= now + notice else Why.AHEAD, facts.free_at)
    return Nothing(Why.TAKEN, until)
