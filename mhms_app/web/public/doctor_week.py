"""A doctor's free week as patients see it, made of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mhms_app import routes
from mhms_app.accounts.rules import initials
from mhms_app.availability.finding import BookableWeek
from mhms_app.availability.slots import SlotRow
from mhms_app.directory.service import DoctorRow
from mhms_app.settings import settings
from mhms_app.web import words

_WORKING_DAYS = 5
_NOON = 12


@dataclass(frozen=True, slots=True)
class Doctor:
    """Whose page it is; no name means that there is no such doctor."""

    name: str = ""
    initials: str = ""
    title: str = ""
    bio: str = ""
    languages: str = ""
    department: str = ""
    department_path: str = routes.DOCTORS
    place: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """A slot in the week; ``taken`` for the moment after somebody else has booked it."""

    id: int
    clock: str
    label: str
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week with its slots."""

    index: int
    weekday: str
    number: str
    label: str
    count: str
    today: bool
    past: bool
    empty: bool
    morning: list[Time]
    afternoon: list[Time]


@dataclass(frozen=True, slots=True)
class Choice:
    """The slot that the person has chosen; 0 is none."""

    id: int = 0
    short: str = ""
    long: str = ""
    zone: str = ""


def doctor_of(row: DoctorRow) -> Doctor:
    """Whose page it is."""
    place = f", {row.location}" if row.location else ""
    return Doctor(
        name=row.name,
        initials=initials(row.name),
        title=row.title,
        bio=row.bio,
        languages=row.languages,
        department=row.department,
        department_path=routes.doctors(department=str(row.department_id)),
        place=f"{settings().clinic_name}{place}",
        hidden=not row.approved,
    )


def choice_of(slot: SlotRow, now: datetime) -> Choice:
    """A slot as the one that is chosen."""
    day = words.short_day(words.local(slot.starts_at).date(), today=words.local(now).date())
    return Choice(
        slot.id,
        f"{day}, {words.clock(slot.starts_at)}",
        words.span(slot.starts_at, slot.ends_at, now=now),
        words.zone_name(slot.starts_at),
    )


def onwards_of(found: BookableWeek, now: datetime) -> tuple[Choice, str]:
    """The next free slot outside of a week, and the way there, for when nothing is free in it."""
    following = choice_of(found.following, now) if found.following else Choice()
    is_later = found.following is not None and words.local(found.following.starts_at).date() > found.monday
    return following, f"{'Next' if is_later else 'First free'}: {following.short}"


def time_of(slot: SlotRow, *, short: bool = True, taken: bool = False) -> Time:
    """A slot as a button of the week; ``short`` ones stand under their day."""
    clock, day = words.clock(slot.starts_at), words.local(slot.starts_at).date()
    named = words.short_day(day, today=day)
    return Time(slot.id, clock if short else f"{named}, {clock}", f"{clock}, {named}", taken)


def days_shown(free: Iterable[SlotRow]) -> int:
    """From Monday on: to Friday, or further when the weekend has slots."""
    return max([_WORKING_DAYS, *(words.local(slot.starts_at).weekday() + 1 for slot in free)])


def days_of(monday: date, free: tuple[SlotRow, ...], gone: frozenset[int], *, today: date) -> list[Day]:
    """The days of a week with their slots, in order."""
    shown = range(days_shown(free))
    slots: dict[int, list[SlotRow]] = {index: [] for index in shown}
    for slot in free:
        slots[words.local(slot.starts_at).weekday()].append(slot)
    return [_day(monday + timedelta(days=index), slots[index], gone, today=today) for index in shown]


def _day(day: date, slots: list[SlotRow], gone: frozenset[int], *, today: date) -> Day:
    times = [(words.local(slot.starts_at).hour, time_of(slot, taken=slot.id in gone)) for slot in slots]
    left = sum(not time.taken for _, time in times)
    return Day(
        index=day.weekday(),
        weekday=words.weekday(day),
        number=str(day.day),
        label=f"{words.long_day(day)}: {words.count(left, 'free slot')}",
        count=str(left) if left else "–",
        today=day == today,
        past=day < today,
        empty=not times,
        morning=[time for hour, time in times if hour < _NOON],
        afternoon=[time for hour, time in times if hour >= _NOON],
    )
