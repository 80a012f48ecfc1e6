"""Is everything well, and if not, what to do: the clinic's machinery, for an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import reflex as rx

from mhms_app import routes
from mhms_app.actor import Role
from mhms_app.oversight import system
from mhms_app.oversight.figures import Figures
from mhms_app.oversight.system import TASKS, Finding, Mood
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

_MOODS = {Mood.BROKEN: ("Broken", "bad"), Mood.ATTENTION: ("Needs attention", "warn"), Mood.WELL: ("Well", "ok")}
_WORST_FIRST = list(_MOODS)
_NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    name: str
    text: str
    advice: str
    path: str
    mood: str
    tone: str


@dataclass(frozen=True, slots=True)
class Number:
    """One number with its name, and what to make of it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Day:
    """What happened in each of the last 24 hours, as a curve and in words."""

    points: str = ""
    area: str = ""
    total: str = ""
    most: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that runs by itself."""

    name: str
    last: str


@dataclass(frozen=True, slots=True)
class Process:
    """One worker."""

    name: str
    since: str
    tabs: str
    memory: str
    late: str
    waited: str
    seen: str


class System(Screen):
    """How everything stood when it was looked at last."""

    headline: str = "System"
    looked: str = ""
    findings: list[Line] = []
    figures: list[Number] = []
    booked: Day = Day()
    refused: Day = Day()
    since: str = ""
    tasks: list[Task] = []
    workers: list[Process] = []

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show how everything stands."""
        await self._show()

    @handler(Role.ADMIN)
    async def look_again(self) -> None:
        """Show how it stands by now."""
        await self._show()

    async def _show(self) -> None:
        seen = await bridge.read(self, system.look)
        found, now = seen.figures, bridge.now()
        self.headline, self.looked = headline(seen.findings), f"Looked at {words.clock(found.at)}."
        self.findings = [_line(each) for each in sorted(seen.findings, key=lambda one: _WORST_FIRST.index(one.mood))]
        self.figures = _numbers(found)
        self.booked, self.refused = _day(found.bookings, "booking"), _day(found.refused, "refused login")
        self.since = f"{words.clock(found.at)} yesterday"
        self.tasks, self.workers = _tasks(found, now), _workers(found, now)


def headline(findings: tuple[Finding, ...]) -> str:
    """What it comes to, in a few words."""
    broken = [each.name for each in findings if each.mood is Mood.BROKEN]
    if broken:
        return f"{' and '.join(broken)}: this cannot wait"
    unwell = [each for each in findings if each.mood is Mood.ATTENTION]
    if unwell:
        return f"{words.count(len(unwell), 'thing')} need{'s' if len(unwell) == 1 else ''} attention"
    return "Everything is well"


def _line(finding: Finding) -> Line:
    return Line(finding.name, finding.words, finding.advice, finding.path, *_MOODS[finding.mood])


def _numbers(found: Figures) -> list[Number]:
    alive = found.alive
    tabs, memory = (sum(values) for values in ([w.numbers.sockets for w in alive], [w.numbers.memory for w in alive]))
    held = f"{words.count(found.holds, 'slot')} held for somebody"
    return [
        Number("Open tabs", words.number(tabs), held),
        Number("Bookings, last 24 h", words.number(sum(found.bookings)), f"{found.bookings[-1]} in this hour"),
        Number("Database answers in", f"{found.database.seconds * 1000:.1f} ms", system.size(found.database.size)),
        Number("Memory of the workers", system.size(memory), words.count(len(alive), "worker")),
    ]


def _day(each: tuple[int, ...], what: str) -> Day:
    most, total = max(each), words.count(sum(each), what)
    points, area = theme.curve_points(each, ceiling=max(most, 1))
    listed = ", ".join(map(str, each))
    return Day(points, area, total, f"{most} in the busiest hour", f"{total} in 24 hours, hour by hour: {listed}.")


def _tasks(found: Figures, now: datetime) -> list[Task]:
    last = found.beats
    return [
        Task(name, words.ago(last[task], now=now) if task in last else _NOT_YET)
        for task, (name, _) in TASKS.items()
        if system.runs(task)
    ]


