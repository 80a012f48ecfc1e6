"""The slots of every doctor, for an administrator: see, publish, withdraw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import reflex as rx
from pydantic import Field

from mhms_app import routes
from mhms_app.actor import Actor, Role
from mhms_app.availability import lists, rules
from mhms_app.availability import service as availability
from mhms_app.availability.lists import AdminSlotRow
from mhms_app.availability.rules import Plan
from mhms_app.availability.service import Preview
from mhms_app.availability.slots import BUSY
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.errors import Invalid, InvalidForm
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.components import listing
from mhms_app.web.components.doctor_choice import DoctorChoice, doctor_filter
from mhms_app.web.components.listing import SIZE, Listing, key_of, list_card
from mhms_app.web.components.only_for import only_for
from mhms_app.web.components.pause import pause
from mhms_app.web.components.statuses import SLOT
from mhms_app.web.components.weekday_choice import weekday_choice
from mhms_app.web.doctor import plan as planning
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame

if TYPE_CHECKING:
    from sqlmodel import Session

_UNTOUCHED = {
    "first_day": "", "last_day": "", "start": "09:00", "end": "12:00", "length": "20", "pause": "0",
    "lunch_start": "", "lunch_end": "",
}  # fmt: skip
FieldName = Literal["first_day", "last_day", "start", "end", "length", "pause", "lunch_start", "lunch_end"]


@dataclass(frozen=True, slots=True)
class Line:
    """One slot in the table."""

    id: int
    doctor: str
    department: str
    day: str
    time: str
    state: str
    tone: str
    can_withdraw: bool


class Slots(Listing, DoctorChoice, Screen):
    """The filtered slots, and the form that publishes more.

    Attributes:
        picked: the slots chosen to be withdrawn.
        drawn: counts how often we chose them, and not the person: the boxes are drawn anew then.
        is_asking: whether they shall be.
        typed, weekdays: the form as it is filled in.
        fresh: how many slots publishing would add.
        preview: what else publishing would do.
    """

    lines: list[Line] = []
    departments: list[tuple[str, str]] = []
    picked: list[int] = []
    drawn: int = 0
    is_asking: bool = False
    typed: dict[str, str] = _UNTOUCHED
    weekdays: list[int] = [0, 1, 2, 3, 4]
    fresh: int = 0
    preview: str = ""

    _route: ClassVar[str] = routes.ADMIN_SLOTS
    _filters: ClassVar[tuple[str, ...]] = ("doctor", "department", "state", "from", "to")

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the slots that the address asks for, from today on unless it says otherwise."""
        self._read_address()
        today = words.local(bridge.now()).date()
        self.asked = {**self.asked, "from": self.asked["from"] or today.isoformat()}
        monday = words.monday_of(today) + timedelta(weeks=1)
        self.typed = {
            **_UNTOUCHED,
            "first_day": monday.isoformat(),
            "last_day": (monday + timedelta(days=4)).isoformat(),
        }
        self.weekdays = [0, 1, 2, 3, 4]
        await self._show()

    # Withdrawing

    @handler(Role.ADMIN, local=True)
    async def pick(self, slot_id: int, is_on: bool) -> None:
        """Choose a free slot to be withdrawn, or let go of it."""
        self.picked = sorted({*self.picked, slot_id} if is_on else {*self.picked} - {slot_id})
        self.is_asking = False

    @handler(Role.ADMIN, local=True)
    async def pick_all(self) -> None:
        """Choose every free slot that is shown, or none when all are chosen."""
        offered = sorted(line.id for line in self.lines if line.can_withdraw)
        self._pick([] if self.picked == offered else offered)

    @handler(Role.ADMIN, local=True)
    async def ask(self, is_asking: bool) -> Any:
        """Ask before withdrawing, or think better of it."""
        self.is_asking = is_asking
        return None if is_asking else rx.set_focus("pick-all")

    @handler(Role.ADMIN)
    async def withdraw(self) -> Any:
        """Withdraw the chosen slots."""
        done = await bridge.call(self, availability.withdraw, slot_ids=tuple(self.picked))
        await self._show()
        kept = f" {words.count(done.kept, 'slot')} could not be withdrawn any more." if done.kept else ""
        self.tell(f"{words.count(done.withdrawn, 'slot')} withdrawn. Patients can no longer book this time.{kept}")
        return rx.set_focus("pick-all")

    def _pick(self, slot_ids: list[int]) -> None:
        self.picked, self.is_asking = slot_ids, False
        self.drawn += 1

    # Publishing

    @handler(Role.ADMIN)
    async def plan(self, name: FieldName, value: Annotated[str, Field(max_length=20)]) -> None:
        """Fill in the form, and see what it would publish."""
        self.typed = {**self.typed, name: value}
        await self._preview()

    @handler(Role.ADMIN)
    async def plan_weekday(self, weekday: Annotated[int, Field(ge=0, le=6)], is_on: bool) -> None:
        """Publish on a day of the week, or not."""
        self.weekdays = sorted({*self.weekdays, weekday} if is_on else {*self.weekdays} - {weekday})
        await self._preview()

    @handler(Role.ADMIN)
    async def publish(self, form: planning.Typed) -> None:
        """Publish for the chosen doctor what the preview shows; what was typed a moment ago is previewed first."""
        typed = planning.shown(self.typed, form)
        if typed != self.typed:
            self.typed = typed
            await self._preview()
            return
        plan = self._plan()
        with _beside_its_field():
            done = await bridge.call(self, availability.publish, doctor_id=key_of(self.asked["doctor"]) or 0, plan=plan)
        await self._show()
        if done.created:
            self.tell(f"{words.count(done.created, 'slot')} published. Patients can book this time now.")
        else:
            self.tell("There is nothing new to publish: the doctor has slots at all of these times.", tone="warn")

    async def _show_page(self) -> None:
        self._pick([])
        page, doctors, departments = await bridge.read(self, _look, asked=self.asked, number=self._number)
        now = bridge.now()
        self.lines = [_line_of(row, now) for row in page.rows]
        self._offer(doctors)
        self.departments = [(str(row.id), row.name) for row in departments]
        self._show_pages(len(page.rows), page.total)
        self.fresh, self.preview = 0, ""
        if self.doctor:
            with suppress(InvalidForm):  # the list is shown whatever is typed beside it
                await self._preview()

    async def _preview(self) -> None:
        self.fresh, self.preview = 0, ""
        doctor_id = key_of(self.asked["doctor"]) or 0
        with _beside_its_field():
            found = await bridge.read(self, availability.preview, doctor_id=doctor_id, plan=self._plan())
        self.fresh, self.preview = len(found.fresh), _left_out(found)

    def _plan(self) -> Plan:
        """The plan that the form means."""
        first = rules.day_of(self.typed["first_day"])
        if first is None:
            raise InvalidForm({"first_day": "Please choose a day."})
        return planning.read_range(
            self.typed, monday=first, weekdays=self.weekdays, lunch=bool(self.typed["lunch_start"])
        )


