"""Days and times as people say them. Pure functions: instants are aware, ``now`` is an argument.

Wall-clock words are in the clinic's zone unless another ``zone`` is given.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mhms_app.settings import settings

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def local(instant: datetime, zone: ZoneInfo | None = None) -> datetime:
    """The instant on the clinic's wall clock."""
    return instant.astimezone(zone or settings().zone)


def weekday(day: date) -> str:
    """ "Thu"."""
    return _DAYS[day.weekday()][:3]


def weekday_name(day: date) -> str:
    """ "Thursday"."""
    return _DAYS[day.weekday()]


def day_month(day: date) -> str:
    """ "26 Nov"."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def date_of(day: date) -> str:
    """ "26 Nov 2026"."""
    return f"{day_month(day)} {day.year}"


def short_day(day: date, *, today: date) -> str:
    """ "Thu 26 Nov", with the year when it is not this one."""
    year = "" if day.year == today.year else f" {day.year}"
    return f"{weekday(day)} {day.day} {_MONTHS[day.month - 1][:3]}{year}"


def near_day(day: date, *, today: date) -> str:
    """ "Today", "Tomorrow", "Yesterday", else as ``short_day``."""
    near = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}
    return near.get((day - today).days) or short_day(day, today=today)


def long_day(day: date) -> str:
    """ "Thursday, 26 November"."""
    return f"{_DAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1]}"


def clock(instant: datetime, *, zone: ZoneInfo | None = None) -> str:
    """ "09:20"."""
    return f"{local(instant, zone):%H:%M}"


def hours(start: datetime, end: datetime, *, zone: ZoneInfo | None = None) -> str:
    """ "10:00 – 10:20"."""
    return f"{clock(start, zone=zone)} – {clock(end, zone=zone)}"


def moment(instant: datetime, *, now: datetime, zone: ZoneInfo | None = None) -> str:
    """ "Today 14:20", "Tomorrow 09:00", "Tue 24 Nov, 10:40"."""
    day = near_day(local(instant, zone).date(), today=local(now, zone).date())
    return f"{day}{',' if ' ' in day else ''} {clock(instant, zone=zone)}"


def moment_within(instant: datetime, *, now: datetime) -> str:
    """ "today 14:20", "Tue 24 Nov, 10:40": as ``moment``, within a sentence."""
    said = moment(instant, now=now)
    return said[0].lower() + said[1:] if "," not in said else said


def span(start: datetime, end: datetime, *, now: datetime, zone: ZoneInfo | None = None) -> str:
    """ "Thu 26 Nov, 10:00 – 10:20"."""
    day = short_day(local(start, zone).date(), today=local(now, zone).date())
    return f"{day}, {hours(start, end, zone=zone)}"


def days_between(first: date, last: date) -> str:
    """ "23 – 27 November", "1 December", "30 November – 4 December", "28 December 2026 – 1 January 2027"."""
    end = f"{last.day} {_MONTHS[last.month - 1]}"
    if first == last:
        return end
    if first.year != last.year:
        return f"{first.day} {_MONTHS[first.month - 1]} {first.year} – {end} {last.year}"
    start = f"{first.day}" if first.month == last.month else f"{first.day} {_MONTHS[first.month - 1]}"
    return f"{start} – {end}"


def monday_of(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def zone_name(instant: datetime, *, zone: ZoneInfo | None = None) -> str:
    """ "Berlin time (CET)": the clinic's zone as it is at the instant."""
    there = zone or settings().zone
    place = there.key.rpartition("/")[2].replace("_", " ")
    short = local(instant, there).strftime("%Z")
    return f"{place} time ({short if short.isalpha() else f'UTC{short}'})" if place != short else short


def elsewhere(start: datetime, end: datetime, *, zone: str) -> str:
    """ "09:00 – 09:20, Lisbon time (WET)": a time on another clock, with its day when that is another.

    ``""`` where the clinic's clock shows the same, and for no zone.
    """
    there = ZoneInfo(zone) if zone else settings().zone
    clocks = [(local(each, there), local(each)) for each in (start, end)]
    if all(theirs.utcoffset() == ours.utcoffset() for theirs, ours in clocks):
        return ""
    theirs, ours = clocks[0]
    day = f"{weekday(theirs.date())} {day_month(theirs.date())}, " if theirs.date() != ours.date() else ""
    return f"{day}{hours(start, end, zone=there)}, {zone_name(start, zone=there)}"


def ago(instant: datetime, *, now: datetime) -> str:
    """ "12 s ago", "5 min ago", "3 h ago", "yesterday", "4 days ago"."""
    seconds = max(0, int((now - instant).total_seconds()))
    for size, unit in ((60, "s"), (60, "min"), (24, "h")):
        if seconds < size:
            return f"{seconds} {unit} ago"
        seconds //= size
    return "yesterday" if seconds == 1 else f"{seconds} days ago"


def how_long(since: datetime, *, now: datetime) -> str:
    """ "for 12 s", "for 3 h", "since yesterday", "for 4 days"."""
    passed = ago(since, now=now).removesuffix(" ago")
    return f"since {passed}" if passed == "yesterday" else f"for {passed}"


def number(value: int) -> str:
    """ "1 180": thousands apart."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def count(value: int, one: str, many: str = "") -> str:
    """ "1 slot", "1 180 slots": the number with its noun."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"
