"""Private calendar addresses on a page: those that there are, a new one, and how one ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mhms_app.calendars.service import FeedRow
from mhms_app.settings import settings
from mhms_app.web import theme, words

_SHOWS = {"own": "Your appointments", "busy": "Busy times only", "initials": "With patients' initials"}


@dataclass(frozen=True, slots=True)
class Feed:
    """One address that works; only whoever copied it knows it."""

    id: int
    shows: str
    since: str


@dataclass(frozen=True, slots=True)
class NewFeed:
    """An address just made, which is shown once; ``webcal`` opens the device's own calendar program."""

    address: str = ""
    webcal: str = ""


def shown(rows: Iterable[FeedRow]) -> list[Feed]:
    """Addresses as a page shows them."""
    return [
        Feed(row.id, _SHOWS[row.shows], f"Since {words.date_of(words.local(row.created_at).date())}") for row in rows
    ]


def new_feed(path: str) -> NewFeed:
    """An address just made, as a page shows it."""
    address = f"{settings().base_url}{path}"
    return NewFeed(address, f"webcal:{address.partition(':')[2]}")


def feed_section(*form: Any, feeds: Any, new: Any, asked: Any, on_copied: Any, ask: Any, revoke: Any) -> rx.Component:
    """The section of a page.

    Args:
        form: what makes a new address.
        feeds: the var of ``Feed`` rows.
        new: the var of the ``NewFeed``.
        asked: the var of the row whose end is being asked about, or 0.
        on_copied: the event after copying.
        ask, revoke: the events of one row's key.
    """
    return theme.section(
        "In your own calendar",
        rx.el.p(
            "A private address shows your appointments in Google, Apple or Outlook and keeps them up to date. "
            "Whoever knows the address can read them, so keep it to yourself.",
            class_name="second",
        ),
        rx.cond(new.address, _new(new, on_copied)),
        rx.cond(
            feeds,
            theme.card(
                theme.rows(rx.foreach(feeds, lambda feed: _row(feed, asked=asked, ask=ask, revoke=revoke))), flush=True
            ),
        ),
        theme.card(*form),
    )


def _new(new: Any, on_copied: Any) -> rx.Component:
    return theme.card(
        theme.text_field(
            "Your new address",
            "feed_address",
            hint="It is shown only now. In your calendar choose “From URL” or “Subscribe”, and paste it there.",
            value=new.address,
            read_only=True,
        ),
        theme.line(
            theme.button(
                "Copy address", kind="primary", icon_name="copy", on_click=[rx.set_clipboard(new.address), on_copied]
            ),
            theme.link_button("Open in calendar program", new.webcal, icon_name="calendar-plus"),
        ),
    )


def _row(feed: Any, *, asked: Any, ask: Any, revoke: Any) -> rx.Component:
    question = theme.confirm(
        "Revoke this address?",
        "Every calendar that reads it will show nothing new, for good. Your appointments stay as they are.",
        theme.button("Revoke address", kind="danger", solid=True, compact=True, on_click=revoke(feed.id)),
        theme.button("Keep it", compact=True, auto_focus=True, on_click=ask(0)),
    )
    row = theme.list_row(
        feed.shows,
        feed.since,
        theme.button("Revoke", kind="danger", compact=True, on_click=ask(feed.id)),
        lead=theme.disc("calendar"),
    )
    return rx.cond(asked == feed.id, rx.el.li(question), row)
