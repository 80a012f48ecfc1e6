"""Decisions about slots: cutting a working day into them, publishing and withdrawing. Standard library only.

Working hours are wall-clock times of the clinic's zone; slots are instants. Where daylight saving time
makes the two disagree, a slot is left out rather than bent: see ``cut``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from mhms_app.errors import ClinicError, Invalid

Times = tuple[datetime, datetime]
Break = tuple[time, time]

EVERY_DAY = frozenset(range(7))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(minutes=480)
LONGEST_PAUSE = timedelta(minutes=240)
MOST_BREAKS = 10
NOON = time(12)
MOST_SLOTS = 2000
HORIZON = timedelta(days=366)
YEARS = range(2000, 2200)
_FIELDS_OF_ONE = {"first_day": "day", "last_day": "day", "length": "end"}  # one slot has fewer fields than a plan


class SlotBooked(ClinicError):
    """A patient has this slot."""

    sentence = "This slot is booked. Cancel the appointment if it cannot take place."


class SlotHeld(ClinicError):
    """A patient is booking this slot."""

    sentence = "Somebody is booking this slot just now. Please look again in a few minutes."


class SlotWithdrawn(ClinicError):
    """The slot was withdrawn before."""

    sentence = "This slot is withdrawn already."


class SlotPast(ClinicError):
    """The slot's time has come; it stays for the record."""

    sentence = "This slot has already started, and stays for the record."


@dataclass(frozen=True, slots=True)
class Plan:
    """When a doctor wants to be seen: a wall-clock range cut into slots, on some days.

    One date is a plan whose first day is its last; one slot is a plan whose range is as long as a slot.

    Attributes:
        weekdays: the days of the week, Monday is 0.
        length: how long each slot takes.
        pause: the time between two slots.
        breaks: wall-clock ranges without slots; after each the slots go on at its end.
    """

    first_day: date
    last_day: date
    start: time
    end: time
    length: timedelta
    pause: timedelta = timedelta()
    breaks: tuple[Break, ...] = ()
    weekdays: frozenset[int] = EVERY_DAY


def day_of(text: str) -> date | None:
    """The date that a field or an address holds, ``2026-11-26``; None when it is none of this century."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None


def week_of(day: date) -> date:
    """The Monday of the week that holds this day (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def weekday_bits(weekdays: Collection[int]) -> int:
    """A set of weekdays, Monday is 0, as one number."""
    return sum(1 << day for day in set(weekdays))


def weekdays_in(bits: int) -> tuple[int, ...]:
    """The weekdays of ``weekday_bits``, in order."""
    return tuple(day for day in range(7) if bits >> day & 1)


def part_of(local: datetime) -> str:
    """The part of the day at which something starts, by the clinic's clock."""
    return "morning" if local.time() < NOON else "afternoon"


def span(first: date, days: int, *, zone: ZoneInfo) -> Times:
    """The instants at which these wall-clock days begin and are over: 23, 24 or 25 hours each.

    Raises:
        Invalid: the date is too far from today for a calendar.
    """
    if first.year not in YEARS:
        raise Invalid("Please choose a date in this century.", field="day")
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, first + days * DAY))
    return begin, end


def cut(
    day: date,
    start: time,
    end: time,
    *,
    length: timedelta,
    pause: timedelta = timedelta(),
    breaks: tuple[Break, ...] = (),
    zone: ZoneInfo,
) -> tuple[Times, ...]:
    """Cut a wall-clock range of one day into slots and say at which instants they are, in UTC.

    Every slot takes exactly ``length``, and a clock on the wall shows its planned start and end. So, when
    the clocks go forward, slots that would start, end or lie in the missing hour are left out. When they
    go back, an hour has two occurrences: slots in it are those of the first (PEP 495, fold 0), none
    are those of the second, and a slot that would last over the change is left out. Pauses and breaks are
    wall-clock too: one that holds the missing hour is as much shorter.

    Args:
        length: more than nothing; ``pause`` is not negative.
    """
    slots = []
    for begin, finish in _on_the_wall(day, start, end, length=length, pause=pause, breaks=breaks):
        starts_at = begin.replace(tzinfo=zone).astimezone(UTC)
        ends_at = starts_at + length
        if _wall_clock(starts_at, zone) == begin and _wall_clock(ends_at, zone) == finish:
            slots.append((starts_at, ends_at))
    return tuple(slots)


def repeat(first_day: date, last_day: date, weekdays: frozenset[int]) -> tuple[date, ...]:
    """The days with these weekdays from the first to the last, both included."""
    days = (first_day + n * DAY for n in range((last_day - first_day).days + 1))
    return tuple(day for day in days if day.weekday() in weekdays)


def slots_of(plan: Plan, *, zone: ZoneInfo) -> tuple[Times, ...]:
    """Every slot of a plan, in order."""
    return tuple(
        slot
        for day in repeat(plan.first_day, plan.last_day, plan.weekdays)
        for slot in cut(day, plan.start, plan.end, length=plan.length, pause=plan.pause, breaks=plan.breaks, zone=zone)
    )


def merged(times: Iterable[Times]) -> tuple[Times, ...]:
    """The same time, in order and without overlaps."""
    parts: list[Times] = []
    for starts_at, ends_at in sorted(times):
        if parts and starts_at <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(ends_at, parts[-1][1]))
        else:
            parts.append((starts_at, ends_at))
    return tuple(parts)


