"""The frame of the pages about one's own account: its sections beside the content, above it on a phone."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.shell import frame

_SECTIONS = (
    ("Profile", routes.ACCOUNT, "user-round"),
    ("Password", routes.ACCOUNT_PASSWORD, "key-round"),
    ("Security", routes.ACCOUNT_SECURITY, "shield-check"),
    ("Sessions", routes.ACCOUNT_SESSIONS, "monitor-smartphone"),
)


def account_frame(*content: Any, active: str) -> rx.Component:
    """A page of the account.

    Args:
        content: the page, with exactly one h1 (``theme.page_heading``).
        active: the path of the section that it is.
    """
    return frame(
        rx.el.div(
            rx.el.nav(*(_section(*section, active=active) for section in _SECTIONS), aria_label="Your account"),
            theme.stack(*content, gap="loose"),
            class_name="own-account",
        ),
        active=routes.ACCOUNT,
    )


def _section(name: str, path: str, icon_name: str, *, active: str) -> rx.Component:
    here = {"aria_current": "page"} if path == active else {}
    return rx.el.a(theme.icon(icon_name), name, href=path, **here)
