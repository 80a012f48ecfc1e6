"""Taking a leave, step by step: the days, what becomes of each appointment in them, and how far that has come.

A doctor does it on their own page, an administrator for any doctor: their States share these steps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any, Literal, NotRequired

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app.availability.rules import day_of
from mhms_app.booking import leave
from mhms_app.booking.leave import Affected, Choice, LeaveRow
from mhms_app.booking.leave_rules import Fate, Outcome
from mhms_app.errors import InvalidForm
from mhms_app.web import bridge, theme, words

_AT_ONCE = 0.4  # seconds for which appointments are seen to before the page shows how far it is
_OUTCOMES = {
    Outcome.MOVED: "moved",
    Outcome.CANCELLED: "cancelled",
    Outcome.DESK: "left for the desk",
    Outcome.GONE: "changed by the patient before",
}
_FATES = {Fate.MOVE: "Move", Fate.CANCEL: "Cancel", Fate.DESK: "Leave for the desk"}

FateName = Literal["move", "cancel", "desk"]


class Days(TypedDict):
    """The first and the last day, as typed."""

    first: Annotated[str, Field(max_length=20)]
    last: Annotated[str, Field(max_length=20)]


class Words(TypedDict):
    """What the patients read; missing when nobody's appointment is cancelled."""

    message: NotRequired[Annotated[str, Field(max_length=1000)]]


@dataclass(frozen=True, slots=True)
class Line:
    """One appointment: who, when, where it could go ("" for nowhere), and what is chosen for it."""

    id: int
    patient: str
    when: str
    proposal: str
    doctor: str
    fate: str


@dataclass(frozen=True, slots=True)
class Taken:
    """One leave: "23 – 27 November", "3 moved, 1 left for the desk", and how many of its appointments are done."""

    id: int
    title: str
    text: str
    done: int
    total: int


class LeaveSteps(rx.State, mixin=True):
    """What the State of a page has on which leave is taken; its handlers lead here.

    Attributes:
        taken: the leaves to come.
        running: one of them is being seen to.
        days: the leave that is being planned, in words; "" while there is none.
        lines: the appointments in it.
        sums: how many go which way.
        cancels: some are to be cancelled, which takes words.
        drawn: the choices are drawn anew when this changes.
    """

    loaded: bool = False
    taken: list[Taken] = []
    running: bool = False
    days: str = ""
    lines: list[Line] = []
    sums: str = ""
    cancels: bool = False
    drawn: int = 0

    _doctor_id: int | None = None  # None is whoever is looking
    _first: date = date.min
    _last: date = date.min
    _found: tuple[Affected, ...] = ()

    async def _begin(self: Any, doctor_id: int | None) -> Any:
        """Show a doctor's leaves, and go on with one that was interrupted."""
        self._doctor_id, self.days = doctor_id, ""
        return await self._show_taken()

    async def _look(self: Any, typed: Days) -> None:
        """Show which appointments are booked in these days; what can move moves, unless something else is chosen."""
        first, last = read_days(typed)
        self._found = await bridge.read(self, leave.affected, doctor_id=self._doctor_id, first=first, last=last)
        self._first, self._last, now = first, last, bridge.now()
        self.days = words.days_between(first, last)
        self._choose([line_of(row, now) for row in self._found], anew=True)

    def _choose_one(self: Any, appointment_id: int, fate: FateName) -> None:
        self._choose([_with(line, fate) if line.id == appointment_id else line for line in self.lines])

    def _choose_all(self: Any, fate: FateName) -> None:
        self._choose([_with(line, fate) for line in self.lines], anew=True)

    def _choose(self: Any, lines: list[Line], *, anew: bool = False) -> None:
        self.lines, self.cancels = lines, any(line.fate == Fate.CANCEL for line in lines)
        self.sums = sums_of(lines)
        self.drawn += anew

    async def _take(self: Any, typed: Words) -> Any:
        """Take the leave; its appointments are seen to one after the other."""
        if not self.days:
            return None
        await bridge.call(
            self,
            leave.take,
            doctor_id=self._doctor_id,
            first=self._first,
            last=self._last,
            message=typed.get("message", ""),
            choices=choices_of(self.lines, self._found),
        )
        self.days = ""
        return await self._show_taken()

    async def _go_on(self: Any) -> Any:
        """See to the next appointments of the leave that is not done, and show how far it is."""
        left = next((one for one in self.taken if one.done < one.total), None)
        if left is None:
            self.running = False
            return None
        until = time.monotonic() + _AT_ONCE
        row = await bridge.call(self, leave.carry_on, leave_id=left.id)
        while row.left and time.monotonic() < until:
            row = await bridge.call(self, leave.carry_on, leave_id=left.id)
        self.taken = [taken_of(row) if one.id == row.id else one for one in self.taken]
        if not row.left:
            self.tell(f"On leave {words.days_between(row.first, row.last)}. {outcome_of(row)}")
        return self._if_more()

    async def _show_taken(self: Any) -> Any:
        rows = await bridge.read(self, leave.leaves, doctor_id=self._doctor_id)
        self.taken, self.loaded = [taken_of(row) for row in rows], True
        return self._if_more()

    def _if_more(self: Any) -> Any:
        """The event that goes on, while something is left."""
        self.running = any(one.done < one.total for one in self.taken)
        return type(self).go_on if self.running else None


