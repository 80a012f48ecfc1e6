"""The address of one's own account, a section of its page: whether it is confirmed, and changing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.accounts import addresses, own_password
from mhms_app.actor import LOGGED_IN
from mhms_app.web import bridge, theme, words
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen


class AddressForm(TypedDict):
    """Another address, and the password again."""

    email: Annotated[str, Field(max_length=400)]
    current: Annotated[str, Field(max_length=1024)]


@dataclass(frozen=True, slots=True)
class Change:
    """A change under way; an empty ``email`` is none.

    Attributes:
        left, taken: the old and the new mailbox have agreed.
        until: when it ends by itself.
    """

    email: str = ""
    left: bool = False
    taken: bool = False
    until: str = ""


class Address(Screen):
    """The section.

    Attributes:
        is_asking: the form for another address is open.
        form: a new number empties it.
        shown: the password can be read.
    """

    email: str = ""
    is_confirmed: bool = True
    change: Change = Change()
    is_asking: bool = False
    form: int = 0
    shown: bool = False

    @handler(LOGGED_IN)
    async def load(self) -> None:
        """Show the address."""
        self.is_asking = False
        self._show(await bridge.read(self, addresses.look))

    @handler(LOGGED_IN, local=True)
    async def ask(self, is_asking: bool) -> None:
        """Open the form, or put it away."""
        self.is_asking, self.shown = is_asking, False
        self.form += 1

    @handler(LOGGED_IN, local=True)
    async def toggle_characters(self) -> None:
        """Show the password's characters, or hide them again."""
        self.shown = not self.shown

    @handler(LOGGED_IN)
    async def ask_change(self, typed: AddressForm) -> None:
        """Ask both mailboxes."""
        owner = await bridge.read(self, own_password.own)
        await bridge.compute(own_password.prove, owner, password=typed["current"], address=bridge.client_address(self))
        self._show(
            await bridge.call(self, addresses.ask_change, email=typed["email"], current_hash=owner.password_hash)
        )
        self.is_asking = False
        self.tell("Look into your mailboxes: the change waits for the links there.")

    @handler(LOGGED_IN)
    async def take_back(self) -> None:
        """Give the change up."""
        self._show(await bridge.call(self, addresses.take_back))
        self.tell("Your address stays as it is.")

    @handler(LOGGED_IN)
    async def send_again(self) -> None:
        """Send the link that confirms the address once more."""
        email = await bridge.call(self, addresses.send_again, then=routes.ACCOUNT)
        self._show(await bridge.read(self, addresses.look))
        if not self.is_confirmed:
            self.tell(f"A new link is on its way to {email}.")

    def _show(self, found: addresses.Address) -> None:
        change = found.change
        self.email, self.is_confirmed = found.email, found.is_confirmed
        self.change = Change()
        if change is not None:
            until = words.moment_within(change.until, now=bridge.now())
            self.change = Change(change.email, change.left, change.taken, until)


def address_section() -> rx.Component:
    """The card of the address; it loads itself."""
    return theme.card(
        theme.line(
            rx.el.strong(Address.email),
            rx.cond(
                Address.email,
                rx.cond(Address.is_confirmed, theme.chip("Confirmed", "ok"), theme.chip("Not confirmed", "warn")),
                theme.skeleton("14rem"),
            ),
        ),
        rx.cond(Address.is_confirmed, rx.fragment(), _unconfirmed()),
        rx.cond(Address.change.email, _under_way(), rx.cond(Address.is_asking, _form(), _start())),
        title="E-mail address",
        on_mount=Address.load,
    )


def _unconfirmed() -> rx.Component:
    return theme.notice(
        "We sent a link to this address. Open it to confirm that it is yours. ",
        rx.el.button("Send the link again", type="button", class_name="as-link", on_click=Address.send_again),
        tone="warn",
        icon_name="mail",
    )


def _start() -> rx.Component:
    return theme.line(theme.button("Change address", on_click=Address.ask(True), id="change-address"))


def _form() -> rx.Component:
    return theme.form(
        theme.text_field(
            "New address",
            "email",
            type="email",
            auto_complete="email",
            auto_capitalize="off",
            spell_check=False,
            auto_focus=True,
            error=Address.errors["email"],
        ),
        theme.password_field(
            "Current password",
            "current",
            shown=Address.shown,
            on_toggle=Address.toggle_characters,
            auto_complete="current-password",
            error=Address.errors["current"],
        ),
        theme.well(
            "Links go to the new address and to the one that you have now. It changes when both are opened; "
            "then your other devices are logged out."
        ),
        theme.line(
            theme.button("Send the links", kind="primary", type="submit"),
            theme.button("Keep my address", kind="quiet", on_click=Address.ask(False)),
        ),
        on_submit=Address.ask_change,
        key=Address.form,
    )


def _under_way() -> rx.Component:
    change = Address.change
    return theme.stack(
        rx.el.p("It becomes ", rx.el.strong(change.email), " once both links are opened, until ", change.until, "."),
        theme.facts(("Address now", _agreed(change.left)), ("New address", _agreed(change.taken))),
        theme.line(
            theme.button("Take it back", on_click=Address.take_back),
            theme.button("I have opened them", kind="quiet", on_click=Address.load),
        ),
    )


def _agreed(has_agreed: Any) -> rx.Component:
    return rx.cond(has_agreed, theme.chip("Done", "ok"), theme.chip("Waits for its link", "warn"))
