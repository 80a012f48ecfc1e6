"""A doctor's day: who comes when, what is still free, and how the week looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import reflex as rx

from mhms_app import routes
from mhms_app.accounts.rules import initials
from mhms_app.availability import service as availability
from mhms_app.availability.slots import BUSY, on_doctor
from mhms_app.booking import agenda, changes
from mhms_app.booking.agenda import Entry
from mhms_app.booking.lists import VisitRow
from mhms_app.booking.rules import LATE_AFTER, why_not_movable_to
from mhms_app.live.hub import hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import statuses
from mhms_app.web.components.unconfirmed import unconfirmed
from mhms_app.web.doctor.pieces import approval_notice, day_shown, for_doctors, short_name
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_FIRST, _MORE, _MOST = 5, 10, 100
_STILL_LATE = timedelta(hours=2)
_STEPS = {  # from one status to another, the likeliest first
    "booked": {"checked_in": "Check in", "no_show": "No-show"},
    "checked_in": {"completed": "Complete", "booked": "Undo"},
    "no_show": {"checked_in": "Came after all"},
    "completed": {"checked_in": "Undo"},
}
_NO_REASON = "No reason given"
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Step:
    """A button that marks what became of an appointment."""

    label: str
    status: str


@dataclass(frozen=True, slots=True)
class Line:
    """One slot of the day; without a patient it is free, unused or held.

    Attributes:
        free: it can still be booked, and withdrawn.
        appointment_id: 0 without a patient.
        steps: what the doctor can mark now, the likeliest first.
    """

    slot_id: int
    time: str
    name: str
    initials: str
    reason: str
    status: str
    tone: str
    free: bool
    appointment_id: int
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Weekday:
    """One bar of the week; ``share`` is its height, 0 to 100."""

    name: str
    share: int
    words: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment of a later day."""

    name: str
    when: str
    reason: str


class Day(Screen):
    """What the page of one day shows."""

    heading: str = ""
    lead: str = ""
    awaiting_approval: bool = False
    previous_day: str = routes.DOCTOR
    next_day: str = routes.DOCTOR
    lines: list[Line] = []
    is_over: bool = False
    asked: int = 0  # the slot about which "Withdraw?" is asked
    week: list[Weekday] = []
    week_name: str = ""
    week_summary: str = ""
    visits: list[Visit] = []
    more_visits: bool = False
    unused: str = ""

    _day: date = date.min
    _visits: int = _FIRST

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show the day that the address names, or today."""
        today = words.local(bridge.now()).date()
        self._day = day_shown(self.router.url.query_parameters.get("day", ""), today=today)
        self._visits, self.asked = _FIRST, 0
        await self._show()

    @handler(Role.DOCTOR)
    async def show_more(self) -> None:
        """Show more of the later appointments."""
        self._visits = min(self._visits + _MORE, _MOST)
        await self._show()

    @handler(Role.DOCTOR, local=True)
    async def ask(self, slot_id: int) -> None:
        """Ask whether a free slot shall be withdrawn; 0 asks about none."""
        self.asked = slot_id

    @handler(Role.DOCTOR)
    async def withdraw(self, slot_id: int) -> None:
        """Withdraw a free slot."""
        self.asked = 0
        await bridge.call(self, availability.withdraw, slot_ids=(slot_id,))
        time = next((line.time for line in self.lines if line.slot_id == slot_id), "The slot")
        self.tell(f"{time} is withdrawn. Patients can no longer book it.")
        await self._show()

    @handler(Role.DOCTOR)
    async def mark(self, appointment_id: int, status: Literal["booked", "checked_in", "completed", "no_show"]) -> None:
        """Mark what became of an appointment, or take that back."""
        await bridge.call(self, changes.set_status, appointment_id=appointment_id, status=status)
        await self._show()

    async def _show(self) -> None:
        """Read the day and put it on the screen."""
        heard = hub.heard
        found = await bridge.read(self, agenda.day, of=self._day, upcoming=self._visits)
        now, day = bridge.now(), self._day
        today = words.local(now).date()
        entries = [entry for entry in found.week if words.local(entry.starts_at).date() == day]
        self.heading, self.lead = words.long_day(day), lead(entries, now=now, is_today=day == today)
        self.awaiting_approval = not found.doctor.approved
        self.previous_day, self.next_day = (routes.doctor_day(day + timedelta(days=step)) for step in (-1, 1))
        self.lines = [_line(entry, now) for entry in entries]
        self.is_over = day < today
        self.week = weekdays(found.week)
        monday = words.monday_of(day)
        here = monday == words.monday_of(today)
        self.week_name = "This week" if here else words.days_between(monday, monday + timedelta(days=6))
        self.week_summary = _week_summary(found.week)
        self.visits = [_visit(row, now) for row in found.upcoming.rows]
        self.more_visits = found.upcoming.total > len(found.upcoming.rows) < _MOST
        self.unused = unused(found.unused)
        hub.watch(self, on_doctor(found.doctor.id), since=heard)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Show what was booked, moved or published just now."""
        await self._show()


