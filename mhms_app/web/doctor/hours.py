"""A doctor's working hours: weekly rules, days off and extra hours, each with what it changes before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.availability import hours as working
from mhms_app.availability.hours import AddDay, DropDay, DropHours, Edit, HoursPage, PutHours
from mhms_app.availability.hours_rules import Hours
from mhms_app.errors import ClinicError, InvalidForm
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.listing import beside
from mhms_app.web.components.weekday_choice import weekday_choice
from mhms_app.web.doctor import timetable
from mhms_app.web.doctor.pieces import approval_notice, for_doctors, minutes, typed
from mhms_app.web.doctor.plan import LENGTHS, PAUSES
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_KINDS = (("day", "Day off"), ("part", "Hours off"), ("extra", "Extra hours"))

FieldName = Literal["start", "end", "length", "pause", "break_start", "break_end", "valid_from", "valid_until", "day"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list; a public holiday has no key."""

    key: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Week:
    """What happens in one week: "23 Nov", "8 appear, 10 stay"."""

    name: str
    text: str


class WorkingHours(Screen):
    """The lists, and the panel beside them.

    Attributes:
        panel: what it is about: "" (closed), hours, day or drop.
        key: the hours that are edited, or what is to be removed; 0 is new.
        name: what is to be removed, in words.
        typed, weekdays, rest, kind: the forms as they are filled in.
        drawn: they are drawn anew when this changes.
        problems: a sentence by field; unlike ``errors`` they stay until the form changes.
        ready: the preview stands for an edit that can be saved.
    """

    loaded: bool = False
    awaiting_approval: bool = False
    lead: str = ""
    rules: list[Line] = []
    days: list[Line] = []

    panel: str = ""
    key: int = 0
    name: str = ""
    typed: dict[str, str] = timetable.UNTOUCHED
    weekdays: list[int] = []
    rest: bool = False
    kind: timetable.Kind = "day"
    drawn: int = 0
    problems: dict[str, str] = {}
    ready: bool = False
    preview_fact: str = ""
    preview_rest: str = ""
    preview_weeks: list[Week] = []

    _hours: dict[int, Hours] = {}
    _drops_day: bool = False

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show when the doctor works."""
        self.panel = ""
        await self._show()

    @handler(Role.DOCTOR, local=True)
    async def add_hours(self) -> None:
        """Open the form with new hours."""
        self._open("hours", timetable.UNTOUCHED, weekdays=[], rest=False)

    @handler(Role.DOCTOR)
    async def edit_hours(self, key: int) -> None:
        """Open the form with hours that there are."""
        if chosen := self._hours.get(key):
            typed = timetable.typed_as(chosen)
            self._open("hours", typed, key=key, weekdays=sorted(chosen.weekdays), rest=chosen.rest is not None)
            await self._preview()

    @handler(Role.DOCTOR, local=True)
    async def add_day(self) -> None:
        """Open the form of a day off or extra hours."""
        self.kind = "day"
        self._open("day", timetable.UNTOUCHED)

    @handler(Role.DOCTOR)
    async def ask_drop(self, key: int, is_day: bool) -> None:
        """Say what removing hours, a day off or extra hours would do."""
        line = next((line for line in (self.days if is_day else self.rules) if line.key == key), None)
        if key and line:
            self._drops_day, self.name = is_day, f"{line.title}, {line.text.lower()}" if is_day else line.title
            self._open("drop", timetable.UNTOUCHED, key=key)
            await self._preview()

    @handler(Role.DOCTOR, local=True)
    async def close(self) -> Any:
        """Put the panel away."""
        return self._close()

    @handler(Role.DOCTOR)
    async def plan_weekday(self, weekday: Annotated[int, Field(ge=0, le=6)], is_on: bool) -> None:
        """Work on a day of the week, or not."""
        self.weekdays = sorted({*self.weekdays, weekday} if is_on else {*self.weekdays} - {weekday})
        await self._preview()

    @handler(Role.DOCTOR)
    async def plan_rest(self, is_on: bool) -> None:
        """Take a break, or not."""
        self.rest = is_on
        await self._preview()

    @handler(Role.DOCTOR)
    async def plan_kind(self, kind: timetable.Kind) -> None:
        """Enter a day off, hours off or extra hours."""
        self.kind = kind
        await self._preview()

    @handler(Role.DOCTOR)
    async def fill_in(self, name: FieldName, value: Annotated[str, Field(max_length=20)]) -> None:
        """Take what was typed into a field."""
        self.typed = {**self.typed, name: value}
        await self._preview()

    @handler(Role.DOCTOR)
    async def save(self, form: timetable.Typed) -> Any:
        """Save what the preview shows; what was typed only a moment ago is previewed first."""
        typed = timetable.shown(self.typed, form)
        if typed != self.typed or not (edit := self._edit()):
            self.typed = typed
            await self._preview()
            return None
        return await self._carry_out(edit, "Saved.")

    @handler(Role.DOCTOR)
    async def drop(self) -> Any:
        """Remove what the panel asks about."""
        edit = self._edit()
        return await self._carry_out(edit, "Removed.") if edit and self.panel == "drop" else None

    async def _carry_out(self, edit: Edit, done: str) -> Any:
        effect = await bridge.call(self, working.save, edit=edit)
        await self._show()
        self.tell(f"{done} {timetable.done_in_words(effect)}")
        return self._close()

    def _open(
        self, panel: str, typed: dict[str, str], *, key: int = 0, weekdays: list[int] | None = None, rest: bool = False
    ) -> None:
        self.panel, self.key, self.typed, self.weekdays, self.rest = panel, key, dict(typed), weekdays or [], rest
        self.drawn += 1
        self.problems, self.ready = {}, False
        self.preview_fact, self.preview_rest, self.preview_weeks = "", "", []

    def _close(self) -> Any:
        opened_by = "add-day" if self.panel == "day" or (self.panel == "drop" and self._drops_day) else "add-hours"
        self.panel = ""
        return rx.set_focus(opened_by)

    def _edit(self) -> Edit | None:
        """The edit that the panel means; None, and what is missing in ``problems``, while it means none."""
        self.problems = {}
        try:
            if self.panel == "hours" and self.weekdays:
                today = words.local(bridge.now()).date()
                read = timetable.read_hours(self.typed, weekdays=self.weekdays, rest=self.rest, today=today)
                return PutHours(read, id=self.key or None)
            if self.panel == "day" and self.typed["day"]:
                return AddDay(timetable.read_special(self.typed, kind=self.kind))
        except InvalidForm as refusal:
            self.problems = refusal.errors
            return None
        if self.panel == "drop":
            return DropDay(self.key) if self._drops_day else DropHours(self.key)
        return None

    async def _preview(self) -> None:
        """Say what saving would do, or which field stands in its way."""
        edit = self._edit()
        self.ready, self.preview_fact, self.preview_rest, self.preview_weeks = False, "", "", []
        if edit is None:
            return
        try:
            effect = await bridge.read(self, working.preview, edit=edit)
        except ClinicError as refusal:
            if not refusal.field:
                raise
            self.problems = timetable.problems(refusal)
            return
        today = words.local(bridge.now()).date()
        self.ready = True
        self.preview_fact, self.preview_rest = timetable.effect_in_words(effect, today=today)
        self.preview_weeks = [Week(*week) for week in timetable.weeks_in_words(effect)]

    async def _show(self) -> None:
        """Read the hours and put them on the screen."""
        found = await bridge.read(self, working.hours_page)
        today = words.local(bridge.now()).date()
        self._hours = found.hours
        self.awaiting_approval = not found.approved
        until = words.short_day(found.until, today=today)
        self.lead = f"Slots are published from these hours by themselves, now until {until}."
        self.rules = [
            Line(key, timetable.title_of(each), timetable.details_of(each, today=today))
            for key, each in found.hours.items()
        ]
        self.days = special_lines(found, today=today)
        self.loaded = True


def special_lines(found: HoursPage, *, today: date) -> list[Line]:
    """The days off, the extra hours and the public holidays, by day."""
    listed = [(each.day, key, timetable.special_in_words(each)) for key, each in found.special_days.items()]
    listed += [(day, 0, f"Public holiday: {name}") for day, name in found.holidays.items()]
    return [Line(key, words.short_day(day, today=today), text) for day, key, text in sorted(listed)]


view: Any = WorkingHours  # on a page its attributes are Vars


def page() -> rx.Component:
    """The page."""
    return frame(
        approval_notice(view.awaiting_approval),
        for_doctors(
            theme.page_heading(
                "Working hours",
                rx.cond(view.loaded, view.lead, theme.skeleton("22rem")),
                aside=theme.button(
                    "Add hours", kind="primary", icon_name="plus", id="add-hours", on_click=view.add_hours
                ),
            ),
            beside(theme.stack(_rules(), _days(), gap="loose"), _panel(), shown=view.panel),
        ),
        active=routes.HOURS,
    )


def _rules() -> rx.Component:
    nothing = theme.empty_state(
        "No working hours yet",
        "Say once when you work: your slots are then published for the coming weeks, every week anew.",
        icon_name="calendar-clock",
    )
    listed = theme.rows(
        rx.foreach(
            view.rules,
            lambda line: theme.list_row(
                line.title,
                line.text,
                theme.button(
                    rx.fragment("Edit", theme.unseen(" ", line.title)), compact=True, on_click=view.edit_hours(line.key)
                ),
                _remove(line, is_day=False),
            ),
        )
    )
    return theme.card(
        rx.cond(view.loaded, rx.cond(view.rules, listed, nothing), theme.skeleton_rows(2)),
        title="Every week",
        flush=True,
    )


def _days() -> rx.Component:
    nothing = theme.empty_state(
        "No exceptions ahead",
        "A day off takes back only slots that nobody has booked. Extra hours add slots on a single day.",
        icon_name="calendar-off",
    )
    listed = theme.rows(
        rx.foreach(
            view.days,
            lambda line: theme.list_row(
                line.title, line.text, rx.cond(line.key > 0, _remove(line, is_day=True), rx.fragment())
            ),
        )
    )
    return theme.card(
        rx.cond(view.loaded, rx.cond(view.days, listed, nothing), theme.skeleton_rows(2)),
        title="Days off and extra hours",
        aside=theme.line(
            theme.link_button("Take leave", routes.LEAVE, compact=True, icon_name="plane"),
            theme.button("Add a day", compact=True, icon_name="plus", id="add-day", on_click=view.add_day),
        ),
        flush=True,
    )


def _remove(line: Any, *, is_day: bool) -> rx.Component:
    return theme.button(
        rx.fragment("Remove", theme.unseen(" ", line.title)),
        kind="quiet",
        compact=True,
        on_click=view.ask_drop(line.key, is_day),
    )


def _panel() -> rx.Component:
    return rx.match(
        view.panel,
        ("day", _sheet("Day off or extra hours", _day_form())),
        ("drop", _sheet("Remove", _dropping())),
        _sheet(rx.cond(view.key > 0, "Edit hours", "New hours"), _hours_form()),
    )


def _sheet(title: Any, content: rx.Component) -> rx.Component:
    return theme.panel(
        title,
        content,
        aside=theme.icon_button("Close", "x", compact=True, on_click=view.close),
        label="Change of hours",
        sheet=view.panel,
    )


def _hours_form() -> rx.Component:
    return _form(
        weekday_choice(view.weekdays, view.plan_weekday, error=view.problems["weekdays"]),
        _times(),
        theme.stack(
            theme.pair(
                _length(),
                minutes(view, "Pause", "pause", PAUSES, none="none"),
            ),
            theme.checkbox("Break", default_checked=view.rest, on_change=view.plan_rest),
            rx.cond(
                view.rest,
                theme.pair(
                    typed(view, "Break from", "break_start", type="time"),
                    typed(view, "Break until", "break_end", type="time"),
                ),
            ),
            gap="tight",
        ),
        typed(view, "First day", "valid_from", type="date", hint="Empty means from today.", icon_name="calendar"),
        typed(view, "Last day", "valid_until", type="date", optional=True, icon_name="calendar"),
        _preview("Choose the days on which these hours apply."),
        _save("Save hours"),
    )


def _day_form() -> rx.Component:
    kinds = (
        theme.segment(
            label,
            name="kind",
            value=kind,
            default_checked=view.kind == kind,
            on_change=lambda _, kind=kind: view.plan_kind(kind),
        )
        for kind, label in _KINDS
    )
    return _form(
        theme.segments("What to enter", *kinds, hide_label=True),
        typed(view, "Day", "day", type="date", icon_name="calendar"),
        rx.cond(view.kind != "day", _times()),
        rx.cond(view.kind == "extra", _length()),
        _preview("Choose the day."),
        _save("Save day"),
    )


def _dropping() -> rx.Component:
    return theme.stack(
        _preview(""),
        theme.confirm(
            rx.fragment("Remove ", view.name, "?"),
            "What is booked stays booked, and nobody is told.",
            theme.button("Remove", kind="danger", solid=True, on_click=view.drop, disabled=~view.ready),
            theme.button("Keep", auto_focus=True, on_click=view.close),
        ),
    )


def _form(*fields: Any) -> rx.Component:
    return theme.form(*fields, on_submit=view.save, key=f"{view.panel}-{view.drawn}")


def _times() -> rx.Component:
    return theme.pair(typed(view, "From", "start", type="time"), typed(view, "Until", "end", type="time"))


def _length() -> rx.Component:
    return minutes(view, "Slot length", "length", LENGTHS)


def _preview(waiting: str) -> rx.Component:
    """What saving would do; always there, so that it is read out when it changes."""
    return rx.el.div(
        rx.cond(
            view.ready,
            rx.fragment(
                rx.el.strong(view.preview_fact),
                view.preview_rest,
                rx.cond(
                    view.preview_weeks,
                    rx.el.dl(
                        rx.foreach(
                            view.preview_weeks, lambda week: rx.fragment(rx.el.dt(week.name), rx.el.dd(week.text))
                        ),
                        class_name="facts",
                    ),
                ),
            ),
            rx.el.span(rx.cond(view.problems, "Please look at the fields above.", waiting)),
        ),
        class_name="well",
        role="status",
    )


def _save(label: str) -> rx.Component:
    return theme.button(label, kind="primary", type="submit", full=True, disabled=~view.ready)
