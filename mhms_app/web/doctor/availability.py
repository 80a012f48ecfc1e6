"""A doctor's weeks: what is free and booked, publishing slots and withdrawing them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.availability import rules
from mhms_app.availability import service as availability
from mhms_app.availability.rules import Plan
from mhms_app.availability.service import Preview
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import agenda
from mhms_app.booking.agenda import Entry, Week
from mhms_app.errors import ClinicError, InvalidForm
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.pause import pause
from mhms_app.web.doctor import plan as planning
from mhms_app.web.doctor.pieces import approval_notice, day_shown, for_doctors, short_name
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_EARLIEST, _LATEST = 8, 18
_SHORTEST, _USUAL = 5, 30
_WEEKEND = 5
_LISTED = 6  # so many chosen times of a day are named, more are counted
_LETTERS = ("M", "T", "W", "Th", "F", "Sa", "Su")
_PAST_WORDS = {"completed": "seen", "no_show": "no-show"}

FieldName = Literal["start", "end", "length", "pause", "lunch_start", "lunch_end", "last_day", "day", "time"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time in a day's lane.

    Attributes:
        slot_id: 0 for what is not yet published.
        since, minutes: where it stands, from the first hour of the grid.
        kind: "" (free), booked, past or planned.
        text: "10:00 free".
        label: "10:00 – 10:20, free, Tuesday, 24 November".
    """

    slot_id: int
    since: int
    minutes: int
    kind: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One day of the week; ``shown`` is false for a weekend day without anything in it."""

    day: str
    weekday: str
    number: str
    label: str
    free: str
    today: bool
    shown: bool
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Picked:
    """The chosen slots of one day, and how many more of it could be chosen."""

    day: str
    name: str
    times: str
    offer: str


class Availability(Screen):
    """What the page of one week shows.

    Attributes:
        chosen_day: the day that phones show.
        picked_ids: the free slots chosen to be withdrawn.
        typed, weekdays, single, lunch: the form as it is filled in.
        drawn: its choices are drawn anew when this changes.
        problems: a sentence by field; unlike ``errors`` they stay until the form changes.
        fresh: how many slots publishing would add.
    """

    heading: str = ""
    summary: str = ""
    previous_week: str = routes.AVAILABILITY
    next_week: str = routes.AVAILABILITY
    awaiting_approval: bool = False
    hours: list[str] = []
    shortest: int = _USUAL
    lanes: list[Lane] = []
    chosen_day: str = ""

    picked_ids: list[int] = []
    picked: list[Picked] = []
    withdraw_words: str = ""
    offer_week: str = ""
    footnote: str = ""
    asked: bool = False

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
    sheet_open: bool = False

    _monday: date = date.min
    _free: dict[int, datetime] = {}

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show the week that the address names, or this one; the form stays as it was filled in."""
        today = words.local(bridge.now()).date()
        monday = words.monday_of(day_shown(self.router.url.query_parameters.get("week", ""), today=today))
        if monday != self._monday:
            self._monday, self.picked_ids, self.asked, self.chosen_day = monday, [], False, ""
        self.sheet_open = False
        await self._show()

    @handler(Role.DOCTOR, local=True)
    async def show_day(self, day: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]) -> None:
        """Show another day of the week on a phone."""
        self.chosen_day = day

    @handler(Role.DOCTOR, local=True)
    async def open_sheet(self, is_open: bool) -> None:
        """Open the panel on a phone, or close it."""
        self.sheet_open = is_open

    # Withdrawing

    @handler(Role.DOCTOR, local=True)
    async def pick(self, slot_id: int) -> None:
        """Choose a free slot, or let go of it; one that is booked says why it cannot be chosen."""
        if slot_id not in self._free:
            raise rules.SlotBooked
        self._pick(set(self.picked_ids) ^ {slot_id})

    @handler(Role.DOCTOR, local=True)
    async def pick_day(self, day: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]) -> None:
        """Choose every free slot of a day too."""
        self._pick(
            {*self.picked_ids, *(key for key, at in self._free.items() if words.local(at).date().isoformat() == day)}
        )

    @handler(Role.DOCTOR, local=True)
    async def pick_week(self) -> None:
        """Choose every free slot of the week."""
        self._pick(self._free)

    @handler(Role.DOCTOR, local=True)
    async def pick_none(self) -> None:
        """Let go of every chosen slot."""
        self.sheet_open = False
        self._pick(())

    @handler(Role.DOCTOR, local=True)
    async def ask(self, is_asked: bool) -> None:
        """Ask whether the chosen slots shall be withdrawn."""
        self.asked = is_asked

    @handler(Role.DOCTOR)
    async def withdraw(self) -> None:
        """Withdraw the chosen slots."""
        chosen, self.asked, self.sheet_open = tuple(self.picked_ids), False, False
        done = await bridge.call(self, availability.withdraw, slot_ids=chosen)
        kept = f" {words.count(done.kept, 'slot')} could not be withdrawn any more." if done.kept else ""
        self.tell(f"{words.count(done.withdrawn, 'slot')} withdrawn. Patients can no longer book this time.{kept}")
        self._pick(())
        await self._show()

    # Publishing

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
            self.tell(f"{words.count(done.created, 'slot')} published. Patients can book them {seen}.")
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
        found = await bridge.read(self, agenda.week, of=self._monday, plan=planned)
        self._show_week(found, planned)
        self._show_preview(found)
        hub.watch(self, found.doctor.id)

    def _show_week(self, found: Week, planned: Plan | None) -> None:
        now, monday = bridge.now(), self._monday
        today = words.local(now).date()
        fresh = found.preview.fresh if found.preview else ()
        stretches = planning.runs(fresh, pause=planned.pause) if planned else []
        stretches = [run for run in stretches if words.monday_of(words.local(run[0]).date()) == monday]
        first, last = span_of_hours(
            [*((e.starts_at, e.ends_at) for e in found.entries), *((a, b) for a, b, _ in stretches)]
        )
        lanes = lay_out(found.entries, stretches, monday=monday, now=now, first_hour=first, asked=self._asked_days())
        self._free = {e.slot_id: e.starts_at for e in found.entries if is_free(e, now)}
        days = [lane for lane in lanes if lane.shown]
        self.heading = words.days_between(date.fromisoformat(days[0].day), date.fromisoformat(days[-1].day))
        self.summary = week_in_words(found.entries, now=now)
        self.previous_week, self.next_week = (routes.doctor_week(monday + timedelta(weeks=step)) for step in (-1, 1))
        self.awaiting_approval = not found.doctor.approved
        self.hours = [f"{hour:02}:00" for hour in range(first, last)]
        self.shortest = shortest_of(found.entries)
        if lanes != self.lanes:  # a week of slots is sent only when it has changed
            self.lanes = lanes
        if self.chosen_day not in {lane.day for lane in days}:
            here = next((lane.day for lane in days if lane.day == today.isoformat()), "")
            self.chosen_day = here or next((lane.day for lane in days if lane.blocks), days[0].day)
        self._pick(set(self.picked_ids) & set(self._free))

    def _asked_days(self) -> set[int]:
        """The days that the form is about, in this week."""
        return set() if self.single else set(self.weekdays)

    def _show_preview(self, found: Week) -> None:
        if found.refusal:
            self.problems = planning.problems(found.refusal, single=self.single)
        today = words.local(bridge.now()).date()
        self.fresh = len(found.preview.fresh) if found.preview else 0
        self.preview_fact, self.preview_rest = preview_in_words(found.preview, today=today)
        self.preview_wait = self.problems.get("first_day") or waiting_for(self.problems, single=self.single)

    def _pick(self, slot_ids: Iterable[int]) -> None:
        """Choose exactly these slots, and say so."""
        chosen = sorted(slot_ids, key=lambda key: self._free[key])
        if chosen != self.picked_ids:
            self.picked_ids = chosen
            self.asked = False
        self.picked = picked_by_day(chosen, self._free)
        self.withdraw_words = f"Withdraw {words.count(len(chosen), 'slot')}"
        self.footnote = "Choose free slots to withdraw them." if self._free else ""
        self.offer_week = f"Choose all {len(self._free)} free slots" if len(chosen) < len(self._free) else ""

    async def _on_slots_changed(self, change: SlotsChanged) -> None:
        """Show what was booked or published just now; whoever is logged out meanwhile sees it at the next click."""
        before = len(self.picked_ids)
        with suppress(ClinicError):
            await self._show()
            if lost := before - len(self.picked_ids):
                self.tell(f"{words.count(lost, 'chosen slot')} can no longer be withdrawn.", tone="warn")

    async def _settle(self) -> None:
        """Nothing lingers here."""


