"""The form with which slots are published: what was typed, the plan that it means, and its preview in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from mhms_app.availability import rules
from mhms_app.availability.rules import Plan, Times
from mhms_app.availability.service import Preview
from mhms_app.errors import Invalid, InvalidForm
from mhms_app.web import words

LENGTHS = (5, 10, 15, 20, 25, 30, 40, 45, 50, 60, 90, 120, 180, 240)
PAUSES = (0, 5, 10, 15, 20, 30)
UNTOUCHED = {
    "start": "09:00", "end": "12:00", "length": "20", "pause": "0", "last_day": "",
    "lunch_start": "12:30", "lunch_end": "13:15", "day": "", "time": "09:00",
}  # fmt: skip
_NAMED = 3


Short = Annotated[str, Field(max_length=20)]


class Typed(TypedDict, total=False):
    """The form's fields as the browser shows them; those that it does not show are missing."""

    what: Short  # a range of hours or one slot; the server knows it from the moment it is chosen
    start: Short
    end: Short
    length: Short
    pause: Short
    last_day: Short
    lunch_start: Short
    lunch_end: Short
    first_day: Short
    day: Short
    time: Short


class NewTime(TypedDict):
    """The form that gives a slot another time."""

    day: Short
    start: Short
    end: Short


def shown(typed: Mapping[str, str], form: Typed) -> dict[str, str]:
    """What was typed, as the browser shows it now."""
    now: Mapping[str, Any] = form
    return {name: str(now.get(name, text)) for name, text in typed.items()}


def read_range(typed: Mapping[str, str], *, monday: date, weekdays: Collection[int], lunch: bool) -> Plan:
    """The plan of a range of hours on some days of a week, repeated until a last day.

    Raises:
        InvalidForm: what cannot be read, by field.
    """
    form = Reader(typed)
    last_day = form.day("last_day") if typed["last_day"] else monday + timedelta(days=6)
    rest = ((form.clock("lunch_start"), form.clock("lunch_end")),) if lunch else ()
    plan = Plan(
        monday,
        last_day,
        form.clock("start"),
        form.clock("end"),
        form.minutes("length"),
        form.minutes("pause"),
        rest,
        frozenset(weekdays),
    )
    form.refuse()
    return plan


def read_single(typed: Mapping[str, str]) -> Plan:
    """The plan of one slot on one day.

    Raises:
        InvalidForm: what cannot be read, by field.
    """
    form = Reader(typed)
    day, start, length = form.day("day"), form.clock("time"), form.minutes("length")
    form.refuse()
    end = datetime.combine(day, start) + length
    if end.date() != day:
        raise InvalidForm({"time": "The slot must end before midnight."})
    return Plan(day, day, start, end.time(), length)


def read_new_time(form: NewTime) -> tuple[date, time, time]:
    """The day and the times on the wall that the form means.

    Raises:
        InvalidForm: what cannot be read, by field.
    """
    typed = Reader({"day": form["day"], "start": form["start"], "end": form["end"]})
    found = typed.day("day"), typed.clock("start"), typed.clock("end")
    typed.refuse()
    return found


def time_typed(slot_id: int, starts_at: datetime, ends_at: datetime) -> dict[str, str]:
    """The same form filled in with a slot; its ``key`` changes with it."""
    day = words.local(starts_at).date().isoformat()
    times = {"start": words.clock(starts_at), "end": words.clock(ends_at)}
    return {"day": day, **times, "key": f"{slot_id} {day} {times}"}


def day_of(text: str) -> date:
    """The day that a lane of the week names.

    Raises:
        Invalid: it is none of this century.
    """
    if (day := rules.day_of(text)) is None:
        raise Invalid("Please choose a day.", field="day")
    return day


def clock_of(minutes: int) -> time:
    """The time on the wall so many minutes after midnight: 0 to 1439."""
    return time(*divmod(minutes, 60))


