"""The days of a week, chosen one by one."""

from __future__ import annotations

from datetime import date
from typing import Any

import reflex as rx

from mhms_app.web import theme, words

_LETTERS = ("M", "T", "W", "Th", "F", "Sa", "Su")
_A_MONDAY = date(2024, 1, 1)


def weekday_choice(chosen: Any, on_change: Any, *, error: Any) -> rx.Component:
    """Seven toggles.

    Args:
        chosen: a Var of the list of chosen days; Monday is 0.
        on_change: the handler, which takes ``weekday`` and ``is_on``.
        error: the sentence about what to correct, or empty.
    """
    days = (
        theme.segment(
            letter,
            several=True,
            long=words.weekday_name(_A_MONDAY.replace(day=1 + day)),
            default_checked=chosen.contains(day),
            on_change=lambda is_on, day=day: on_change(day, is_on),
        )
        for day, letter in enumerate(_LETTERS)
    )
    return theme.segments("Days", *days, error=error)
