"""Pages that belong to a role say so to everybody else, instead of standing there empty."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.web import theme
from mhms_app.web.screen import Screen

_WHOM = {Role.PATIENT: "patients", Role.DOCTOR: "doctors", Role.ADMIN: "administrators"}


def only_for(role: Role, *content: Any) -> rx.Component:
    """The content, unless the server has said that somebody else is looking."""
    homes = ((other.value, routes.home_of(other.value)) for other in Role)
    stranger = theme.narrow(
        theme.page_heading(f"This page is for {_WHOM[role]}", "Your account cannot open it."),
        theme.line(theme.link_button("Back to my pages", rx.match(Screen.viewer_role, *homes, routes.HOME))),
    )
    return rx.cond(Screen.met & (Screen.viewer_role != role.value), stranger, rx.fragment(*content))
