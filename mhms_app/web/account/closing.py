"""Closing one's own account: what will happen, and the password again."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.actor import LOGGED_IN
from mhms_app.personal import closing
from mhms_app.web import bridge, theme, words
from mhms_app.web.account.frame import account_frame
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import Role, handler
from mhms_app.web.public.entry import Entry, general_problem, password_field


class Closing(Entry):
    """The page.

    Attributes:
        happens: what will happen, a sentence each; empty until the page is loaded.
        refusal: why the account cannot be closed now, and what to do.
    """

    happens: list[str] = []
    refusal: str = ""

    @handler(LOGGED_IN)
    async def load(self) -> None:
        """Show what will happen, with what was refused just now."""
        found = await bridge.call(self, closing.look)
        self.refusal = found.refusal.sentence if found.refusal else ""
        self.happens = list(_in_words(found, self.viewer_role))
        self._bring_back("close")


def _in_words(found: closing.Outlook, role: str) -> list[str]:
    said = ["Your name, your e-mail address and phone number are removed, and everything that you wrote."]
    if found.cancelled:
        coming = words.count(found.cancelled, "appointment")
        said.append(
            f"{coming} to come {'is' if found.cancelled == 1 else 'are'} cancelled, and others can have the time."
        )
    if found.waits:
        said.append(f"You leave the waiting list, where you have {words.count(found.waits, 'entry', 'entries')}.")
    said.append(
        "Appointments of the past stay on record without your name."
        if role == Role.PATIENT
        else "What you did stays on record without your name."
    )
    said.append("You are logged out on every device, and your calendar addresses and passkeys stop working.")
    said.append("You get one last e-mail. Your address can be used to sign up again.")
    return said


def page() -> rx.Component:
    """The page of leaving."""
    return account_frame(
        theme.page_heading("Close your account", "This cannot be undone.", back=("Your account", routes.ACCOUNT)),
        rx.cond(
            Closing.happens,
            rx.cond(Closing.refusal, _not_now(), theme.stack(_happens(), _form(), gap="loose")),
            theme.card(*(theme.skeleton("100%", "1.2rem") for _ in range(5))),
        ),
        active=routes.ACCOUNT,
    )


def _not_now() -> rx.Component:
    return theme.notice(Closing.refusal, tone="warn", icon_name="triangle-alert")


def _happens() -> rx.Component:
    return theme.card(
        rx.el.ul(rx.foreach(Closing.happens, rx.el.li), class_name="bullets"),
        theme.line(theme.link("Download your data first", routes.ACCOUNT, icon_after="arrow-right")),
        title="What will happen",
    )


def _form() -> rx.Component:
    return theme.card(
        posted_form(
            routes.POST_CLOSE,
            general_problem(),
            password_field("Your password", "current", auto_complete="current-password"),
            theme.line(
                theme.button("Close my account for good", kind="danger", solid=True, type="submit"),
                theme.link_button("Keep it", routes.ACCOUNT, kind="quiet"),
            ),
            class_name="form",
            key=Closing.attempt,
        )
    )
