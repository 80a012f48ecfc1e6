"""A doctor's week as it is drawn: lanes, blocks, and what they say. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from mhms_app.availability import rules
from mhms_app.availability.rules import DAY, MINUTE
from mhms_app.availability.slots import BUSY
from mhms_app.booking.agenda import Entry
from mhms_app.settings import settings
from mhms_app.web import words
from mhms_app.web.doctor.pieces import short_name

_EARLIEST, _LATEST = 8, 18
_SHORTEST, _USUAL = 5, 30
_WEEKEND = 5
_LISTED = 6  # so many chosen times of a day are named, more are counted
_PAST_WORDS = {"completed": "seen", "no_show": "no-show"}


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time in a day's lane.

    Attributes:
        slot_id: 0 for what is no slot.
        since, minutes: where it stands on the wall's clock, from the first hour of the grid.
        kind: open, busy, held, booked, past, planned, or odd (the clocks change); with "again" it is in the second
            occurrence of an hour.
        text, reason: "10:00 C. Sato", "Back pain".
        label: "10:00 – 10:20, Chie Sato, Back pain, Tuesday, 24 November".
    """

    slot_id: int
    since: int
    minutes: int
    kind: str
    text: str
    label: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One day of the week; ``shown`` is false for a weekend day without anything in it."""

    day: str
    weekday: str
    number: str
    label: str
    free: str
    today: bool
    shown: bool
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Picked:
    """The chosen slots of one day, and how many more of it could be chosen."""

    day: str
    name: str
    times: str
    offer: str


@dataclass(frozen=True, slots=True)
class OddTime:
    """The minutes of a day, from midnight on the wall, that the change of the clocks leaves out or repeats."""

    since: int
    minutes: int
    is_missing: bool


def odd_time(day: date) -> OddTime | None:
    """What is odd about a clinic day of 23 or 25 hours; None for one of 24."""
    zone = settings().zone
    begin, end = rules.span(day, 1, zone=zone)
    if end - begin == DAY:
        return None
    midnight = datetime.combine(day, time(), zone)
    # A time on the wall that the change concerns has two offsets (PEP 495): before the change, and after it.
    walls = [midnight + number * MINUTE for number in range(DAY // MINUTE)]
    odd = [number for number, wall in enumerate(walls) if wall.utcoffset() != wall.replace(fold=1).utcoffset()]
    return OddTime(odd[0], len(odd), end - begin < DAY) if odd else None


def odd_in_words(days: Iterable[date]) -> str:
    """ "On Sunday the clocks go forward: 02:00 – 03:00 does not exist."; nothing when none of these days is odd."""
    for day in days:
        if odd := odd_time(day):
            way, fate = ("forward", "does not exist") if odd.is_missing else ("back", "comes twice")
            return f"On {words.weekday_name(day)} the clocks go {way}: {_odd_range(odd)} {fate}."
    return ""


def is_free(entry: Entry, now: datetime) -> bool:
    """Whether a slot can be booked, and so withdrawn or changed."""
    return entry.state != BUSY and rules.why_not_withdrawable(entry.state, entry.starts_at, now=now) is None


def span_of_hours(times: Iterable[tuple[datetime, datetime]]) -> tuple[int, int]:
    """From which hour until which a week is drawn: a working day, and more when there are slots outside of it."""
    first, last = _EARLIEST, _LATEST
    for starts_at, ends_at in times:
        start, end = words.local(starts_at), words.local(ends_at)
        overnight = 24 if end.date() > start.date() else 0
        first = min(first, start.hour)
        last = min(24, max(last, overnight or end.hour + bool(end.minute)))
    return first, last


def shortest_of(entries: Iterable[Entry]) -> int:
    """The minutes of the shortest slot of a week, so that the grid is drawn high enough to read it."""
    minutes = [(entry.ends_at - entry.starts_at) // MINUTE for entry in entries]
    return max(_SHORTEST, min([_USUAL, *minutes]))


def lay_out(
    entries: Iterable[Entry],
    stretches: Iterable[tuple[datetime, datetime, int]],
    *,
    monday: date,
    now: datetime,
    hours: tuple[int, int],
    asked: set[int],
) -> list[Lane]:
    """The seven days of a week with their blocks. A block stands where a clock on the wall shows its start.

    Args:
        stretches: what is planned: from, until, how many slots.
        hours: the first that is drawn, and the first that is not.
        asked: days of the week that are shown even when they are empty.
    """
    days = [monday + number * DAY for number in range(7)]
    blocks: dict[date, list[Block]] = {day: [] for day in days}
    free = dict.fromkeys(days, 0)
    for entry in entries:
        day = words.local(entry.starts_at).date()
        blocks[day].append(_block(entry, now=now, first_hour=hours[0]))
        free[day] += is_free(entry, now)
    for starts_at, ends_at, count in stretches:
        blocks[words.local(starts_at).date()].append(_planned(starts_at, ends_at, count, first_hour=hours[0]))
    today = words.local(now).date()
    return [
        Lane(
            day=day.isoformat(),
            weekday=words.weekday(day),
            number=str(day.day),
            label=f"{words.long_day(day)}, {free[day]} free",
            free=str(free[day] or "–"),
            today=day == today,
            shown=day.weekday() < _WEEKEND or bool(inside) or day.weekday() in asked,
            blocks=[*_odd(day, hours), *inside],
        )
        for day, inside in blocks.items()
    ]


def _block(entry: Entry, *, now: datetime, first_hour: int) -> Block:
    start = words.local(entry.starts_at)
    kind, said = _kind_and_words(entry, now)
    reason = entry.reason if kind == "booked" else ""
    who = entry.patient or said
    about = ", ".join(part for part in (words.hours(entry.starts_at, entry.ends_at), who, reason) if part)
    block = Block(
        entry.slot_id,
        _since(start, first_hour),
        _height(entry.starts_at, entry.ends_at),
        kind,
        f"{start:%H:%M} {said}",
        f"{about}, {words.long_day(start.date())}",
        reason,
    )
    return replace(block, kind=f"{kind} again", label=f"{block.label}, {start:%Z}") if start.fold else block


def _kind_and_words(entry: Entry, now: datetime) -> tuple[str, str]:
    """How a slot is drawn, and what it says of itself."""
    past = entry.ends_at <= now
    if entry.patient:
        name = short_name(entry.patient)
        return ("past", _PAST_WORDS.get(entry.status, name)) if past else ("booked", name)
    if is_free(entry, now):
        return "open", "free"
    if entry.state == BUSY:
        return "past" if past else "busy", "busy elsewhere"
    return ("past", "unused") if entry.state == "open" else ("held", "being booked")


def _planned(starts_at: datetime, ends_at: datetime, count: int, *, first_hour: int) -> Block:
    start = words.local(starts_at)
    text = f"{words.hours(starts_at, ends_at)}, {count} slots" if count > 1 else f"{start:%H:%M} new"
    return Block(0, _since(start, first_hour), _height(starts_at, ends_at), "planned", text, text)


def _odd(day: date, hours: tuple[int, int]) -> list[Block]:
    """The band over what the change of the clocks leaves out or repeats, as far as it is in sight."""
    odd = odd_time(day)
    if odd is None:
        return []
    since, until = max(odd.since, hours[0] * 60), min(odd.since + odd.minutes, hours[1] * 60)
    if since >= until:
        return []
    text = f"{_odd_range(odd)} {'does not exist' if odd.is_missing else 'comes twice'}"
    return [Block(0, since - hours[0] * 60, until - since, "odd", text, text)]


def _odd_range(odd: OddTime) -> str:
    return f"{_wall(odd.since)} – {_wall(odd.since + odd.minutes)}"


def _wall(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _since(start: datetime, first_hour: int) -> int:
    return (start.hour - first_hour) * 60 + start.minute


def _height(starts_at: datetime, ends_at: datetime) -> int:
    """The minutes between two times on the wall; no less than what really passes when the clocks go back."""
    start, end = (words.local(at).replace(tzinfo=None) for at in (starts_at, ends_at))
    return max(end - start, ends_at - starts_at) // MINUTE


def now_line(now: datetime, *, hours: tuple[int, int]) -> tuple[int, int]:
    """Where in the grid it is now, and for how many minutes that stays in sight; (0, 0) when it is not."""
    at, end = _since(words.local(now), hours[0]), (hours[1] - hours[0]) * 60
    return (at, end - at) if 0 <= at < end else (0, 0)


def week_in_words(entries: Iterable[Entry], *, now: datetime, where: str) -> str:
    """ "42 free, 18 booked", "No slots in this week"."""
    known = list(entries)
    free, booked = sum(is_free(entry, now) for entry in known), sum(bool(entry.patient) for entry in known)
    return f"{free} free, {booked} booked" if known else f"No slots {where}"


def picked_by_day(chosen: list[int], free: Mapping[int, datetime]) -> list[Picked]:
    """The chosen slots, a line a day."""
    days: dict[date, list[str]] = {}
    for key in chosen:
        days.setdefault(words.local(free[key]).date(), []).append(words.clock(free[key]))
    found = []
    for day, times in days.items():
        all_free = sum(words.local(at).date() == day for at in free.values())
        offer = f"All {all_free} of this day" if len(times) < all_free else ""
        said = ", ".join(times) if len(times) <= _LISTED else f"{len(times)} slots from {times[0]} to {times[-1]}"
        found.append(Picked(day.isoformat(), words.short_day(day, today=day), said, offer))
    return found
