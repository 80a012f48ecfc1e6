"""Every appointment of the clinic, for an administrator: find some, hand them on as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.actor import Actor, Role
from mhms_app.booking import changes, lists
from mhms_app.booking.lists import BookingRow, Filter
from mhms_app.directory import service as directory
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import listing
from mhms_app.web.components.doctor_choice import DoctorChoice, doctor_filter
from mhms_app.web.components.listing import SIZE, Listing, list_card
from mhms_app.web.components.native_form import address_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.statuses import APPOINTMENT
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

if TYPE_CHECKING:
    from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Line:
    """One appointment in the table."""

    reference: str
    patient: str
    email: str
    doctor: str
    department: str
    when: str
    status: str
    tone: str
    can_cancel: bool = False


class StaffCancelForm(TypedDict):
    """Why the clinic cancels."""

    note: Annotated[str, Field(max_length=1000)]


_NONE = Line("", "", "", "", "", "", "", "")


class Bookings(Listing, DoctorChoice, Screen):
    """The filtered list of bookings.

    Attributes:
        cancelling: the appointment about which it is asked whether and why to cancel it.
    """

    lines: list[Line] = []
    cancelling: Line = _NONE
    departments: list[tuple[str, str]] = []
    export_path: str = routes.BOOKINGS_CSV

    _route: ClassVar[str] = routes.ADMIN_BOOKINGS
    _filters: ClassVar[tuple[str, ...]] = ("q", "doctor", "department", "status", "from", "to")

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the bookings that the address asks for."""
        self._read_address()
        self.cancelling = _NONE
        await self._show()

    @handler(Role.ADMIN, local=True)
    async def ask(self, reference: Annotated[str, Field(max_length=12)]) -> None:
        """Ask whether and why to cancel one of the appointments shown, or with ``""`` none."""
        self.cancelling = next((line for line in self.lines if line.reference == reference), _NONE)

    @handler(Role.ADMIN)
    async def cancel(self, form: StaffCancelForm) -> None:
        """Cancel it, whatever the department's window; the reason is kept and the patient reads it."""
        line = self.cancelling
        await bridge.call(self, changes.cancel, reference=line.reference, choice="", note=form["note"])
        self.cancelling = _NONE
        await self._show()
        self.tell(f"The appointment of {line.patient} is cancelled, and a message is on its way.")

    async def _show(self) -> None:
        page, doctors, departments = await bridge.read(self, _look, asked=self.asked, number=self._number)
        now = bridge.now()
        self.lines = [line_of(row, now) for row in page.rows]
        self._offer(doctors)
        self.departments = [(str(row.id), row.name) for row in departments]
        self.export_path = address_of(routes.with_query(routes.BOOKINGS_CSV, **self.asked))
        self._show_pages(len(page.rows), page.total)


def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    return (
        lists.list_bookings(session, actor, wanted=Filter.of(asked), page=number, size=SIZE),
        directory.list_all_doctors(session, actor),
        directory.list_departments(session, actor, include_closed=True),
    )


def line_of(row: BookingRow, now: datetime) -> Line:
    """What to say of an appointment."""
    status, tone = APPOINTMENT[row.status]
    return Line(
        reference=row.reference,
        patient=row.patient,
        email=row.email,
        doctor=row.doctor,
        department=row.department,
        when=words.span(row.starts_at, row.ends_at, now=now),
        status=status,
        tone=tone,
        can_cancel=row.status == "booked" and row.ends_at > now,
    )


def page() -> rx.Component:
    """The page of all bookings."""
    export = theme.link_button(
        "Export as CSV",
        Bookings.export_path,
        icon_name="download",
        custom_attrs={"download": True},
        reload_document=True,
    )
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("Bookings", "Every appointment of the clinic, the latest first.", aside=export),
            listing.beside(
                list_card(
                    "Bookings",
                    Bookings,
                    filters=_filters(),
                    rows=Bookings.lines,
                    table=bookings_table(Bookings.lines, action=_cancel),
                    empty=_nothing(),
                ),
                _question(),
                shown=Bookings.cancelling.reference,
            ),
        ),
        active=routes.ADMIN_BOOKINGS,
        wide=True,
    )


def _filters() -> tuple[rx.Component, ...]:
    return (
        listing.search_filter(Bookings, "Patient, doctor or number"),
        doctor_filter(Bookings),
        listing.select_filter(
            Bookings,
            "Department",
            "department",
            theme.option("", "All departments"),
            rx.foreach(Bookings.departments, lambda department: theme.option(department[0], department[1])),
        ),
        listing.select_filter(
            Bookings,
            "Status",
            "status",
            theme.option("", "Any status"),
            *(theme.option(value, label) for value, (label, _) in APPOINTMENT.items()),
        ),
        listing.day_filter(Bookings, "From", "from"),
        listing.day_filter(Bookings, "Until", "to"),
    )


def bookings_table(
    lines: Any, caption: str = "Bookings", *, action: Callable[[Line], rx.Component] | None = None
) -> rx.Component:
    """Appointments as an administrator reads them.

    Args:
        action: what can be done with one of them.
    """
    columns = ("Number", "Patient", "Doctor", "Department", "Time", "Status", *([""] if action else []))
    return theme.table(caption, columns, rx.foreach(lines, lambda line: _row(line, action)))


def _row(line: Line, action: Callable[[Line], rx.Component] | None) -> rx.Component:
    return theme.table_row(
        theme.cell(rx.el.span(line.reference, class_name="numbers"), label="Number", quiet=True),
        theme.cell(line.patient, label="Patient", main=True),
        theme.cell(line.doctor, label="Doctor"),
        theme.cell(line.department, label="Department", quiet=True),
        theme.cell(line.when, label="Time"),
        theme.cell(theme.chip(line.status, line.tone), label="Status"),
        *([theme.cell(action(line), actions=True)] if action else []),
    )


def _cancel(line: Line) -> rx.Component:
    return rx.cond(
        line.can_cancel,
        theme.button(
            rx.fragment("Cancel", theme.unseen(" ", line.reference)),
            kind="quiet",
            compact=True,
            on_click=Bookings.ask(line.reference),
        ),
    )


def _question() -> rx.Component:
    line = Bookings.cancelling
    return theme.panel(
        "Cancel this appointment?",
        theme.well(rx.el.strong(line.when), rx.el.br(), line.patient, rx.el.br(), f"{line.doctor} · {line.department}"),
        theme.form(
            theme.text_area(
                "Why?",
                "note",
                hint="The patient reads this, and it is kept in the audit trail.",
                error=rx.cond(Bookings.errors["note"], Bookings.errors["note"], Bookings.errors["reason"]),
                max_length=200,
            ),
            theme.button("Cancel appointment", kind="danger", solid=True, type="submit", full=True),
            theme.button("Keep it", kind="quiet", full=True, on_click=Bookings.ask("")),
            on_submit=Bookings.cancel,
            key=line.reference,
        ),
        label="Cancel",
        sheet=line.reference != "",
    )


def _nothing() -> rx.Component:
    return theme.empty_state(
        "No bookings fit",
        "Try other words, another day, or look at all of them.",
        theme.link_button("All bookings", routes.ADMIN_BOOKINGS),
        icon_name="calendar-search",
    )
