"""The clinic's departments, for an administrator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.booking import policies
from mhms_app.booking.policies import PolicyForm
from mhms_app.directory import departments
from mhms_app.directory.departments import DepartmentRow
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.listing import beside
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

Text = Annotated[str, Field(max_length=1000)]


class DepartmentForm(TypedDict):
    """What is typed about a department."""

    name: Text
    description: Text
    location: Text


class PolicyTexts(TypedDict):
    """What is typed about a department's policy; numbers as their digits."""

    notice_minutes: Text
    ahead_days: Text
    horizon_weeks: Text
    change_hours: Text
    most_active: Text
    most_missed: Text
    missed_days: Text
    hold_minutes: Text
    offer_longest_minutes: Text
    offer_shortest_minutes: Text
    reminder_hours: Text
    cancel_reasons: Text


@dataclass(frozen=True, slots=True)
class Unit:
    """One department in the table, or in the form beside it."""

    id: int
    name: str
    description: str
    location: str
    open: bool
    doctors: str


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """A department's policy as the form shows it."""

    notice_minutes: str = ""
    ahead_days: str = ""
    horizon_weeks: str = ""
    change_hours: str = ""
    most_active: str = ""
    most_missed: str = ""
    missed_days: str = ""
    hold_minutes: str = ""
    offer_longest_minutes: str = ""
    offer_shortest_minutes: str = ""
    reminder_hours: str = ""
    cancel_reasons: str = ""


_NEW = Unit(0, "", "", "", True, "")


class Departments(Screen):
    """The list of departments and the form beside it."""

    units: list[Unit] = []
    loaded: bool = False
    is_editing: bool = False
    edited: Unit = _NEW
    form: int = 0
    is_closing: bool = False
    rules_of: int = 0  # the department whose policy is edited
    rules: PolicyShown = PolicyShown()

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the departments."""
        self.is_editing, self.is_closing, self.rules_of = False, False, 0
        await self._show()

    @handler(Role.ADMIN)
    async def edit_rules(self, department_id: int) -> None:
        """Open the form with a department's policy."""
        found = await bridge.read(self, policies.read_policy, department_id=department_id)
        self.edited = next((unit for unit in self.units if unit.id == department_id), _NEW)
        self.rules = PolicyShown(**{name: str(value) for name, value in asdict(found).items()})
        self.rules_of, self.is_editing = department_id, True
        self.form += 1

    @handler(Role.ADMIN)
    async def save_rules(self, typed: PolicyTexts) -> Any:
        """Change the policy of the department in the form."""
        numbers = {name: _number(typed[name]) for name in policies.LIMITS}  # type: ignore[literal-required]
        form = PolicyForm(**numbers, reminder_hours=typed["reminder_hours"], cancel_reasons=typed["cancel_reasons"])
        await bridge.call(self, policies.save_policy, department_id=self.rules_of, typed=form)
        self.tell(f"The rules of {self.edited.name} are saved.")
        return self._close()

    @handler(Role.ADMIN, local=True)
    async def edit(self, department_id: int) -> None:
        """Open the form with a department, or with 0 an empty one."""
        self.rules_of = 0
        self.edited = next((unit for unit in self.units if unit.id == department_id), _NEW)
        self.is_editing, self.is_closing = True, False
        self.form += 1

    @handler(Role.ADMIN, local=True)
    async def close(self) -> Any:
        """Put the form away."""
        return self._close()

    @handler(Role.ADMIN)
    async def save(self, typed: DepartmentForm) -> Any:
        """Add a department, or change the one in the form."""
        saved = await bridge.call(self, departments.save_department, department_id=self.edited.id or None, **typed)
        await self._show()
        self.tell(f"{saved.name} is saved.")
        return self._close()

    @handler(Role.ADMIN, local=True)
    async def ask(self, closing: bool) -> Any:
        """Ask before closing a department, or think better of it."""
        self.is_closing = closing
        return None if closing else rx.set_focus("ask-close")

    @handler(Role.ADMIN)
    async def set_open(self, is_open: bool) -> Any:
        """Close the department in the form, or open it again."""
        row = await bridge.call(self, departments.set_department_active, department_id=self.edited.id, active=is_open)
        await self._show()
        self.tell(f"{row.name} is {'open' if row.active else 'closed'}.")
        return self._close()

    def _close(self) -> Any:
        self.is_editing = False
        return rx.set_focus("add-department")

    async def _show(self) -> None:
        rows = await bridge.read(self, departments.list_departments, include_closed=True)
        self.units, self.loaded = [_unit_of(row) for row in rows], True