@contextmanager
def _beside_its_field() -> Iterator[None]:
    """What is refused of a plan stands beside the field of our form."""
    try:
        yield
    except Invalid as refusal:
        raise InvalidForm(planning.problems(refusal, single=False)) from None


@bridge.may_be_stale
def _look(session: Session, actor: Actor | None, *, asked: Mapping[str, str], number: int) -> Any:
    """Everything on the page, in one transaction."""
    return (
        lists.list_slots(
            session,
            actor,
            doctor_id=key_of(asked["doctor"]),
            department_id=key_of(asked["department"]),
            state=asked["state"] if asked["state"] in SLOT else None,
            first=_midnight(rules.day_of(asked["from"])),
            last=_midnight(rules.day_of(asked["to"]), days=1),
            page=number,
            size=SIZE,
        ),
        directory.list_all_doctors(session, actor),
        departments.list_departments(session, actor, include_closed=True),
    )


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    """The instant at which a clinic day begins, or one some days later."""
    return None if day is None else rules.span(day + timedelta(days=days), 1, zone=settings().zone)[0]


def _line_of(row: AdminSlotRow, now: datetime) -> Line:
    """What to say of a slot."""
    state, tone = SLOT[row.state]
    can_withdraw = row.state in ("open", BUSY) and row.starts_at > now
    unused = row.state == "open" and not can_withdraw
    return Line(
        id=row.id,
        doctor=row.doctor,
        department=row.department,
        day=words.near_day(words.local(row.starts_at).date(), today=words.local(now).date()),
        time=words.hours(row.starts_at, row.ends_at),
        state="Unused" if unused else state,
        tone="" if unused else tone,
        can_withdraw=can_withdraw,
    )


def _left_out(found: Preview) -> str:
    """What a plan would leave out."""
    said = []
    if found.skipped:
        said.append(f"{words.count(len(found.skipped), 'slot')} left out: the doctor has slots at that time.")
    if found.past:
        said.append(f"{words.count(found.past, 'slot')} left out: they would be in the past.")
    return " ".join(said)


def page() -> rx.Component:
    """The page of all slots."""
    return frame(
        only_for(
            Role.ADMIN,
            theme.page_heading("Slots", "When every doctor can be seen. Choose a doctor to publish more."),
            theme.split(
                theme.stack(
                    list_card("Slots", Slots, filters=_filters(), rows=Slots.lines, table=_table(), empty=_nothing()),
                    _withdrawing(),
                ),
                _publishing(),
            ),
        ),
        active=routes.ADMIN_SLOTS,
        wide=True,
    )


def _filters() -> tuple[rx.Component, ...]:
    return (
        doctor_filter(Slots),
        listing.select_filter(
            Slots,
            "Department",
            "department",
            theme.option("", "All departments"),
            rx.foreach(Slots.departments, lambda department: theme.option(department[0], department[1])),
        ),
        listing.select_filter(
            Slots,
            "State",
            "state",
            theme.option("", "Any state"),
            *(theme.option(value, label) for value, (label, _) in SLOT.items()),
        ),
        listing.day_filter(Slots, "From", "from"),
        listing.day_filter(Slots, "Until", "to"),
    )


