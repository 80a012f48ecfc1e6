"""The panel beside the list of users: a new account, or who somebody is and what they may do."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app.web import theme
from mhms_app.web.admin.users import ROLES, Users
from mhms_app.web.admin.users_access import access_sections, left_behind

_NEW_ADDRESS = (
    "Another address may have to be confirmed by its owner first. The one until now is told, and a temporary password "
    "that was sent there stops working."
)


def _panel(title: Any, *content: Any) -> rx.Component:
    return theme.panel(
        title,
        *content,
        aside=theme.icon_button("Close", "x", compact=True, on_click=Users.close),
        label="User",
        sheet=Users.is_open,
    )


def new_panel() -> rx.Component:
    """An empty form for a new account."""
    return _panel(
        "New user",
        theme.form(
            *_account_fields(auto_focus=True),
            theme.choices(
                "Role",
                *(
                    theme.choice(
                        name,
                        name="role",
                        value=value,
                        default_checked=value == "patient",
                        on_change=Users.choose_role(value),
                    )
                    for value, name in ROLES.items()
                ),
                error=Users.errors["role"],
            ),
            rx.cond(Users.chosen_role == "doctor", _department_field()),
            theme.well("A temporary password is made and sent to this address."),
            theme.button("Create user", kind="primary", type="submit", full=True),
            on_submit=Users.create,
            key=Users.form,
        ),
    )


def known_panel() -> rx.Component:
    """The person who was chosen."""
    return _panel(
        Users.person.name,
        rx.el.p("Account since ", Users.person.since, class_name="small second"),
        theme.form(
            *_account_fields(about_email=_NEW_ADDRESS, auto_focus=True),
            theme.button("Save", kind="primary", type="submit", full=True),
            on_submit=Users.save,
            key=Users.form,
        ),
        rx.el.hr(),
        _role_form(),
        rx.el.hr(),
        *access_sections(),
    )


def _role_form() -> rx.Component:
    return theme.stack(
        theme.form(
            theme.select_field(
                "Role",
                *(theme.option(value, name) for value, name in ROLES.items()),
                name="role",
                default_value=Users.person.role,
                error=Users.errors["role"],
                on_change=Users.choose_role,
            ),
            rx.cond(Users.chosen_role == "doctor", _department_field()),
            rx.cond(
                Users.chosen_role != Users.person.role,
                rx.el.p("A new role ends this person's sessions: they log in again.", class_name="hint"),
            ),
            rx.cond(
                (Users.person.role == "doctor") & (Users.chosen_role != "doctor"),
                rx.el.p(left_behind(), class_name="hint"),
            ),
            theme.button(
                rx.cond(Users.chosen_role == "doctor", "Change role or department", "Change role"),
                type="submit",
                full=True,
            ),
            on_submit=Users.assign,
            key=Users.form,
        )
    )


def _account_fields(*, about_email: str = "", **first: Any) -> tuple[rx.Component, ...]:
    person = Users.person
    return (
        theme.text_field(
            "Full name",
            "full_name",
            default_value=person.name,
            error=Users.errors["full_name"],
            auto_complete="off",
            **first,
        ),
        theme.text_field(
            "Email",
            "email",
            type="email",
            default_value=person.email,
            hint=about_email,
            error=Users.errors["email"],
            auto_complete="off",
            auto_capitalize="off",
            spell_check=False,
        ),
        theme.text_field(
            "Phone",
            "phone",
            type="tel",
            default_value=person.phone,
            error=Users.errors["phone"],
            optional=True,
            auto_complete="off",
        ),
    )


def _department_field() -> rx.Component:
    return theme.select_field(
        "Department",
        theme.option("", "Choose a department"),
        rx.foreach(Users.departments, lambda department: theme.option(department[0], department[1])),
        name="department",
        default_value=Users.person.department_id,
        error=Users.errors["department"],
    )
