"""A patient's own page: the next appointment, the others, and those before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.accounts.rules import initials
from mhms_app.booking import lists
from mhms_app.booking.lists import AppointmentRow
from mhms_app.booking.news import of_patient
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.address import address
from mhms_app.web.components.native_form import address_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.statuses import FOR_PATIENT
from mhms_app.web.components.unconfirmed import unconfirmed
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_SIZE = 10
_PAST = ("completed", "cancelled", "no_show")
_LAST_PAGE = 1000
_IN_DAYS = {1: "tomorrow", 2: "in two days", 3: "in three days", 4: "in four days", 5: "in five days", 6: "in six days"}


@dataclass(frozen=True, slots=True)
class Appointment:
    """One appointment of the patient."""

    reference: str = ""
    when: str = ""
    elsewhere: str = ""
    doctor: str = ""
    initials: str = ""
    place: str = ""
    reason: str = ""
    status: str = ""
    tone: str = ""
    path: str = ""
    calendar_path: str = ""
    doctor_path: str = ""
    move_path: str = ""


class Home(Screen):
    """The patient's appointments.

    Attributes:
        next: the first of those to come; no reference means that there is none.
        later: the others to come.
        before: a page of those that are over.
        has_before: there are some, or there would be if less was asked for.
        q, status: which of those are asked for.
        address: the page as it is, to come back to.
    """

    greeting: str = ""
    lead: str = ""
    zone: str = ""
    next: Appointment = Appointment()
    later: list[Appointment] = []
    before: list[Appointment] = []
    has_before: bool = False
    q: str = ""
    status: str = ""
    summary: str = ""
    page: int = 1
    is_last: bool = True
    address: str = routes.PATIENT

    @handler(Role.PATIENT)
    async def load(self) -> None:
        """Show the appointments, and those past ones that the address asks for."""
        query = self.router.url.query_parameters
        page, status = query.get("page", ""), query.get("status", "")
        self.q, self.status = query.get("q", "")[:100], status if status in _PAST else ""
        await self._show(int(page) if page.isascii() and page.isdigit() and len(page) < 5 else 1)

    @handler(Role.PATIENT)
    async def search(self, text: Annotated[str, Field(max_length=100)]) -> None:
        """Look for a doctor or a department among past appointments."""
        self.q = text
        await self._show(1)

    @handler(Role.PATIENT)
    async def narrow(self, status: Literal["", "completed", "cancelled", "no_show"]) -> None:
        """Show only past appointments that ended in one way."""
        self.status = status
        await self._show(1)

    @handler(Role.PATIENT)
    async def turn(self, pages: Annotated[int, Field(ge=-1, le=1)]) -> None:
        """Show the page of past appointments before or after."""
        await self._show(self.page + pages)

    async def _show(self, page: int) -> None:
        self.page = min(max(page, 1), _LAST_PAGE)
        heard = hub.heard
        found = await bridge.read(self, lists.home, search=self.q, status=self.status, page=self.page, size=_SIZE)
        hub.watch(self, of_patient(self._patient_id), since=heard)
        now = bridge.now()
        upcoming = [_appointment(row, now, self._time_zone) for row in found.upcoming]
        self.next, self.later = upcoming[0] if upcoming else Appointment(), upcoming[1:]
        self.before = [_appointment(row, now, self._time_zone) for row in found.past.rows]
        self.has_before = bool(self.before or self.q or self.status)
        self.greeting = f"{_greeting(words.local(now).hour)}, {self.viewer_name}"
        self.lead = _lead(found.upcoming[0].starts_at, now) if found.upcoming else "You have no appointment ahead."
        self.zone = words.zone_name(found.upcoming[0].starts_at if found.upcoming else now)
        first, total = (self.page - 1) * _SIZE + 1, found.past.total
        self.summary = f"{first} to {first + len(self.before) - 1} of {total}" if total > _SIZE else ""
        self.is_last = self.page * _SIZE >= total
        page_shown = self.page if self.page > 1 else ""
        self.address = routes.with_query(routes.PATIENT, q=self.q, status=self.status, page=page_shown)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Show what the clinic, or somebody in another tab, has changed."""
        await self._show(self.page)


def _appointment(row: AppointmentRow, now: datetime, zone: str) -> Appointment:
    status, tone = FOR_PATIENT[row.status]
    if row.status == "booked" and row.ends_at <= now:
        status, tone = "Over", ""
    return Appointment(
        reference=row.reference,
        when=words.span(row.starts_at, row.ends_at, now=now),
        elsewhere=words.elsewhere(row.starts_at, row.ends_at, zone=zone),
        doctor=row.doctor,
        initials=initials(row.doctor),
        place=" · ".join(part for part in (row.department, row.location) if part),
        reason=row.reason,
        status=status,
        tone=tone,
        path=routes.booked(row.reference),
        calendar_path=address_of(routes.calendar_file(row.reference)),
        doctor_path=routes.doctor_profile(row.doctor_id),
        move_path=routes.doctor_profile(row.doctor_id, week=words.local(row.starts_at).date(), move=row.reference),
    )


def _greeting(hour: int) -> str:
    return "Good morning" if 4 <= hour < 12 else "Good afternoon" if 12 <= hour < 18 else "Good evening"


