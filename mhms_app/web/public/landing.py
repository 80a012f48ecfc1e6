"""The landing page: it starts the search."""

from __future__ import annotations

import reflex as rx

from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen


class Landing(Screen):
    """What the landing page shows."""

    @handler()
    async def load(self) -> None:
        """Show who is there."""


def page() -> rx.Component:
    """The landing page."""
    return rx.el.main(rx.el.h1("Hello ", Landing.viewer_name), rx.el.p(Landing.notice))