def read_days(typed: Days) -> tuple[date, date]:
    """The first and the last day.

    Raises:
        InvalidForm: one of them is none.
    """
    first, last = day_of(typed["first"]), day_of(typed["last"])
    if first and last:
        return first, last
    raise InvalidForm({name: "Please choose a day." for name, day in (("first", first), ("last", last)) if not day})


def line_of(row: Affected, now: datetime) -> Line:
    """What to say of an appointment."""
    to, doctor = "", ""
    if found := row.proposal:
        to, doctor = words.moment(found.starts_at, now=now), found.doctor
    when = words.moment(row.starts_at, now=now)
    return _with(Line(row.id, row.patient, when, to, doctor, ""), "move")


def _with(line: Line, fate: FateName) -> Line:
    """The line with what is chosen for it; what cannot move is left for the desk."""
    return replace(line, fate=Fate.DESK.value if fate == "move" and not line.proposal else fate)


def sums_of(lines: list[Line]) -> str:
    """ "3 move, 1 is cancelled, 2 wait for the desk."."""
    said = {
        "move": ("moves", "move"),
        "cancel": ("is cancelled", "are cancelled"),
        "desk": ("waits for the desk", "wait for the desk"),
    }
    numbers = {fate: sum(line.fate == fate for line in lines) for fate in said}
    parts = [f"{words.number(number)} {said[fate][number > 1]}" for fate, number in numbers.items() if number]
    return f"{', '.join(parts)}." if parts else ""


def choices_of(lines: list[Line], found: tuple[Affected, ...]) -> Mapping[int, Choice]:
    """What is chosen, by the key of the appointment."""
    slots = {row.id: row.proposal.slot_id for row in found if row.proposal}
    return {line.id: Choice(Fate(line.fate), slots.get(line.id) if line.fate == Fate.MOVE else None) for line in lines}


def taken_of(row: LeaveRow) -> Taken:
    """What to say of a leave."""
    done = sum(row.outcomes.values())
    return Taken(row.id, words.days_between(row.first, row.last), outcome_of(row), done, done + row.left)


def outcome_of(row: LeaveRow) -> str:
    """ "3 moved, 1 left for the desk."."""
    said = [f"{words.number(row.outcomes[name])} {text}" for name, text in _OUTCOMES.items() if name in row.outcomes]
    said += [f"{words.number(row.left)} still to be seen to"] if row.left else []
    return f"{', '.join(said)}." if said else "No appointments were booked."


# The page -------------------------------------------------------------------------------------------


