"""The landing page: it starts the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.accounts.rules import initials
from mhms_app.availability import finding
from mhms_app.availability.slots import ANY_FREE_TIME
from mhms_app.directory import departments
from mhms_app.directory.service import DoctorCard
from mhms_app.live.hub import Ask, Room, hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.native_form import query_form
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_CARDS = 4


@dataclass(frozen=True, slots=True)
class Department:
    """A department to choose."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A doctor who can be seen soon."""

    name: str
    initials: str
    department: str
    next_free: str
    slots: str
    path: str


class Landing(Screen):
    """What the landing page shows."""

    departments: list[Department] = []
    offers: list[Offer] = []
    day: str = ""

    _department_id: int | None = None

    @handler()
    async def load(self) -> None:
        """Show where to search, and who is free first."""
        found = await bridge.read(self, departments.list_departments)
        self.departments = [Department(str(row.id), row.name) for row in found]
        if not self._is_back:  # the form was not drawn anew, and shows what was chosen
            self.day, self._department_id = "", None
        await self._offer()

    @handler()
    async def choose_department(self, department: Annotated[str, Field(pattern=r"^\d{0,9}$")]) -> None:
        """Show who is free first in a department, or in all of them."""
        self._department_id = int(department) if department else None
        await self._offer()

    @handler()
    async def choose_day(self, day: Annotated[str, Field(max_length=10)]) -> None:
        """Know whether a day is chosen: until then its field says "Any day"."""
        self.day = day

    async def _offer(self) -> None:
        heard = hub.heard
        self.offers = await _offers(self._department_id)
        hub.enter(self, _Entrance(self._department_id), since=heard)


class _Entrance(Room):
    """All who look at who is free first, in a department or in all of them."""

    rest = 0.5

    def __init__(self, department_id: int | None) -> None:
        super().__init__((_Entrance, department_id), ANY_FREE_TIME)
        self._department_id = department_id

    async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
        """Who is free first by now."""
        return {"offers": await _offers(self._department_id)}


async def _offers(department_id: int | None) -> list[Offer]:
    now = bridge.now()
    found = await bridge.look(finding.next_available, department_id=department_id, after=now, limit=_CARDS)
    return [_offer_of(card, now) for card in found]


def _offer_of(card: DoctorCard, now: datetime) -> Offer:
    """What to say of a doctor with a free slot."""
    seen = words.count(card.free_this_week, "slot")
    return Offer(
        name=card.doctor.name,
        initials=initials(card.doctor.name),
        department=card.doctor.department,
        next_free=words.moment(card.next_free_at, now=now) if card.next_free_at else "",
        slots=f"See {seen} this week" if card.free_this_week else "See free slots",
        path=routes.doctor_profile(card.doctor.id),
    )


def page() -> rx.Component:
    """The landing page."""
    return frame(_hero(), _search(), _next_free(), _promises())


def _hero() -> rx.Component:
    return rx.el.div(
        rx.el.h1("See the right doctor,", rx.el.br(), "at a time that suits you."),
        rx.el.p("Free slots of every department, live. Booked in under a minute, confirmed at once."),
        class_name="hero",
    )


def _search() -> rx.Component:
    return query_form(
        routes.DOCTORS,
        theme.select_field(
            "Department",
            theme.option("", "All departments"),
            rx.foreach(Landing.departments, lambda department: theme.option(department.value, department.name)),
            name="department",
            icon_name="layout-grid",
            hide_label=True,
            on_change=Landing.choose_department,
        ),
        theme.text_field(
            "Doctor or specialty",
            "q",
            icon_name="search",
            hide_label=True,
            placeholder="Doctor or specialty",
            type="search",
            max_length=100,
            auto_complete="off",
        ),
        theme.any_day_field("Day", "day", chosen=Landing.day, on_change=Landing.choose_day),
        theme.button("Find a slot", kind="primary", type="submit"),
        class_name="card search",
        role="search",
    )


def _next_free() -> rx.Component:
    nobody = theme.card(
        theme.empty_state(
            "No free slots at the moment",
            "Every doctor's published times are taken. New ones appear as soon as they are published.",
            theme.link_button("All doctors", routes.DOCTORS),
            icon_name="calendar-x",
        )
    )
    return theme.section(
        "Next free",
        theme.loading(
            rx.cond(Landing.offers, theme.cards(rx.foreach(Landing.offers, _offer_card)), nobody),
            theme.cards(*(_offer_skeleton() for _ in range(_CARDS))),
        ),
        aside=theme.link("All doctors", routes.DOCTORS, icon_after="arrow-right"),
    )


def _offer_card(offer: Offer) -> rx.Component:
    return theme.card(
        theme.person(offer.name, offer.department, offer.initials),
        rx.el.p(rx.el.span("Next free", class_name="small third"), rx.el.br(), rx.el.strong(offer.next_free)),
        theme.link_button(
            rx.fragment(offer.slots, theme.unseen(" with ", offer.name)), offer.path, compact=True, full=True
        ),
    )


def _offer_skeleton() -> rx.Component:
    return theme.card(
        theme.line(theme.skeleton("48px", "48px", round=True), theme.skeleton("8rem")),
        rx.el.div(theme.skeleton("4rem"), theme.skeleton("7rem"), class_name="stack tight", style={"height": "45px"}),
        theme.skeleton("100%", "44px"),
    )


def _promises() -> rx.Component:
    return rx.el.ul(
        *(
            rx.el.li(theme.disc(icon_name), rx.el.div(rx.el.h3(title), rx.el.p(text)))
            for icon_name, title, text in (
                ("shield-check", "One slot, one patient", "A booked slot is gone for everybody else at once."),
                ("calendar-check", "In your calendar", "The confirmation comes by e-mail, with the appointment in it."),
                ("smartphone", "On any device", "On a phone or at a desk, light or dark, by keyboard alone."),
            )
        ),
        class_name="promises",
    )
