"""A doctor's week on the page: its heading, the days for phones, the grid, and the bar at the bottom of a phone."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.components.week_grid import hour_grid
from mhms_app.web.doctor.week import Block, Lane


def week(view: Any) -> rx.Component:
    """The week; ``view`` is the page's State, whose attributes are Vars here."""
    return theme.stack(_heading(view), _days(view), _grid(view), _footer(view), _bar(view))


def _heading(view: Any) -> rx.Component:
    steps = {"on_previous": view.previous, "on_today": view.today, "on_next": view.following}
    by_day, by_week = theme.steps(**steps, today="Today", unit="day"), theme.steps(**steps)
    return rx.fragment(
        theme.page_heading(
            view.heading,
            rx.el.span(view.summary, aria_live="polite"),
            aside=rx.fragment(_ways_to_look(view), rx.cond(view.one_day, by_day, by_week)),
        ),
        rx.cond(view.clock_note, theme.notice(view.clock_note, icon_name="clock-alert")),
        theme.line(
            rx.el.div(
                theme.chip("free", "accent"),
                theme.chip("being booked", "held"),
                theme.chip("booked", "booked"),
                theme.chip("not yet published", "planned"),
                theme.chip("past"),
                class_name="line only-wide",
                aria_hidden="true",
            ),
            rx.el.p("Times are ", view.zone, ".", class_name="small second"),
            apart=True,
        ),
    )


def _ways_to_look(view: Any) -> rx.Component:
    """Week or day, where there is room for a week."""
    ways = (("Week", view.as_week, ~view.one_day), ("Day", view.as_day, view.one_day))
    return rx.el.nav(
        *(
            theme.link_button(name, path, compact=True, aria_current=rx.cond(chosen, "page", "false"))
            for name, path, chosen in ways
        ),
        aria_label="View",
        class_name="ways only-wide",
    )


def _days(view: Any) -> rx.Component:
    def tab(lane: Lane) -> rx.Component:
        return theme.day_tab(
            lane.weekday,
            lane.number,
            lane.free,
            chosen=lane.day == view.chosen_day,
            label=lane.label,
            on_click=view.show_day(lane.day),
        )

    return theme.day_strip(rx.foreach(view.lanes, lambda lane: rx.cond(lane.shown, tab(lane))))


def _grid(view: Any) -> rx.Component:
    return rx.fragment(
        rx.el.h2("Slots of the week", class_name="unseen"),
        theme.skip("Skip the slots", "panel"),
        hour_grid(
            rx.foreach(view.hours, rx.el.li),
            rx.foreach(view.lanes, lambda lane: rx.cond(lane.shown, _lane(view, lane))),
            first=view.first_hour,
            count=view.hours.length(),
            shortest=view.shortest,
            one_day=view.one_day,
            answered=view.answered,
            focused=view.focused,
            on_create=view.plan_stretch,
            on_change=view.drop,
            on_open=view.open_slot,
            on_locked=view.pick,
        ),
    )


def _lane(view: Any, lane: Lane) -> rx.Component:
    return theme.hour_lane(
        lane.weekday,
        lane.number,
        rx.foreach(lane.blocks, lambda block: _block(view, block)),
        rx.cond(lane.today & (view.now_left > 0), theme.now_line(view.now_at, view.now_left)),
        day=lane.day,
        chosen=lane.day == view.chosen_day,
        today=lane.today,
    )


def _block(view: Any, block: Block) -> rx.Component:
    """A free slot can be chosen; a booked one says why it cannot; the others only stand there."""
    text = rx.el.span(block.text, rx.cond(block.reason, rx.el.small(block.reason)))
    place: dict[str, Any] = {"minutes_from": block.since, "minutes": block.minutes, "title": block.label}

    def slot(kind: Any, **state: Any) -> rx.Component:
        return theme.time_block(
            text,
            kind=kind,
            aria_label=block.label,
            on_click=view.pick(block.slot_id),
            custom_attrs={"data-slot": block.slot_id},
            **state,
            **place,
        )

    chosen = view.picked_ids.contains(block.slot_id)
    free = slot(rx.cond(chosen, block.kind + " chosen", block.kind), aria_pressed=rx.cond(chosen, "true", "false"))
    locked = slot(block.kind, aria_disabled="true")
    still = theme.time_block(text, kind=block.kind, **place)
    kind = block.kind.split(" ")[0]
    return rx.match(kind, ("open", free), ("booked", locked), ("held", locked), still)


def _footer(view: Any) -> rx.Component:
    return theme.line(
        rx.cond(
            view.footnote,
            rx.el.p(
                rx.el.span("Drag over the week to publish. ", class_name="only-mouse"),
                view.footnote,
                class_name="small second",
            ),
            theme.link("Let your working hours publish slots", routes.HOURS, icon_after="arrow-right"),
        ),
        theme.link("Unused slots", routes.UNUSED_SLOTS, icon_after="arrow-right"),
        apart=True,
    )


def _bar(view: Any) -> rx.Component:
    """On phones: the way to the panel."""
    chosen = view.picked_ids.length()
    return rx.cond(
        chosen > 0,
        theme.bottom_bar(
            rx.fragment(chosen, " chosen"),
            "Tap more, or withdraw them.",
            theme.button("Continue", kind="primary", on_click=view.open_sheet(True)),
        ),
        theme.bottom_bar(
            view.summary,
            view.where,
            theme.button("Publish slots", kind="primary", on_click=view.open_sheet(True)),
        ),
    )
