"""A doctor's slots that passed without a patient."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from mhms_app import routes
from mhms_app.availability import lists
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.listing import key_of
from mhms_app.web.doctor.pieces import for_doctors
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_SIZE = 20
_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot, and the week that it was in."""

    when: str
    week: str


class Unused(Screen):
    """One page of the slots, the latest first."""

    loaded: bool = False
    slots: list[Slot] = []
    total: int = 0
    summary: str = ""
    previous_page: str = ""
    next_page: str = ""

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show the page that the address names."""
        page = min(key_of(self.router.url.query_parameters.get("page", "")) or 1, _PAGES)
        found = await bridge.read(self, lists.past_unbooked, page=page, size=_SIZE)
        now, first = bridge.now(), (page - 1) * _SIZE + 1
        last = first + len(found.rows) - 1
        self.slots = [
            Slot(
                words.span(row.starts_at, row.ends_at, now=now),
                routes.doctor_week(words.monday_of(words.local(row.starts_at).date())),
            )
            for row in found.rows
        ]
        self.total, self.summary = found.total, f"{first} to {last} of {found.total}" if found.rows else ""
        self.previous_page = f"{routes.UNUSED_SLOTS}?page={page - 1}" if page > 1 else ""
        self.next_page = f"{routes.UNUSED_SLOTS}?page={page + 1}" if last < found.total else ""
        self.loaded = True


def page() -> rx.Component:
    """The page."""
    return frame(
        for_doctors(
            theme.page_heading(
                "Unused slots",
                "Times that passed without a patient, the latest first. They say where your hours could move.",
                back=("Today", routes.DOCTOR),
            ),
            theme.card(rx.cond(Unused.loaded, _list(), theme.skeleton_rows(8)), flush=True),
        ),
        active=routes.DOCTOR,
    )


def _list() -> rx.Component:
    nothing = theme.empty_state(
        "No slot has passed unused",
        "Every time that you published so far has found its patient, or is still to come.",
        theme.link_button("Your week", routes.AVAILABILITY),
        icon_name="calendar-check",
    )
    return rx.cond(
        Unused.slots,
        rx.fragment(
            theme.rows(rx.foreach(Unused.slots, _row)),
            rx.cond(Unused.total > _SIZE, _pages()),
        ),
        nothing,
    )


def _row(slot: Slot) -> rx.Component:
    return theme.list_row(
        slot.when,
        None,
        theme.link_button(
            rx.fragment("See the week", theme.unseen(" of ", slot.when)), slot.week, kind="quiet", compact=True
        ),
    )


def _pages() -> rx.Component:
    return theme.pager(
        Unused.summary,
        on_previous=rx.redirect(Unused.previous_page),
        on_next=rx.redirect(Unused.next_page),
        first=Unused.previous_page == "",
        last=Unused.next_page == "",
    )