def lead(entries: list[Entry], *, now: datetime, is_today: bool) -> str:
    """The day in one line: "9 appointments, 3 free slots. Next: T. Brandt at 10:00."."""
    if not entries:
        return "No slots on this day."
    visits = [entry for entry in entries if entry.patient]
    free = sum(entry.state == "open" and entry.starts_at > now for entry in entries)
    parts = [words.count(len(visits), "appointment") if visits else "No appointments"]
    unused = sum(entry.state == "open" and entry.starts_at <= now for entry in entries)
    if free:
        parts.append(words.count(free, "free slot"))
    elif unused and not is_today:
        parts.append(words.count(unused, "unused slot"))
    said = f"{', '.join(parts)}."
    if not is_today or not visits:
        return said
    if waiting := next((entry for entry in visits if entry.status == "checked_in"), None):
        return f"{said} {short_name(waiting.patient)} is waiting."
    if following := next((entry for entry in visits if entry.status == "booked" and entry.starts_at > now), None):
        return f"{said} Next: {short_name(following.patient)} at {words.clock(following.starts_at)}."
    return said


def weekdays(entries: Iterable[Entry]) -> list[Weekday]:
    """How much of each day of a week is booked; a weekend without slots is not shown."""
    published: Counter[int] = Counter()
    booked: Counter[int] = Counter()
    for entry in entries:
        weekday = words.local(entry.starts_at).weekday()
        published[weekday] += 1
        booked[weekday] += bool(entry.patient)
    most = max(1, *booked.values()) if booked else 1
    return [
        Weekday(
            name=words.weekday(date(2024, 1, 1 + day)),  # a Monday and the days after it
            share=round(100 * booked[day] / most),
            words=f"{booked[day]} of {published[day]} booked",
            shown=day < 5 or published[day] > 0,
        )
        for day in range(7)
    ]


def unused(starts: tuple[datetime, ...]) -> str:
    """What the slots that nobody booked come to, and whether they have a weekday in common."""
    if not starts:
        return "Every slot of the last four weeks was booked."
    weekday, times = Counter(words.local(start).weekday() for start in starts).most_common(1)[0]
    mostly = f", mostly on {_WEEKDAYS[weekday]}" if 2 * times > len(starts) > 2 else ""
    return f"{words.count(len(starts), 'free slot')} passed unbooked in the last four weeks{mostly}."


def _week_summary(entries: tuple[Entry, ...]) -> str:
    booked = sum(bool(entry.patient) for entry in entries)
    return f"{booked} of {words.count(len(entries), 'slot')} booked" if entries else "No slots in this week."


def _line(entry: Entry, now: datetime) -> Line:
    time = words.clock(entry.starts_at)
    if entry.patient:
        status, tone = _status(entry, now)
        reason, steps = entry.reason or _NO_REASON, _steps(entry, now)
        return Line(
            entry.slot_id, time, entry.patient, initials(entry.patient), reason, status, tone, False,
            entry.appointment_id, steps,
        )  # fmt: skip
    free = entry.state == "open" and entry.starts_at > now
    name = "Free" if free else {"open": "Unused", BUSY: "Busy elsewhere"}.get(entry.state, "Being booked")
    return Line(entry.slot_id, time, name, "", "", "", "", free, 0, [])


def _status(entry: Entry, now: datetime) -> tuple[str, str]:
    """What an appointment is called; who should be here and is not, is late."""
    late = now - entry.starts_at
    if entry.status == "booked" and late >= LATE_AFTER and now < entry.ends_at + _STILL_LATE:
        return f"{late // timedelta(minutes=1)} min late", "warn"
    return statuses.APPOINTMENT[entry.status]


def _steps(entry: Entry, now: datetime) -> list[Step]:
    """What can be marked now: the transitions that are legal at this moment, in the order of the day."""
    return [
        Step(label, status)
        for status, label in _STEPS[entry.status].items()
        if why_not_movable_to(entry.status, status, entry.starts_at, now=now) is None
    ]


def _visit(row: VisitRow, now: datetime) -> Visit:
    return Visit(row.patient, words.moment(row.starts_at, now=now), row.reason or _NO_REASON)


