"""The week of a doctor as a grid in which slots are drawn, dragged and reached by the arrow keys.

The gestures are in ``assets/week_grid.js``, which only the page of the week loads (ADR 0013).
"""

from __future__ import annotations

from typing import Any

import reflex as rx

_OF_A_STRETCH = rx.event.passthrough_event_spec(str, int, int)  # type: ignore[call-arg]  # untyped in Reflex
_OF_A_SLOT = rx.event.passthrough_event_spec(int)
_OF_A_MOVED_SLOT = rx.event.passthrough_event_spec(int, str, int, int)  # type: ignore[call-arg]


class WeekGrid(rx.Component):
    """``theme.hour_lane`` items side by side; times are minutes of a day's clock on the wall.

    Attributes:
        first, count: the first hour that is drawn, and how many.
        answered: rises with each answer of the server, which ends what was dropped.
        focused: the slot that has the focus after an answer, or 0.
        on_create: empty time was dragged over: day, start, end.
        on_change: an open slot was dragged or resized: its key, day, start, end.
        on_open: Enter was pressed on an open slot: its key.
        on_locked: somebody tried to drag a slot that is not open: its key.
    """

    library = rx.asset("week_grid.js").importable_path
    tag = "WeekGrid"

    first: rx.Var[int]
    count: rx.Var[int]
    answered: rx.Var[int]
    focused: rx.Var[int]
    on_create: rx.EventHandler[_OF_A_STRETCH]  # type: ignore[valid-type,type-arg]
    on_change: rx.EventHandler[_OF_A_MOVED_SLOT]  # type: ignore[valid-type,type-arg]
    on_open: rx.EventHandler[_OF_A_SLOT]  # type: ignore[valid-type,type-arg]
    on_locked: rx.EventHandler[_OF_A_SLOT]  # type: ignore[valid-type,type-arg]


def hour_grid(
    hours: Any, *lanes: Any, first: Any, count: Any, shortest: Any, one_day: Any, **props: Any
) -> rx.Component:
    """A week as a time grid.

    Args:
        hours: ``rx.foreach(State.hours, rx.el.li)``: "08:00", "09:00"...
        lanes: one ``theme.hour_lane`` a day.
        first, count: the first hour that is drawn, and how many.
        shortest: the minutes of the shortest block: an hour is high enough to read and to hit it.
        one_day: only the chosen lane is shown, as always on phones.
        props: ``answered``, ``focused`` and the events of ``WeekGrid``.
    """
    return WeekGrid.create(
        rx.el.ul(hours, class_name="scale", aria_hidden="true"),
        *lanes,
        first=first,
        count=count,
        class_name=rx.cond(one_day, "hours one-day", "hours"),
        style={"--count": count, "--shortest": shortest},
        **props,
    )
