"""The waiting list, for a patient: what to wait for, and what they wait for already."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.availability.rules import day_of
from mhms_app.booking import waiting
from mhms_app.booking.news import of_patient
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.errors import NotFound
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.listing import key_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.doctor.timetable import days_of
from mhms_app.web.gate import Role, handler
from mhms_app.web.public.doctors import weekdays_of
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_LETTERS = {"M": "Monday", "T": "Tuesday", "W": "Wednesday", "Th": "Thursday", "F": "Friday", "Sa": "Saturday"} | {
    "Su": "Sunday"
}
_WORKING_DAYS = 5
_PARTS = {"any": "Any time of day", "morning": "Mornings", "afternoon": "Afternoons"}

_GONE = "Nobody can be booked there at the moment. You keep your place, and we call you."

EntryId = Annotated[int, Field(gt=0, lt=2**31)]
_Checked = Literal["on"]


class WaitingForm(TypedDict, total=False):
    """What a patient chooses; a weekday that is not chosen is not sent."""

    who: Literal["doctor", "anybody"]
    part: Literal["any", "morning", "afternoon"]
    earliest: Annotated[str, Field(max_length=10)]
    day_0: _Checked
    day_1: _Checked
    day_2: _Checked
    day_3: _Checked
    day_4: _Checked
    day_5: _Checked
    day_6: _Checked


@dataclass(frozen=True, slots=True)
class Entry:
    """What the patient waits for, in words."""

    id: int
    whom: str
    times: str


class Waiting(Screen):
    """The form for one doctor or one department, and the list.

    Attributes:
        doctor, department: whose times are asked for; no doctor means any of the department, and no department that
            the address names neither.
        part, weekdays: what the form begins with.
        drawn: counts how often the form was filled in by the page itself.
        today: the first day that can be chosen.
    """

    doctor: str = ""
    department: str = ""
    part: str = "any"
    weekdays: list[int] = []
    drawn: int = 0
    today: str = ""
    entries: list[Entry] = []

    _doctor_id: int | None = None
    _department_id: int | None = None

    @handler(Role.PATIENT)
    async def load(self) -> None:
        """Show the list, and the form for the doctor or the department that the address names."""
        query = self.router.url.query_parameters
        self._doctor_id, self._department_id = key_of(query.get("doctor", "")), key_of(query.get("department", ""))
        part = query.get("part", "")
        self.part = part if part in _PARTS else "any"
        self.weekdays = weekdays_of(query.get("weekdays", "")) or list(range(_WORKING_DAYS))
        self.today = str(words.local(bridge.now()).date())
        self.doctor = self.department = ""
        self.drawn += 1
        await self._show()
        await self._name()

    @handler(Role.PATIENT)
    async def join(self, form: WaitingForm) -> None:
        """Wait for a time with the doctor, or in the department, of this page."""
        await bridge.call(
            self,
            waiting.join,
            doctor_id=self._doctor_id,
            department_id=self._department_id,
            anybody=form.get("who") == "anybody",
            weekdays=[day for day in range(7) if f"day_{day}" in form],
            part=form.get("part", "any"),
            earliest=day_of(form.get("earliest", "")) or words.local(bridge.now()).date(),
        )
        await self._show()
        self.tell("You are on the waiting list. We write to you as soon as such a time is free.")

    @handler(Role.PATIENT)
    async def stop(self, entry_id: EntryId) -> None:
        """Stop waiting for something."""
        await bridge.call(self, waiting.leave, entry_id=entry_id)
        await self._show()
        self.tell("You wait for this no more.")

    async def _name(self) -> None:
        """Say whose times are asked for."""
        if self._doctor_id:
            with suppress(NotFound):
                found = await bridge.read(self, directory.get_doctor, doctor_id=self._doctor_id)
                self.doctor, self.department = found.name, found.department
        elif self._department_id:
            rows = await bridge.read(self, departments.list_departments)
            self.department = next((row.name for row in rows if row.id == self._department_id), "")

    async def _show(self) -> None:
        heard = hub.heard
        self.entries = [_entry(row) for row in await bridge.read(self, waiting.mine)]
        hub.watch(self, of_patient(self._patient_id), since=heard)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Show what they wait for by now; the form stays as it is filled in."""
        await self._show()