def _table() -> rx.Component:
    return theme.table("Slots", ("", "Day", "Time", "Doctor", "State"), rx.foreach(Slots.lines, _row))


def _row(line: Line) -> rx.Component:
    choose = theme.checkbox(
        theme.unseen("Choose ", line.time, ", ", line.day, ", ", line.doctor),
        default_checked=_contains(Slots.picked, line.id),
        on_change=lambda is_on: Slots.pick(line.id, is_on),
        key=Slots.drawn,
    )
    return theme.table_row(
        theme.cell(rx.cond(line.can_withdraw, choose), label="Choose"),
        theme.cell(line.day, label="Day"),
        theme.cell(line.time, label="Time", main=True),
        theme.cell(
            rx.el.div(line.doctor, rx.el.div(line.department, class_name="small second")),
            label="Doctor",
        ),
        theme.cell(theme.chip(line.state, line.tone), label="State"),
    )


def _contains(numbers: Any, number: int) -> Any:
    """Whether a list in the browser holds the number."""
    return numbers.contains(number)


def _nothing() -> rx.Component:
    return theme.empty_state(
        "No slots fit",
        "Look at other days, or choose a doctor and publish some.",
        theme.link_button("All slots from today", routes.ADMIN_SLOTS),
        icon_name="calendar-x",
    )


def _withdrawing() -> rx.Component:
    picked: Any = Slots.picked
    number = picked.length()
    slots = _slots(number)
    question = theme.confirm(
        rx.fragment("Withdraw ", slots, "?"),
        "Patients can no longer book this time. Slots that somebody books meanwhile stay booked.",
        theme.button("Withdraw", kind="danger", solid=True, on_click=Slots.withdraw),
        theme.button("Keep", kind="quiet", on_click=Slots.ask(False), auto_focus=True),
    )
    return rx.cond(
        Slots.lines,
        rx.cond(
            Slots.is_asking,
            question,
            theme.line(
                theme.button("Choose all free on this page", kind="quiet", id="pick-all", on_click=Slots.pick_all),
                rx.cond(
                    number > 0,
                    theme.button(rx.fragment("Withdraw ", slots), kind="danger", on_click=Slots.ask(True)),
                ),
                apart=True,
            ),
        ),
    )


def _slots(number: Any, noun: str = "slot") -> rx.Component:
    return rx.cond(number == 1, f"1 {noun}", rx.fragment(number, f" {noun}s"))


# Publishing -----------------------------------------------------------------------------------------


def _publishing() -> rx.Component:
    nobody = theme.empty_state(
        "Choose a doctor", "Type a name in the filter: then slots can be published here.", icon_name="user-search"
    )
    return theme.panel(
        "Publish slots", theme.loading(rx.cond(Slots.doctor, _form(), nobody), theme.skeleton("100%", "240px"))
    )


def _form() -> rx.Component:
    return theme.form(
        rx.el.p("For ", rx.el.strong(Slots.doctor), class_name="second"),
        theme.pair(_field("First day", "first_day", "date"), _field("Last day", "last_day", "date")),
        weekday_choice(Slots.weekdays, Slots.plan_weekday, error=Slots.errors["weekdays"]),
        theme.pair(_field("From", "start", "time"), _field("Until", "end", "time")),
        theme.pair(_minutes("Slot length", "length", planning.LENGTHS), _minutes("Pause", "pause", planning.PAUSES)),
        theme.pair(
            _field("Break from", "lunch_start", "time", optional=True),
            _field("until", "lunch_end", "time"),
        ),
        rx.cond(
            (Slots.fresh > 0) | (Slots.preview != ""),
            theme.well(rx.el.strong(_slots(Slots.fresh, "new slot"), ". "), Slots.preview),
        ),
        theme.button(
            rx.cond(Slots.fresh > 0, rx.fragment("Publish ", _slots(Slots.fresh)), "Publish"),
            kind="primary",
            type="submit",
            full=True,
        ),
        on_submit=Slots.publish,
    )


def _field(label: str, name: FieldName, kind: str, *, optional: bool = False) -> rx.Component:
    return theme.text_field(
        label,
        name,
        type=kind,
        optional=optional,
        default_value=Slots.typed[name],
        error=Slots.errors[name],
        on_change=lambda value: Slots.plan(name, value).debounce(pause(name)),
    )


def _minutes(label: str, name: FieldName, choices: tuple[int, ...]) -> rx.Component:
    return theme.select_field(
        label,
        *(theme.option(str(minutes), f"{minutes} min" if minutes else "none") for minutes in choices),
        name=name,
        default_value=Slots.typed[name],
        error=Slots.errors[name],
        on_change=lambda value: Slots.plan(name, value),
    )