def _number(text: str) -> int:
    """The number that is typed; what is none is out of every limit."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1


def _unit_of(row: DepartmentRow) -> Unit:
    """What to say of a department."""
    return Unit(
        id=row.id,
        name=row.name,
        description=row.description,
        location=row.location,
        open=row.active,
        doctors=words.count(row.doctors, "doctor"),
    )


def page() -> rx.Component:
    """The page of the departments."""
    add = theme.button(
        "Add a department", kind="primary", icon_name="plus", id="add-department", on_click=Departments.edit(0)
    )
    listed = rx.cond(
        Departments.units,
        theme.table(
            "Departments", ("Department", "Location", "Doctors", "State", ""), rx.foreach(Departments.units, _row)
        ),
        theme.empty_state(
            "No departments yet",
            "Doctors work in departments: add the first one.",
            icon_name="building-2",
        ),
    )
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("Departments", "Where doctors work and patients go.", aside=add),
            beside(
                theme.card(rx.cond(Departments.loaded, listed, theme.skeleton_rows(6)), flush=True),
                rx.cond(Departments.rules_of, _rules_form(), _form()),
                shown=Departments.is_editing,
            ),
        ),
        active=routes.ADMIN_DEPARTMENTS,
    )


def _row(unit: Unit) -> rx.Component:
    return theme.table_row(
        theme.cell(
            rx.el.div(
                rx.el.div(unit.name),
                rx.cond(unit.description, rx.el.div(unit.description, class_name="small second plain")),
            ),
            main=True,
        ),
        theme.cell(unit.location, label="Location", quiet=True),
        theme.cell(unit.doctors, label="Doctors"),
        theme.cell(rx.cond(unit.open, theme.chip("Open", "ok"), theme.chip("Closed")), label="State"),
        theme.cell(
            theme.button(
                rx.fragment("Rules", theme.unseen(" of ", unit.name)),
                compact=True,
                on_click=Departments.edit_rules(unit.id),
            ),
            theme.button(
                rx.fragment("Edit", theme.unseen(" ", unit.name)), compact=True, on_click=Departments.edit(unit.id)
            ),
            actions=True,
        ),
    )


def _form() -> rx.Component:
    unit = Departments.edited
    return theme.panel(
        rx.cond(unit.id, unit.name, "New department"),
        theme.form(
            theme.text_field(
                "Name",
                "name",
                default_value=unit.name,
                error=Departments.errors["name"],
                max_length=80,
                auto_complete="off",
                auto_focus=True,
            ),
            theme.text_area(
                "Description",
                "description",
                default_value=unit.description,
                error=Departments.errors["description"],
                hint="What patients come with.",
                optional=True,
                max_length=300,
            ),
            theme.text_field(
                "Location",
                "location",
                default_value=unit.location,
                error=Departments.errors["location"],
                hint="Building and floor, as said to a patient.",
                optional=True,
                max_length=120,
                auto_complete="off",
            ),
            theme.button(rx.cond(unit.id, "Save", "Add department"), kind="primary", type="submit", full=True),
            on_submit=Departments.save,
            key=Departments.form,
        ),
        rx.cond(unit.id, theme.stack(_state_of(unit), theme.error_line(Departments.errors["active"]), gap="tight")),
        aside=theme.icon_button("Close", "x", compact=True, on_click=Departments.close),
        label="Department",
        sheet=Departments.is_editing,
    )


def _rules_form() -> rx.Component:
    def number(label: str, name: str, hint: str) -> rx.Component:
        return theme.text_field(
            label,
            name,
            hint=hint,
            default_value=getattr(Departments.rules, name),
            error=Departments.errors[name],
            input_mode="numeric",
            max_length=6,
            auto_complete="off",
        )

    return theme.panel(
        rx.fragment("Rules of ", Departments.edited.name),
        theme.form(
            number("Notice", "notice_minutes", "Minutes before its start until which a slot can be booked."),
            number("Booking ahead", "ahead_days", "Days ahead that patients can book."),
            number("Publishing ahead", "horizon_weeks", "Weeks for which working hours become slots."),
            number("Cancelling and moving", "change_hours", "Hours before the appointment until which patients can."),
            number("Appointments ahead", "most_active", "How many a patient may have at once."),
            number("Missed appointments", "most_missed", "After so many, online booking pauses for the patient."),
            number("Missed within", "missed_days", "Days that count."),
            number("Hold", "hold_minutes", "Minutes that a slot is kept while the form is filled in."),
            number("Offer, at most", "offer_longest_minutes", "Minutes that a slot is kept for who waits for it."),
            number("Offer, at least", "offer_shortest_minutes", "The nearer the slot is, the shorter it is kept."),
            theme.text_field(
                "Reminders",
                "reminder_hours",
                hint="Hours before the appointment, such as 168, 24.",
                default_value=Departments.rules.reminder_hours,
                error=Departments.errors["reminder_hours"],
                optional=True,
                max_length=60,
                auto_complete="off",
            ),
            theme.text_area(
                "Reasons for cancelling",
                "cancel_reasons",
                hint="One a line; patients choose from these.",
                default_value=Departments.rules.cancel_reasons,
                error=Departments.errors["cancel_reasons"],
                max_length=500,
                rows=5,
            ),
            theme.button("Save rules", kind="primary", type="submit", full=True),
            on_submit=Departments.save_rules,
            key=Departments.form,
        ),
        aside=theme.icon_button("Close", "x", compact=True, on_click=Departments.close),
        label="Rules",
        sheet=Departments.is_editing,
    )


def _state_of(unit: Any) -> rx.Component:
    question = theme.confirm(
        rx.fragment("Close ", unit.name, "?"),
        "It is no longer offered to patients or to doctors who sign up. What was booked stays booked.",
        theme.button("Close department", kind="danger", solid=True, on_click=Departments.set_open(False)),
        theme.button("Keep it open", kind="quiet", on_click=Departments.ask(False), auto_focus=True),
    )
    return rx.cond(
        unit.open,
        rx.cond(
            Departments.is_closing,
            question,
            theme.button(
                "Close this department", kind="danger", full=True, id="ask-close", on_click=Departments.ask(True)
            ),
        ),
        theme.button("Open this department again", full=True, on_click=Departments.set_open(True)),
    )
