"""An administrator's first page: how the clinic stands now, and what needs a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

import reflex as rx

from mhms_app import routes
from mhms_app.accounts.news import ANY_PERSON
from mhms_app.actor import Actor, Role
from mhms_app.availability.slots import ANY_DOCTOR
from mhms_app.booking import desk, lists
from mhms_app.booking.lists import Outcome, Week
from mhms_app.booking.lists import Overview as Facts
from mhms_app.booking.news import ANY_PATIENT
from mhms_app.live.hub import Ask, Room, hub
from mhms_app.web import bridge, theme, words
from mhms_app.web.admin.bookings import Line, bookings_table, line_of
from mhms_app.web.components.native_form import query_form
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

if TYPE_CHECKING:
    from sqlmodel import Session

_WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Number:
    """One number with its name, and what to make of it."""

    label: str
    value: str
    note: str
    tone: str


@dataclass(frozen=True, slots=True)
class Task:
    """Something that waits for a person."""

    title: str
    text: str
    icon: str
    action: str
    path: str


class Overview(Screen):
    """The numbers, live."""

    numbers: list[Number] = []
    tasks: list[Task] = []
    latest: list[Line] = []
    use: str = ""
    points: str = ""
    area: str = ""
    span: str = ""
    first_week: str = ""
    last_week: str = ""

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show how the clinic stands, and keep it true."""
        heard = hub.heard
        facts, to_call, weeks = await bridge.read(self, _look)
        for name, value in _shown(facts, to_call).items():
            setattr(self, name, value)
        self._draw(weeks)
        hub.enter(self, _Office(), since=heard)

    def _draw(self, weeks: tuple[Week, ...]) -> None:
        """The curve begins with the first week in which anything was published."""
        weeks = tuple(dropwhile(lambda week: not week.published, weeks))
        shares = [_WHOLE * week.booked / week.published if week.published else 0.0 for week in weeks]
        self.points, self.area = theme.curve_points(shares, ceiling=_WHOLE)
        self.first_week, self.last_week = (words.day_month(weeks[i].monday) if weeks else "" for i in (0, -1))
        self.span = f"last {words.count(len(weeks), 'week')}" if weeks else "nothing published yet"
        self.use = _in_words(shares)


class _Office(Room):
    """All administrators who look at the overview: one of them reads for all."""

    rest = 0.8

    def __init__(self) -> None:
        super().__init__(_Office, ANY_DOCTOR, ANY_PATIENT, ANY_PERSON)

    async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
        """The numbers as they are by now."""
        return _shown(*await ask(lambda screen: bridge.read(screen, _look_again)))


def _shown(facts: Facts, to_call: int) -> dict[str, Any]:
    """What changes with every booking."""
    now = bridge.now()
    latest = [line_of(row, now) for row in facts.latest]
    return {"numbers": _numbers(facts, now), "tasks": _tasks(facts, to_call, now), "latest": latest}


def _look(session: Session, actor: Actor | None) -> tuple[Facts, int, tuple[Week, ...]]:
    """Everything on the page, in one transaction."""
    return *_look_again(session, actor), lists.past_weeks(session, actor)


def _look_again(session: Session, actor: Actor | None) -> tuple[Facts, int]:
    """What may have changed since, and how many patients somebody has to call."""
    return lists.overview(session, actor), desk.to_call(session, actor)


def _numbers(facts: Facts, now: datetime) -> list[Number]:
    outbox = facts.outbox
    sent = f"last sent {words.ago(outbox.last_sent_at, now=now)}" if outbox.last_sent_at else "none sent yet"
    return [
        Number("Booked today", words.number(facts.booked_today), *_against_last_week(facts, now)),
        Number(
            "Free in the next 7 days",
            words.number(facts.free_next_week),
            f"of {words.number(facts.published_next_week)} published",
            "",
        ),
        Number("No-shows, 30 days", _percent(facts.month), *_against_month_before(facts)),
        Number(
            "E-mails waiting",
            words.number(outbox.waiting),
            f"{words.count(outbox.dead, 'message')} given up" if outbox.dead else sent,
            "warn" if outbox.dead else "",
        ),
    ]


def _against_last_week(facts: Facts, now: datetime) -> tuple[str, str]:
    more = facts.booked_today - facts.booked_same_day_last_week
    day = words.weekday_name(words.local(now).date())
    if not more:
        return f"as many as last {day}", ""
    return f"{abs(more)} {'more' if more > 0 else 'fewer'} than last {day}", "ok" if more > 0 else ""


def _share(outcome: Outcome) -> float | None:
    whole = outcome.seen + outcome.missed
    return 100 * outcome.missed / whole if whole else None


