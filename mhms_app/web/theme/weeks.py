"""Weeks, of a patient who looks for a time and of a doctor."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app.web.theme.base import Content, Flag, classes, icon, unseen
from mhms_app.web.theme.buttons import button_class
from mhms_app.web.theme.layout import line


def period(
    title: Content,
    *beside: Content,
    on_previous: Any,
    on_today: Any,
    on_next: Any,
    today: str = "This week",
    unit: str = "week",
    level: Any = rx.el.h2,
    **previous_props: Any,
) -> rx.Component:
    """The heading of a week or a day with its steps: back, this one, on.

    Args:
        title: "23 – 27 November".
        beside: a chip beside it.
        on_previous, on_today, on_next, today, unit, previous_props: as for ``steps``.
        level: ``rx.el.h1`` where this is the page's heading.
    """
    return rx.el.div(
        line(level(title, aria_live="polite"), *beside),
        steps(on_previous=on_previous, on_today=on_today, on_next=on_next, today=today, unit=unit, **previous_props),
        class_name="period",
    )


def steps(
    *,
    on_previous: Any,
    on_today: Any,
    on_next: Any,
    today: str = "This week",
    unit: str = "week",
    **previous_props: Any,
) -> rx.Component:
    """The ways back, to today and on.

    Args:
        on_previous, on_today, on_next: handlers; or addresses, where the page's query says what it shows.
        today: the middle one's words.
        unit: what a step is, for the names of the arrows.
        previous_props: for the first one, such as ``disabled``.
    """
    return line(
        _step(on_previous, icon("chevron-left"), label=f"Previous {unit}", **previous_props),
        _step(on_today, today),
        _step(on_next, icon("chevron-right"), label=f"Next {unit}"),
    )


def _step(target: Any, content: Content, *, label: str = "", **props: Any) -> rx.Component:
    """A link to an address, or a button for a handler; ``label`` is the name of an icon."""
    shape = classes(button_class("secondary", True, False, False), "icon-only" if label else "")
    named = {"aria_label": label, "title": label} if label else {}
    if isinstance(target, str | rx.Var):
        return rx.el.a(content, href=target, class_name=shape, **named, **props)
    return rx.el.button(content, type="button", on_click=target, class_name=shape, **named, **props)


def day_strip(*tabs: Content, label: str = "Days") -> rx.Component:
    """On phones: the days of the week as ``day_tab`` buttons; only the chosen day's column is shown there."""
    return rx.el.div(*tabs, class_name="days only-phone", role="group", aria_label=label)


def day_tab(
    weekday: Content, number: Content, count: Content, *, label: Content, chosen: Flag, **props: Any
) -> rx.Component:
    """One day: "Thu", "26" and how much is in it; ``label`` says it in full."""
    return rx.el.button(
        rx.el.span(weekday, aria_hidden="true"),
        rx.el.b(number, aria_hidden="true"),
        rx.el.span(count, aria_hidden="true"),
        unseen(label),
        type="button",
        aria_pressed=rx.cond(chosen, "true", "false"),
        class_name="day-tab",
        **props,
    )


def week_grid(*columns: Content) -> rx.Component:
    """The days of a week side by side, each a ``day_column``."""
    return rx.el.div(*columns, class_name="week")


def day_column(
    weekday: Content, number: Content, *slots: Content, chosen: Flag = True, today: Flag = False
) -> rx.Component:
    """One day with its slots; ``chosen`` says whether phones show it."""
    return _day(weekday, number, rx.el.div(*slots, class_name="slots"), chosen=chosen, today=today)


def slot_button(
    time: Content, *, label: Content, chosen: Flag = False, taken: Flag = False, **props: Any
) -> rx.Component:
    """A free slot; its accessible name begins with the time: ``label`` is "09:20, Thursday, 26 November".

    Args:
        time: "09:20".
        label: the accessible name.
        chosen: it is the one being booked.
        taken: somebody else has just booked it: shown struck through for a moment.
        props: ``on_click``...
    """
    return rx.el.button(
        time,
        type="button",
        aria_label=label,
        aria_pressed=rx.cond(chosen, "true", "false"),
        aria_disabled=rx.cond(taken, "true", "false"),
        class_name=rx.cond(taken, "slot taken", "slot"),
        **props,
    )


def no_slots(text: Content = "No slots") -> rx.Component:
    """What a day without slots says."""
    return rx.el.p(text, class_name="no-slots")


def hour_lane(
    weekday: Content, number: Content, *blocks: Content, day: Content, chosen: Flag = True, today: Flag = False
) -> rx.Component:
    """One day of a ``components.week_grid.hour_grid`` with its ``time_block`` items.

    Args:
        day: "2026-11-24".
        chosen: the one that is shown where there is room for one only.
    """
    lane = rx.el.div(*blocks, class_name="lane", custom_attrs={"data-day": day})
    return _day(weekday, number, lane, chosen=chosen, today=today)


def now_line(minutes_from: Content, left: Content) -> rx.Component:
    """The line in today's lane that moves on with the minutes, by the style sheet.

    Args:
        minutes_from: minutes from the first hour of the grid until now.
        left: minutes until it leaves the grid.
    """
    place = {"--from": minutes_from, "--left": left}
    return rx.el.div(class_name="now-line", aria_hidden="true", style=place, key=minutes_from)


def time_block(
    *content: Content, minutes_from: Content, minutes: Content, kind: str | rx.Var[str] = "", **props: Any
) -> rx.Component:
    """A stretch of time in a lane; a button when it has ``on_click``.

    Args:
        content: "09:00 free".
        minutes_from: minutes from the first hour of the grid to its start.
        minutes: how long it is.
        kind: open, busy, held, booked, past, planned (not yet published), odd (a time that the clocks leave out or
            repeat), chosen, again (in the second half of the lane); several with spaces.
        props: ``on_click``, ``aria_label``...
    """
    element = rx.el.button if "on_click" in props else rx.el.div
    return element(
        *content, class_name=classes("block", kind), style={"--from": minutes_from, "--long": minutes}, **props
    )


def _day(weekday: Content, number: Content, inside: rx.Component, *, chosen: Flag, today: Flag) -> rx.Component:
    """A day of a week: a group that is named like its column."""
    return rx.el.div(
        rx.el.p(rx.el.span(weekday), " ", rx.el.b(number), class_name=_chosen(today, "day-name today", "day-name")),
        inside,
        role="group",
        aria_label=rx.Var.create(weekday).to(str) + " " + rx.Var.create(number).to(str),
        class_name=_chosen(chosen, "day chosen", "day"),
    )


def _chosen(condition: Any, yes: str, no: str) -> Any:
    return rx.cond(condition, yes, no) if isinstance(condition, rx.Var) else yes if condition else no
