"""The login page."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import demo, routes
from mhms_app.accounts import acting
from mhms_app.settings import settings
from mhms_app.web import bridge, theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.components.passkey import use_passkey
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import Entry, email_field, general_problem, next_field, other_way, password_field
from mhms_app.web.shell import frame

_DEMO = (("Administrator", demo.ADMIN), ("Doctor", demo.DOCTOR), ("Patient", demo.PATIENT))


class Login(Entry):
    """The login form.

    Attributes:
        is_reset: its visitor has just chosen a new password.
        is_closed: its visitor has just closed their account.
        was_acting: they are an administrator whose time as somebody else is over.
    """

    is_reset: bool = False
    is_closed: bool = False
    was_acting: bool = False

    @handler()
    async def load(self) -> Any:
        """Show the form, with what was refused just now."""
        said = self.router.url.query_parameters.get("said")
        self.is_reset, self.is_closed = said == "password", said == "closed"
        self.was_acting = await bridge.read(self, acting.can_come_back, token=bridge.session_token(self))
        return await self._open("login")


def page() -> rx.Component:
    """The login page."""
    lead = rx.cond(
        Login.next_path, "Then you are back where you were.", "Your appointments, and the time of your doctors."
    )
    return frame(
        theme.narrow(
            theme.page_heading("Log in", lead),
            rx.cond(
                Login.is_reset,
                theme.notice("Your password is changed. Log in with the new one.", tone="ok", icon_name="circle-check"),
            ),
            rx.cond(
                Login.is_closed,
                theme.notice("Your account is closed. You are welcome to come back.", icon_name="circle-check"),
            ),
            rx.cond(Login.was_acting, _come_back()),
            posted_form(
                routes.POST_LOGIN,
                general_problem(),
                email_field(),
                password_field(auto_complete="current-password"),
                rx.el.p(rx.el.a("Forgot your password?", href=routes.FORGOT, class_name="strong"), class_name="small"),
                next_field(),
                theme.button("Log in", kind="primary", type="submit", full=True),
                class_name="form",
                key=Login.attempt,
            ),
            use_passkey("Log in with a passkey", next_path=Login.next_path),
            other_way("New here?", "Create an account", Login.signup_path),
            *([_demo_accounts()] if settings().demo else []),
        ),
        active=routes.LOGIN,
    )


def _come_back() -> rx.Component:
    """The way back for an administrator who acted as somebody else."""
    return theme.card(
        rx.el.p("Acting as somebody else lasts half an hour. Your own session is still open.", class_name="second"),
        posted_form(
            routes.POST_ACT_END,
            theme.button("Back to my own account", kind="primary", type="submit", full=True),
        ),
        title="Your time as somebody else is over",
    )


def _demo_accounts() -> rx.Component:
    """In development: whom to try the clinic as."""
    return theme.card(
        rx.el.p(
            "The clinic is filled with invented people. The password of these three is ",
            rx.el.code(demo.PASSWORD),
            ".",
            class_name="small second",
        ),
        theme.rows(*(_demo_account(role, email) for role, email in _DEMO)),
        title="Try the demo",
    )


def _demo_account(role: str, email: str) -> rx.Component:
    enter = posted_form(
        routes.POST_LOGIN,
        rx.el.input(type="hidden", name="email", value=email),
        rx.el.input(type="hidden", name="password", value=demo.PASSWORD),
        next_field(),
        theme.button(rx.fragment("Enter", theme.unseen(f" as {role.lower()}")), compact=True, type="submit"),
    )
    return theme.list_row(role, email, enter)
