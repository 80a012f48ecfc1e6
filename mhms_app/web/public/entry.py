"""What the pages with a native form about an account have in common: the refusal that it may bring back."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes, tab
from mhms_app.accounts import cookies
from mhms_app.web import bridge, theme
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen

_ORDER = ("role", "full_name", "department", "email", "current", "password")


class Entry(Screen):
    """A form that the browser posts by itself.

    Attributes:
        typed: what was typed into a form that was refused.
        problems: a sentence by field; unlike ``errors`` they outlast the next event.
        attempt: counts refusals; a form with a new number takes its values from ``typed``.
        next_path: where to go afterwards.
        login_path, signup_path: the two pages; each passes on where to go afterwards.
        characters_shown: the password can be read.
        first_problem: the field to correct first; the keyboard starts there.
    """

    typed: dict[str, str] = {}
    problems: dict[str, str] = {}
    attempt: int = 0
    next_path: str = ""
    login_path: str = routes.LOGIN
    signup_path: str = routes.SIGNUP
    characters_shown: bool = False
    first_problem: str = ""

    _shown: str = ""  # the number of the refusal that was shown last: each is shown once

    @handler()
    async def toggle_characters(self) -> None:
        """Show the password's characters, or hide them again."""
        self.characters_shown = not self.characters_shown

    async def _open(self, form: str) -> Any:
        """Prepare the form for a stranger; lead everybody else home."""
        await bridge.admit(self)
        if self.viewer_role:
            return rx.redirect(routes.home_of(self.viewer_role))
        self.next_path = routes.safe_next(self.router.url.query_parameters.get("next", ""))
        self.login_path = routes.login_then(self.next_path) if self.next_path else routes.LOGIN
        self.signup_path = routes.signup_then(self.next_path) if self.next_path else routes.SIGNUP
        self._bring_back(form)
        return None

    def _bring_back(self, form: str) -> None:
        """Show what was refused just now, or an empty form."""
        self.characters_shown = False
        self.typed, self.problems, self.first_problem = {}, {}, ""
        refused = cookies.refused_form(tab.cookies(self), form)
        if refused and refused.number != self._shown:
            self.typed, self.problems, self._shown = refused.typed, refused.errors, refused.number
            self.first_problem = next((name for name in _ORDER if name in refused.errors), "")
            self.attempt += 1

    def _say(self, name: str, sentence: str) -> None:
        """Put a sentence beside a field, or take it away."""
        others = {field: said for field, said in self.problems.items() if field != name}
        self.problems = {**others, name: sentence} if sentence else others


def next_field() -> rx.Component:
    """Tells the server where to go afterwards."""
    return rx.el.input(type="hidden", name="next", value=Entry.next_path)


def said_of(name: str) -> rx.Var[str]:
    """The sentence beside a field; what an earlier visit left is not shown while the page is loading."""
    return rx.cond(rx.State.is_hydrated, Entry.problems[name], "")


def general_problem() -> rx.Component:
    """What is wrong with the form as a whole."""
    sentence = said_of("form")
    return rx.cond(sentence, theme.notice(sentence, tone="bad", icon_name="circle-alert", role="alert"))


def email_field(**props: Any) -> rx.Component:
    """The address, with the keyboard that suits it."""
    return theme.text_field(
        "Email",
        "email",
        type="email",
        auto_complete="username",
        auto_capitalize="off",
        spell_check=False,
        required=True,
        default_value=Entry.typed["email"],
        auto_focus=Entry.first_problem == "email",
        error=said_of("email"),
        **props,
    )


def password_field(label: str = "Password", name: str = "password", **props: Any) -> rx.Component:
    """A password; a password manager fills it in, pasting is welcome."""
    return theme.password_field(
        label,
        name,
        shown=Entry.characters_shown,
        on_toggle=Entry.toggle_characters,
        required=True,
        auto_focus=Entry.first_problem == name,
        error=said_of(name),
        **props,
    )


def account_name(email: str | rx.Var[str]) -> rx.Component:
    """Tells a password manager whose password the form holds."""
    return rx.el.input(type="email", value=email, auto_complete="username", read_only=True, hidden=True)


def other_way(question: str, label: str, path: str | rx.Var[str]) -> rx.Component:
    """The link to the other of the two pages."""
    return rx.el.p(f"{question} ", rx.el.a(label, href=path, class_name="strong"), class_name="small second centred")
