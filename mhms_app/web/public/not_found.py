"""What an address without a page shows."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.components.native_form import query_form
from mhms_app.web.shell import frame


def page() -> rx.Component:
    """The page that is not there, and the ways on from it."""
    return frame(
        theme.narrow(
            theme.page_heading(
                "This page is not here",
                "The address may have a typing mistake, or what stood here was removed. Nothing of yours is lost.",
            ),
            query_form(
                routes.DOCTORS,
                theme.text_field(
                    "Find a doctor",
                    "q",
                    icon_name="search",
                    type="search",
                    max_length=100,
                    placeholder="Doctor or specialty",
                ),
                theme.button("Search", kind="primary", type="submit"),
                class_name="form",
                role="search",
            ),
            theme.line(
                theme.link_button("Start page", routes.HOME, icon_name="house"),
                theme.link_button("All doctors", routes.DOCTORS, icon_name="users"),
            ),
        )
    )
