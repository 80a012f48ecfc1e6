"""One's own password: another one, or the first that one chooses oneself."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.accounts import own_password
from mhms_app.actor import LOGGED_IN
from mhms_app.web import bridge, theme
from mhms_app.web.account.frame import account_frame
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import account_name, general_problem, password_field
from mhms_app.web.public.new_password import NewPassword, new_password_field


class Password(NewPassword):
    """The form.

    Attributes:
        email: of the account.
        must_choose: nothing else opens before they have chosen another password.
        is_changed: it was changed just now.
    """

    email: str = ""
    must_choose: bool = False
    is_changed: bool = False

    @handler(LOGGED_IN, with_duty=True)
    async def load(self) -> None:
        """Show the form, with what was refused just now."""
        owner = await bridge.read(self, own_password.own)
        self.email, self.must_choose = owner.email, owner.must_choose
        self.is_changed = self.router.url.query_parameters.get("changed") == "1"
        self._begin(email=owner.email, name=owner.name)
        self._bring_back("password")
        if self.problems:
            self.is_changed = False


def page() -> rx.Component:
    """The page of the password."""
    lead = rx.cond(
        Password.must_choose,
        "Before you go on, choose one that only you know.",
        "You are asked for the one that you have now, and every other device is logged out.",
    )
    return account_frame(
        theme.page_heading(rx.cond(Password.must_choose, "Choose your password", "Password"), lead),
        theme.loading(
            rx.cond(Password.email, theme.stack(_changed(), theme.card(_form()))), theme.skeleton("100%", "320px")
        ),
        active=routes.ACCOUNT_PASSWORD,
    )


def _changed() -> rx.Component:
    said = "Your password is changed. Every other device is logged out, and a message tells you so."
    return rx.cond(Password.is_changed, theme.notice(said, tone="ok", icon_name="circle-check", role="status"))


def _form() -> rx.Component:
    return posted_form(
        routes.POST_PASSWORD,
        general_problem(),
        account_name(Password.email),
        rx.cond(
            Password.must_choose,
            rx.fragment(),
            theme.stack(
                password_field("Current password", "current", auto_complete="current-password"),
                rx.el.p(rx.el.a("Forgot it?", href=routes.FORGOT, class_name="strong"), class_name="small"),
                gap="tight",
            ),
        ),
        new_password_field("New password"),
        theme.button(
            rx.cond(Password.must_choose, "Set password", "Change password"), kind="primary", type="submit", full=True
        ),
        class_name="form",
        key=Password.attempt,
    )
