"""The landing page: it starts the search."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from mhms_app import routes
from mhms_app.directory import service as directory
from mhms_app.web import bridge, theme
from mhms_app.web.components.native_form import query_form
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


@dataclass(frozen=True, slots=True)
class Choice:
    """A department to choose."""

    value: str
    name: str


class Landing(Screen):
    """What the landing page shows."""

    departments: list[Choice] = []

    @handler()
    async def load(self) -> None:
        """Show where to search."""
        found = await bridge.read(self, directory.list_departments)
        self.departments = [Choice(str(row.id), row.name) for row in found]


def page() -> rx.Component:
    """The landing page."""
    return frame(_hero(), _search(), _promises())


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
            rx.foreach(Landing.departments, lambda choice: theme.option(choice.value, choice.name)),
            name="department",
            icon_name="layout-grid",
            hide_label=True,
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
        theme.text_field("Day", "day", icon_name="calendar", hide_label=True, type="date"),
        theme.button("Find a slot", kind="primary", type="submit"),
        class_name="card search",
        role="search",
    )


def _promises() -> rx.Component:
    return rx.el.ul(
        *(
            rx.el.li(theme.disc(icon_name), rx.el.div(rx.el.h3(title), rx.el.p(text)))
            for icon_name, title, text in (
                (
                    "shield-check",
                    "One slot, one patient",
                    "A booked slot is gone for everybody else in the same instant.",
                ),
                (
                    "calendar-check",
                    "In your calendar",
                    "The confirmation arrives by e-mail, with the appointment for your calendar.",
                ),
                ("smartphone", "On any device", "On a phone or at a desk, in light or dark, from the keyboard alone."),
            )
        ),
        class_name="promises",
    )