def leave_steps(state: Any, *, whose: str) -> rx.Component:
    """The steps of a State, and the leaves to come.

    Args:
        whose: the heading of the list.
    """
    return theme.stack(
        rx.cond(state.days, _appointments(state), _choosing(state)),
        theme.card(
            rx.cond(
                state.loaded,
                rx.cond(state.taken, theme.rows(rx.foreach(state.taken, _taken)), _nothing()),
                theme.skeleton_rows(2),
            ),
            title=whose,
            flush=True,
        ),
        gap="loose",
    )


def _choosing(state: Any) -> rx.Component:
    return theme.card(
        theme.form(
            theme.pair(
                theme.text_field("First day", "first", type="date", error=state.errors["first"], icon_name="calendar"),
                theme.text_field("Last day", "last", type="date", error=state.errors["last"], icon_name="calendar"),
            ),
            theme.line(theme.button("Show appointments", kind="primary", type="submit", disabled=state.running)),
            on_submit=state.look,
        ),
        title="Which days?",
    )


def _appointments(state: Any) -> rx.Component:
    nobody = theme.empty_state(
        "Nobody is booked on these days", "The free slots are taken back.", icon_name="calendar-check"
    )
    for_patients = theme.text_area(
        "What those read whose appointments are cancelled",
        "message",
        hint="Why, and what they can do now.",
        error=state.errors["message"],
        max_length=200,
    )
    everybody = (
        ("move", "Move all"),
        ("cancel", "Cancel all"),
        ("desk", "All for the desk"),
    )
    listed = theme.table(
        "Appointments on these days",
        ("Patient", "Booked", "New time", "Choice"),
        rx.foreach(state.lines, lambda line: _row(state, line)),
    )
    return theme.split(
        theme.card(
            rx.cond(state.lines, listed, nobody),
            title="Appointments on these days",
            aside=rx.cond(
                state.lines,
                theme.line(
                    *(theme.button(label, compact=True, on_click=state.choose_all(fate)) for fate, label in everybody)
                ),
            ),
            flush=True,
        ),
        theme.panel(
            state.days,
            theme.form(
                rx.el.p(
                    rx.cond(state.sums, rx.fragment(rx.el.strong(state.sums), " ")),
                    "The days are closed for booking. Each patient gets one message, or a call.",
                    aria_live="polite",
                    class_name="well",
                ),
                rx.cond(state.cancels, for_patients),
                theme.button("Take leave", kind="primary", type="submit", full=True),
                theme.button("Other days", kind="quiet", full=True, on_click=state.back),
                on_submit=state.take,
            ),
            label="Leave",
        ),
    )


def _row(state: Any, line: Any) -> rx.Component:
    move, *others = (theme.option(fate.value, label) for fate, label in _FATES.items())
    return theme.table_row(
        theme.cell(line.patient, main=True),
        theme.cell(line.when, label="Booked"),
        theme.cell(
            rx.cond(
                line.proposal,
                rx.el.div(rx.el.div(line.proposal), rx.el.div(line.doctor, class_name="small second")),
                rx.el.span("No time is free", class_name="second"),
            ),
            label="New time",
        ),
        theme.cell(
            theme.select_field(
                "What becomes of it",
                rx.cond(line.proposal, move),
                *others,
                name=f"fate-{line.id}",
                aria_label=f"What becomes of {line.patient}, {line.when}",
                hide_label=True,
                compact=True,
                default_value=line.fate,
                on_change=lambda fate: state.choose(line.id, fate),
                key=f"{line.id}-{state.drawn}",
            ),
            label="Choice",
        ),
    )


def _taken(one: Any) -> rx.Component:
    return theme.list_row(
        one.title,
        one.text,
        rx.cond(one.done < one.total, theme.progress("Appointments seen to", one.done, one.total)),
        lead=theme.disc("plane"),
    )


def _nothing() -> rx.Component:
    return theme.empty_state("No leave ahead", "Single days off are entered with the working hours.", icon_name="plane")
