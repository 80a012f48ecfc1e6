"""What an administrator can do to somebody's access, in the panel beside the list of users."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.admin.users import Users, Visit
from mhms_app.web.components.native_form import posted_form
from mhms_app.web.theme.buttons import Kind


def access_sections() -> tuple[rx.Component, ...]:
    """What an administrator can do to somebody's access, and how they got in lately."""
    return (
        theme.stack(_leave(), _approval(), _acting(), _trail(), gap="tight"),
        rx.el.hr(),
        _sessions(),
        theme.stack(_password(), _new_password(), _factor(), _end_sessions(), _activity(), gap="tight"),
        _history(),
    )


def _question(
    name: str,
    question: Any,
    consequence: Any,
    done: rx.Component,
    *,
    label: str,
    icon_name: str,
    kind: Kind = "secondary",
) -> rx.Component:
    """A button that asks first."""
    return rx.cond(
        Users.asking == name,
        theme.confirm(
            question, consequence, done, theme.button("Not now", kind="quiet", on_click=Users.ask(""), auto_focus=True)
        ),
        theme.button(label, kind=kind, full=True, icon_name=icon_name, id=f"ask-{name}", on_click=Users.ask(name)),
    )


def _leave() -> rx.Component:
    person = Users.person
    return rx.cond(
        person.doctor_id & (person.role == "doctor"),
        theme.link_button(
            "Enter a leave", f"{routes.ADMIN_LEAVE}?doctor={person.doctor_id}", full=True, icon_name="plane"
        ),
    )


def _approval() -> rx.Component:
    person = Users.person
    return rx.cond(
        person.doctor_id,
        rx.cond(
            person.approved,
            theme.button(
                "Withdraw approval", full=True, icon_name="user-x", on_click=Users.approve(person.doctor_id, False)
            ),
            theme.button(
                "Approve doctor", full=True, icon_name="user-check", on_click=Users.approve(person.doctor_id, True)
            ),
        ),
    )


def _trail() -> rx.Component:
    return theme.link_button(
        "Audit trail", f"{routes.ADMIN_AUDIT}?person={Users.person.id}", full=True, icon_name="scroll-text"
    )


def _acting() -> rx.Component:
    """Only as patients and doctors whose account is open."""
    person = Users.person
    form = posted_form(
        routes.POST_ACT,
        rx.el.input(type="hidden", name="user_id", value=person.id, read_only=True),
        rx.el.strong("Act as ", person.name, "?"),
        rx.el.p(
            "For at most 30 minutes you see and do what they do, without their password, address and second factor. "
            "Everything is recorded under both names, and they are told by e-mail.",
            class_name="small second",
        ),
        theme.text_area(
            "Why?",
            "reason",
            default_value=Users.reason,
            error=Users.reason_problem,
            hint="In 10 characters or more, for the audit trail and for the person.",
            max_length=300,
        ),
        theme.line(
            theme.button("Act as this person", kind="primary", type="submit"),
            theme.button("Not now", kind="quiet", on_click=Users.ask("")),
        ),
        class_name="form well",
    )
    return rx.cond(
        person.active & (person.role != "admin"),
        rx.cond(
            Users.asking == "act",
            form,
            theme.button("Act as this person", full=True, icon_name="drama", id="ask-act", on_click=Users.ask("act")),
        ),
    )


def _sessions() -> rx.Component:
    return theme.stack(
        rx.el.h3("Open sessions"),
        rx.cond(
            Users.visits,
            rx.el.ul(rx.foreach(Users.visits, _visit), class_name="visits"),
            rx.el.p("Not logged in anywhere.", class_name="small second"),
        ),
        gap="tight",
    )


def _history() -> rx.Component:
    return rx.el.details(
        rx.el.summary("Sign-ins"),
        rx.cond(
            Users.history,
            rx.el.ul(rx.foreach(Users.history, _visit), class_name="visits"),
            rx.el.p("Nobody has logged in yet.", class_name="small second"),
        ),
        class_name="more",
    )


def _visit(visit: Visit) -> rx.Component:
    return rx.el.li(
        rx.el.div(visit.device, rx.cond(visit.refused, theme.chip("refused", "warn"))),
        rx.el.small(visit.when, class_name="numbers"),
    )


def _password() -> rx.Component:
    person = Users.person
    return _question(
        "password",
        "Send a temporary password?",
        rx.fragment(
            "The password of ",
            person.name,
            " stops working, their sessions end, and a temporary one goes to ",
            person.email,
            ".",
        ),
        theme.button("Send temporary password", kind="primary", on_click=Users.send_password),
        label="Send temporary password",
        icon_name="key-round",
    )


def _new_password() -> rx.Component:
    ask = _question(
        "new_password",
        "Ask for a new password?",
        "Their sessions end, and after the next login they choose a new password before anything else.",
        theme.button("Ask for a new password", kind="primary", on_click=Users.ask_for_new_password),
        label="Ask for a new password",
        icon_name="rotate-ccw-key",
    )
    return rx.cond(Users.must_choose, rx.el.p("They choose a new password at the next login.", class_name="hint"), ask)


def _factor() -> rx.Component:
    ask = _question(
        "factor",
        "Take away the second factor?",
        "For somebody who has lost it: make sure that it is them who asks. Their sessions end, they log in with the "
        "password alone, and where their role needs a second factor they set up a new one.",
        theme.button("Take it away", kind="danger", solid=True, on_click=Users.reset_factor),
        label="Take away the second factor",
        icon_name="shield-off",
    )
    return rx.cond(Users.has_factor, ask)


def _end_sessions() -> rx.Component:
    ask = _question(
        "sessions",
        rx.fragment("Log ", Users.person.name, " out everywhere?"),
        "They log in again with their password. What they had begun and not finished is lost.",
        theme.button("End all sessions", kind="danger", solid=True, on_click=Users.end_sessions),
        label="End all sessions",
        icon_name="log-out",
    )
    return rx.cond(Users.visits, ask)


def left_behind() -> rx.Component:
    """What a doctor leaves behind, and who sees to it."""
    return rx.cond(
        Users.left_behind,
        rx.fragment(
            Users.left_behind, " to come stay booked and go to the worklist, for somebody to call the patients."
        ),
        rx.fragment("No appointments are left behind."),
    )


def _activity() -> rx.Component:
    person = Users.person
    lock = _question(
        "active",
        rx.fragment("Lock ", person.name, "?"),
        rx.cond(
            person.doctor_id,
            rx.fragment("Their sessions end, they cannot log in, and patients no longer find them. ", left_behind()),
            "Their sessions end and they cannot log in. Appointments that are booked stay.",
        ),
        theme.button("Lock account", kind="danger", solid=True, on_click=Users.set_active(False)),
        kind="danger",
        label="Lock account",
        icon_name="lock",
    )
    unlock = theme.button("Unlock account", full=True, icon_name="lock-open", on_click=Users.set_active(True))
    return theme.stack(rx.cond(person.active, lock, unlock), theme.error_line(Users.errors["active"]), gap="tight")
