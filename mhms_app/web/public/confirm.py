"""Confirming an address, behind the link that was mailed there.

Opening the page changes nothing: programs that look through mail open links too. The button does.
"""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from mhms_app import routes
from mhms_app.accounts import addresses
from mhms_app.accounts.link_rules import Purpose
from mhms_app.accounts.links import LinkOver
from mhms_app.web import bridge, theme
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


@dataclass(frozen=True, slots=True)
class Text:
    """What the page says: what the link does, or what it has done."""

    title: str
    lead: str
    action: str = ""


_OVER = Text("This link is over", LinkOver.sentence.removeprefix("This link is over: ").capitalize())
_OFFERED = {
    Purpose.CONFIRM_EMAIL: Text("Is this your address?", "Then confirm it, and your account is ready.", "Confirm"),
    Purpose.CHANGE_NEW: Text("Is this your new address?", "Then confirm it for your account.", "Confirm"),
    Purpose.CHANGE_OLD: Text(
        "Shall your account leave this address?",
        "If you did not ask for it, close this page and change your password: nothing changes without you.",
        "Agree to the change",
    ),
}
_DONE = {
    "confirmed": Text("Your address is confirmed", "Thank you. If another tab waits for this, you can go on there."),
    "half": Text("Thank you", "One step is left: open the link in the message to your other address."),
    "changed": Text(
        "Your account has its new address", "From now on you log in with it. Other devices are logged out."
    ),
    "taken": Text("This address cannot be used", "It has an account of its own. Yours keeps the address it had."),
}


class Confirm(Screen):
    """The link that the address holds.

    Attributes:
        email: the address that it is about; ``""`` when there is nothing to do.
        next_path: where to go on afterwards.
    """

    text: Text = _OVER
    email: str = ""
    next_path: str = ""

    _token: str = ""

    @handler()
    async def load(self) -> None:
        """Say what the link does."""
        self._token = routes.token_in(self.router.url.path)
        self.next_path = routes.safe_next(self.router.url.query_parameters.get("next", ""))
        self.text, self.email = _OVER, ""
        try:
            offered = await bridge.read(self, addresses.offered, token=self._token)
        except LinkOver:
            return
        self.text, self.email = _OFFERED[offered.purpose], offered.email

    @handler()
    async def agree(self) -> None:
        """Do what the link does."""
        self.text, self.email, token = _OVER, "", self._token
        try:
            outcome = await bridge.call(self, addresses.confirm, token=token)
        except LinkOver:
            return
        self.text = _DONE[outcome]


def page() -> rx.Component:
    """What the link does, with a button; or what it has done."""
    return frame(
        theme.narrow(
            theme.loading(
                rx.fragment(
                    theme.page_heading(Confirm.text.title, Confirm.text.lead),
                    rx.cond(Confirm.email, _question(), _onwards()),
                ),
                theme.skeleton("100%", "200px"),
            )
        )
    )


def _question() -> rx.Component:
    return theme.card(
        theme.well(rx.el.strong(Confirm.email)),
        theme.button(Confirm.text.action, kind="primary", full=True, on_click=Confirm.agree),
    )


def _onwards() -> rx.Component:
    homes = ((role.value, routes.home_of(role.value)) for role in Role)
    home = rx.match(Screen.viewer_role, *homes, routes.LOGIN)
    label = rx.cond(Screen.viewer_role, "To my pages", "Log in")
    return theme.line(
        rx.cond(
            Confirm.next_path,
            theme.link_button("Go on where you were", Confirm.next_path, kind="primary"),
            theme.link_button(label, home, kind="primary"),
        )
    )
