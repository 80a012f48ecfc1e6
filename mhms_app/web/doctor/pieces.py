"""What the doctor's pages share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import reflex as rx

from mhms_app.actor import Role
from mhms_app.availability import rules
from mhms_app.web import theme, words
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.pause import pause


def short_name(name: str) -> str:
    """ "T. Brandt": enough for a doctor who knows their patients, in a narrow place."""
    first, _, rest = name.partition(" ")
    return f"{first[0]}. {rest}" if rest else name


def day_shown(text: str, *, today: date) -> date:
    """The day that an address names, or today when it names none whose week is in the calendar."""
    day = rules.day_of(text)
    return day if day and words.monday_of(day).year in rules.YEARS else today


def day_of(instant: datetime) -> date:
    """The clinic's day of an instant."""
    return words.local(instant).date()


def for_doctors(*content: Any) -> rx.Component:
    """The content, for doctors."""
    return only_for(Role.DOCTOR, *content)


def approval_notice(awaiting: Any) -> rx.Component:
    """What a doctor whom patients cannot find yet should know."""
    return rx.cond(
        awaiting,
        theme.notice(
            "An administrator still has to approve your account. You can prepare your slots meanwhile: "
            "patients see them once you are approved.",
            icon_name="hourglass",
        ),
    )


def typed(view: Any, label: str, name: str, **props: Any) -> rx.Component:
    """A field whose text the server follows; ``view`` is the page's State."""
    return theme.text_field(
        label,
        name,
        default_value=view.typed[name],
        error=view.problems[name],
        on_change=lambda value: view.fill_in(name, value).debounce(pause(name)),
        **props,
    )


def minutes(view: Any, label: str, name: str, choices: Iterable[int], *, none: str = "") -> rx.Component:
    """A choice of lengths; 0 minutes are called ``none``, if that is given."""
    return theme.select_field(
        label,
        *(theme.option(str(each), f"{each} min" if each or not none else none) for each in choices),
        name=name,
        default_value=view.typed[name],
        error=view.problems[name],
        on_change=lambda value: view.fill_in(name, value),
    )