def is_free(entry: Entry, now: datetime) -> bool:
    """Whether a slot can be booked, and so withdrawn."""
    return rules.why_not_withdrawable(entry.state, entry.starts_at, now=now) is None


def span_of_hours(times: Iterable[tuple[datetime, datetime]]) -> tuple[int, int]:
    """From which hour until which a week is drawn: a working day, and more when there are slots outside of it."""
    first, last = _EARLIEST, _LATEST
    for starts_at, ends_at in times:
        start, end = words.local(starts_at), words.local(ends_at)
        overnight = 24 if end.date() > start.date() else 0
        first = min(first, start.hour)
        last = min(24, max(last, overnight or end.hour + bool(end.minute)))
    return first, last


def shortest_of(entries: Iterable[Entry]) -> int:
    """The minutes of the shortest slot of a week, so that the grid is drawn high enough to read it."""
    minutes = [int((entry.ends_at - entry.starts_at) / timedelta(minutes=1)) for entry in entries]
    return max(_SHORTEST, min([_USUAL, *minutes]))


def lay_out(
    entries: Iterable[Entry],
    stretches: Iterable[tuple[datetime, datetime, int]],
    *,
    monday: date,
    now: datetime,
    first_hour: int,
    asked: set[int],
) -> list[Lane]:
    """The seven days of a week with their blocks. A block stands where a clock on the wall shows its start.

    Args:
        stretches: what is planned: from, until, how many slots.
        asked: days of the week that are shown even when they are empty.
    """
    blocks: dict[date, list[Block]] = {monday + timedelta(days=n): [] for n in range(7)}
    free = dict.fromkeys(blocks, 0)
    for entry in entries:
        day = words.local(entry.starts_at).date()
        blocks[day].append(_block(entry, now=now, first_hour=first_hour))
        free[day] += is_free(entry, now)
    for starts_at, ends_at, count in stretches:
        blocks[words.local(starts_at).date()].append(_planned(starts_at, ends_at, count, first_hour=first_hour))
    today = words.local(now).date()
    return [
        Lane(
            day=day.isoformat(),
            weekday=words.weekday(day),
            number=str(day.day),
            label=f"{words.long_day(day)}, {free[day]} free",
            free=str(free[day] or "–"),
            today=day == today,
            shown=day.weekday() < _WEEKEND or bool(inside) or day.weekday() in asked,
            blocks=inside,
        )
        for day, inside in blocks.items()
    ]


