"""Why there is no free time, in words, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import reflex as rx

from mhms_app.actor import Role
from mhms_app.availability.when_rules import Nothing, Why
from mhms_app.web import theme, words
from mhms_app.web.screen import Screen

_SOON = "New ones appear here as soon as they are published or given back."


@dataclass(frozen=True, slots=True)
class Reason:
    """What to say; no title means that there is something.

    Attributes:
        is_elsewhen: there is something at other times.
    """

    title: str = ""
    text: str = ""
    is_elsewhen: bool = False


def reason_of(nothing: Nothing | None, *, now: datetime) -> Reason:
    """Say why there is nothing."""
    if nothing is None:
        return Reason()
    at = words.moment(nothing.at, now=now) if nothing.at else ""
    day = words.near_day(words.local(nothing.at).date(), today=words.local(now).date()) if nothing.at else ""
    match nothing.why:
        case Why.NOBODY:
            return Reason("Nobody can be booked here", "No doctor offers times online here at the moment.")
        case Why.UNPUBLISHED if day:
            until = f"Times are published until {_inside(day)}."
            return Reason("Nothing is published for then yet", until, is_elsewhen=True)
        case Why.UNPUBLISHED:
            return Reason("There is nothing to choose from yet", f"No times are published. {_SOON}")
        case Why.NOTICE:
            return Reason("The only free time is too near", f"{at} cannot be booked online any more. Please call us.")
        case Why.AHEAD:
            return Reason("The next free time is too far ahead", f"{at} can only be booked nearer to the day.")
        case Why.TAKEN:
            return Reason("Every time is taken", f"All times until {_inside(day)} are taken. {_SOON}")
        case Why.ELSEWHEN:
            return Reason("Nothing is free then", f"The next free time is {_inside(at)}.", is_elsewhen=True)


def _inside(said: str) -> str:
    """A day inside of a sentence: "today", "tomorrow"; the others are names."""
    return said[0].lower() + said[1:] if said.startswith("To") else said


def tell_me(path: Any) -> rx.Component:
    """The way to the waiting list, for everybody but the staff."""
    is_staff = (Screen.viewer_role == Role.DOCTOR.value) | (Screen.viewer_role == Role.ADMIN.value)
    link = theme.link_button("Tell me when something is free", path, icon_name="bell")
    return rx.cond(is_staff, rx.fragment(), link)
