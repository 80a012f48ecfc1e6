"""Working hours in words, and the forms with which they are entered: what was typed and what it means."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, time, timedelta
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from mhms_app.availability.hours import Effect
from mhms_app.availability.hours_rules import DayOff, ExtraHours, Hours, SpecialDay
from mhms_app.availability.rules import MINUTE
from mhms_app.errors import ClinicError
from mhms_app.web import words
from mhms_app.web.doctor.plan import Reader

Kind = Literal["day", "part", "extra"]
Short = Annotated[str, Field(max_length=20)]
UNTOUCHED = {
    "start": "09:00", "end": "17:00", "length": "20", "pause": "0", "break_start": "12:00", "break_end": "13:00",
    "valid_from": "", "valid_until": "", "day": "",
}  # fmt: skip
_MONDAY = date(2024, 1, 1)
_LINES = 8


class Typed(TypedDict, total=False):
    """The fields of both forms as the browser shows them; those that it does not show are missing."""

    kind: Short  # the server knows it from the moment it is chosen
    start: Short
    end: Short
    length: Short
    pause: Short
    break_start: Short
    break_end: Short
    valid_from: Short
    valid_until: Short
    day: Short


def shown(typed: Mapping[str, str], form: Typed) -> dict[str, str]:
    """What was typed, as the browser shows it now."""
    now: Mapping[str, Any] = form
    return {name: str(now.get(name, text)) for name, text in typed.items()}


def read_hours(typed: Mapping[str, str], *, weekdays: Collection[int], rest: bool, today: date) -> Hours:
    """The weekly rule that the form means; without a first day it begins today.

    Raises:
        InvalidForm: what cannot be read, by field.
    """
    form = Reader(typed)
    hours = Hours(
        frozenset(weekdays),
        form.clock("start"),
        form.clock("end"),
        form.minutes("length"),
        form.day("valid_from") if typed["valid_from"] else today,
        form.day("valid_until") if typed["valid_until"] else None,
        form.minutes("pause"),
        (form.clock("break_start"), form.clock("break_end")) if rest else None,
    )
    form.refuse()
    return hours


def read_special(typed: Mapping[str, str], *, kind: Kind) -> SpecialDay:
    """The day off or the extra hours that the form means.

    Raises:
        InvalidForm: what cannot be read, by field.
    """
    form = Reader(typed)
    day = form.day("day")
    special: SpecialDay = DayOff(day)
    if kind != "day":
        start, end = form.clock("start"), form.clock("end")
        special = DayOff(day, (start, end)) if kind == "part" else ExtraHours(day, start, end, form.minutes("length"))
    form.refuse()
    return special


def typed_as(hours: Hours) -> dict[str, str]:
    """The form filled in with these hours."""
    rest = hours.rest or (time(12), time(13))
    return UNTOUCHED | {
        "start": f"{hours.start:%H:%M}",
        "end": f"{hours.end:%H:%M}",
        "length": str(hours.length // MINUTE),
        "pause": str(hours.pause // MINUTE),
        "break_start": f"{rest[0]:%H:%M}",
        "break_end": f"{rest[1]:%H:%M}",
        "valid_from": hours.valid_from.isoformat(),
        "valid_until": hours.valid_until.isoformat() if hours.valid_until else "",
    }


def title_of(hours: Hours) -> str:
    """ "Mon, Tue, Thu 09:00 – 17:00"."""
    return f"{days_of(hours.weekdays)} {_range(hours.start, hours.end)}"


def details_of(hours: Hours, *, today: date) -> str:
    """ "20 min, break 12:00 – 13:00, from 1 Dec"."""
    parts = [f"{hours.length // MINUTE} min"]
    if hours.pause:
        parts.append(f"{hours.pause // MINUTE} min between two")
    if hours.rest:
        parts.append(f"break {_range(*hours.rest)}")
    if hours.valid_from > today:
        parts.append(f"from {_day(hours.valid_from, today)}")
    if hours.valid_until:
        parts.append(f"until {_day(hours.valid_until, today)}")
    return ", ".join(parts)


def days_of(weekdays: Collection[int]) -> str:
    """ "Mon, Tue, Thu", "Mon – Fri", "Every day"."""
    days = sorted(weekdays)
    names = [words.weekday(_MONDAY + timedelta(days=day)) for day in days]
    if len(days) == 7:
        return "Every day"
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[0]} – {names[-1]}"
    return ", ".join(names)


def special_in_words(special: SpecialDay) -> str:
    """ "Day off", "Off 12:00 – 17:00", "Extra hours 18:00 – 20:00, 20 min"."""
    if isinstance(special, ExtraHours):
        return f"Extra hours {_range(special.start, special.end)}, {special.length // MINUTE} min"
    return f"Off {_range(*special.between)}" if special.between else "Day off"


def effect_in_words(effect: Effect, *, today: date) -> tuple[str, str]:
    """What a change does, as a fact and the rest of what is to be said."""
    came, went, until = len(effect.appear), len(effect.vanish), _day(effect.until, today)
    if came or went:
        fact, rest = _counted(came, went, effect.stay, noun="slot"), f", until {until}."
    else:
        fact, rest = "No slot changes", f" until {until}. Later days follow by themselves."
    if left := len(effect.left_out):
        taken = "slots that are booked, or that you published or withdrew yourself"
        rest += f" {words.count(left, 'slot')} would overlap with {taken}, and {'is' if left == 1 else 'are'} left out."
    if kept := effect.outside:
        rest += f" {words.count(kept, 'booked slot')} outside of these hours {'stays' if kept == 1 else 'stay'}."
    return fact, rest


def weeks_in_words(effect: Effect) -> list[tuple[str, str]]:
    """The weeks that change, those that change alike as one: "23 Nov – 17 Jan" and "8 appear, 10 stay each week"."""
    changed = [week for week in effect.weeks if week.appear or week.vanish]
    found = []
    for text, alike in groupby(changed, key=lambda week: _counted(week.appear, week.vanish, week.stay)):
        mondays = [week.monday for week in alike]
        name = f"{words.day_month(mondays[0])} – {words.day_month(mondays[-1] + timedelta(days=6))}"
        found.append((name, f"{text} each week" if len(mondays) > 1 else text))
    more = len(found) - _LINES
    return [*found[:_LINES], ("Later", words.count(more, "more change"))] if more > 0 else found


def done_in_words(effect: Effect) -> str:
    """What a change has done: "8 slots published, 1 taken back."."""
    came, went = len(effect.appear), len(effect.vanish)
    if not came and not went:
        return "No slot had to change."
    parts = [f"{words.count(came, 'slot')} published"] if came else []
    return (
        ", ".join([*parts, *([f"{words.count(went, 'slot') if not came else went} taken back"] if went else [])]) + "."
    )


def problems(refusal: ClinicError) -> dict[str, str]:
    """A refusal's sentence beside the field of our form that stands for the rule's."""
    return {{"breaks": "break_end"}.get(refusal.field, refusal.field): refusal.sentence}


def _counted(appear: int, vanish: int, stay: int, *, noun: str = "") -> str:
    """ "8 slots appear, 1 vanishes, 10 stay", without what is none."""
    said: list[str] = []
    for count, one, many in ((appear, "appears", "appear"), (vanish, "vanishes", "vanish"), (stay, "stays", "stay")):
        if count:
            number = words.count(count, noun) if noun and not said else words.number(count)
            said.append(f"{number} {one if count == 1 else many}")
    return ", ".join(said)


def _range(start: time, end: time) -> str:
    return f"{start:%H:%M} – {end:%H:%M}"


def _day(day: date, today: date) -> str:
    return words.day_month(day) if day.year == today.year else words.date_of(day)