def _block(entry: Entry, *, now: datetime, first_hour: int) -> Block:
    start, past = words.local(entry.starts_at), entry.ends_at <= now
    if entry.patient:
        said = _PAST_WORDS.get(entry.status, short_name(entry.patient)) if past else short_name(entry.patient)
        who, kind = entry.patient, "past" if past else "booked"
    else:
        said = "free" if is_free(entry, now) else "unused" if entry.state == "open" else "being booked"
        who, kind = said, {"free": "", "unused": "past"}.get(said, "booked")
    time, day = words.hours(entry.starts_at, entry.ends_at), words.long_day(start.date())
    return Block(
        entry.slot_id,
        _since(start, first_hour),
        int((entry.ends_at - entry.starts_at) / timedelta(minutes=1)),
        kind,
        f"{start:%H:%M} {said}",
        f"{time}, {who}, {day}",
    )


def _planned(starts_at: datetime, ends_at: datetime, count: int, *, first_hour: int) -> Block:
    start, end = words.local(starts_at), words.local(ends_at)
    minutes = int((end.replace(tzinfo=None) - start.replace(tzinfo=None)) / timedelta(minutes=1))
    text = f"{words.hours(starts_at, ends_at)}, {count} slots" if count > 1 else f"{start:%H:%M} new"
    return Block(0, _since(start, first_hour), minutes, "planned", text, text)