def split_overlaps(new: tuple[Times, ...], existing: tuple[Times, ...]) -> tuple[tuple[Times, ...], tuple[Times, ...]]:
    """Split new slots into those that are fresh and those that overlap an existing one.

    Args:
        new: in any order.
        existing: in order and without overlaps, as one doctor's slots are. Slots that touch do not overlap.
    """
    starts = [starts_at for starts_at, _ in existing]

    def overlaps(slot: Times) -> bool:
        before = bisect_left(starts, slot[1])  # the last one that starts before this ends is the last to end
        return before > 0 and existing[before - 1][1] > slot[0]

    return tuple(slot for slot in new if not overlaps(slot)), tuple(slot for slot in new if overlaps(slot))


def why_not_publishable(plan: Plan, *, now: datetime, zone: ZoneInfo) -> Invalid | None:
    """Say why slots cannot be published as planned, or None if they can.

    Args:
        now: aware UTC; the plan may begin in the past but must not be over.
    """
    # Taken one by one: what is asked later relies on what was asked before.
    return next(chain(wrong_hours(plan), _wrong_days(plan, now=now.astimezone(zone))), None)


def times_of(day: date, start: time, end: time, *, now: datetime, zone: ZoneInfo) -> Times:
    """The instants of one slot that a clock on the wall shows from ``start`` until ``end``.

    Raises:
        Invalid: it would be over, too short, too long, too far away, or at a time at which the clocks change.
    """
    length = datetime.combine(day, end) - datetime.combine(day, start)
    plan = Plan(day, day, start, end, length)
    if refusal := why_not_publishable(plan, now=now, zone=zone):
        raise Invalid(refusal.sentence, field=_FIELDS_OF_ONE.get(refusal.field, refusal.field))
    found = slots_of(plan, zone=zone)
    if not found:
        raise Invalid("The clocks change at this time, so no slot can be here.", field="start")
    if found[0][0] <= now:
        raise Invalid("This is in the past. Choose a later time.", field="start")
    return found[0]


def why_not_withdrawable(state: str, starts_at: datetime, *, now: datetime) -> ClinicError | None:
    """Say why a slot cannot be withdrawn, or None if it can: it must be open and still to come."""
    refusals: dict[str, ClinicError] = {"booked": SlotBooked(), "held": SlotHeld(), "withdrawn": SlotWithdrawn()}
    return refusals.get(state) or (SlotPast() if starts_at <= now else None)


def wrong_hours(plan: Plan) -> Iterator[Invalid]:
    """What is wrong with the hours of a plan, one after the other; what comes later relies on what came before."""
    if not all(_is_clock_time(at) for at in (plan.start, plan.end, *(at for pair in plan.breaks for at in pair))):
        yield Invalid("Use hours and minutes, such as 09:20.", field="start")
    if plan.end <= plan.start:
        yield Invalid("The end must be after the start.", field="end")
    if not SHORTEST <= plan.length <= LONGEST or plan.length % MINUTE:
        yield Invalid("A slot takes 5 to 480 minutes.", field="length")
    if not timedelta() <= plan.pause <= LONGEST_PAUSE or plan.pause % MINUTE:
        yield Invalid("A pause takes at most 240 minutes.", field="pause")
    if len(plan.breaks) > MOST_BREAKS:
        yield Invalid(f"Use at most {MOST_BREAKS} breaks.", field="breaks")
    if any(end <= start for start, end in plan.breaks):
        yield Invalid("A break must end after it begins.", field="breaks")
    if not _slots_a_day(plan):
        yield Invalid("No slot of this length fits between start and end.", field="length")


def _wrong_days(plan: Plan, *, now: datetime) -> Iterator[Invalid]:
    today = now.date()
    if plan.last_day < plan.first_day:
        yield Invalid("The last day must not be before the first.", field="last_day")
    if plan.last_day < today:
        yield Invalid("This is in the past. Choose today or a later day.", field="first_day")
    if plan.last_day == today and plan.end <= now.time():
        yield Invalid("This is in the past. Choose a later time.", field="end")
    if plan.last_day > today + HORIZON or plan.first_day < today - HORIZON:
        yield Invalid(f"Slots can be published up to {HORIZON.days} days ahead.", field="last_day")
    days = len(repeat(plan.first_day, plan.last_day, plan.weekdays))
    if not days:
        yield Invalid("None of these weekdays is between the first and the last day.", field="weekdays")
    if days * _slots_a_day(plan) > MOST_SLOTS:
        yield Invalid(f"These are more than {MOST_SLOTS} slots. Publish fewer weeks at once.", field="last_day")


def _slots_a_day(plan: Plan) -> int:
    day = _on_the_wall(plan.first_day, plan.start, plan.end, length=plan.length, pause=plan.pause, breaks=plan.breaks)
    return sum(1 for _ in day)


def _on_the_wall(
    day: date, start: time, end: time, *, length: timedelta, pause: timedelta, breaks: tuple[Break, ...]
) -> Iterator[tuple[datetime, datetime]]:
    """The slots as a clock on the wall shows them: naive times, one after the other, around the breaks."""
    begin, last = datetime.combine(day, start), datetime.combine(day, end)
    rests = sorted((datetime.combine(day, since), datetime.combine(day, until)) for since, until in breaks)
    while (finish := begin + length) <= last:
        rest = next((until for since, until in rests if since < finish and begin < until), None)
        if rest is None:
            yield begin, finish
        begin = finish + pause if rest is None else rest


def _wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _is_clock_time(at: time) -> bool:
    return at.tzinfo is None and at.second == 0 and at.microsecond == 0