def _workers(found: Figures, now: datetime) -> list[Process]:
    return [
        Process(
            name=f"{worker.machine}, process {worker.pid}",
            since=words.moment(worker.started_at, now=now),
            tabs=words.number(worker.numbers.sockets),
            memory=system.size(worker.numbers.memory),
            late=f"{worker.numbers.lag * 1000:.0f} ms",
            waited=f"{worker.numbers.waited * 1000:.0f} ms",
            seen=words.ago(worker.seen_at, now=now),
        )
        for worker in found.alive
    ]


def page() -> rx.Component:
    """The page."""
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading(
                System.headline,
                System.looked,
                aside=theme.button("Look again", icon_name="refresh-cw", on_click=System.look_again),
            ),
            theme.loading(_content(), _skeleton()),
        ),
        active=routes.ADMIN_SYSTEM,
    )


def _content() -> rx.Component:
    return theme.stack(
        rx.el.h2("How everything stands", class_name="unseen"),
        theme.card(theme.rows(rx.foreach(System.findings, _finding), id="findings"), flush=True),
        theme.stats(rx.foreach(System.figures, _number)),
        rx.el.div(
            _curve("Bookings", System.booked), _curve("Refused logins", System.refused), class_name="halves even"
        ),
        theme.card(_processes(), title="Workers", flush=True),
        theme.card(
            theme.rows(rx.foreach(System.tasks, _task)),
            title="What runs by itself",
            aside=rx.el.span("last done", class_name="small second"),
            flush=True,
        ),
    )


def _finding(line: Line) -> rx.Component:
    return theme.list_row(
        line.name,
        rx.fragment(line.text, rx.cond(line.advice, rx.el.span(line.advice, class_name="advice"))),
        rx.cond(
            line.path, theme.link_button(rx.fragment("Open", theme.unseen(": ", line.name)), line.path, compact=True)
        ),
        theme.chip(line.mood, line.tone),
        lead=rx.match(
            line.tone, ("ok", theme.disc("check")), ("bad", theme.disc("circle-alert")), theme.disc("triangle-alert")
        ),
    )


def _number(number: Number) -> rx.Component:
    return theme.stat(number.label, number.value, number.note)


def _curve(title: str, day: Day) -> rx.Component:
    return theme.card(
        theme.curve(day.summary, day.points, day.area),
        rx.el.div(
            rx.el.span(System.since), rx.el.span(day.most), rx.el.span("now"), class_name="line apart small second"
        ),
        title=title,
        aside=rx.el.span(day.total, class_name="small second"),
    )


def _processes() -> rx.Component:
    headings = ("Machine and process", "Since", "Open tabs", "Memory", "Late by", "Longest wait", "Heard of")
    return rx.cond(
        System.workers,
        theme.table("Workers", headings, rx.foreach(System.workers, _process)),
        theme.empty_state(
            "No worker has spoken yet", "Each says every few seconds that it is there.", icon_name="server"
        ),
    )


def _process(process: Process) -> rx.Component:
    return theme.table_row(
        theme.cell(process.name, main=True),
        theme.cell(process.since, label="Since", quiet=True),
        theme.cell(rx.el.span(process.tabs, class_name="numbers"), label="Open tabs"),
        theme.cell(rx.el.span(process.memory, class_name="numbers"), label="Memory"),
        theme.cell(rx.el.span(process.late, class_name="numbers"), label="Late by"),
        theme.cell(rx.el.span(process.waited, class_name="numbers"), label="Longest wait"),
        theme.cell(process.seen, label="Heard of", quiet=True),
    )


def _task(task: Task) -> rx.Component:
    return theme.list_row(task.name, None, rx.el.span(task.last, class_name="small second numbers"))


def _skeleton() -> rx.Component:
    return theme.stack(
        theme.card(theme.skeleton_rows(6), flush=True),
        theme.stats(*(theme.card(theme.skeleton("60%"), theme.skeleton("40%", "2rem")) for _ in range(4))),
    )
