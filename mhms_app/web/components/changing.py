"""The panel in which an administrator moves or cancels an appointment, usually with its patient on the phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Literal, NotRequired

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.availability.rules import day_of
from mhms_app.booking import changes, proposals
from mhms_app.booking.proposals import Proposal
from mhms_app.booking.rules import NotBookable
from mhms_app.errors import Invalid
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.listing import key_of
from mhms_app.web.components.pause import pause
from mhms_app.web.gate import handler

Way = Literal["move", "cancel", "done"]


class MoveForm(TypedDict):
    """Where to, and why."""

    slot: NotRequired[Annotated[str, Field(max_length=10)]]
    why: Annotated[str, Field(max_length=1000)]


class StaffCancelForm(TypedDict):
    """Why the clinic cancels."""

    note: Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The appointment in the panel; no reference means that it is closed."""

    reference: str = ""
    id: int = 0
    patient: str = ""
    phone: str = ""
    email: str = ""
    doctor: str = ""
    department: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class Time:
    """A free time: "09:20", and in full for those who do not see the heading above it."""

    slot: str
    clock: str
    label: str


@dataclass(frozen=True, slots=True)
class Times:
    """The free times of one doctor on one day, under "Tue 24 Nov, Dr. Karl Wessel"."""

    heading: str
    times: list[Time]


class Changing(rx.State, mixin=True):
    """What the State of a ``Listing`` needs whose appointments can be changed; its ``lines`` know what ``Chosen`` does.

    Attributes:
        chosen: the appointment in the panel.
        way: what shall become of it.
        anybody: other doctors of the department are looked for too.
        first: the day from which free times are looked for.
        times: where it can go.
        more: there are later times.
    """

    chosen: Chosen = Chosen()
    way: str = "move"
    anybody: bool = False
    first: str = ""
    times: list[Times] = []
    more: bool = False

    @handler(Role.ADMIN)
    async def open(self: Any, reference: Annotated[str, Field(max_length=12)]) -> None:
        """Show one of the appointments of the list in the panel."""
        line = self._line(reference)
        self.chosen = self._chosen(line) if line else Chosen()
        self.way, self.anybody, self.first = "move", False, ""
        await self._look_for_times()
        if not self.times:  # the doctor is away, or gone
            self.anybody = True
            await self._look_for_times()

    @handler(Role.ADMIN, local=True)
    async def choose_way(self, way: Way) -> None:
        """Choose what shall become of it."""
        self.way = way

    @handler(Role.ADMIN)
    async def widen(self, anybody: bool) -> None:
        """Look for times with the same doctor, or with anybody of the department."""
        self.anybody = anybody
        await self._look_for_times()

    @handler(Role.ADMIN)
    async def look_from(self, day: Annotated[str, Field(max_length=20)]) -> None:
        """Look for times from another day on."""
        self.first = day if day_of(day) else ""
        await self._look_for_times()

    @handler(Role.ADMIN)
    async def move(self: Any, form: MoveForm) -> Any:
        """Move it; its patient gets one message."""
        slot_id = key_of(form.get("slot", ""))
        if slot_id is None:
            raise Invalid("Please choose a time.", field="slot")
        try:
            moved = await bridge.call(
                self, changes.move, reference=self.chosen.reference, slot_id=slot_id, why=form["why"]
            )
        except NotBookable as refusal:
            await self._look_for_times()
            raise Invalid(refusal.sentence, field="slot") from None
        when = words.span(moved.starts_at, moved.ends_at, now=bridge.now())
        return await self._done(f"{self.chosen.patient} now comes {when}, and a message is on its way.")

    @handler(Role.ADMIN)
    async def cancel(self: Any, form: StaffCancelForm) -> Any:
        """Cancel it, whatever the department's window; the reason is kept and the patient reads it."""
        await bridge.call(self, changes.cancel, reference=self.chosen.reference, choice="", note=form["note"])
        return await self._done(f"The appointment of {self.chosen.patient} is cancelled, and a message is on its way.")

    @handler(Role.ADMIN, local=True)
    async def close(self) -> Any:
        """Put the panel away."""
        self.chosen = Chosen()
        return rx.set_focus("content")

    async def _on_change(self: Any, news: Sequence[Any]) -> None:
        """Show the list as it is by now, and in the panel what it says; what was typed there stays."""
        if self.router.url.path.rstrip("/") != self._route:  # another page is open by now
            hub.leave(self)
            return
        patient, was_listed = self.chosen.patient, self._line(self.chosen.reference) is not None
        await self._show()
        if not was_listed:
            return
        line = self._line(self.chosen.reference)
        if line is None:
            self.tell(f"The appointment of {patient} is no longer on this page of the list.", tone="warn")
            return
        self.chosen = self._chosen(line)
        if not self.chosen.reference:
            self.tell(f"The appointment of {patient} was changed meanwhile.", tone="warn")

    def _line(self: Any, reference: str) -> Any:
        """The line of the list about an appointment, or None."""
        return next((line for line in self.lines if line.reference == reference), None)

    async def _done(self: Any, sentence: str) -> Any:
        """Put the panel away, show the list as it is now, and say what was done."""
        self.chosen = Chosen()
        await self._show()
        self.tell(sentence)
        return rx.set_focus("content")

    def _chosen(self, line: Any) -> Chosen:
        """What the panel says of a line of the list; nothing when it cannot be changed."""
        raise NotImplementedError

    async def _look_for_times(self: Any) -> None:
        if not self.chosen.reference:
            self.times, self.more = [], False
            return
        found = await bridge.read(
            self,
            proposals.other_times,
            reference=self.chosen.reference,
            anybody=self.anybody,
            first=day_of(self.first),
        )
        self.times, self.more = _by_day(found.times, bridge.now()), found.more


