"""Pieces that arrange others."""

from __future__ import annotations

from typing import Any, Literal

import reflex as rx

from mhms_app.web.theme.base import Content, Flag, classes, optional


def stack(*children: Content, gap: Literal["", "tight", "loose"] = "", **props: Any) -> rx.Component:
    """One below the other."""
    return rx.el.div(*children, class_name=classes("stack", gap), **props)


def narrow(*children: Content) -> rx.Component:
    """The one column of a page that is a form."""
    return rx.el.div(*children, class_name="stack loose narrow")


def line(*children: Content, apart: bool = False, **props: Any) -> rx.Component:
    """One beside the other; ``apart`` pushes them to both ends."""
    return rx.el.div(*children, class_name=classes("line", "apart" if apart else ""), **props)


def cards(*children: Content, width: int = 230) -> rx.Component:
    """Equal cards, as many in a row as fit with ``width`` pixels each."""
    return rx.el.div(*children, class_name="cards", style={"--card": f"{width}px"})


def split(content: rx.Component, *side: rx.Component, side_width: int = 340) -> rx.Component:
    """Content with a column beside it that stays in view; below it on narrow screens."""
    return rx.el.div(
        content,
        rx.el.div(*side, class_name="side"),
        class_name="split",
        style={"--side": f"{side_width}px"},
    )


def panel(
    title: Content, *children: Content, aside: Content = None, label: str = "", sheet: Flag = None
) -> rx.Component:
    """The raised card beside content: booking, publishing.

    Args:
        title: its heading.
        children: what it holds.
        aside: beside the heading, such as a chip.
        label: the region's name for screen readers, when the heading changes.
        sheet: where it has no room beside the content, a sheet over the page that is open while this is true;
            without it the panel stands below.
    """
    shape = rx.cond(sheet, "sheet open", "sheet") if sheet is not None else ""
    return rx.el.section(
        section_head(title, aside),
        *children,
        class_name=classes("card raised", shape),
        aria_label=label or (title if isinstance(title, str) else "Details"),
    )


def bottom_bar(title: Content, text: Content, action: rx.Component) -> rx.Component:
    """Where a ``sheet`` is one: what is chosen and how to go on, at the bottom of the screen."""
    return rx.el.div(
        rx.el.div(rx.el.strong(title), rx.el.small(text), class_name="what"), action, class_name="bottom-bar"
    )


def section_head(title: Content, aside: Content = None) -> rx.Component:
    """The heading of a section or card, with something beside it."""
    return rx.el.div(rx.el.h2(title), optional(line, aside), class_name="section-head")