def _lead(starts_at: datetime, now: datetime) -> str:
    """How far away the next appointment is, in days of the clinic."""
    days = (words.local(starts_at).date() - words.local(now).date()).days
    if starts_at <= now:
        return "Your appointment has begun."
    if days == 0:
        return f"Your next appointment is today at {words.clock(starts_at)}."
    return f"Your next appointment is {_IN_DAYS.get(days) or f'in {days} days'}."


# The page -------------------------------------------------------------------------------------------


def page() -> rx.Component:
    """The patient's own page."""
    return frame(
        only_for(Role.PATIENT, theme.loading(_content(), _skeleton())),
        address(Home.address),
        active=routes.PATIENT,
    )


def _content() -> rx.Component:
    find = rx.el.div(theme.link_button("Find a doctor", routes.DOCTORS, icon_name="search"), class_name="only-wide")
    return theme.stack(
        theme.page_heading(Home.greeting, Home.lead, aside=find),
        unconfirmed("then you can book."),
        rx.cond(Home.next.reference, _next(), _nothing_ahead()),
        rx.cond(
            Home.later,
            theme.section("Later", theme.card(theme.rows(rx.foreach(Home.later, _later_row)), flush=True)),
        ),
        rx.cond(Home.has_before, _before()),
        rx.el.p(theme.link("See them in your own calendar", routes.PATIENT_CALENDAR, icon_after="arrow-right")),
        rx.el.p(theme.link("Your waiting list", routes.WAITING, icon_after="arrow-right")),
        gap="loose",
    )


def _next() -> rx.Component:
    shown = Home.next
    return theme.card(
        theme.line(
            theme.chip(shown.status, shown.tone, icon_name="calendar-check"),
            rx.el.span(theme.unseen("Reference "), shown.reference, class_name="small second numbers"),
            apart=True,
        ),
        rx.el.div(
            rx.el.h2(shown.when),
            rx.el.p(Home.zone, class_name="small second"),
            rx.cond(shown.elsewhere, rx.el.p("For you ", shown.elsewhere, class_name="small second")),
        ),
        theme.person(shown.doctor, shown.place, shown.initials),
        rx.cond(shown.reason, theme.well(rx.el.strong("Reason: "), shown.reason)),
        theme.line(
            theme.link_button("Add to calendar", shown.calendar_path, icon_name="calendar-plus", reload_document=True),
            theme.link_button("Move", shown.move_path, kind="quiet"),
            theme.link_button("Details or cancel", shown.path, kind="quiet"),
        ),
    )


def _nothing_ahead() -> rx.Component:
    return theme.card(
        theme.empty_state(
            "No appointment ahead",
            "Find a doctor and choose a free time. It takes less than a minute.",
            theme.link_button("Find a doctor", routes.DOCTORS, kind="primary", icon_name="search"),
        )
    )


def _later_row(row: Appointment) -> rx.Component:
    return theme.list_row(
        rx.el.a(row.when, href=row.path),
        _about(row),
        theme.chip(row.status, row.tone),
    )


def _about(row: Appointment) -> rx.Component:
    """With whom and where, and when that is for somebody who lives elsewhere."""
    return rx.fragment(
        f"{row.doctor} · {row.place}", rx.cond(row.elsewhere, rx.fragment(rx.el.br(), f"For you {row.elsewhere}"))
    )


def _before() -> rx.Component:
    return theme.section(
        "Before",
        theme.card(
            _filters(),
            rx.cond(
                Home.before,
                theme.rows(rx.foreach(Home.before, _before_row)),
                theme.empty_state("Nothing fits", "Try another name, or show all of them."),
            ),
            rx.cond(
                Home.summary,
                theme.pager(
                    Home.summary,
                    on_previous=Home.turn(-1),
                    on_next=Home.turn(1),
                    first=Home.page == 1,
                    last=Home.is_last,
                ),
            ),
            flush=True,
        ),
    )


def _filters() -> rx.Component:
    return rx.el.div(
        theme.text_field(
            "Doctor or department",
            "q",
            icon_name="search",
            hide_label=True,
            compact=True,
            grow=True,
            placeholder="Doctor or department",
            type="search",
            max_length=100,
            auto_complete="off",
            default_value=Home.q,
            on_change=Home.search.debounce(250),
        ),
        theme.select_field(
            "Show",
            theme.option("", "All"),
            *(theme.option(status, FOR_PATIENT[status][0]) for status in _PAST),
            name="status",
            hide_label=True,
            compact=True,
            default_value=Home.status,
            on_change=Home.narrow,
        ),
        class_name="filters",
        role="search",
    )


def _before_row(row: Appointment) -> rx.Component:
    return theme.list_row(
        row.when,
        _about(row),
        theme.chip(row.status, row.tone),
        theme.link_button(rx.fragment("Book again", theme.unseen(" with ", row.doctor)), row.doctor_path, compact=True),
    )


def _skeleton() -> rx.Component:
    return theme.stack(
        rx.el.div(theme.skeleton("18rem", "1.75rem"), theme.skeleton("14rem"), class_name="stack tight"),
        theme.card(
            theme.skeleton("7rem", "1.5rem"),
            theme.skeleton("16rem", "1.5rem"),
            theme.line(theme.skeleton("48px", "48px", round=True), theme.skeleton("12rem")),
            theme.skeleton("10rem", "44px"),
        ),
        theme.card(theme.skeleton_rows(3), flush=True),
        gap="loose",
    )
