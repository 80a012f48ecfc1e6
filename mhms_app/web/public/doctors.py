"""Finding a doctor, or a time with any: by department, by name, by day, weekday and part of the day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.accounts.rules import initials
from mhms_app.availability import soonest
from mhms_app.availability.rules import EVERY_DAY, day_of
from mhms_app.availability.slots import ANY_FREE_TIME
from mhms_app.availability.soonest import NextTime
from mhms_app.availability.when_rules import PARTS, When
from mhms_app.directory.service import DoctorCard
from mhms_app.live.hub import Ask, Room, hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.address import address
from mhms_app.web.components.nothing_free import Reason, reason_of, tell_me
from mhms_app.web.components.weekday_choice import weekday_choice
from mhms_app.web.doctor.timetable import days_of
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_SIZE = 12
_LAST_PAGE = 1000
_NOBODY = "No doctor found"
_ANY_TIME = "Any time"

Key = Annotated[str, Field(pattern=r"^\d{0,9}$")]


@dataclass(frozen=True, slots=True)
class Department:
    """A department to choose."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """A doctor who fits."""

    name: str
    initials: str
    about: str
    languages: str
    next_free: str
    free: str
    path: str
    next_path: str


@dataclass(frozen=True, slots=True)
class Soon:
    """One of the next times with any doctor."""

    when: str
    doctor: str
    department: str
    path: str


class Directory(Screen):
    """Who fits what somebody is looking for.

    Attributes:
        department, q, day, part, weekdays: what is asked for, as in the address; no weekday means any.
        hours: the day, the weekdays and the part of the day in words.
        drawn: counts how often the fields were filled in by the page itself.
        soonest: the next times with any doctor.
        nothing: why there are none.
        rows: the doctors on this page.
        elsewhere: when nobody fits, those who can be seen soonest.
        narrowed: something is asked for.
        address: the page as it is, to come back to.
        waiting_path: where a patient asks to be told of a time in the department; empty until one is chosen.
    """

    departments: list[Department] = []
    department: str = ""
    q: str = ""
    day: str = ""
    part: str = "any"
    weekdays: list[int] = []
    hours: str = _ANY_TIME
    drawn: int = 0
    soonest: list[Soon] = []
    nothing: Reason = Reason()
    rows: list[Found] = []
    elsewhere: list[Found] = []
    waiting_path: str = ""
    heading: str = ""
    summary: str = ""
    page: int = 1
    is_last: bool = True
    narrowed: bool = False
    address: str = ""

    @handler()
    async def load(self) -> None:
        """Answer what the address asks for."""
        query = self.router.url.query_parameters
        department, page, part = query.get("department", ""), query.get("page", ""), query.get("part", "")
        self.department = department if _is_key(department) else ""
        self.q, self.day = (
            query.get("q", "")[:100].strip(),
            query.get("day", "") if day_of(query.get("day", "")) else "",
        )
        self.part, self.weekdays = part if part in PARTS else "any", weekdays_of(query.get("weekdays", ""))
        self.page = min(int(page), _LAST_PAGE) if _is_key(page) and int(page) else 1
        self.drawn += 1
        await self._find()

    @handler()
    async def choose_department(self, department: Key) -> None:
        """Show one department, or with nothing all of them."""
        self.department, self.page = department, 1
        await self._find()

    @handler()
    async def search(self, q: Annotated[str, Field(max_length=100)]) -> None:
        """Show those whose name, title or department has these words."""
        self.q, self.page = q.strip(), 1
        await self._find()

    @handler()
    async def choose_day(self, day: Annotated[str, Field(max_length=10)]) -> None:
        """Show those with a free slot on a day, or with nothing on any day."""
        self.day, self.page = day if day_of(day) else "", 1
        await self._find()

    @handler()
    async def choose_part(self, part: Literal["any", "morning", "afternoon"]) -> None:
        """Show what is free in a part of the day."""
        self.part, self.page = part, 1
        await self._find()

    @handler()
    async def choose_weekday(self, weekday: Annotated[int, Field(ge=0, le=6)], is_on: bool) -> None:
        """Show what is free on one more weekday, or on one less; without any, on all of them."""
        self.weekdays = sorted({*self.weekdays, weekday} if is_on else {*self.weekdays} - {weekday})
        self.page = 1
        await self._find()

    @handler()
    async def turn(self, pages: Annotated[int, Field(ge=-1, le=1)]) -> None:
        """Show the page before or after."""
        self.page = min(max(self.page + pages, 1), _LAST_PAGE)
        await self._find()

    @handler()
    async def clear(self) -> Any:
        """Show everybody."""
        self.department, self.q = "", ""
        return await self._show_any_time()

    @handler()
    async def clear_hours(self) -> Any:
        """Show what is free at any time."""
        return await self._show_any_time()

    async def _show_any_time(self) -> Any:
        self.day, self.part, self.weekdays, self.page = "", "any", [], 1
        self.drawn += 1
        await self._find()
        return rx.set_focus("results")

    async def _find(self) -> None:
        heard = hub.heard
        asked = _Asked(self.department, self.q, self.day, self.part, tuple(self.weekdays), self.page)
        for name, value in (await _answer(asked, partial(bridge.read, self))).items():
            setattr(self, name, value)
        hub.enter(self, _Searchers(asked), since=heard)
        self.narrowed = bool(self.department or self.q or self.day or asked.when.is_narrow)
        self.hours = _hours_of(asked.when, words.local(bridge.now()).date())
        part, weekdays = "" if self.part == "any" else self.part, "".join(str(day + 1) for day in self.weekdays)
        self.address = routes.doctors(
            department=self.department, q=self.q, day=self.day, part=part, weekdays=weekdays, page=self.page
        )
        self.waiting_path = (
            routes.waiting(department=self.department, part=part, weekdays=weekdays) if self.department else ""
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody looks for; times and doctors are the same for all who look for it."""

    department: str
    q: str
    day: str
    part: str
    weekdays: tuple[int, ...]
    page: int

    @property
    def when(self) -> When:
        return When(day_of(self.day), frozenset(self.weekdays) or EVERY_DAY, self.part)