def _by_day(found: Sequence[Proposal], now: datetime) -> list[Times]:
    """The times under their days and doctors, by time."""

    def heading(one: Proposal) -> str:
        return f"{words.short_day(words.local(one.starts_at).date(), today=words.local(now).date())}, {one.doctor}"

    by_day = sorted(found, key=lambda one: (words.local(one.starts_at).date(), one.doctor, one.starts_at))
    return [Times(name, _times(name, group)) for name, group in groupby(by_day, key=heading)]


def _times(heading: str, found: Iterable[Proposal]) -> list[Time]:
    return [
        Time(str(one.slot_id), words.clock(one.starts_at), f"{words.clock(one.starts_at)}, {heading}") for one in found
    ]


# The page -------------------------------------------------------------------------------------------


def change_button(state: Any, reference: Any, label: str) -> rx.Component:
    """Opens the panel for one line of the list."""
    return theme.button(
        rx.fragment(label, theme.unseen(" ", reference)),
        compact=True,
        on_click=state.open(reference),
    )


def change_panel(state: Any, *, done: rx.Component | None = None) -> rx.Component:
    """The panel beside the list.

    Args:
        done: the form with which a person says that they have seen to it; without it there is no such way.
    """
    chosen = state.chosen
    ways = [("move", "Move"), ("cancel", "Cancel"), *([("done", "Done")] if done else [])]
    return theme.panel(
        chosen.patient,
        theme.well(
            rx.el.strong(chosen.when),
            rx.el.br(),
            f"{chosen.doctor} · {chosen.department}",
        ),
        reach(chosen),
        rx.fragment(
            theme.segments(
                "What becomes of it?",
                *(
                    theme.segment(
                        label,
                        name="way",
                        value=value,
                        default_checked=value == "move",
                        auto_focus=value == "move",
                        on_change=state.choose_way(value),
                    )
                    for value, label in ways
                ),
            ),
            rx.match(state.way, ("cancel", _cancel_form(state)), ("done", done or rx.fragment()), _move_form(state)),
            key=chosen.reference,
        ),
        theme.link("Its history", f"{routes.ADMIN_AUDIT}?q={chosen.reference}", icon_after="arrow-right"),
        aside=theme.icon_button("Close", "x", compact=True, on_click=state.close),
        label="Appointment",
        sheet=chosen.reference != "",
    )


def reach(person: Any) -> rx.Component:
    """How to reach a patient: both can be clicked."""
    return rx.el.div(
        rx.cond(person.phone, rx.el.a(person.phone, href=f"tel:{person.phone}", class_name="numbers")),
        rx.el.a(person.email, href=f"mailto:{person.email}"),
        class_name="reach small plain",
    )


def _move_form(state: Any) -> rx.Component:
    nothing = theme.well(
        "No time is free. ", rx.cond(state.anybody, "Try another day.", "Look in the whole department.")
    )
    return rx.fragment(
        theme.text_field(
            "From",
            "first",
            type="date",
            icon_name="calendar",
            on_change=lambda day: state.look_from(day).debounce(pause("first")),
        ),
        theme.checkbox(
            f"Anybody in {state.chosen.department}",
            name="anybody",
            default_checked=state.anybody,
            on_change=state.widen,
        ),
        theme.form(
            rx.cond(
                state.times,
                rx.el.div(
                    rx.foreach(state.times, _day),
                    rx.cond(state.more, rx.el.p("For later times choose a later day.", class_name="hint")),
                    class_name="other-times",
                    role="group",
                    aria_label="Free times",
                    tab_index=0,
                ),
                nothing,
            ),
            theme.error_line(state.errors["slot"]),
            theme.text_area(
                "Why?",
                "why",
                hint="Kept in the audit trail. Needed where patients could not do this themselves.",
                optional=True,
                error=state.errors["why"],
                max_length=200,
                rows=2,
            ),
            theme.button("Move appointment", kind="primary", type="submit", full=True),
            on_submit=state.move,
        ),
    )


def _day(day: Times) -> rx.Component:
    return theme.segments(
        day.heading,
        rx.foreach(day.times, lambda time: theme.segment(time.clock, name="slot", value=time.slot, long=time.label)),
    )


def _cancel_form(state: Any) -> rx.Component:
    return theme.form(
        theme.text_area(
            "Why?",
            "note",
            hint="The patient reads this, and it is kept in the audit trail.",
            error=rx.cond(state.errors["note"], state.errors["note"], state.errors["reason"]),
            max_length=200,
        ),
        theme.button("Cancel appointment", kind="danger", solid=True, type="submit", full=True),
        on_submit=state.cancel,
    )