def _since(start: datetime, first_hour: int) -> int:
    return (start.hour - first_hour) * 60 + start.minute


def week_in_words(entries: Iterable[Entry], *, now: datetime) -> str:
    """ "42 free, 18 booked"."""
    known = list(entries)
    free, booked = sum(is_free(entry, now) for entry in known), sum(bool(entry.patient) for entry in known)
    return f"{free} free, {booked} booked" if known else "No slots in this week"


def preview_in_words(preview: Preview | None, *, today: date) -> tuple[str, str]:
    """What the preview says; nothing while the form means no plan."""
    return planning.summary(preview, today=today) if preview else ("", "")


def waiting_for(problems: Mapping[str, str], *, single: bool) -> str:
    """What the form needs before there is a preview."""
    if problems:
        return "Please look at the fields above."
    return "" if single else "Choose the days on which these hours apply."


def picked_by_day(chosen: list[int], free: Mapping[int, datetime]) -> list[Picked]:
    """The chosen slots, a line a day."""
    days: dict[date, list[str]] = {}
    for key in chosen:
        days.setdefault(words.local(free[key]).date(), []).append(words.clock(free[key]))
    found = []
    for day, times in days.items():
        all_free = sum(words.local(at).date() == day for at in free.values())
        offer = f"All {all_free} of this day" if len(times) < all_free else ""
        said = ", ".join(times) if len(times) <= _LISTED else f"{len(times)} slots from {times[0]} to {times[-1]}"
        found.append(Picked(day.isoformat(), words.short_day(day, today=day), said, offer))
    return found


view: Any = Availability  # on a page its attributes are Vars


def page() -> rx.Component:
    """The page of one week."""
    content = theme.stack(_heading(), _days(), _grid(), _footer(), _bar())
    side = rx.el.div(rx.cond(view.picked_ids, _withdrawing(), _publishing()), id="panel")
    return frame(
        approval_notice(view.awaiting_approval),
        for_doctors(rx.cond(view.heading, theme.split(content, side, side_width=348), _skeleton())),
        active=routes.AVAILABILITY,
        wide=True,
    )


def _heading() -> rx.Component:
    return rx.fragment(
        theme.page_heading(
            view.heading,
            rx.el.span(view.summary, aria_live="polite"),
            aside=theme.steps(on_previous=view.previous_week, on_today=routes.AVAILABILITY, on_next=view.next_week),
        ),
        rx.el.div(
            theme.chip("free", "accent"),
            theme.chip("booked", "booked"),
            theme.chip("not yet published", "planned"),
            theme.chip("past"),
            class_name="line only-wide",
            aria_hidden="true",
        ),
    )


def _days() -> rx.Component:
    return theme.day_strip(
        rx.foreach(
            view.lanes,
            lambda lane: rx.cond(
                lane.shown,
                theme.day_tab(
                    lane.weekday,
                    lane.number,
                    lane.free,
                    chosen=lane.day == view.chosen_day,
                    aria_label=lane.label,
                    on_click=view.show_day(lane.day),
                ),
            ),
        )
    )


def _grid() -> rx.Component:
    return rx.fragment(
        rx.el.h2("Slots of the week", class_name="unseen"),
        theme.skip("Skip the slots", "panel"),
        theme.hour_grid(
            rx.foreach(view.hours, rx.el.li),
            rx.foreach(view.lanes, _lane),
            count=view.hours.length(),
            shortest=view.shortest,
        ),
    )