def _entry(row: waiting.Entry) -> Entry:
    whom = f"{row.doctor} · {row.department}" if row.doctor else f"Any doctor · {row.department}"
    times = f"{days_of(row.weekdays)}, {_PARTS[row.part].lower()}, from {words.date_of(row.earliest)}"
    return Entry(row.id, whom, _GONE if row.is_gone else times)


# The page -------------------------------------------------------------------------------------------


def page() -> rx.Component:
    """The waiting list of a patient."""
    return frame(
        only_for(Role.PATIENT, theme.loading(theme.narrow(_content()), theme.narrow(_skeleton()))),
        active=routes.PATIENT,
    )


def _content() -> rx.Component:
    return theme.stack(
        theme.page_heading(
            "Waiting list",
            "A time that becomes free goes to whoever waits longest. We keep it for you for a while and write to you.",
            back=("My appointments", routes.PATIENT),
        ),
        rx.cond(Waiting.department, _form()),
        theme.section("You wait for", theme.card(rx.cond(Waiting.entries, _list(), _nothing()), flush=True)),
        gap="loose",
    )


def _form() -> rx.Component:
    chosen: Any = Waiting.weekdays
    days = (
        theme.segment(
            letter,
            name=f"day_{day}",
            value="on",
            several=True,
            long=name,
            default_checked=chosen.contains(day),
        )
        for day, (letter, name) in enumerate(_LETTERS.items())
    )
    return theme.card(
        theme.form(
            rx.cond(Waiting.doctor, _who(), rx.el.p("With any doctor of ", rx.el.strong(Waiting.department), ".")),
            theme.segments("Days", *days, error=Waiting.errors["weekdays"]),
            theme.select_field(
                "Time of day",
                *(theme.option(value, label) for value, label in _PARTS.items()),
                name="part",
                default_value=Waiting.part,
                error=Waiting.errors["part"],
            ),
            theme.text_field(
                "Not before",
                "earliest",
                type="date",
                icon_name="calendar",
                default_value=Waiting.today,
                min=Waiting.today,
                error=Waiting.errors["earliest"],
            ),
            theme.button("Tell me when something is free", kind="primary", type="submit", full=True),
            on_submit=Waiting.join,
            key=Waiting.drawn,
        )
    )


def _who() -> rx.Component:
    return theme.select_field(
        "With",
        theme.option("doctor", Waiting.doctor),
        theme.option("anybody", rx.fragment("Any doctor of ", Waiting.department)),
        name="who",
    )


def _list() -> rx.Component:
    return theme.rows(rx.foreach(Waiting.entries, _row))


def _row(entry: Entry) -> rx.Component:
    return theme.list_row(
        entry.whom,
        entry.times,
        theme.button(
            rx.fragment("Stop waiting", theme.unseen(" for ", entry.whom)),
            compact=True,
            on_click=Waiting.stop(entry.id),
        ),
    )


def _nothing() -> rx.Component:
    find = theme.link_button("Find a doctor", routes.DOCTORS, icon_name="search")
    return theme.empty_state(
        "You are on no waiting list",
        "Where a doctor has nothing free, you can ask to be told when something is.",
        rx.cond(Waiting.department, rx.fragment(), find),
        icon_name="bell",
    )


def _skeleton() -> rx.Component:
    return theme.stack(
        theme.skeleton("12rem", "1.75rem"),
        theme.card(theme.skeleton("100%", "240px")),
        theme.card(theme.skeleton_rows(2), flush=True),
        gap="loose",
    )
