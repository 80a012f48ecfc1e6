"""The panel beside a doctor's week: publishing slots, and what can be done with those that are chosen."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app.web import theme
from mhms_app.web.components.weekday_choice import weekday_choice
from mhms_app.web.doctor import plan as planning
from mhms_app.web.doctor.pieces import minutes, typed
from mhms_app.web.doctor.week import Picked


def panel(view: Any) -> rx.Component:
    """The panel; ``view`` is the page's State, whose attributes are Vars here."""
    return rx.el.div(rx.cond(view.picked_ids, _chosen(view), _publishing(view)), id="panel", tab_index=-1)


def _close(view: Any) -> rx.Component:
    return rx.el.div(theme.icon_button("Close", "x", on_click=view.open_sheet(False)), class_name="only-sheet")


def _chosen(view: Any) -> rx.Component:
    alone = view.picked_ids.length() == 1
    return theme.panel(
        rx.cond(alone, "1 slot chosen", f"{view.picked_ids.length()} slots chosen"),
        rx.el.ul(rx.foreach(view.picked, lambda day: _picked_day(view, day)), class_name="stack"),
        rx.cond(alone & ~view.asked, _changing(view)),
        rx.cond(
            view.offer_week,
            theme.button(view.offer_week, compact=True, full=True, on_click=view.pick_week),
        ),
        rx.cond(
            view.asked,
            theme.confirm(
                rx.fragment(view.withdraw_words, "?"),
                "Patients can no longer book this time. Nobody has booked it, so nobody is told.",
                theme.button(view.withdraw_words, kind="danger", solid=True, on_click=view.withdraw),
                theme.button("Keep", auto_focus=True, on_click=view.ask(False)),
            ),
            theme.stack(
                theme.button(view.withdraw_words, kind="danger", full=True, on_click=view.ask(True)),
                theme.button("Choose none", kind="quiet", full=True, on_click=view.pick_none),
                gap="tight",
            ),
        ),
        aside=_close(view),
        label="Chosen slots",
        sheet=view.sheet_open,
    )


def _changing(view: Any) -> rx.Component:
    """What dragging a block does, as a form."""

    def field(label: str, name: str, kind: str) -> rx.Component:
        return theme.text_field(label, name, type=kind, default_value=view.moving[name], error=view.errors[name])

    return theme.form(
        field("Day", "day", "date"),
        theme.pair(field("From", "start", "time"), field("Until", "end", "time")),
        theme.button("Change time", kind="primary", type="submit", full=True),
        on_submit=view.change,
        key=view.moving["key"],
    )


def _picked_day(view: Any, day: Picked) -> rx.Component:
    return rx.el.li(
        theme.line(
            rx.el.strong(day.name),
            rx.cond(
                day.offer,
                theme.button(day.offer, kind="quiet", compact=True, on_click=view.pick_day(day.day)),
            ),
            apart=True,
        ),
        rx.el.p(day.times, class_name="small second"),
    )


def _publishing(view: Any) -> rx.Component:
    return theme.panel(
        "Publish slots",
        theme.form(
            rx.fragment(
                theme.segments(
                    "What to publish",
                    theme.segment(
                        "Hours of a week",
                        name="what",
                        value="hours",
                        default_checked=~view.single,
                        on_change=lambda _: view.plan_single(False),
                    ),
                    theme.segment(
                        "One slot",
                        name="what",
                        value="slot",
                        default_checked=view.single,
                        on_change=lambda _: view.plan_single(True),
                    ),
                    hide_label=True,
                ),
                rx.cond(view.single, _single(view), _range(view)),
                key=f"form-{view.drawn}",
            ),
            _preview(view),
            theme.button(
                rx.cond(
                    view.fresh == 0,
                    "Publish",
                    rx.cond(view.fresh == 1, "Publish 1 slot", f"Publish {view.fresh} slots"),
                ),
                kind="primary",
                type="submit",
                full=True,
                disabled=view.fresh == 0,
            ),
            on_submit=view.publish,
        ),
        aside=_close(view),
        sheet=view.sheet_open,
    )


def _range(view: Any) -> rx.Component:
    return rx.fragment(
        weekday_choice(view.weekdays, view.plan_weekday, error=view.problems["weekdays"]),
        theme.pair(typed(view, "From", "start", type="time"), typed(view, "Until", "end", type="time")),
        theme.stack(
            theme.pair(
                minutes(view, "Slot length", "length", planning.LENGTHS),
                minutes(view, "Break", "pause", planning.PAUSES, none="none"),
            ),
            theme.checkbox("Lunch break", default_checked=view.lunch, on_change=view.plan_lunch),
            rx.cond(
                view.lunch,
                theme.pair(
                    typed(view, "Lunch from", "lunch_start", type="time"),
                    typed(view, "Lunch until", "lunch_end", type="time"),
                ),
            ),
            gap="tight",
        ),
        typed(
            view, "Repeat until", "last_day", type="date", hint="Empty means only the week shown.", icon_name="calendar"
        ),
    )


def _single(view: Any) -> rx.Component:
    return rx.fragment(
        typed(view, "Day", "day", type="date", icon_name="calendar"),
        theme.pair(typed(view, "Time", "time", type="time"), minutes(view, "Slot length", "length", planning.LENGTHS)),
    )


def _preview(view: Any) -> rx.Component:
    """What publishing would do; always there, so that it is read out when it changes."""
    return rx.el.div(
        rx.cond(
            view.preview_fact,
            rx.fragment(rx.el.strong(view.preview_fact), view.preview_rest),
            rx.el.span(view.preview_wait),
        ),
        class_name="well",
        role="status",
    )
