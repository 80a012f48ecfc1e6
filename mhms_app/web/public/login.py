"""The login page."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import demo, routes
from mhms_app.settings import settings
from mhms_app.web import theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import Entry, email_field, general_problem, next_field, other_way, password_field
from mhms_app.web.shell import frame

_DEMO = (("Administrator", demo.ADMIN), ("Doctor", demo.DOCTOR), ("Patient", demo.PATIENT))


class Login(Entry):
    """The login form."""

    @handler()
    async def load(self) -> Any:
        """Show the form, with what was refused just now."""
        return await self._open("login")


def page() -> rx.Component:
    """The login page."""
    lead = rx.cond(
        Login.next_path, "Then you are back where you were.", "Your appointments, and the time of your doctors."
    )
    return frame(
        theme.narrow(
            theme.page_heading("Log in", lead),
            posted_form(
                routes.POST_LOGIN,
                general_problem(),
                email_field(),
                password_field(auto_complete="current-password"),
                next_field(),
                theme.button("Log in", kind="primary", type="submit", full=True),
                class_name="form",
                key=Login.attempt,
            ),
            other_way("New here?", "Create an account", Login.signup_path),
            *([_demo_accounts()] if settings().demo else []),
        ),
        active=routes.LOGIN,
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
