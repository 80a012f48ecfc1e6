"""The sign-up page, for patients and doctors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.accounts import passwords, rules
from mhms_app.accounts.service import tidy_email
from mhms_app.directory import service as directory
from mhms_app.errors import Invalid
from mhms_app.settings import settings
from mhms_app.web import bridge, theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import (
    Entry,
    email_field,
    general_problem,
    next_field,
    other_way,
    password_field,
    said_of,
)
from mhms_app.web.shell import frame

_HINT = "At least 12 characters; a sentence is easiest to remember."


@dataclass(frozen=True, slots=True)
class Department:
    """A department to choose."""

    value: str
    name: str


class Signup(Entry):
    """The sign-up form; the password itself is never kept."""

    departments: list[Department] = []
    score: int = 0
    strength: str = _HINT

    _words: dict[str, str] = {}  # name and address, which must not be the password

    @handler()
    async def load(self) -> Any:
        """Show the form, with what was refused just now."""
        found = await bridge.read(self, directory.list_departments)
        self.departments = [Department(str(row.id), row.name) for row in found]
        self.score, self.strength, self._words = 0, _HINT, {}
        return await self._open("signup")

    @handler()
    async def leave(self, name: Literal["full_name", "email"], text: Annotated[str, Field(max_length=400)]) -> None:
        """Look at a field when it is left; an empty one may still be filled in."""
        self._words[name] = text
        self._say(name, _problem(name, text) if text.strip() else "")

    @handler()
    async def judge(self, password: Annotated[str, Field(max_length=1024)]) -> None:
        """Say how good the password is."""
        judged = await bridge.compute(passwords.judge, password, context=tuple(self._words.values()))
        self.score, self.strength = judged.score, judged.sentence if password else _HINT
        self._say("password", "")

    def _say(self, name: str, sentence: str) -> None:
        """Put a sentence beside a field, or take it away."""
        others = {field: said for field, said in self.problems.items() if field != name}
        self.problems = {**others, name: sentence} if sentence else others


def _problem(name: str, text: str) -> str:
    """What is wrong with a name or an address."""
    if name == "full_name":
        return rules.name_problem(rules.tidy_name(text))
    try:
        tidy_email(text)
    except Invalid as refusal:
        return refusal.sentence
    return ""


def page() -> rx.Component:
    """The sign-up page."""
    return frame(
        theme.narrow(
            theme.page_heading("Create your account", "You need one to book. Looking around needs none."),
            posted_form(
                routes.POST_SIGNUP,
                general_problem(),
                _roles(),
                theme.text_field(
                    "Full name",
                    "full_name",
                    auto_complete="name",
                    required=True,
                    max_length=200,
                    default_value=Signup.typed["full_name"],
                    auto_focus=Signup.first_problem == "full_name",
                    error=said_of("full_name"),
                    on_blur=Signup.leave("full_name"),
                ),
                _department(),
                email_field(on_blur=Signup.leave("email")),
                password_field(auto_complete="new-password", on_change=Signup.judge.debounce(250), after=_strength()),
                next_field(),
                theme.button("Create account", kind="primary", type="submit", full=True),
                class_name="form",
                key=Signup.attempt,
            ),
            other_way("Already with us?", "Log in", Signup.login_path),
        ),
        active=routes.SIGNUP,
    )


def _roles() -> rx.Component:
    is_doctor = Signup.typed["role"] == "doctor"
    return theme.choices(
        "Who are you?",
        theme.choice("I am a patient", name="role", value="patient", default_checked=~is_doctor),
        theme.choice("I am a doctor", name="role", value="doctor", default_checked=is_doctor),
        error=said_of("role"),
        hide_label=True,
    )


def _department() -> rx.Component:
    """The department of a doctor; the style sheet hides it while a patient signs up."""
    approval = "An administrator looks at your account before patients can find you."
    return rx.el.div(
        theme.select_field(
            "Department",
            theme.option("", "Choose your department"),
            rx.foreach(Signup.departments, lambda department: theme.option(department.value, department.name)),
            name="department",
            default_value=Signup.typed["department"],
            auto_focus=Signup.first_problem == "department",
            error=said_of("department"),
            hint=approval if settings().is_production else "",
            aria_required="true",
        ),
        class_name="for-doctors",
    )


def _strength() -> rx.Component:
    return theme.stack(
        rx.el.div(
            *(rx.el.i() for _ in range(4)),
            class_name="meter",
            custom_attrs={"data-score": Signup.score},
            aria_hidden="true",
        ),
        rx.el.p(Signup.strength, class_name="hint", aria_live="polite"),
        gap="tight",
    )
