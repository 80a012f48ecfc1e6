"""The sign-up page, for patients and doctors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.accounts import rules
from mhms_app.accounts.service import tidy_email
from mhms_app.directory import departments
from mhms_app.errors import Invalid
from mhms_app.settings import settings
from mhms_app.web import bridge, theme
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.gate import handler
from mhms_app.web.public.entry import email_field, general_problem, next_field, other_way, said_of
from mhms_app.web.public.new_password import NewPassword, new_password_field
from mhms_app.web.shell import frame


@dataclass(frozen=True, slots=True)
class Department:
    """A department to choose."""

    value: str
    name: str


class Signup(NewPassword):
    """The sign-up form; the password itself is never kept."""

    departments: list[Department] = []

    @handler()
    async def load(self) -> Any:
        """Show the form, with what was refused just now."""
        found = await bridge.read(self, departments.list_departments)
        self.departments = [Department(str(row.id), row.name) for row in found]
        self._begin()
        return await self._open("signup")

    @handler()
    async def leave(self, name: Literal["full_name", "email"], text: Annotated[str, Field(max_length=400)]) -> None:
        """Look at a field when it is left; an empty one may still be filled in."""
        self._words[name] = text
        self._say(name, _problem(name, text) if text.strip() else "")


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
                new_password_field(),
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
