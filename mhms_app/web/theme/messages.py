"""What is said to a person: notices, empty states, questions; and what stands there until the server answers."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app.web.theme.base import Content, classes, icon, optional
from mhms_app.web.theme.buttons import icon_button
from mhms_app.web.theme.cards import disc
from mhms_app.web.theme.layout import line
from mhms_app.web.theme.lists import rows


def notice(
    *text: Content,
    tone: str | rx.Var[str] = "info",
    icon_name: str = "info",
    on_dismiss: Any = None,
    **props: Any,
) -> rx.Component:
    """A message that stays in the page; what just happened goes through ``Screen.tell`` instead."""
    dismiss = [] if on_dismiss is None else [icon_button("Dismiss message", "x", on_click=on_dismiss)]
    return rx.el.div(icon(icon_name), rx.el.div(*text), *dismiss, class_name=classes("notice", tone), **props)


def countdown(text: Content, until: Content, seconds: Any) -> rx.Component:
    """Until when something lasts, and the minutes and seconds left: counted by the style sheet, not by a script.

    Args:
        seconds: how long it lasts from now on.
    """
    left = rx.el.span(class_name="left", aria_hidden=True, style={"--from": seconds}, key=until)
    return rx.el.p(icon("timer", size=16), rx.el.span(text, rx.el.strong(until)), left, class_name="countdown")


def empty_state(title: Content, text: Content = None, *actions: Content, icon_name: str = "calendar") -> rx.Component:
    """What a list says when it is empty: the fact, and what to do next."""
    return rx.el.div(
        disc(icon_name),
        rx.el.strong(title),
        optional(rx.el.p, text),
        line(*actions) if actions else rx.fragment(),
        class_name="empty",
    )


def confirm(question: Content, consequence: Content, *actions: Content) -> rx.Component:
    """The question before something that cannot be undone; it names what will happen.

    The actions: ``button("Cancel appointment", kind="danger", solid=True, ...)`` and a way out.
    """
    return rx.el.div(
        rx.el.strong(question),
        rx.el.p(consequence),
        line(*actions),
        class_name="confirm",
        role="group",
        aria_live="polite",
    )


def loading(content: rx.Component, placeholder: rx.Component) -> rx.Component:
    """The content once the page's load handler has answered, and a skeleton of the same size until then."""
    return rx.cond(rx.State.is_hydrated, content, placeholder)


def skeleton(width: str = "100%", height: str = "0.875rem", *, round: bool = False) -> rx.Component:
    """A bone: where words will be."""
    return rx.el.span(
        class_name=classes("bone", "round" if round else ""),
        style={"--width": width, "--height": height},
        aria_hidden="true",
    )


def skeleton_rows(count: int = 5) -> rx.Component:
    """The skeleton of a ``rows`` list."""
    return rows(
        *(
            rx.el.li(
                skeleton("36px", "36px", round=True),
                rx.el.div(skeleton("9rem"), skeleton("14rem"), class_name="what stack tight"),
                aria_hidden="true",
            )
            for _ in range(count)
        )
    )
