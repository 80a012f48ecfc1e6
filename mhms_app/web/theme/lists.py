"""Lists and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from mhms_app.web.theme.base import Content, Flag, optional, unseen
from mhms_app.web.theme.buttons import button
from mhms_app.web.theme.cards import avatar
from mhms_app.web.theme.layout import line


def rows(*items: Content, **props: Any) -> rx.Component:
    """A list with hairlines between its ``list_row`` items; stands in a flush card."""
    return rx.el.ul(*items, class_name="rows", **props)


def list_row(
    title: Content,
    text: Content = None,
    *actions: Content,
    when: Content = None,
    initials: Content = None,
    lead: Content = None,
    sunken: Flag = False,
) -> rx.Component:
    """One line of a list: time, person, what, actions.

    Args:
        title: the name, bold.
        text: the line under it.
        actions: chips and compact buttons at the end.
        when: a time at the beginning.
        initials: an avatar before the title.
        lead: anything else before the title, such as a ``disc``.
        sunken: greyed, for free or past times.
    """
    return rx.el.li(
        optional(rx.el.span, when, class_name="when numbers"),
        optional(avatar, initials),
        rx.fragment() if lead is None else lead,
        rx.el.div(rx.el.strong(title), optional(rx.el.small, text), class_name="what"),
        rx.el.div(*actions, class_name="actions") if actions else rx.fragment(),
        class_name=rx.cond(sunken, "sunken", "") if isinstance(sunken, rx.Var) else "sunken" if sunken else "",
    )


def times(*items: Content) -> rx.Component:
    """A few times to choose from, each a ``time_link``, side by side."""
    return rx.el.ul(*items, class_name="times")


def time_link(*content: Content, href: Content) -> rx.Component:
    """A time that leads to where it is booked."""
    return rx.el.li(rx.el.a(*content, href=href))


def table(caption: str, headings: Sequence[str], *body: Content) -> rx.Component:
    """A table; on phones each row is a small card. An empty heading is for the column of actions."""
    return rx.el.table(
        rx.el.caption(caption, class_name="unseen"),
        rx.el.thead(
            rx.el.tr(*(rx.el.th(heading or unseen("Actions"), custom_attrs={"scope": "col"}) for heading in headings))
        ),
        rx.el.tbody(*body),
        class_name="table",
    )


def table_row(*cells: Content, **props: Any) -> rx.Component:
    """A row of ``cell`` items."""
    return rx.el.tr(*cells, **props)


def cell(
    *content: Content,
    label: str = "",
    main: bool = False,
    quiet: bool = False,
    actions: bool = False,
    number: bool = False,
) -> rx.Component:
    """One cell; ``label`` repeats its heading on phones."""
    marks = [name for name, on in (("main", main), ("quiet", quiet), ("actions", actions), ("number", number)) if on]
    return rx.el.td(*content, class_name=" ".join(marks), custom_attrs={"data-label": label} if label else {})


def pager(summary: Content, *, on_previous: Any, on_next: Any, first: Flag, last: Flag) -> rx.Component:
    """What part of a long list is shown ("26 to 50 of 312"), and the way on and back."""
    return rx.el.nav(
        rx.el.p(summary),
        line(
            button("Previous", compact=True, on_click=on_previous, disabled=first),
            button("Next", compact=True, on_click=on_next, disabled=last),
        ),
        aria_label="Pages",
        class_name="pager",
    )
