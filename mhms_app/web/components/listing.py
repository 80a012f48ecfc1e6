"""A long list for an administrator: what is asked for and which page is shown stand in the address.

So a list can be reloaded, shared and returned to. Changing a filter or turning the page reads once and
moves the address along, without a visit.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.facts import Topic
from mhms_app.live.hub import hub
from mhms_app.web import theme, words
from mhms_app.web.bridge import COUNTED
from mhms_app.web.components.address import address
from mhms_app.web.components.pause import pause
from mhms_app.web.gate import handler

SIZE = 25
_LAST_PAGE = COUNTED // SIZE
_REST = 0.8  # seconds between two readings of an open list, however much happens


class Listing(rx.State, mixin=True):
    """What the State of every list has.

    Attributes:
        asked: the filters, by their names in the address.
        address: of what is shown.
        summary: "26 to 50 of 312".
        is_first, is_last: there is no page before, or after.
    """

    asked: dict[str, str] = {}
    address: str = ""
    summary: str = ""
    is_first: bool = True
    is_last: bool = True

    _route: ClassVar[str] = ""
    _filters: ClassVar[tuple[str, ...]] = ()
    _number: int = 1
    _last_number: int = 1

    @handler(Role.ADMIN)
    async def narrow(
        self, name: Annotated[str, Field(max_length=20)], value: Annotated[str, Field(max_length=100)]
    ) -> None:
        """Show only what one more filter lets through; an empty one lets everything through."""
        if name in self._filters:
            self.asked, self._number = {**self.asked, name: value.strip()}, 1
        await self._show()

    @handler(Role.ADMIN)
    async def turn(self, by: Literal[-1, 1]) -> None:
        """Show the page before, or the next one."""
        self._number = min(max(self._number + by, 1), _LAST_PAGE)
        await self._show()

    async def _show(self) -> None:
        """Read what ``asked`` and ``_number`` say, or the last page where that one is no more."""
        await self._show_page()
        if self._number > self._last_number:
            self._number = self._last_number
            await self._show_page()

    async def _show_page(self) -> None:
        """Read one page, and end with ``_show_pages``."""
        raise NotImplementedError

    def _watch(self, *topics: Topic, since: int) -> None:
        """Have ``_on_change`` called after what happens to a topic: however much that is, about once a second.

        Args:
            since: what ``hub.heard`` said before the list was read.
        """
        hub.watch(self, *topics, since=since, rest=_REST)

    def _read_address(self: Any) -> None:
        """Ask for what the address says."""
        query = self.router.url.query_parameters
        self.asked = {name: query.get(name, "")[:100] for name in self._filters}
        self._number = min(max(key_of(query.get("page", "")) or 1, 1), _LAST_PAGE)

    def _show_pages(self, shown: int, total: int) -> None:
        """Say which part of the list this is, and lead the address there."""
        first = (self._number - 1) * SIZE + 1
        self._last_number = min(max(-(-total // SIZE), 1), _LAST_PAGE)
        whole = f"more than {words.number(total)}" if total >= COUNTED else words.number(total)
        self.summary = f"{words.number(first)} to {words.number(first + shown - 1)} of {whole}" if shown else ""
        if shown == total:
            self.summary = f"{whole} in all"
        self.is_first, self.is_last = self._number == 1, self._number >= self._last_number
        page = self._number if self._number > 1 else ""
        self.address = routes.with_query(self._route, **self.asked, page=page)


def key_of(text: str) -> int | None:
    """The number that an address or a form holds, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


# The page -------------------------------------------------------------------------------------------


def list_card(title: str, state: Any, *, filters: tuple[Any, ...], rows: Any, table: Any, empty: Any) -> rx.Component:
    """The filters above the table, or what to say when nothing fits; a skeleton until the first answer."""
    return theme.card(
        address(state.address),
        rx.el.h2(title, class_name="unseen"),
        theme.loading(
            rx.fragment(
                theme.filters(*filters, role="search", aria_label=f"{title}: filters") if filters else rx.fragment(),
                rx.cond(rows, table, empty),
                rx.cond(rows | ~state.is_first, _pages(state)),
            ),
            rx.fragment(
                theme.filters(*(theme.skeleton("100%", "36px") for _ in filters[:3])) if filters else rx.fragment(),
                theme.skeleton_rows(8),
            ),
        ),
        flush=True,
    )


def _pages(state: Any) -> rx.Component:
    return theme.pager(
        rx.el.span(state.summary, role="status"),
        on_previous=state.turn(-1),
        on_next=state.turn(1),
        first=state.is_first,
        last=state.is_last,
    )


def beside(content: rx.Component, side: rx.Component, *, shown: Any) -> rx.Component:
    """The content, and while ``shown`` a panel at its right; on phones the panel is a sheet over it."""
    return rx.el.div(
        content,
        rx.cond(shown, rx.el.div(side, class_name="side")),
        class_name=rx.cond(shown, "split", ""),
    )


def search_filter(state: Any, label: str) -> rx.Component:
    """The text that is looked for; the list follows what is typed."""
    return theme.text_field(
        label,
        "q",
        icon_name="search",
        hide_label=True,
        compact=True,
        grow=True,
        placeholder=label,
        type="search",
        max_length=100,
        auto_complete="off",
        default_value=state.asked["q"],
        on_change=lambda text: state.narrow("q", text).debounce(pause("q")),
    )


def select_filter(state: Any, label: str, name: str, *options: Any) -> rx.Component:
    """One of a few; the first option is everything."""
    return theme.select_field(
        label,
        *options,
        name=name,
        id=f"filter-{name}",  # a form on the page may have a field of this name
        hide_label=True,
        compact=True,
        default_value=state.asked[name],
        on_change=lambda value: state.narrow(name, value),
    )


def day_filter(state: Any, label: str, name: str) -> rx.Component:
    """A day at which the list begins or ends."""
    return theme.text_field(
        label,
        name,
        id=f"filter-{name}",
        type="date",
        compact=True,
        default_value=state.asked[name],
        on_change=lambda day: state.narrow(name, day).debounce(pause(name)),
    )
