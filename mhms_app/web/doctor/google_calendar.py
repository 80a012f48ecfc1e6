"""A doctor's Google calendar, as a section of their profile: connecting, choosing, how it stands, disconnecting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app.calendars import google
from mhms_app.calendars.google import Connection
from mhms_app.calendars.google_client import Calendar
from mhms_app.calendars.google_rules import Trouble
from mhms_app.calendars.rules import Shows
from mhms_app.errors import Invalid, NotFound
from mhms_app.settings import settings
from mhms_app.web import bridge, theme, words
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen

_OUTCOMES = {
    "connected": ("Your Google account is connected.", "ok"),
    "declined": ("You did not let us into your Google account, so nothing is connected.", "warn"),
    "partial": (
        "Please connect again and allow both: seeing your calendars, and changing events.",
        "bad",
    ),
    "over": (google.ConsentOver.sentence, "bad"),
    "failed": ("Google did not connect the account. Please try again in a moment.", "bad"),
}
_TROUBLE = {
    Trouble.OUTAGE: "Google does not answer at the moment.",
    Trouble.SLOW_DOWN: "Google asks us to slow down.",
    Trouble.TOO_MUCH: "There are too many events in this calendar. Please choose another.",
    Trouble.CALENDAR: "This calendar is gone or no longer yours. Please choose another.",
    Trouble.RECONNECT: google.ReconnectNeeded.sentence,
}
_SHOWS = {Shows.BUSY: "Busy times only", Shows.INITIALS: "With patients' initials"}


class Chosen(TypedDict):
    """The form: which calendar, and what it shows of patients."""

    calendar: Annotated[str, Field(max_length=1024)]
    shows: Literal["busy", "initials"]


@dataclass(frozen=True, slots=True)
class Option:
    """A calendar that can be chosen."""

    value: str
    label: str


class GoogleCalendar(Screen):
    """How the connection stands.

    Attributes:
        stage: what the section shows: ``""`` nothing, ``off``, ``choose``, ``on``, or ``leaving``.
        broken: the account has to be connected again.
        asked: the page asks whether to disconnect.
    """

    stage: str = ""
    name: str = ""
    shows: str = "busy"
    status: str = ""
    tone: str = ""
    broken: bool = False
    options: list[Option] = []
    asked: bool = False

    _calendars: tuple[Calendar, ...] = ()

    @handler(Role.DOCTOR)
    async def load(self) -> None:
        """Show how it stands, and what became of the visit at Google."""
        await self._show()
        if self.stage:
            outcome = self.router.url.query_parameters.get("google", "")
            if said := _OUTCOMES.get(outcome):
                self.tell(said[0], tone=said[1])
        if self.stage == "choose":
            await self._offer()

    @handler(Role.DOCTOR)
    async def connect(self) -> Any:
        """Lead to Google, which asks the doctor."""
        return rx.redirect(await bridge.call(self, google.begin))

    @handler(Role.DOCTOR)
    async def change(self) -> None:
        """Ask which calendar it shall be."""
        await self._offer()
        self.stage = "choose"

    @handler(Role.DOCTOR)
    async def choose(self, chosen: Chosen) -> None:
        """Use a calendar from now on."""
        calendar = next((one for one in self._calendars if one.id == chosen["calendar"]), None)
        if calendar is None:
            raise Invalid("Please choose a calendar from the list.", field="calendar")
        await bridge.call(self, google.choose, calendar=calendar, shows=Shows(chosen["shows"]))
        await self._show()
        self.tell(f"Your appointments are written to “{calendar.name}” from now on.")

    @handler(Role.DOCTOR)
    async def ask(self, is_asking: bool) -> None:
        """Ask before disconnecting, or go back to how it stands."""
        await self._show()
        self.asked = is_asking

    @handler(Role.DOCTOR)
    async def disconnect(self, remove: bool) -> None:
        """Disconnect the account."""
        await bridge.call(self, google.disconnect, remove=remove)
        await self._show()
        self.tell("Times at which you are busy there can be booked again.")

    async def _show(self) -> None:
        found = await bridge.read(self, google.connection)
        self.asked, self.options, self._calendars = False, [], ()
        self.stage = stage_of(found, offered=settings().has_google)
        if found is None:
            return
        self.name, self.shows = found.calendar, found.shows.value
        self.broken = found.trouble is Trouble.RECONNECT
        self.status, self.tone = status(found, now=bridge.now())

    async def _offer(self) -> None:
        """Ask Google which calendars there are; the chosen one comes first."""
        tokens = await bridge.read(self, google.access)
        found = await bridge.compute(google.calendars, tokens)
        if not found:
            raise NotFound("There is no calendar in this account that is your own.")
        self._calendars = tuple(sorted(found, key=lambda one: one.name != self.name))
        self.options = [Option(one.id, one.name) for one in self._calendars]


def stage_of(found: Connection | None, *, offered: bool) -> str:
    """What the section shows.

    Args:
        offered: the clinic has credentials for Google.
    """
    if found is None:
        return "off" if offered else ""
    if found.leaving:
        return "leaving"
    return "on" if found.calendar or found.trouble is Trouble.RECONNECT else "choose"


def status(found: Connection, *, now: datetime) -> tuple[str, str]:
    """How a calendar stands, in words and a tone."""
    last = f"Last in step: {words.moment(found.synced_at, now=now)}." if found.synced_at else ""
    if not found.trouble:
        return (last, "ok") if last else ("Your appointments are being written.", "info")
    said = [_TROUBLE[found.trouble]]
    if found.trouble in (Trouble.OUTAGE, Trouble.SLOW_DOWN) and found.next_sync_at:
        said.append(f"Next try: {words.moment(found.next_sync_at, now=now)}.")
    return " ".join([*said, last]).strip(), "warn"


def google_section() -> rx.Component:
    """The section of the page, which loads it after its own contents; without credentials there is none."""
    return rx.cond(GoogleCalendar.stage, _section(), rx.fragment())


def _section() -> rx.Component:
    return theme.section(
        "Google Calendar",
        rx.el.p(
            "Your appointments are written to a calendar of yours and follow every change. "
            "While you are busy there, patients cannot book you here.",
            class_name="second",
        ),
        rx.match(
            GoogleCalendar.stage,
            ("choose", theme.card(_choice())),
            ("on", _standing()),
            ("leaving", theme.notice("Your Google calendar is being disconnected. This takes a minute.")),
            theme.card(_connect("Connect Google Calendar")),
        ),
    )


def _connect(label: str) -> rx.Component:
    return theme.button(label, icon_name="calendar-plus", full=True, on_click=GoogleCalendar.connect)


def _choice() -> rx.Component:
    return rx.cond(
        GoogleCalendar.options,
        theme.form(
            theme.select_field(
                "Calendar",
                rx.foreach(GoogleCalendar.options, lambda one: theme.option(one.value, one.label)),
                name="calendar",
                error=GoogleCalendar.errors["calendar"],
            ),
            theme.choices(
                "What it shows",
                *(
                    theme.choice(
                        label, name="shows", value=value.value, default_checked=GoogleCalendar.shows == value.value
                    )
                    for value, label in _SHOWS.items()
                ),
            ),
            theme.button("Use this calendar", type="submit", full=True),
            rx.cond(
                GoogleCalendar.name,
                theme.button("Leave it as it is", full=True, on_click=GoogleCalendar.ask(False)),
                theme.button("Disconnect", kind="danger", full=True, on_click=GoogleCalendar.disconnect(False)),
            ),
            on_submit=GoogleCalendar.choose,
        ),
        theme.line(
            theme.button("Show my calendars", icon_name="refresh-cw", on_click=GoogleCalendar.change),
            theme.button("Disconnect", kind="danger", on_click=GoogleCalendar.disconnect(False)),
        ),
    )


def _standing() -> rx.Component:
    title = rx.cond(GoogleCalendar.name, GoogleCalendar.name, "Your account")
    shown = rx.cond(GoogleCalendar.shows == "busy", _SHOWS[Shows.BUSY], _SHOWS[Shows.INITIALS])
    row = theme.list_row(
        title,
        shown,
        rx.cond(GoogleCalendar.broken, rx.fragment(), _small("Change", on_click=GoogleCalendar.change)),
        _small("Disconnect", kind="danger", on_click=GoogleCalendar.ask(True)),
        lead=theme.disc("calendar-check"),
    )
    return theme.stack(
        rx.cond(
            GoogleCalendar.tone == "warn",
            theme.notice(GoogleCalendar.status, tone="warn", icon_name="triangle-alert"),
        ),
        theme.card(theme.rows(rx.cond(GoogleCalendar.asked, rx.el.li(_question()), row)), flush=True),
        rx.cond(GoogleCalendar.tone == "warn", rx.fragment(), rx.el.p(GoogleCalendar.status, class_name="hint")),
        rx.cond(GoogleCalendar.broken, _connect("Connect again")),
    )


def _question() -> rx.Component:
    return theme.confirm(
        "Disconnect your Google calendar?",
        "Nothing is written or read there any more, and times at which you are busy can be booked again. "
        "The appointments to come can be removed there, or stay as they are.",
        _small("Disconnect and remove", kind="danger", on_click=GoogleCalendar.disconnect(True)),
        _small("Disconnect only", kind="danger", on_click=GoogleCalendar.disconnect(False)),
        _small("Keep it", auto_focus=True, on_click=GoogleCalendar.ask(False)),
    )


def _small(label: str, **props: Any) -> rx.Component:
    return theme.button(label, compact=True, **props)
