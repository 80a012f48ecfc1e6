"""Every appointment of the clinic, for an administrator: find some, hand them on as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Actor, Role
from mhms_app.availability.slots import ANY_DOCTOR
from mhms_app.booking import lists
from mhms_app.booking.lists import BookingRow, Filter
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import listing
from mhms_app.web.components.changing import Changing, Chosen, change_button, change_panel
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
    can_change: bool = False


class Bookings(Listing, DoctorChoice, Changing, Screen):
    """The filtered list of bookings."""

    lines: list[Line] = []
    departments: list[tuple[str, str]] = []
    export_path: str = routes.BOOKINGS_CSV

    _route: ClassVar[str] = routes.ADMIN_BOOKINGS
    _filters: ClassVar[tuple[str, ...]] = ("q", "doctor", "department", "status", "from", "to")

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the bookings that the address asks for."""
        self._read_address()
        self.chosen = Chosen()
        await self._show()

    async def _show_page(self) -> None:
        heard = hub.heard
        page, doctors, departments = await bridge.read(self, _look, asked=self.asked, number=self._number)
        now = bridge.now()
        self.lines = [line_of(row, now) for row in page.rows]
        self._offer(doctors)
        if self.departments != (offered := [(str(row.id), row.name) for row in departments]):
            self.departments = offered
        self.export_path = address_of(routes.with_query(routes.BOOKINGS_CSV, **self.asked))
        self._show_pages(len(page.rows), page.total)
        self._watch(ANY_DOCTOR, since=heard)

    def _chosen(self, line: Line) -> Chosen:
        if not line.can_change:
            return Chosen()
        return Chosen(
            line.reference,
            patient=line.patient,
            email=line.email,
            doctor=line.doctor,
            department=line.department,
            when=line.when,
        )


@bridge.may_be_stale
def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    return (
        lists.list_bookings(session, actor, wanted=Filter.of(asked), page=number, size=SIZE),
        directory.list_all_doctors(session, actor),
        departments.list_departments(session, actor, include_closed=True),
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
        can_change=row.status == "booked" and row.ends_at > now,
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
                    table=bookings_table(Bookings.lines, action=_change),
                    empty=_nothing(),
                ),
                change_panel(Bookings),
                shown=Bookings.chosen.reference,
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
        key=line.reference,  # what has the focus keeps it when others come in between
    )


def _change(line: Line) -> rx.Component:
    return rx.cond(line.can_change, change_button(Bookings, line.reference, "Change"))


def _nothing() -> rx.Component:
    return theme.empty_state(
        "No bookings fit",
        "Try other words, another day, or look at all of them.",
        theme.link_button("All bookings", routes.ADMIN_BOOKINGS),
        icon_name="calendar-search",
    )