def _lane(lane: Lane) -> rx.Component:
    return rx.cond(
        lane.shown,
        theme.hour_lane(
            lane.weekday,
            lane.number,
            rx.foreach(lane.blocks, _block_view),
            chosen=lane.day == view.chosen_day,
            today=lane.today,
        ),
    )


def _block_view(block: Block) -> rx.Component:
    """A free slot can be chosen; a booked one says why it cannot; the others only stand there."""
    place: dict[str, Any] = {"minutes_from": block.since, "minutes": block.minutes}
    chosen = view.picked_ids.contains(block.slot_id)
    text = rx.el.span(block.text)
    return rx.match(
        block.kind,
        (
            "",
            theme.time_block(
                text,
                kind=rx.cond(chosen, "chosen", ""),
                aria_label=block.label,
                aria_pressed=rx.cond(chosen, "true", "false"),
                on_click=view.pick(block.slot_id),
                **place,
            ),
        ),
        (
            "booked",
            theme.time_block(
                text,
                kind="booked",
                aria_label=block.label,
                aria_disabled="true",
                on_click=view.pick(block.slot_id),
                **place,
            ),
        ),
        theme.time_block(text, kind=block.kind, title=block.label, **place),
    )


def _footer() -> rx.Component:
    return theme.line(
        rx.cond(
            view.footnote,
            rx.el.p(view.footnote, class_name="small second"),
            theme.link("Let your working hours publish slots", routes.HOURS, icon_after="arrow-right"),
        ),
        theme.link("Unused slots", routes.UNUSED_SLOTS, icon_after="arrow-right"),
        apart=True,
    )


def _bar() -> rx.Component:
    """On phones: the way to the panel."""
    chosen = view.picked_ids.length()
    return rx.cond(
        chosen > 0,
        theme.bottom_bar(
            rx.fragment(chosen, " chosen"),
            "Tap more, or withdraw them.",
            theme.button("Continue", kind="primary", on_click=view.open_sheet(True)),
        ),
        theme.bottom_bar(
            view.summary,
            "in this week",
            theme.button("Publish slots", kind="primary", on_click=view.open_sheet(True)),
        ),
    )


def _close() -> rx.Component:
    return rx.el.div(theme.icon_button("Close", "x", on_click=view.open_sheet(False)), class_name="only-phone")


def _withdrawing() -> rx.Component:
    return theme.panel(
        rx.cond(view.picked_ids.length() == 1, "1 slot chosen", f"{view.picked_ids.length()} slots chosen"),
        rx.el.ul(rx.foreach(view.picked, _picked_day), class_name="stack"),
        rx.cond(
            view.offer_week,
            theme.button(view.offer_week, compact=True, full=True, on_click=view.pick_week),
        ),
        rx.cond(
            view.asked,
            theme.confirm(
                rx.fragment(view.withdraw_words, "?"),
                "Patients can no longer book this time. Nobody has booked it, so nobody is told.",
                theme.button(view.withdraw_words, kind="danger", solid=True, on_click=view.withdraw),
                theme.button("Keep", auto_focus=True, on_click=view.ask(False)),
            ),
            theme.stack(
                theme.button(view.withdraw_words, kind="primary", full=True, on_click=view.ask(True)),
                theme.button("Choose none", kind="quiet", full=True, on_click=view.pick_none),
                gap="tight",
            ),
        ),
        aside=_close(),
        label="Withdraw slots",
        sheet=view.sheet_open,
    )


def _picked_day(day: Picked) -> rx.Component:
    return rx.el.li(
        theme.line(
            rx.el.strong(day.name),
            rx.cond(
                day.offer,
                theme.button(day.offer, kind="quiet", compact=True, on_click=view.pick_day(day.day)),
            ),
            apart=True,
        ),
        rx.el.p(day.times, class_name="small second"),
    )


