"""The calm reminder that an address is not confirmed yet, on the pages where that matters."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.accounts import addresses
from mhms_app.actor import LOGGED_IN
from mhms_app.web import bridge, theme
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen


class Unconfirmed(Screen):
    """The viewer's own address while it waits to be confirmed; else ``""``."""

    email: str = ""

    @handler(LOGGED_IN)
    async def look(self) -> None:
        """Look whether there is anything to say."""
        found = await bridge.read(self, addresses.look)
        self.email = "" if found.is_confirmed else found.email

    @handler(LOGGED_IN)
    async def send_again(self) -> None:
        """Send the link once more."""
        email = await bridge.call(self, addresses.send_again, then=routes.home_of(self.viewer_role))
        self.tell(f"A new link is on its way to {email}.")


def unconfirmed(*consequence: Any) -> rx.Component:
    """The reminder, if there is need of one; ``consequence`` says what waits for it."""
    return rx.fragment(
        rx.cond(
            Unconfirmed.email,
            theme.notice(
                "We sent a link to ",
                rx.el.strong(Unconfirmed.email),
                ". Open it to confirm your address: ",
                *consequence,
                " ",
                rx.el.button(
                    "Send the link again", type="button", class_name="as-link", on_click=Unconfirmed.send_again
                ),
                tone="warn",
                icon_name="mail",
            ),
        ),
        rx.el.span(hidden=True, on_mount=Unconfirmed.look),
    )
