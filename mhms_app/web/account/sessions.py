"""One's own sessions: where one is logged in, ending that, and the sign-ins until now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.accounts import own_sessions
from mhms_app.accounts.own_sessions import OpenSession, SignIn
from mhms_app.actor import LOGGED_IN
from mhms_app.web import bridge, theme, words
from mhms_app.web.account.frame import account_frame
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen

_UNKNOWN = "An unknown device"


@dataclass(frozen=True, slots=True)
class Row:
    """A session that stands."""

    id: int
    device: str
    icon: str
    about: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt to log in."""

    when: str
    about: str
    succeeded: bool


class Sessions(Screen):
    """The sessions that stand, and the sign-ins until now.

    Attributes:
        asked: the question about ending all others is asked.
    """

    open: list[Row] = []
    past: list[Past] = []
    asked: bool = False

    @handler(LOGGED_IN)
    async def load(self) -> None:
        """Show the sessions."""
        await self._show()

    @handler(LOGGED_IN)
    async def end(self, session_id: Annotated[int, Field(ge=1)]) -> None:
        """End another session."""
        try:
            await bridge.call(self, own_sessions.end, session_id=session_id)
        finally:
            await self._show()
        self.tell("The session is ended: that device has to log in again.")

    @handler(LOGGED_IN, local=True)
    async def ask(self, is_asking: bool) -> None:
        """Ask before all other sessions end, or think better of it."""
        self.asked = is_asking

    @handler(LOGGED_IN)
    async def end_others(self) -> None:
        """End every other session."""
        ended = await bridge.call(self, own_sessions.end_others)
        await self._show()
        self.tell(f"{words.count(ended, 'session')} ended. You are logged in only here.")

    async def _show(self) -> None:
        found, now = await bridge.read(self, own_sessions.look), bridge.now()
        self.open, self.asked = [_row(each, now) for each in found.open], False
        self.past = [_past(each, now) for each in found.sign_ins]


def _row(found: OpenSession, now: datetime) -> Row:
    seen = "In use now" if found.is_here else f"Last used {words.ago(found.last_seen_at, now=now)}"
    parts = (seen, f"since {words.moment_within(found.since, now=now)}", found.address)
    return Row(
        id=found.id,
        device="The clinic's office, for you" if found.is_clinics else found.device or _UNKNOWN,
        icon=_icon(found),
        about=" · ".join(filter(None, parts)),
        is_here=found.is_here,
    )


def _icon(found: OpenSession) -> str:
    if found.is_clinics:
        return "office"
    return "phone" if any(name in found.device for name in ("iPhone", "Android", "iPad")) else "computer"


def _past(found: SignIn, now: datetime) -> Past:
    parts = (found.device if found.succeeded else "", found.address)
    return Past(words.moment(found.at, now=now), " · ".join(filter(None, parts)), found.succeeded)


# The page -------------------------------------------------------------------------------------------


def page() -> rx.Component:
    """The page of the sessions."""
    return account_frame(
        theme.page_heading("Your sessions", "Where you are logged in. End what you do not know or no longer use."),
        rx.cond(Sessions.open, theme.stack(_open(), _history(), gap="loose"), _skeleton()),
        active=routes.ACCOUNT_SESSIONS,
    )


def _open() -> rx.Component:
    several = Sessions.open.length() > 1  # type: ignore[attr-defined]  # on a page it is a Var
    return theme.stack(
        theme.card(theme.rows(rx.foreach(Sessions.open, _session)), flush=True),
        rx.cond(several, rx.cond(Sessions.asked, _question(), _end_all())),
    )


def _session(row: Row) -> rx.Component:
    ending = theme.button(
        rx.fragment("End", theme.unseen(" the session of ", row.device)),
        kind="danger",
        compact=True,
        on_click=Sessions.end(row.id),
    )
    icons = (("phone", theme.disc("smartphone")), ("office", theme.disc("building-2")))
    return theme.list_row(
        row.device,
        row.about,
        rx.cond(row.is_here, theme.chip("This one", "accent"), ending),
        lead=rx.match(row.icon, *icons, theme.disc("monitor")),
    )


def _end_all() -> rx.Component:
    return theme.line(theme.button("End all others", on_click=Sessions.ask(True)))


def _question() -> rx.Component:
    return theme.confirm(
        "End all other sessions?",
        "Every other device has to log in again, and you get an e-mail when one does.",
        theme.button("End all others", kind="danger", solid=True, on_click=Sessions.end_others),
        theme.button("Keep them", kind="quiet", auto_focus=True, on_click=Sessions.ask(False)),
    )


def _history() -> rx.Component:
    return theme.section(
        "Sign-ins",
        theme.card(theme.rows(rx.foreach(Sessions.past, _sign_in)), flush=True),
        rx.el.p(
            "The last 20. If one of them was not you, ",
            rx.el.a("choose another password", href=routes.ACCOUNT_PASSWORD),
            ".",
            class_name="hint",
        ),
    )


def _sign_in(past: Past) -> rx.Component:
    chip = rx.cond(past.succeeded, theme.chip("Logged in", "ok"), theme.chip("Refused", "warn"))
    return theme.list_row(past.when, past.about, chip)


def _skeleton() -> rx.Component:
    return theme.card(theme.skeleton_rows(3), flush=True)
