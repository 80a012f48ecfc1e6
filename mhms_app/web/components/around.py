"""What stands around every page, in place of Reflex's own: no blinking icon, and no stack trace for patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import reflex as rx
from reflex_components_core.base.error_boundary import ErrorBoundary
from reflex_components_core.core.banner import has_too_many_connection_errors

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.screen import Screen


def _boundary(stateful: bool) -> rx.Component:
    """Shows ``_broken`` when a page cannot be drawn; the server's log hears of it."""
    told = {} if stateful else {"on_error": rx.noop()}
    return ErrorBoundary.create(fallback_render=_broken(), **told)


def _broken() -> rx.Component:
    return rx.el.main(
        rx.el.title("This page could not be shown"),
        theme.narrow(
            theme.page_heading(
                "This page could not be shown",
                "The fault is ours, and nothing was changed. Loading it again often helps.",
            ),
            theme.line(
                theme.link_button("Load it again", "", kind="primary", reload_document=True),
                theme.link_button("Start page", routes.HOME, reload_document=True),
            ),
        ),
        class_name="page",
    )


def connection_lost() -> rx.Component:
    """The sentence that stands in the page while the server cannot be reached."""
    return rx.cond(
        has_too_many_connection_errors,
        theme.notice(
            "The clinic cannot be reached at the moment. We keep trying; what you typed stays here.",
            tone="warn",
            icon_name="wifi-off",
        ),
    )


def waiting_to_be_met() -> rx.Component:
    """Stands in the page as it is delivered; the style sheet shows it when nobody has answered for some seconds."""
    return rx.cond(
        has_too_many_connection_errors | (Screen.meanwhile != ""),
        rx.fragment(),
        theme.notice(
            "The clinic takes longer to answer than usual. We keep trying.",
            tone="warn",
            icon_name="hourglass",
            key="late",
            custom_attrs={"data-late": "true"},
        ),
    )


AROUND: dict[tuple[int, str], Callable[[bool], Any]] = {(55, "ErrorBoundary"): _boundary}
