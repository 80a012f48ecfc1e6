"""Forgotten password: choosing a new one, behind the link that was mailed."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.accounts import own_password
from mhms_app.accounts.links import LinkOver
from mhms_app.web import bridge, theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import account_name, general_problem
from mhms_app.web.public.new_password import NewPassword, new_password_field
from mhms_app.web.shell import frame


class Reset(NewPassword):
    """The link that the address holds.

    Attributes:
        email: of the account whose password it sets; ``""`` when it is over.
        link: the link's token, for the form.
    """

    email: str = ""
    link: str = ""

    @handler()
    async def load(self) -> None:
        """Show the form to whoever has the link."""
        self.link, self.email = routes.token_in(self.router.url.path), ""
        try:
            owner = await bridge.read(self, own_password.resetting, token=self.link)
        except LinkOver:
            return
        self.email = owner.email
        self._begin(email=owner.email, name=owner.name)
        self._bring_back("reset")


def page() -> rx.Component:
    """The form, or why there is none."""
    return frame(theme.narrow(theme.loading(rx.cond(Reset.email, _form(), _over()), theme.skeleton("100%", "260px"))))


def _form() -> rx.Component:
    return rx.fragment(
        theme.page_heading("Choose a new password", rx.fragment("For the account of ", rx.el.strong(Reset.email), ".")),
        posted_form(
            routes.POST_RESET,
            general_problem(),
            account_name(Reset.email),
            new_password_field("New password"),
            rx.el.input(type="hidden", name="token", value=Reset.link),
            theme.well("Every device on which you are logged in is logged out. Then log in with the new password."),
            theme.button("Change password", kind="primary", type="submit", full=True),
            class_name="form",
            key=Reset.attempt,
        ),
    )


def _over() -> rx.Component:
    return rx.fragment(
        theme.page_heading("This link is over", "It was used already, is too old, or a newer one took its place."),
        theme.line(
            theme.link_button("Send a new link", routes.FORGOT, kind="primary"),
            theme.link_button("Log in", routes.LOGIN),
        ),
    )
