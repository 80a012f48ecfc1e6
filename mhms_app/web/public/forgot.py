"""Forgotten password: asking for a link. What the page says is the same for every address."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.accounts.link_rules import GOOD_FOR, Purpose, in_words
from mhms_app.web import theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import Entry, email_field, general_problem, other_way
from mhms_app.web.shell import frame


class Forgot(Entry):
    """The form; ``sent`` says that it was sent just now."""

    sent: bool = False

    @handler()
    async def load(self) -> None:
        """Show the form, or that a message may be on its way."""
        self.sent = self.router.url.query_parameters.get("sent") == "1"
        self._bring_back("forgot")


def page() -> rx.Component:
    """The page, before and after."""
    return frame(theme.narrow(theme.loading(rx.cond(Forgot.sent, _sent(), _form()), theme.skeleton("100%", "220px"))))


def _form() -> rx.Component:
    return rx.fragment(
        theme.page_heading(
            "Forgot your password?", "We send a link to your address, with which you choose a new password."
        ),
        posted_form(
            routes.POST_FORGOT,
            general_problem(),
            email_field(),
            theme.button("Send link", kind="primary", type="submit", full=True),
            class_name="form",
            key=Forgot.attempt,
        ),
        other_way("Remembered it?", "Log in", routes.LOGIN),
    )


def _sent() -> rx.Component:
    return rx.fragment(
        theme.page_heading(
            "Look into your mailbox", "If an account has this address, a message with a link is on its way to it."
        ),
        theme.card(
            rx.el.p("The link works once, for ", in_words(GOOD_FOR[Purpose.RESET_PASSWORD]), "."),
            rx.el.p(
                "No message after some minutes? Look among the unwanted mail, and whether you have signed up with "
                "another address.",
                class_name="small second",
            ),
        ),
        theme.line(
            theme.link_button("Log in", routes.LOGIN, kind="primary"),
            theme.link_button("Another address", routes.FORGOT, kind="quiet"),
        ),
    )
