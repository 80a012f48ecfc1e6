"""What needs a person at the desk: appointments that no rule could help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.accounts.news import ANY_PERSON
from mhms_app.actor import Role
from mhms_app.availability.slots import ANY_DOCTOR
from mhms_app.booking import worklist
from mhms_app.booking.news import ANY_PATIENT
from mhms_app.booking.worklist import DeskRow
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.changing import Changing, Chosen, change_button, change_panel, reach
from mhms_app.web.components.desk_count import DeskCount
from mhms_app.web.components.listing import SIZE, Listing, beside, list_card
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.unserved import Unserved, unserved_section
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


class DoneForm(TypedDict):
    """What was done."""

    note: Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Line:
    """One appointment, how to reach its patient, why it is here and since when."""

    id: int
    reference: str
    patient: str
    phone: str
    email: str
    doctor: str
    department: str
    when: str
    why: str
    since: str


class Worklist(Listing, Changing, Screen):
    """The list, the soonest first."""

    lines: list[Line] = []

    _route: ClassVar[str] = routes.ADMIN_WORKLIST

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the page that the address asks for."""
        self._read_address()
        self.chosen = Chosen()
        await self._show()

    @handler(Role.ADMIN)
    async def finish(self, form: DoneForm) -> Any:
        """Take it off the list as it is; the note is kept."""
        chosen = self.chosen
        await bridge.call(self, worklist.mark_done, appointment_id=chosen.id, note=form["note"])
        return await self._done(f"{chosen.patient} is off the list.")

    async def _show_page(self) -> None:
        heard = hub.heard
        page = await bridge.read(self, worklist.worklist, page=self._number, size=SIZE)
        now = bridge.now()
        self.lines = [line_of(row, now) for row in page.rows]
        self._show_pages(len(page.rows), page.total)
        await (await self.get_state(DeskCount))._count()
        self._watch(ANY_DOCTOR, ANY_PATIENT, ANY_PERSON, since=heard)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Those who wait in vain stand on the same page."""
        await super()._on_change(news)
        await (await self.get_state(Unserved))._show()

    def _chosen(self, line: Line) -> Chosen:
        return Chosen(
            line.reference, line.id, line.patient, line.phone, line.email, line.doctor, line.department, line.when
        )


def line_of(row: DeskRow, now: datetime) -> Line:
    """What to say of an appointment."""
    away = f"On leave {words.days_between(row.first, row.last)}" if row.first and row.last else ""
    return Line(
        id=row.id,
        reference=row.reference,
        patient=row.patient,
        phone=row.phone,
        email=row.email,
        doctor=row.doctor,
        department=row.department,
        when=words.span(row.starts_at, row.ends_at, now=now),
        why=away or "No longer a doctor here",
        since=words.how_long(row.since, now=now) if row.since else "",
    )


view: Any = Worklist  # on a page its attributes are Vars


def page() -> rx.Component:
    """The page."""
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading(
                "Worklist",
                "Appointments that no rule could help: somebody has to call the patient. The soonest first.",
                aside=theme.link_button("Enter a leave", routes.ADMIN_LEAVE, icon_name="plane"),
            ),
            beside(
                list_card("Worklist", view, filters=(), rows=view.lines, table=_table(), empty=_nothing()),
                change_panel(view, done=_done_form()),
                shown=view.chosen.reference,
            ),
            unserved_section(),
        ),
        active=routes.ADMIN_WORKLIST,
        wide=True,
    )


def _table() -> rx.Component:
    headings = ("Patient", "Appointment", "Why it is here", "")
    return theme.table("Worklist", headings, rx.foreach(view.lines, _row))


def _row(line: Line) -> rx.Component:
    return theme.table_row(
        theme.cell(rx.el.div(rx.el.div(line.patient), reach(line)), main=True),
        theme.cell(
            rx.el.div(
                rx.el.div(line.when), rx.el.div(f"{line.doctor} · {line.reference}", class_name="small second numbers")
            ),
            label="Appointment",
        ),
        theme.cell(
            rx.el.div(rx.el.div(line.why), rx.el.div(line.since, class_name="small second")), label="Why it is here"
        ),
        theme.cell(change_button(view, line.reference, "See to it"), actions=True),
        key=line.reference,  # what has the focus keeps it when others come in between
    )


def _done_form() -> rx.Component:
    return theme.form(
        theme.text_area(
            "What was done?",
            "note",
            hint="The appointment stays as it is. What you write is kept in the audit trail.",
            optional=True,
            error=view.errors["note"],
            max_length=200,
        ),
        theme.button("Take it off the list", kind="primary", type="submit", full=True),
        on_submit=view.finish,
    )


def _nothing() -> rx.Component:
    return theme.empty_state(
        "No appointment needs a call",
        "What a leave leaves for the desk comes here, and the appointments of doctors who are gone.",
        icon_name="circle-check",
    )
