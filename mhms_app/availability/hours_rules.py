"""Decisions about working hours: which slots they ask for, and how to get there from those that exist.

Weekly rules and the exceptions to them are wall-clock times of the clinic; ``rules.cut`` makes instants of them.
What they ask for is compared with what there is (``reconcile``), so that any number of runs end at the same slots.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from mhms_app.availability import rules
from mhms_app.availability.rules import Break, Plan, Times
from mhms_app.errors import Invalid

MOST_HOURS = 20
MOST_SPECIAL_DAYS = 400
_OPEN, _WITHDRAWN = "open", "withdrawn"


@dataclass(frozen=True, slots=True)
class Hours:
    """A weekly rule: on these weekdays (Monday is 0), from start to end, slots of this length.

    Attributes:
        pause: the time between two slots.
        rest: a wall-clock range without slots.
        valid_until: the last day; None means until further notice.
    """

    weekdays: frozenset[int]
    start: time
    end: time
    length: timedelta
    valid_from: date
    valid_until: date | None = None
    pause: timedelta = timedelta()
    rest: Break | None = None

    def between(self, first: date, last: date) -> Plan:
        """The rule as a plan of these days, both included."""
        return Plan(
            max(first, self.valid_from),
            min(last, self.valid_until or last),
            self.start,
            self.end,
            self.length,
            self.pause,
            (self.rest,) if self.rest else (),
            self.weekdays,
        )


@dataclass(frozen=True, slots=True)
class DayOff:
    """A day without the slots of the weekly rules; with ``between`` only those that touch these hours."""

    day: date
    between: Break | None = None


@dataclass(frozen=True, slots=True)
class ExtraHours:
    """Hours that are worked besides the weekly rules, on days off and public holidays too."""

    day: date
    start: time
    end: time
    length: timedelta


SpecialDay = DayOff | ExtraHours


@dataclass(frozen=True, slots=True)
class Timetable:
    """All that says when a doctor works.

    Attributes:
        holidays: days off for everybody.
    """

    hours: tuple[Hours, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Existing:
    """A slot as it is; times are aware UTC.

    Attributes:
        from_hours: the timetable asked for it. One that is withdrawn nevertheless was withdrawn by hand.
    """

    id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    from_hours: bool

    @property
    def times(self) -> Times:
        """When it is."""
        return self.starts_at, self.ends_at


@dataclass(frozen=True, slots=True)
class Change:
    """What makes the slots those that the timetable asks for, each part in order of time.

    Attributes:
        appear: new slots.
        vanish: open ones that nothing asks for any more.
        stay: those of the timetable that remain: asked for, or with somebody who has booked or is booking them.
        left_out: asked for, but in the way of a slot that was published by hand, is not free or was withdrawn.
    """

    appear: tuple[Times, ...]
    vanish: tuple[Existing, ...]
    stay: tuple[Existing, ...]
    left_out: tuple[Times, ...]


def wanted(timetable: Timetable, first: date, last: date, *, zone: ZoneInfo) -> tuple[Times, ...]:
    """The slots that a timetable asks for from the first day to the last, in order and without overlaps.

    Extra hours are asked for whatever the day; where two slots overlap the earlier one wins.
    """
    regular = chain.from_iterable(rules.slots_of(each.between(first, last), zone=zone) for each in timetable.hours)
    free = _without(regular, timetable, zone)
    extra = chain.from_iterable(
        rules.cut(each.day, each.start, each.end, length=each.length, zone=zone)
        for each in timetable.special_days
        if isinstance(each, ExtraHours) and first <= each.day <= last
    )
    found: list[Times] = []
    for slot in sorted(chain(free, extra)):
        if not found or slot[0] >= found[-1][1]:
            found.append(slot)
    return tuple(found)


def reconcile(asked: tuple[Times, ...], existing: Collection[Existing], *, now: datetime) -> Change:
    """Say how the slots become those asked for; only open slots to come that a timetable made are ever taken back.

    Args:
        asked: in order, without overlaps.
        existing: the doctor's slots that could overlap one of these or still come, in any order: without those
            that were withdrawn, but with those of a timetable that were withdrawn by hand.
        now: aware UTC; what has started is the past.
    """
    to_come = tuple(slot for slot in asked if slot[0] > now)
    goals = set(to_come)
    own = [slot for slot in existing if slot.from_hours and slot.state != _WITHDRAWN and slot.starts_at > now]
    vanish = {slot.id for slot in own if slot.state == _OPEN and slot.times not in goals}
    stay = tuple(sorted((slot for slot in own if slot.id not in vanish), key=_start))
    kept = {slot.times for slot in stay}
    in_the_way = [slot.times for slot in existing if slot.id not in vanish]
    appear, blocked = rules.split_overlaps(to_come, _merged(in_the_way))
    return Change(
        appear,
        tuple(sorted((slot for slot in own if slot.id in vanish), key=_start)),
        stay,
        tuple(slot for slot in blocked if slot not in kept),
    )


def still_free(appear: tuple[Times, ...], lost: Iterable[Existing]) -> tuple[Times, ...]:
    """Those new slots that can appear although these did not vanish: somebody took them just before."""
    return rules.split_overlaps(appear, _merged(slot.times for slot in lost))[0]


def why_not_hours(hours: Hours, *, others: Collection[Hours], today: date) -> Invalid | None:
    """Say why a doctor who has these ``others`` cannot have these hours, or None if they can."""
    return next(_wrong_hours(hours, others, today), None)


def why_not_a_special_day(special: SpecialDay, *, others: Collection[SpecialDay], today: date) -> Invalid | None:
    """Say why a doctor cannot have this exception, or None if they can."""
    return next(_wrong_special_day(special, others, today), None)


def _without(slots: Iterable[Times], timetable: Timetable, zone: ZoneInfo) -> Iterator[Times]:
    """The slots that are neither on a public holiday nor touch time off."""
    whole_days, parts = set(timetable.holidays), dict[date, list[Times]]()
    for special in timetable.special_days:
        if isinstance(special, DayOff):
            if special.between is None:
                whole_days.add(special.day)
            else:
                since, until = (_instant(special.day, at, zone) for at in special.between)
                parts.setdefault(special.day, []).append((since, until))
    for slot in slots:
        day = slot[0].astimezone(zone).date()
        if day not in whole_days and not any(a < slot[1] and slot[0] < b for a, b in parts.get(day, ())):
            yield slot


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def _merged(times: Iterable[Times]) -> tuple[Times, ...]:
    """The same time as ranges in order, of which none overlap."""
    found: list[Times] = []
    for since, until in sorted(times):
        if found and since < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return tuple(found)


def _start(slot: Existing) -> datetime:
    return slot.starts_at


def _wrong_hours(hours: Hours, others: Collection[Hours], today: date) -> Iterator[Invalid]:
    if not hours.weekdays or not hours.weekdays <= rules.EVERY_DAY:
        yield Invalid("Choose at least one day of the week.", field="weekdays")
    yield from rules.wrong_hours(hours.between(today, today))
    if hours.valid_from.year not in rules.YEARS:
        yield Invalid("Please choose a date in this century.", field="valid_from")
    if hours.valid_until is not None:
        if hours.valid_until.year not in rules.YEARS:
            yield Invalid("Please choose a date in this century.", field="valid_until")
        if hours.valid_until < hours.valid_from:
            yield Invalid("The last day must not be before the first.", field="valid_until")
        if hours.valid_until < today:
            yield Invalid("These hours would be over already. Choose a later last day.", field="valid_until")
    if len(others) >= MOST_HOURS:
        yield Invalid(f"At most {MOST_HOURS} working hours are possible. Remove those that are over.", field="weekdays")
    if any(_clash(hours, other) for other in others):
        yield Invalid("These hours overlap with others of yours on the same day.", field="start")


def _clash(one: Hours, other: Hours) -> bool:
    """Whether two rules ask for the same time of a day on which both are valid."""
    return (
        bool(one.weekdays & other.weekdays)
        and one.start < other.end
        and other.start < one.end
        and one.valid_from <= (other.valid_until or date.max)
        and other.valid_from <= (one.valid_until or date.max)
    )


def _wrong_special_day(special: SpecialDay, others: Collection[SpecialDay], today: date) -> Iterator[Invalid]:
    if special.day.year not in rules.YEARS:
        yield Invalid("Please choose a date in this century.", field="day")
    if special.day < today:
        yield Invalid("This day is over. Choose today or a later day.", field="day")
    if isinstance(special, ExtraHours):
        yield from rules.wrong_hours(Plan(special.day, special.day, special.start, special.end, special.length))
    elif special.between and special.between[1] <= special.between[0]:
        yield Invalid("The end must be after the start.", field="end")
    if special in others:
        yield Invalid("You have entered this already.", field="day")
    if len(others) >= MOST_SPECIAL_DAYS:
        yield Invalid(f"At most {MOST_SPECIAL_DAYS} such days are possible.", field="day")
