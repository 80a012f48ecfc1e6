"""Numbers and small charts."""

from __future__ import annotations

from collections.abc import Sequence

import reflex as rx

from mhms_app.web.theme.base import Content, Flag, classes, optional, unseen


def stats(*items: Content) -> rx.Component:
    """A row of ``stat`` cards."""
    return rx.el.div(*items, class_name="stats")


def stat(label: Content, value: Content, note: Content = None, tone: str | rx.Var[str] = "") -> rx.Component:
    """One number with its name, and what to make of it."""
    return rx.el.dl(
        rx.el.dt(label),
        rx.el.dd(value, class_name="value numbers"),
        optional(rx.el.dd, note, class_name=classes("note", tone)),
        class_name="card stat",
    )


def bars(label: str, *items: Content, height: int = 72) -> rx.Component:
    """A small bar chart, readable as a list; its items are ``bar``."""
    return rx.el.ul(*items, class_name="bars", aria_label=label, style={"--height": f"{height}px"})


def bar(name: Content, share: Content, value: Content, *, current: Flag = False) -> rx.Component:
    """One bar.

    Args:
        name: under it.
        share: its height, 0 to 100.
        value: read out ("12 of 14 booked"), and shown on hover.
        current: drawn in the accent: today.
    """
    return rx.el.li(
        rx.el.span(class_name="bar", style={"--share": share}),
        rx.el.span(name, unseen(": ", value)),
        title=value,
        aria_current=rx.cond(current, "date", "false")
        if isinstance(current, rx.Var)
        else "date"
        if current
        else "false",
    )


def progress(label: str, done: Content, total: Content) -> rx.Component:
    """How much of something is done: a bar with its numbers."""
    return rx.el.div(
        rx.el.progress(value=done, max=total, aria_label=label),
        rx.el.span(done, " of ", total, class_name="small numbers"),
        class_name="progress",
    )


def curve(summary: Content, points: Content, area: Content) -> rx.Component:
    """A line chart; ``points`` and ``area`` come from ``curve_points``, ``summary`` says it in words."""
    lines = (rx.el.svg.line(x1="0", x2="100", y1=y, y2=y, class_name="grid") for y in ("0", "20", "40"))
    return rx.el.svg(
        *lines,
        rx.el.svg.polygon(points=area, class_name="area"),
        rx.el.svg.polyline(points=points, class_name="curve"),
        view_box="0 0 100 40",
        custom_attrs={"preserveAspectRatio": "none"},
        role="img",
        aria_label=summary,
        class_name="plot",
    )


def curve_points(values: Sequence[float], *, ceiling: float) -> tuple[str, str]:
    """The points of a line and of the area under it, in ``curve``'s box; ``ceiling`` is its upper edge."""
    if not values:
        return "", ""
    step = 100 / max(1, len(values) - 1)
    points = " ".join(f"{i * step:.2f},{40 - 40 * min(value, ceiling) / ceiling:.2f}" for i, value in enumerate(values))
    return points, f"0,40 {points} {(len(values) - 1) * step:.2f},40"
