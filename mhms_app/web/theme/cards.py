"""Headings, cards and the marks on them."""

from __future__ import annotations

from typing import Any, Literal

import reflex as rx

from mhms_app.web.theme.base import Content, classes, icon, optional
from mhms_app.web.theme.layout import line, section_head


def page_heading(
    title: Content, lead: Content = None, *, aside: Content = None, back: tuple[str, str | rx.Var[str]] | None = None
) -> rx.Component:
    """The page's one h1, a fact where possible.

    Args:
        title: the heading.
        lead: one sentence below it.
        aside: buttons at its right.
        back: label and address of the way up, above it.
    """
    return rx.el.header(
        rx.el.a(icon("arrow-left", size=16), back[0], href=back[1], class_name="back") if back else rx.fragment(),
        rx.el.div(
            rx.el.div(rx.el.h1(title), optional(rx.el.p, lead, class_name="lead")),
            optional(line, aside),
            class_name="row",
        ),
        class_name="page-head",
    )


def section(title: Content, *children: Content, aside: Content = None, **props: Any) -> rx.Component:
    """A part of a page under an h2; ``aside`` is at the right of the heading."""
    return rx.el.section(section_head(title, aside), *children, class_name="stack", **props)


def card(
    *children: Content, title: Content = None, aside: Content = None, flush: bool = False, **props: Any
) -> rx.Component:
    """A white card; ``flush`` for lists and tables that reach its edges."""
    return rx.el.div(
        *([] if title is None else [section_head(title, aside)]),
        *children,
        class_name=classes("card", "flush" if flush else ""),
        **props,
    )


def well(*children: Content) -> rx.Component:
    """A sunken box for what follows from the form above it; ``rx.el.strong`` stands out."""
    return rx.el.div(*children, class_name="well")


def chip(text: Content, tone: str | rx.Var[str] = "", *, icon_name: str = "") -> rx.Component:
    """A status as a word; the tone only underlines it."""
    return rx.el.span(*([icon(icon_name, size=14)] if icon_name else []), text, class_name=classes("chip", tone))


def avatar(initials: Content, *, size: Literal["", "large", "huge"] = "") -> rx.Component:
    """Somebody's initials in a disc; the name stands beside it."""
    return rx.el.span(initials, class_name=classes("avatar", size), aria_hidden="true")


def person(name: Content, text: Content, initials: Content, *, heading: Any = rx.el.h3) -> rx.Component:
    """Somebody with their avatar, such as a doctor on a card; ``heading`` is one level below what stands above."""
    return rx.el.div(
        avatar(initials, size="large"),
        rx.el.div(heading(name), rx.el.p(text, class_name="small second")),
        class_name="person",
    )


def disc(icon_name: str) -> rx.Component:
    """An icon in a soft disc."""
    return rx.el.span(icon(icon_name), class_name="disc")


def facts(*pairs: tuple[Content, Content]) -> rx.Component:
    """Terms with their values, such as the details of an appointment."""
    return rx.el.dl(*(part for term, value in pairs for part in (rx.el.dt(term), rx.el.dd(value))), class_name="facts")
