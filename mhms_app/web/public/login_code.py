"""The second step of a login: a code of an authenticator app, a recovery code, or a passkey."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes, tab
from mhms_app.accounts import cookies, login_step
from mhms_app.accounts.login_step import StepOver
from mhms_app.web import bridge, theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.components.passkey import use_passkey
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import Entry, general_problem, next_field, other_way, said_of
from mhms_app.web.shell import frame


class LoginCode(Entry):
    """The step; whoever has not typed their password just now is led to the login.

    Attributes:
        has_app: a code of an authenticator app is one of the ways on.
        question: what the browser needs to use one of the person's passkeys, as JSON; ``""`` when they have none.
    """

    has_app: bool = False
    question: str = ""

    @handler()
    async def load(self) -> Any:
        """Show the ways on, with what was refused just now."""
        self.has_app, self.question = False, ""
        if (elsewhere := await self._open("code")) is not None:
            return elsewhere
        token = cookies.read(tab.cookies(self), cookies.step_cookie())
        try:
            view = await bridge.call(self, login_step.look, token=token)
        except StepOver:
            return rx.redirect(self.login_path)
        self.has_app, self.question = view.has_app, view.passkey
        return None


def page() -> rx.Component:
    """The page."""
    lead = rx.cond(
        LoginCode.has_app,
        "Your password is right. Now the code that your authenticator app shows.",
        "Your password is right. Now your passkey.",
    )
    return frame(
        theme.narrow(
            theme.page_heading("One more step", lead),
            general_problem(),
            rx.cond(
                LoginCode.question,
                use_passkey("Use a passkey", options=LoginCode.question, next_path=Entry.next_path),
            ),
            posted_form(
                routes.POST_CODE,
                theme.text_field(
                    "Code",
                    "code",
                    auto_complete="one-time-code",
                    input_mode="numeric",
                    required=True,
                    auto_focus=True,
                    max_length=40,
                    hint="Without your phone: one of your recovery codes.",
                    error=said_of("code"),
                ),
                next_field(),
                theme.button("Log in", kind="primary", type="submit", full=True),
                class_name="form",
                key=LoginCode.attempt,
            ),
            other_way("Not you, or nothing works?", "Begin again", LoginCode.login_path),
            rx.el.p(
                "If you have lost both your phone and your recovery codes, the clinic can help you in.",
                class_name="small second centred",
            ),
        ),
        active=routes.LOGIN,
    )