class Reader:
    """Reads typed values; collects what is wrong with them."""

    def __init__(self, typed: Mapping[str, str]) -> None:
        self.typed, self.errors = typed, dict[str, str]()

    def clock(self, name: str) -> time:
        """A time of day; browsers send "09:20"."""
        try:
            return time.fromisoformat(self.typed[name]).replace(second=0, microsecond=0, tzinfo=None)
        except ValueError:
            self.errors[name] = "Please enter a time, such as 09:20."
            return time()

    def day(self, name: str) -> date:
        """A calendar day; browsers send "2026-11-24"."""
        day = rules.day_of(self.typed[name])
        if day is None:
            self.errors[name] = "Please choose a day."
        return day or date(2000, 1, 1)

    def minutes(self, name: str) -> timedelta:
        """A length of time."""
        if not (self.typed[name].isascii() and self.typed[name].isdigit()):
            self.errors[name] = "Please choose one of these."
            return timedelta(minutes=rules.SHORTEST.seconds // 60)
        return timedelta(minutes=min(int(self.typed[name]), 24 * 60))

    def refuse(self) -> None:
        """Raise what was collected."""
        if self.errors:
            raise InvalidForm(self.errors)


def problems(refusal: Invalid, *, single: bool) -> dict[str, str]:
    """A refused plan's sentence beside the field of our form that stands for the rule's."""
    places = {"breaks": "lunch_end"}
    if single:
        places = {"first_day": "day", "last_day": "day", "weekdays": "day", "start": "time", "end": "time"}
    return {places.get(refusal.field, refusal.field): refusal.sentence}


def summary(preview: Preview, *, today: date) -> tuple[str, str]:
    """What publishing would do: the number of new slots, and the rest of the sentence with what is left out."""
    fresh, skipped, past = preview.fresh, preview.skipped, preview.past
    named = _named(skipped, today=today)
    if fresh:
        said, rest = words.count(len(fresh), "new slot"), f"{_when(fresh, today=today)}."
        if len(skipped) == 1:
            rest += f" 1 overlaps with a slot you already have ({named}) and is left out."
        elif skipped:
            rest += f" {len(skipped)} overlap with slots you already have ({named}) and are left out."
    else:
        said, rest = "Nothing new to publish.", ""
        if skipped:
            rest += f" You already have slots at this time ({named})."
    if past:
        rest += f" {words.count(past, 'slot')} would be in the past."
    return said, rest


def _when(fresh: tuple[Times, ...], *, today: date) -> str:
    """ " on Wed 25 Nov", " over 4 weeks"."""
    days = sorted({words.local(start).date() for start, _ in fresh})
    weeks = {words.monday_of(day) for day in days}
    if len(weeks) > 1:
        return f" over {len(weeks)} weeks"
    if len(days) > 2:
        return f" on {len(days)} days"
    return f" on {' and '.join(words.short_day(day, today=today) for day in days)}"


def _named(skipped: tuple[Times, ...], *, today: date) -> str:
    """ "Wed 2 Dec, 10:00 and 10:30"; of many only the first: "Wed 2 Dec, 10:00, 10:30, 11:00 and 4 more"."""
    more = len(skipped) - _NAMED
    by_day: dict[date, list[str]] = {}
    for start, _ in skipped[:_NAMED]:
        by_day.setdefault(words.local(start).date(), []).append(words.clock(start))
    listed = ", ".join if more > 0 else _listed
    named = "; ".join(f"{words.short_day(day, today=today)}, {listed(times)}" for day, times in by_day.items())
    return f"{named} and {more} more" if more > 0 else named


def _listed(things: list[str]) -> str:
    return " and ".join((", ".join(things[:-1]), things[-1])) if len(things) > 1 else things[0]


def runs(fresh: tuple[Times, ...], *, pause: timedelta) -> list[tuple[datetime, datetime, int]]:
    """Slots of a day that follow one another, as one stretch each: from, until, how many."""
    found: list[tuple[datetime, datetime, int]] = []
    for starts_at, ends_at in fresh:
        if found and starts_at - found[-1][1] <= pause and _same_day(found[-1][0], starts_at):
            begin, _, count = found.pop()
            found.append((begin, ends_at, count + 1))
        else:
            found.append((starts_at, ends_at, 1))
    return found


def _same_day(one: datetime, other: datetime) -> bool:
    return words.local(one).date() == words.local(other).date()