def _publishing() -> rx.Component:
    return theme.panel(
        "Publish slots",
        theme.form(
            rx.fragment(
                theme.segments(
                    "What to publish",
                    theme.segment(
                        "Hours of a week",
                        name="what",
                        value="hours",
                        default_checked=~view.single,
                        on_change=lambda _: view.plan_single(False),
                    ),
                    theme.segment(
                        "One slot",
                        name="what",
                        value="slot",
                        default_checked=view.single,
                        on_change=lambda _: view.plan_single(True),
                    ),
                    hide_label=True,
                ),
                key=f"what-{view.drawn}",
            ),
            rx.cond(view.single, _single(), _range()),
            _preview(),
            theme.button(
                rx.cond(
                    view.fresh == 0,
                    "Publish",
                    rx.cond(view.fresh == 1, "Publish 1 slot", f"Publish {view.fresh} slots"),
                ),
                kind="primary",
                type="submit",
                full=True,
                disabled=view.fresh == 0,
            ),
            on_submit=view.publish,
        ),
        aside=_close(),
        sheet=view.sheet_open,
    )


def _typed(label: str, name: str, **props: Any) -> rx.Component:
    """A field whose text the server follows."""
    return theme.text_field(
        label,
        name,
        default_value=view.typed[name],
        error=view.problems[name],
        on_change=lambda value: view.fill_in(name, value).debounce(pause(name)),
        **props,
    )


def _minutes(label: str, name: str, choices: Iterable[int], *, none: str = "") -> rx.Component:
    return theme.select_field(
        label,
        *(theme.option(str(minutes), f"{minutes} min" if minutes or not none else none) for minutes in choices),
        name=name,
        default_value=view.typed[name],
        error=view.problems[name],
        on_change=lambda value: view.fill_in(name, value),
    )


def _range() -> rx.Component:
    days = (
        theme.segment(
            letter,
            several=True,
            long=f"{words.long_day(date(2024, 1, 1 + day)).partition(',')[0]}",
            default_checked=view.weekdays.contains(day),
            on_change=lambda is_on, day=day: view.plan_weekday(day, is_on),
        )
        for day, letter in enumerate(_LETTERS)
    )
    return rx.fragment(
        rx.fragment(theme.segments("Days", *days, error=view.problems["weekdays"]), key=f"days-{view.drawn}"),
        theme.pair(_typed("From", "start", type="time"), _typed("Until", "end", type="time")),
        theme.stack(
            theme.pair(
                _minutes("Slot length", "length", planning.LENGTHS),
                _minutes("Break", "pause", planning.PAUSES, none="none"),
            ),
            theme.checkbox("Lunch break", default_checked=view.lunch, on_change=view.plan_lunch),
            rx.cond(
                view.lunch,
                theme.pair(
                    _typed("Lunch from", "lunch_start", type="time"), _typed("Lunch until", "lunch_end", type="time")
                ),
            ),
            gap="tight",
        ),
        _typed("Repeat until", "last_day", type="date", hint="Empty means only the week shown.", icon_name="calendar"),
    )


def _single() -> rx.Component:
    return rx.fragment(
        _typed("Day", "day", type="date", icon_name="calendar"),
        theme.pair(_typed("Time", "time", type="time"), _minutes("Slot length", "length", planning.LENGTHS)),
    )


def _preview() -> rx.Component:
    """What publishing would do; always there, so that it is read out when it changes."""
    return rx.el.div(
        rx.cond(
            view.preview_fact,
            rx.fragment(rx.el.strong(view.preview_fact), view.preview_rest),
            rx.el.span(view.preview_wait),
        ),
        class_name="well",
        role="status",
    )


def _skeleton() -> rx.Component:
    return theme.split(
        theme.stack(theme.skeleton("16rem", "34px"), theme.skeleton("12rem", "24px"), theme.skeleton("100%", "600px")),
        theme.card(*(theme.skeleton("100%", "64px") for _ in range(6))),
        side_width=348,
    )
