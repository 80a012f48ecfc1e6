"""The page of all people: the list, and one of them in the panel beside it."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.web import theme
from mhms_app.web.admin.users import ROLES, Person, Users
from mhms_app.web.admin.users_panel import known_panel, new_panel
from mhms_app.web.components import listing
from mhms_app.web.components.listing import beside, list_card
from mhms_app.web.components.only_for import only_for
from mhms_app.web.shell import frame


def page() -> rx.Component:
    """The page of all people."""
    add = theme.button("Add a user", kind="primary", icon_name="plus", id="add-user", on_click=Users.start)
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("Users", "Patients, doctors and administrators.", aside=add),
            beside(
                list_card("People", Users, filters=_filters(), rows=Users.people, table=_table(), empty=_nothing()),
                rx.cond(Users.person.id, known_panel(), new_panel()),
                shown=Users.is_open,
            ),
        ),
        active=routes.ADMIN_USERS,
        wide=True,
    )


def _filters() -> tuple[rx.Component, ...]:
    return (
        listing.search_filter(Users, "Name or e-mail"),
        listing.select_filter(
            Users,
            "Role",
            "role",
            theme.option("", "All roles"),
            *(theme.option(value, f"{name}s") for value, name in ROLES.items()),
        ),
        listing.select_filter(
            Users,
            "Status",
            "status",
            theme.option("", "Any status"),
            theme.option("pending", "Awaiting approval"),
            theme.option("active", "Active"),
            theme.option("inactive", "Locked"),
        ),
    )


def _table() -> rx.Component:
    return theme.table("Users", ("Name", "Role", "Status", ""), rx.foreach(Users.people, _row))


def _row(person: Person) -> rx.Component:
    is_pending = person.tone == "warn"
    return theme.table_row(
        theme.cell(
            rx.el.div(
                rx.el.div(person.name),
                rx.el.div(person.email, class_name="small second plain"),
            ),
            main=True,
        ),
        theme.cell(
            rx.el.div(
                person.role_name,
                rx.cond(person.department, rx.el.div(person.department, class_name="small second")),
            ),
            label="Role",
        ),
        theme.cell(theme.chip(person.state, person.tone), label="Status"),
        theme.cell(
            rx.cond(
                is_pending,
                theme.button(
                    rx.fragment("Approve", theme.unseen(" ", person.name)),
                    kind="primary",
                    compact=True,
                    on_click=Users.approve(person.doctor_id, True),
                ),
            ),
            theme.button(
                rx.fragment("Edit", theme.unseen(" ", person.name)),
                compact=True,
                on_click=Users.open(person.id),
            ),
            actions=True,
        ),
    )


def _nothing() -> rx.Component:
    pending = Users.asked["status"] == "pending"
    return theme.empty_state(
        rx.cond(pending, "Nobody awaits approval", "Nobody fits"),
        rx.cond(pending, "Doctors who sign up come here.", "Try other words, or look at everybody."),
        theme.link_button("Everybody", routes.ADMIN_USERS),
        icon_name="users",
    )
