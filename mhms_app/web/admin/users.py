"""Everybody with an account, for an administrator: who they are and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.accounts import passwords
from mhms_app.accounts import service as accounts
from mhms_app.actor import Actor, Role
from mhms_app.booking import worklist
from mhms_app.directory import service as directory
from mhms_app.directory.service import PersonRow
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import listing
from mhms_app.web.components.listing import SIZE, Listing, beside, key_of, list_card
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

if TYPE_CHECKING:
    from sqlmodel import Session

Text = Annotated[str, Field(max_length=400)]
Question = Literal["", "active", "password"]
_ROLES = {"patient": "Patient", "doctor": "Doctor", "admin": "Administrator"}


class AccountForm(TypedDict):
    """Who somebody is, as typed."""

    full_name: Text
    email: Text
    phone: Text


class RoleForm(TypedDict, total=False):
    """What somebody may do, as chosen; only a doctor has a department."""

    role: Text
    department: Text


class NewAccountForm(AccountForm, RoleForm):
    """A new account, as typed."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the table, or in the panel beside it."""

    id: int
    doctor_id: int
    name: str
    email: str
    phone: str
    role: str
    role_name: str
    department_id: str
    department: str
    state: str
    tone: str
    active: bool
    approved: bool
    since: str


_NOBODY = Person(0, 0, "", "", "", "patient", "", "", "", "", "", True, False, "")


