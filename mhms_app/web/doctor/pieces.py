"""What the doctor's pages share."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.web import theme
from mhms_app.web.screen import Screen


def short_name(name: str) -> str:
    """ "T. Brandt": enough for a doctor who knows their patients, in a narrow place."""
    first, _, rest = name.partition(" ")
    return f"{first[0]}. {rest}" if rest else name


def for_doctors(*content: Any) -> rx.Component:
    """The content, unless the server has said that somebody else is looking."""
    stranger = theme.card(
        theme.empty_state(
            "This page is for doctors",
            "Your account cannot open it.",
            theme.link_button("Back to my pages", rx.cond(Screen.viewer_role == "admin", routes.ADMIN, routes.PATIENT)),
            icon_name="lock",
        )
    )
    return rx.cond(Screen.met & (Screen.viewer_role != Role.DOCTOR.value), stranger, rx.fragment(*content))


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