class _Searchers(Room):
    """All who look for the same."""

    rest = 0.5

    def __init__(self, asked: _Asked) -> None:
        super().__init__((_Searchers, asked), ANY_FREE_TIME)
        self._asked = asked

    async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
        """Who can be seen when by now."""
        return await _answer(self._asked, bridge.look)


async def _answer(asked: _Asked, read: Callable[..., Awaitable[soonest.Found]]) -> dict[str, Any]:
    """What is found, as the page shows it."""
    find = partial(
        read,
        soonest.find_doctors,
        search=asked.q,
        department_id=int(asked.department) if asked.department else None,
        when=asked.when,
        size=_SIZE,
    )
    page, found = asked.page, await find(page=asked.page)
    total = found.cards.total
    if total and not found.cards.rows:  # fewer fit than when the page was turned to
        page = -(-total // _SIZE)
        found = await find(page=page)
    now, day = bridge.now(), asked.when.day
    rows = [_found(card, day, now) for card in found.cards.rows]
    first = (page - 1) * _SIZE + 1
    many = words.count(total, "doctor") if total else _NOBODY
    return {
        "departments": [Department(str(row.id), row.name) for row in found.departments],
        "rows": rows,
        "elsewhere": [_found(card, None, now) for card in found.elsewhere],
        "soonest": [_soon(time, now) for time in found.soonest],
        "nothing": _nobody_fits() if asked.q and not rows else reason_of(found.nothing, now=now),
        "page": page,
        "is_last": page * _SIZE >= total,
        "heading": f"{many} free on {words.long_day(day)}" if day and total else many,
        "summary": f"{first} to {first + len(rows) - 1} of {total}" if total > _SIZE else "",
    }


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def weekdays_of(digits: str) -> list[int]:
    """The weekdays that an address holds, Monday is 0: "15" are Monday and Friday; what is none is left out."""
    return sorted({int(digit) - 1 for digit in digits[:20] if digit in "1234567"})


def _hours_of(when: When, today: date) -> str:
    """ "Any time", "Mornings", "Mon – Fri, afternoons", "Tue 24 Nov"."""
    day = words.near_day(when.day, today=today) if when.day else ""
    days = "" if when.weekdays == EVERY_DAY else days_of(tuple(sorted(when.weekdays)))
    part = {"any": "", "morning": "mornings", "afternoon": "afternoons"}[when.part]
    said = ", ".join(word for word in (day, days, part) if word)
    return said[0].upper() + said[1:] if said else _ANY_TIME


def _nobody_fits() -> Reason:
    return Reason("Nobody fits all of this", "Try another day, or fewer words.")


def _soon(time: NextTime, now: datetime) -> Soon:
    return Soon(
        when=words.moment(time.starts_at, now=now),
        doctor=time.doctor,
        department=time.department,
        path=routes.doctor_profile(time.doctor_id, slot_id=time.slot_id),
    )


def _found(card: DoctorCard, day: date | None, now: datetime) -> Found:
    doctor = card.doctor
    return Found(
        name=doctor.name,
        initials=initials(doctor.name),
        about=" · ".join(part for part in (doctor.title, doctor.department) if part),
        languages=doctor.languages,
        next_free=words.moment(card.next_free_at, now=now) if card.next_free_at else "",
        free=f"{card.free_this_week} free within a week" if card.free_this_week else "",
        path=routes.doctor_profile(doctor.id, week=day),
        next_path=routes.doctor_profile(doctor.id, slot_id=card.next_slot_id),
    )


# The page -------------------------------------------------------------------------------------------


def page() -> rx.Component:
    """The directory."""
    return frame(
        theme.page_heading("Find a doctor", "Every free slot of the clinic, as it is now."),
        _filters(),
        rx.el.p(Directory.heading, class_name="unseen", role="status"),
        theme.loading(_results(), theme.card(theme.skeleton_rows(6), flush=True)),
        address(Directory.address),
        active=routes.DOCTORS,
    )


def _filters() -> rx.Component:
    return theme.card(
        theme.filters(
            theme.text_field(
                "Doctor or specialty",
                "q",
                icon_name="search",
                hide_label=True,
                grow=True,
                type="search",
                max_length=100,
                auto_complete="off",
                placeholder="Doctor or specialty",
                default_value=Directory.q,
                on_change=Directory.search.debounce(250),
            ),
            theme.select_field(
                "Department",
                theme.option("", "All departments"),
                rx.foreach(Directory.departments, lambda department: theme.option(department.value, department.name)),
                name="department",
                icon_name="layout-grid",
                hide_label=True,
                value=Directory.department,
                on_change=Directory.choose_department,
            ),
            theme.more_filters(Directory.hours, _day(), _part_of_day(), _weekdays(), label="When", icon_name="clock"),
            key=Directory.drawn,
            role="search",
        ),
    )


def _day() -> rx.Component:
    return theme.any_day_field(
        "Day",
        "day",
        chosen=Directory.day,
        default_value=Directory.day,
        on_change=Directory.choose_day.debounce(250),
    )


def _part_of_day() -> rx.Component:
    parts = (("any", "Any time"), ("morning", "Morning"), ("afternoon", "Afternoon"))
    options = (
        theme.segment(
            label,
            name="part",
            value=value,
            default_checked=Directory.part == value,
            on_change=Directory.choose_part(value),
        )
        for value, label in parts
    )
    return theme.segments("Part of the day", *options)


def _weekdays() -> rx.Component:
    return weekday_choice(Directory.weekdays, Directory.choose_weekday, error="")


def _results() -> rx.Component:
    return theme.stack(
        rx.cond(Directory.soonest, _any_doctor()),
        rx.cond(Directory.rows, rx.cond(Directory.nothing.title, _nothing())),
        theme.section(
            Directory.heading,
            rx.cond(Directory.rows, _doctors(), _nothing()),
            aside=rx.cond(
                Directory.narrowed & (Directory.heading != _NOBODY),
                theme.button("Clear the filters", kind="quiet", compact=True, on_click=Directory.clear),
            ),
            id="results",
            tab_index=-1,
        ),
        rx.cond(
            Directory.elsewhere,
            theme.section(
                "Soonest of all departments",
                theme.card(theme.rows(rx.foreach(Directory.elsewhere, _row)), flush=True),
            ),
        ),
        gap="loose",
    )


def _any_doctor() -> rx.Component:
    return theme.section("Next times with any doctor", theme.times(rx.foreach(Directory.soonest, _next_time)))


def _next_time(soon: Soon) -> rx.Component:
    department = rx.cond(Directory.department, rx.fragment(), rx.el.small(soon.department))
    return theme.time_link(rx.el.strong(soon.when), rx.el.span(soon.doctor), department, href=soon.path)


def _nothing() -> rx.Component:
    """Why there is no time, and the ways on."""
    any_time = theme.button("Show any time", kind="primary", on_click=Directory.clear_hours)
    everybody = theme.button("Clear the filters", kind="primary", on_click=Directory.clear)
    way_on = rx.cond(Directory.nothing.is_elsewhen, any_time, rx.cond(Directory.rows, rx.fragment(), everybody))
    wait = rx.cond(Directory.waiting_path, tell_me(Directory.waiting_path), rx.fragment())
    return theme.card(
        theme.empty_state(Directory.nothing.title, Directory.nothing.text, way_on, wait, icon_name="calendar-x")
    )


def _doctors() -> rx.Component:
    return theme.card(
        theme.rows(rx.foreach(Directory.rows, _row)),
        rx.cond(
            Directory.summary,
            theme.pager(
                Directory.summary,
                on_previous=Directory.turn(-1),
                on_next=Directory.turn(1),
                first=Directory.page == 1,
                last=Directory.is_last,
            ),
        ),
        flush=True,
    )


def _row(row: Found) -> rx.Component:
    return rx.el.li(
        theme.avatar(row.initials, size="large"),
        rx.el.div(
            rx.el.h3(rx.el.a(row.name, href=row.path)),
            rx.el.small(row.about),
            rx.cond(row.languages, rx.el.small(row.languages)),
            class_name="what",
        ),
        rx.cond(
            row.next_free,
            rx.el.div(
                rx.el.a(row.next_free, theme.unseen(": book with ", row.name), href=row.next_path),
                rx.el.small(row.free),
                class_name="free",
            ),
            rx.el.div(rx.el.small("No free slots at the moment"), class_name="free"),
        ),
        theme.link_button(rx.fragment("See times", theme.unseen(" of ", row.name)), row.path, compact=True),
        class_name="doctor",
    )