class Users(Listing, Screen):
    """The filtered list of people, and one of them in the panel.

    Attributes:
        left_behind: the appointments to come that would need a person if this doctor were gone; "" when there are none.
    """

    people: list[Person] = []
    departments: list[tuple[str, str]] = []
    is_open: bool = False
    person: Person = _NOBODY
    left_behind: str = ""
    chosen_role: str = "patient"
    asking: str = ""
    form: int = 0

    _route: ClassVar[str] = routes.ADMIN_USERS
    _filters: ClassVar[tuple[str, ...]] = ("q", "role", "status")

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the people that the address asks for."""
        self.is_open = False
        self._read_address()
        await self._show()

    @handler(Role.ADMIN)
    async def open(self, user_id: int) -> None:
        """Show somebody in the panel."""
        await self._show_person(user_id)

    @handler(Role.ADMIN, local=True)
    async def start(self) -> None:
        """Show an empty form for a new account in the panel."""
        self.person, self.chosen_role, self.asking, self.is_open = _NOBODY, "patient", "", True
        self.form += 1

    @handler(Role.ADMIN, local=True)
    async def close(self) -> Any:
        """Put the panel away."""
        self.is_open = False
        return rx.set_focus("add-user")

    @handler(Role.ADMIN, local=True)
    async def choose_role(self, role: Literal["patient", "doctor", "admin"]) -> None:
        """Ask for what the role needs: a doctor has a department."""
        self.chosen_role = role

    @handler(Role.ADMIN, local=True)
    async def ask(self, question: Question) -> Any:
        """Ask before something that the person will feel, or think better of it."""
        return self._ask(question)

    @handler(Role.ADMIN)
    async def create(self, typed: NewAccountForm) -> None:
        """Open an account and send its owner a temporary password."""
        await bridge.admit(self)
        password, password_hash = await bridge.compute(passwords.new_temporary)
        row = await bridge.call(
            self,
            directory.create_user,
            email=typed["email"],
            full_name=typed["full_name"],
            phone=typed["phone"],
            role=typed.get("role", ""),
            department_id=key_of(typed.get("department", "")),
            password=password,
            password_hash=password_hash,
        )
        await self._show_again(row.id, f"{row.name} has an account; a temporary password is on its way by e-mail.")

    @handler(Role.ADMIN)
    async def save(self, typed: AccountForm) -> None:
        """Change name, address and phone number of the person in the panel."""
        row = await bridge.call(self, accounts.edit_user, user_id=self.person.id, **typed)
        await self._show_again(row.id, f"{row.name} is saved.")

    @handler(Role.ADMIN)
    async def assign(self, typed: RoleForm) -> None:
        """Give the person in the panel another role, or a doctor another department."""
        row = await bridge.call(
            self,
            directory.assign_role,
            user_id=self.person.id,
            role=typed.get("role", ""),
            department_id=key_of(typed.get("department", "")),
        )
        await self._show_again(row.id, f"{row.name} is now {_ROLES[row.role].lower()}.")

    @handler(Role.ADMIN)
    async def set_active(self, active: bool) -> None:
        """Open or close the account in the panel."""
        row = await bridge.call(self, accounts.set_active, user_id=self.person.id, active=active)
        done = "can log in again" if active else "can no longer log in"
        await self._show_again(row.id, f"{row.name} {done}.")

    @handler(Role.ADMIN)
    async def approve(self, doctor_id: int, approved: bool) -> None:
        """Let patients find a doctor, or no longer."""
        row = await bridge.call(self, directory.set_approved, doctor_id=doctor_id, approved=approved)
        can = "can now be found and booked" if approved else "can no longer be found"
        await self._show_again(row.user_id if self.is_open else 0, f"{row.name} {can} by patients.")

    @handler(Role.ADMIN)
    async def send_password(self) -> Any:
        """Send the person in the panel a temporary password."""
        await bridge.admit(self)
        password, password_hash = await bridge.compute(passwords.new_temporary)
        row = await bridge.call(
            self,
            accounts.give_temporary_password,
            user_id=self.person.id,
            password=password,
            password_hash=password_hash,
        )
        self.tell(f"A temporary password is on its way to {row.email}.")
        return self._ask("")

    def _ask(self, question: Question) -> Any:
        asked, self.asking = self.asking, question
        return None if question else rx.set_focus(f"ask-{asked}")

    async def _show_again(self, user_id: int, sentence: str) -> None:
        """Read the list again, and the person in the panel, and say what was done."""
        await self._show()
        if user_id:
            await self._show_person(user_id)
        self.tell(sentence)

    async def _show_person(self, user_id: int) -> None:
        row, left_behind = await bridge.read(self, _look_at, user_id=user_id)
        self._take(row)
        self.left_behind = words.count(left_behind, "appointment") if left_behind else ""

    async def _show(self) -> None:
        page, departments = await bridge.read(self, _look, asked=self.asked, number=self._number)
        self.people = [_person_of(row) for row in page.rows]
        self.departments = [(str(row.id), row.name) for row in departments]
        self._show_pages(len(page.rows), page.total)

    def _take(self, row: PersonRow) -> None:
        self.person = _person_of(row)
        self.chosen_role, self.asking, self.is_open = row.role, "", True
        self.form += 1


def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    role = asked["role"] if asked["role"] in _ROLES else ""
    status = asked["status"] if asked["status"] in ("active", "inactive", "pending") else ""
    return (
        directory.list_people(session, actor, search=asked["q"], role=role, status=status, page=number, size=SIZE),
        directory.list_departments(session, actor),
    )


def _look_at(session: Session, actor: Actor | None, *, user_id: int) -> tuple[PersonRow, int]:
    """Somebody, and how many appointments to come are with them."""
    return (
        directory.get_person(session, actor, user_id=user_id),
        worklist.left_behind(session, actor, user_id=user_id),
    )


def _person_of(row: PersonRow) -> Person:
    """What to say of somebody."""
    pending = row.doctor_id is not None and not row.approved
    state, tone = ("Closed", "") if not row.active else ("Awaiting approval", "warn") if pending else ("Active", "ok")
    return Person(
        id=row.id,
        doctor_id=row.doctor_id or 0,
        name=row.name,
        email=row.email,
        phone=row.phone,
        role=row.role,
        role_name=_ROLES[row.role],
        department_id=str(row.department_id or ""),
        department=row.department,
        state=state,
        tone=tone,
        active=row.active,
        approved=row.approved,
        since=words.date_of(words.local(row.created_at).date()),
    )


def page() -> rx.Component:
    """The page of all people."""
    add = theme.button("Add a user", kind="primary", icon_name="plus", id="add-user", on_click=Users.start)
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("Users", "Patients, doctors and administrators.", aside=add),
            beside(
                list_card("People", Users, filters=_filters(), rows=Users.people, table=_table(), empty=_nothing()),
                rx.cond(Users.person.id, _known(), _new()),
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
            *(theme.option(value, f"{name}s") for value, name in _ROLES.items()),
        ),
        listing.select_filter(
            Users,
            "Status",
            "status",
            theme.option("", "Any status"),
            theme.option("pending", "Awaiting approval"),
            theme.option("active", "Active"),
            theme.option("inactive", "Closed"),
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


# The panel ------------------------------------------------------------------------------------------


def _panel(title: Any, *content: Any) -> rx.Component:
    return theme.panel(
        title,
        *content,
        aside=theme.icon_button("Close", "x", compact=True, on_click=Users.close),
        label="User",
        sheet=Users.is_open,
    )


def _new() -> rx.Component:
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
                    for value, name in _ROLES.items()
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


def _known() -> rx.Component:
    return _panel(
        Users.person.name,
        rx.el.p("Account since ", Users.person.since, class_name="small second"),
        theme.form(
            *_account_fields(auto_focus=True),
            theme.button("Save", kind="primary", type="submit", full=True),
            on_submit=Users.save,
            key=Users.form,
        ),
        rx.el.hr(),
        _role_form(),
        rx.el.hr(),
        theme.stack(_leave(), _approval(), _password(), _activity(), gap="tight"),
    )


def _role_form() -> rx.Component:
    return theme.stack(
        theme.form(
            theme.select_field(
                "Role",
                *(theme.option(value, name) for value, name in _ROLES.items()),
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
                rx.el.p(_left_behind(), class_name="hint"),
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


def _account_fields(**first: Any) -> tuple[rx.Component, ...]:
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


def _password() -> rx.Component:
    person = Users.person
    return rx.cond(
        Users.asking == "password",
        theme.confirm(
            "Send a temporary password?",
            rx.fragment(
                "The password of ",
                person.name,
                " stops working, their sessions end, and a temporary one goes to ",
                person.email,
                ".",
            ),
            theme.button("Send temporary password", kind="primary", on_click=Users.send_password),
            theme.button("Not now", kind="quiet", on_click=Users.ask(""), auto_focus=True),
        ),
        theme.button(
            "Send temporary password",
            full=True,
            icon_name="key-round",
            id="ask-password",
            on_click=Users.ask("password"),
        ),
    )


def _left_behind() -> rx.Component:
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
    return theme.stack(
        rx.cond(
            person.active,
            rx.cond(
                Users.asking == "active",
                theme.confirm(
                    rx.fragment("Deactivate ", person.name, "?"),
                    rx.cond(
                        person.doctor_id,
                        rx.fragment(
                            "Their sessions end, they cannot log in, and patients no longer find them. ", _left_behind()
                        ),
                        "Their sessions end and they cannot log in. Appointments that are booked stay.",
                    ),
                    theme.button("Deactivate account", kind="danger", solid=True, on_click=Users.set_active(False)),
                    theme.button("Keep it", kind="quiet", on_click=Users.ask(""), auto_focus=True),
                ),
                theme.button(
                    "Deactivate account", kind="danger", full=True, id="ask-active", on_click=Users.ask("active")
                ),
            ),
            theme.button("Activate account", full=True, icon_name="user-check", on_click=Users.set_active(True)),
        ),
        theme.error_line(Users.errors["active"]),
        gap="tight",
    )
