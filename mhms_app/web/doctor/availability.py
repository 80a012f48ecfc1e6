"""A doctor's weeks: what is free and booked, publishing slots, giving them another time, and withdrawing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.availability import rules
from mhms_app.availability import service as availability
from mhms_app.availability.rules import Plan
from mhms_app.availability.service import Preview
from mhms_app.availability.slots import on_doctor
from mhms_app.booking import agenda
from mhms_app.errors import InvalidForm
from mhms_app.live.hub import hub
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.address import address
from mhms_app.web.doctor import plan as planning
from mhms_app.web.doctor import week as drawing
from mhms_app.web.doctor.choosing import Choosing, Day, Minute
from mhms_app.web.doctor.panels import panel
from mhms_app.web.doctor.pieces import approval_notice, day_of, day_shown, for_doctors
from mhms_app.web.doctor.week import Lane
from mhms_app.web.doctor.week_view import week
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

FieldName = Literal["start", "end", "length", "pause", "lunch_start", "lunch_end", "last_day", "day", "time"]


class Availability(Choosing, Screen):
    """What the page of one week shows, or of one day of it.

    Attributes:
        heading, summary, clock_note: of what is shown.
        where: of which time the summary is, unless it says so itself.
        previous, today, following: addresses one step back, now, and one step on.
        as_week, as_day: addresses of the same in the other view; ``address`` is that of what is shown.
        first_hour, now_at, now_left: where the grid begins, and the line of the present in it.
        chosen_day: the day that phones show, and everybody when ``one_day``.
        typed, weekdays, single, lunch: the form of publishing as it is filled in.
        drawn: it is drawn anew when this changes.
        problems: a sentence by field; unlike ``errors`` they stay until the form changes.
        fresh: how many slots publishing would add.
    """

    heading: str = ""
    summary: str = ""
    where: str = ""
    zone: str = ""
    clock_note: str = ""
    address: str = ""
    previous: str = routes.AVAILABILITY
    today: str = routes.AVAILABILITY
    following: str = routes.AVAILABILITY
    as_week: str = routes.AVAILABILITY
    as_day: str = routes.AVAILABILITY
    one_day: bool = False
    awaiting_approval: bool = False
    hours: list[str] = []
    first_hour: int = 0
    now_at: int = 0
    now_left: int = 0
    shortest: int = 30
    lanes: list[Lane] = []
    chosen_day: str = ""

    typed: dict[str, str] = planning.UNTOUCHED
    weekdays: list[int] = []
    single: bool = False
    lunch: bool = False
    drawn: int = 0
    problems: dict[str, str] = {}
    fresh: int = 0
    preview_fact: str = ""
    preview_rest: str = ""
    preview_wait: str = ""

    _monday: date = date.min

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show the week or the day that the address names, or this week; the form stays as it was filled in."""
        today, asked = words.local(bridge.now()).date(), self.router.url.query_parameters
        self.one_day, self.address = "day" in asked, ""
        day = day_shown(asked.get("day", "") if self.one_day else asked.get("week", ""), today=today)
        if words.monday_of(day) != self._monday:
            self._monday, self.picked_ids, self.asked, self.chosen_day = words.monday_of(day), [], False, ""
        if self.one_day:
            self.chosen_day = day.isoformat()
        self.sheet_open, self.focused = False, 0
        await self._show()

    @handler(Role.DOCTOR)
    async def show_day(self, day: Day) -> None:
        """Show another day of the week where there is room for one."""
        self.chosen_day = day
        await self._show()
        self.address = self.as_day if self.one_day else ""

    @handler(Role.DOCTOR, local=True)
    async def open_sheet(self, is_open: bool) -> None:
        """Open the panel on a phone, or close it."""
        self.sheet_open = is_open

    # Publishing

    @handler(Role.DOCTOR)
    async def plan_stretch(self, day: Day, start: Minute, end: Minute) -> Any:
        """Plan the hours over which somebody dragged, and go on in the form."""
        self._pick(())
        hours = {"start": f"{planning.clock_of(start):%H:%M}", "end": f"{planning.clock_of(end):%H:%M}"}
        self.typed = {**self.typed, **hours, "last_day": ""}
        self.weekdays, self.single, self.lunch = [planning.day_of(day).weekday()], False, False
        self.drawn, self.answered, self.focused = self.drawn + 1, self.answered + 1, 0
        self.sheet_open = True
        await self._show()
        return rx.set_focus("panel")

    @handler(Role.DOCTOR)
    async def plan_single(self, is_single: bool) -> None:
        """Plan one slot, or a range of hours."""
        self.single = is_single
        if is_single and not self.typed["day"]:
            today = words.local(bridge.now()).date()
            self.typed = {**self.typed, "day": max(self._monday, today).isoformat()}
        await self._show()

    @handler(Role.DOCTOR)
    async def plan_weekday(self, weekday: Annotated[int, Field(ge=0, le=6)], is_on: bool) -> None:
        """Plan hours on a day of the week, or not."""
        self.weekdays = sorted({*self.weekdays, weekday} if is_on else {*self.weekdays} - {weekday})
        await self._show()

    @handler(Role.DOCTOR)
    async def plan_lunch(self, is_on: bool) -> None:
        """Leave time for lunch, or not."""
        self.lunch = is_on
        await self._show()

    @handler(Role.DOCTOR)
    async def fill_in(self, name: FieldName, value: Annotated[str, Field(max_length=20)]) -> None:
        """Take what was typed into a field."""
        self.typed = {**self.typed, name: value}
        await self._show()

    @handler(Role.DOCTOR)
    async def publish(self, form: planning.Typed) -> None:
        """Publish what the preview shows; what was typed only a moment ago is previewed first."""
        typed = planning.shown(self.typed, form)
        if typed != self.typed:
            self.typed = typed
        elif planned := self._plan():
            done = await bridge.call(self, availability.publish, plan=planned)
            seen = "once an administrator has approved you" if self.awaiting_approval else "now"
            it = "it" if done.created == 1 else "them"
            self.tell(f"{words.count(done.created, 'slot')} published. Patients can book {it} {seen}.")
            self.weekdays, self.single, self.sheet_open = [], False, False
            self.drawn += 1
        await self._show()

    # Showing

    def _plan(self) -> Plan | None:
        """The plan that the form means; None, and what is missing in ``problems``, while it means none."""
        self.problems = {}
        try:
            if self.single:
                return planning.read_single(self.typed)
            if not self.weekdays:
                return None
            return planning.read_range(self.typed, monday=self._monday, weekdays=self.weekdays, lunch=self.lunch)
        except InvalidForm as refusal:
            self.problems = refusal.errors
            return None

    async def _show(self) -> None:
        """Read the week and what publishing the form would add, and put both on the screen."""
        planned = self._plan()
        heard = hub.heard
        found = await bridge.read(self, agenda.week, of=self._monday, plan=planned)
        self._show_week(found, planned)
        self._show_heading(found)
        self._show_preview(found)
        hub.watch(self, on_doctor(found.doctor.id), since=heard)

    def _show_week(self, found: agenda.Week, planned: Plan | None) -> None:
        now, monday = bridge.now(), self._monday
        fresh = found.preview.fresh if found.preview else ()
        stretches = planning.runs(fresh, pause=planned.pause) if planned else []
        stretches = [run for run in stretches if words.monday_of(day_of(run[0])) == monday]
        hours = drawing.span_of_hours(
            [*((e.starts_at, e.ends_at) for e in found.entries), *((a, b) for a, b, _ in stretches)]
        )
        asked = {date.fromisoformat(self.chosen_day).weekday()} if self.one_day else set[int]()
        asked |= set() if self.single else set(self.weekdays)
        lanes = drawing.lay_out(found.entries, stretches, monday=monday, now=now, hours=hours, asked=asked)
        self._free = {e.slot_id: (e.starts_at, e.ends_at) for e in found.entries if drawing.is_free(e, now)}
        self._held = {e.slot_id for e in found.entries if e.state == "held"}
        self.awaiting_approval = not found.doctor.approved
        self.hours, self.first_hour = [f"{hour:02}:00" for hour in range(*hours)], hours[0]
        self.now_at, self.now_left = drawing.now_line(now, hours=hours)
        self.shortest = drawing.shortest_of(found.entries)
        if lanes != self.lanes:  # a week of slots is sent only when it has changed
            self.lanes = lanes
        days = [lane for lane in lanes if lane.shown]
        if self.chosen_day not in {lane.day for lane in days}:
            here = next((lane.day for lane in days if lane.today), "")
            self.chosen_day = here or next((lane.day for lane in days if lane.blocks), days[0].day)
        self._pick(set(self.picked_ids) & set(self._free))

    def _show_heading(self, found: agenda.Week) -> None:
        now, monday, day = bridge.now(), self._monday, date.fromisoformat(self.chosen_day)
        days = [date.fromisoformat(lane.day) for lane in self.lanes if lane.shown]
        inside = [entry for entry in found.entries if not self.one_day or day_of(entry.starts_at) == day]
        self.heading = words.long_day(day) if self.one_day else words.days_between(days[0], days[-1])
        where = "on this day" if self.one_day else "in this week"
        self.summary, self.where = drawing.week_in_words(inside, now=now, where=where), where if inside else ""
        self.zone = words.zone_name(rules.span(monday, 1, zone=settings().zone)[0])
        self.clock_note = drawing.odd_in_words([day] if self.one_day else days)
        self.as_week, self.as_day = routes.doctor_week(monday), routes.doctor_calendar_day(day)
        if self.one_day:
            self.previous, self.following = (routes.doctor_calendar_day(day + step * rules.DAY) for step in (-1, 1))
            self.today = routes.doctor_calendar_day(day_of(now))
        else:
            self.previous, self.following = (routes.doctor_week(monday + timedelta(weeks=step)) for step in (-1, 1))
            self.today = routes.AVAILABILITY

    def _show_preview(self, found: agenda.Week) -> None:
        if found.refusal:
            self.problems = planning.problems(found.refusal, single=self.single)
        today = day_of(bridge.now())
        self.fresh = len(found.preview.fresh) if found.preview else 0
        self.preview_fact, self.preview_rest = preview_in_words(found.preview, today=today)
        self.preview_wait = self.problems.get("first_day") or waiting_for(self.problems, single=self.single)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Show what was booked, moved or published just now; what is typed or chosen stays as it is."""
        before = len(self.picked_ids)
        await self._show()
        if lost := before - len(self.picked_ids):
            self.tell(f"{words.count(lost, 'chosen slot')} can no longer be withdrawn.", tone="warn")


def preview_in_words(preview: Preview | None, *, today: date) -> tuple[str, str]:
    """What the preview says; nothing while the form means no plan."""
    return planning.summary(preview, today=today) if preview else ("", "")


def waiting_for(problems: Mapping[str, str], *, single: bool) -> str:
    """What the form needs before there is a preview."""
    if problems:
        return "Please look at the fields above."
    return "" if single else "Choose the days on which these hours apply."


view: Any = Availability  # on a page its attributes are Vars


def page() -> rx.Component:
    """The page of one week, or of one day of it."""
    return frame(
        address(view.address),
        approval_notice(view.awaiting_approval),
        for_doctors(rx.cond(view.heading, theme.split(week(view), panel(view), side_width=348), _skeleton())),
        active=routes.AVAILABILITY,
        wide=True,
    )


def _skeleton() -> rx.Component:
    return theme.split(
        theme.stack(theme.skeleton("16rem", "34px"), theme.skeleton("12rem", "24px"), theme.skeleton("100%", "600px")),
        theme.card(*(theme.skeleton("100%", "64px") for _ in range(6))),
        side_width=348,
    )