def _percent(outcome: Outcome) -> str:
    share = _share(outcome)
    return "–" if share is None else f"{share:.1f} %"


def _against_month_before(facts: Facts) -> tuple[str, str]:
    share, before = _share(facts.month), _share(facts.month_before)
    if share is None:
        return "nobody was seen yet", ""
    if before is None:
        return f"{facts.month.missed} of {facts.month.missed + facts.month.seen}", ""
    points = round(share - before, 1)
    if not points:
        return "as in the 30 days before", ""
    return f"{abs(points):.1f} points {'more' if points > 0 else 'fewer'}", "warn" if points > 0 else "ok"


def _tasks(facts: Facts, to_call: int, now: datetime) -> list[Task]:
    tasks = []
    if facts.pending:
        since = words.ago(min(person.created_at for person in facts.pending), now=now)
        one = len(facts.pending) == 1
        title = "1 doctor awaits approval" if one else f"{len(facts.pending)} doctors await approval"
        who = f"{facts.pending[0].name}, signed up {since}" if one else f"the first signed up {since}"
        tasks.append(Task(title, who, "user-check", "Review", routes.with_query(routes.ADMIN_USERS, status="pending")))
    if facts.outbox.dead:
        title = f"{words.count(facts.outbox.dead, 'e-mail')} not delivered"
        path = routes.with_query(routes.ADMIN_EMAILS, state="dead")
        tasks.append(Task(title, "every attempt has failed", "mail-x", "Open", path))
    if to_call:
        title = f"{words.count(to_call, 'patient')} to call"
        tasks.append(Task(title, "no rule could help them", "phone", "Open", routes.ADMIN_WORKLIST))
    return tasks


def _in_words(shares: list[float]) -> str:
    """The curve for somebody who does not see it."""
    listed = ", ".join(f"{share:.0f} %" for share in shares)
    return f"Share of the published slots that were booked, week by week: {listed}."


def page() -> rx.Component:
    """The overview."""
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading(
                "Overview",
                aside=theme.link_button("Publish slots", routes.ADMIN_SLOTS, icon_name="calendar-plus"),
            ),
            theme.loading(_content(), _skeleton()),
        ),
        active=routes.ADMIN,
    )


def _content() -> rx.Component:
    return theme.stack(
        rx.el.h2("How the clinic stands", class_name="unseen"),
        theme.stats(rx.foreach(Overview.numbers, _number)),
        rx.el.div(_use(), _needs_a_person(), class_name="halves"),
        _latest(),
    )


def _number(number: Number) -> rx.Component:
    return theme.stat(number.label, number.value, number.note, number.tone)


def _use() -> rx.Component:
    return theme.card(
        theme.curve(Overview.use, Overview.points, Overview.area),
        rx.el.div(
            rx.el.span(Overview.first_week), rx.el.span(Overview.last_week), class_name="line apart small second"
        ),
        title="Use of published slots",
        aside=rx.el.span(Overview.span, class_name="small second"),
    )


def _needs_a_person() -> rx.Component:
    return theme.card(
        rx.cond(
            Overview.tasks,
            theme.rows(rx.foreach(Overview.tasks, _task)),
            theme.empty_state(
                "Nothing needs you now",
                "Doctors who await approval, undelivered e-mails and patients to call come here.",
            ),
        ),
        title="Needs a person",
    )


def _task(task: Task) -> rx.Component:
    symbol = rx.match(
        task.icon, ("user-check", theme.disc("user-check")), ("phone", theme.disc("phone")), theme.disc("mail-x")
    )
    return theme.list_row(
        task.title,
        task.text,
        theme.link_button(rx.fragment(task.action, theme.unseen(": ", task.title)), task.path, compact=True),
        lead=symbol,
    )


def _latest() -> rx.Component:
    search = query_form(
        routes.ADMIN_BOOKINGS,
        theme.text_field(
            "Find a booking",
            "q",
            icon_name="search",
            hide_label=True,
            compact=True,
            placeholder="Patient, doctor, number",
            type="search",
            max_length=100,
            auto_complete="off",
        ),
        role="search",
    )
    nothing = theme.empty_state("No bookings yet", "They come here as soon as a patient takes a published slot.")
    return theme.card(
        rx.cond(Overview.latest, bookings_table(Overview.latest, "Latest bookings"), nothing),
        title="Latest bookings",
        aside=search,
        flush=True,
    )


def _skeleton() -> rx.Component:
    return theme.stack(
        theme.stats(*(theme.card(theme.skeleton("60%"), theme.skeleton("40%", "2rem")) for _ in range(4))),
        theme.card(theme.skeleton("12rem"), theme.skeleton("100%", "160px")),
        theme.card(theme.skeleton_rows(6), flush=True),
    )