def page() -> rx.Component:
    """The page of one day."""
    content = theme.stack(_heading(), unconfirmed("then patients can find you."), _lines(), gap="loose")
    return frame(
        approval_notice(Day.awaiting_approval),
        for_doctors(
            rx.cond(
                Day.heading,
                theme.split(content, _week(), _upcoming(), _unused(), _profile(), side_width=320),
                _skeleton(),
            )
        ),
        active=routes.DOCTOR,
    )


def _heading() -> rx.Component:
    return theme.page_heading(
        Day.heading,
        rx.el.span(Day.lead, aria_live="polite"),
        aside=theme.steps(
            on_previous=Day.previous_day, on_today=routes.DOCTOR, on_next=Day.next_day, today="Today", unit="day"
        ),
    )


def _lines() -> rx.Component:
    nothing = rx.cond(
        Day.is_over,
        theme.empty_state("Nothing on this day", "No slots were published.", icon_name="calendar"),
        theme.empty_state(
            "No slots on this day",
            "Patients can book you once you publish the times at which you see them.",
            theme.link_button("Publish slots", routes.AVAILABILITY, kind="primary", icon_name="calendar-plus"),
            icon_name="calendar-plus",
        ),
    )
    return theme.card(rx.cond(Day.lines, theme.rows(rx.foreach(Day.lines, _row)), nothing), flush=True)


def _row(line: Line) -> rx.Component:
    visit = theme.list_row(
        line.name,
        line.reason,
        theme.chip(line.status, line.tone),
        rx.foreach(line.steps, lambda step: _step(line, step)),
        when=line.time,
        initials=line.initials,
    )
    free = theme.list_row(
        line.name,
        None,
        rx.cond(
            line.free,
            theme.button(
                rx.fragment("Withdraw", theme.unseen(" ", line.time)),
                kind="quiet",
                compact=True,
                on_click=Day.ask(line.slot_id),
            ),
        ),
        when=line.time,
        sunken=True,
    )
    return rx.cond(line.status, visit, rx.cond(Day.asked == line.slot_id, _question(line), free))


def _step(line: Line, step: Step) -> rx.Component:
    return theme.button(
        rx.fragment(step.label, theme.unseen(": ", line.name)),
        kind="quiet",
        compact=True,
        on_click=Day.mark(line.appointment_id, step.status),
    )


def _question(line: Line) -> rx.Component:
    return rx.el.li(
        theme.confirm(
            rx.fragment("Withdraw ", line.time, "?"),
            "Patients can no longer book this time. Nobody has booked it, so nobody is told.",
            theme.button("Withdraw slot", kind="danger", solid=True, compact=True, on_click=Day.withdraw(line.slot_id)),
            theme.button("Keep it", compact=True, auto_focus=True, on_click=Day.ask(0)),
        ),
    )


def _week() -> rx.Component:
    return theme.card(
        theme.bars(
            "Booked slots by weekday",
            rx.foreach(
                Day.week,
                lambda day: rx.cond(
                    day.shown, theme.bar(day.name, day.share, day.words, current=day.name == Day.heading[:3])
                ),
            ),
        ),
        rx.el.p(Day.week_summary, class_name="small second"),
        title=Day.week_name,
    )


def _upcoming() -> rx.Component:
    some = theme.rows(
        rx.foreach(Day.visits, lambda visit: theme.list_row(visit.name, rx.fragment(visit.when, " · ", visit.reason)))
    )
    return theme.card(
        rx.cond(
            Day.visits,
            some,
            rx.el.p("No later appointments.", class_name="small second"),
        ),
        rx.cond(Day.more_visits, theme.button("Show more", compact=True, full=True, on_click=Day.show_more)),
        title="Upcoming",
    )


def _unused() -> rx.Component:
    return theme.card(
        rx.el.p(Day.unused, class_name="small second"),
        theme.link_button("See unused slots", routes.UNUSED_SLOTS, compact=True, full=True),
        title="Unused slots",
    )


def _profile() -> rx.Component:
    return theme.card(
        rx.el.p("Your title, biography and languages, as patients read them.", class_name="small second"),
        theme.link_button("Edit your profile", routes.OWN_PROFILE, compact=True, full=True),
        title="Profile",
    )


def _skeleton() -> rx.Component:
    bone = theme.card(theme.skeleton("7rem"), theme.skeleton("100%", "96px"))
    return theme.split(
        theme.stack(
            theme.stack(theme.skeleton("18rem", "34px"), theme.skeleton("15rem", "22px"), gap="tight"),
            theme.card(theme.skeleton_rows(8), flush=True),
            gap="loose",
        ),
        bone,
        bone,
        side_width=320,
    )
