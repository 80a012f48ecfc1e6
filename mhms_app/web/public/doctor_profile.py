"""A doctor's page: who they are, the free slots of a week, and booking one of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, NotRequired
from uuid import uuid4

import reflex as rx
from pydantic import Field
from typing_extensions import TypedDict

from mhms_app import metrics, routes
from mhms_app.accounts import addresses
from mhms_app.availability import finding
from mhms_app.availability.finding import BookableWeek
from mhms_app.availability.rules import day_of, week_of
from mhms_app.availability.slots import SlotRow, SlotsChanged
from mhms_app.booking import changes, holds, lists, statement
from mhms_app.booking import service as booking
from mhms_app.booking.holds import Hold
from mhms_app.booking.lists import AppointmentRow
from mhms_app.booking.rules import REASON_LENGTH, BookingPaused, EmailNotConfirmed, NotBookable, TooManyAppointments
from mhms_app.errors import NotFound
from mhms_app.facts import LookAgain
from mhms_app.live.hub import hub
from mhms_app.live.keeper import keeper
from mhms_app.web import bridge, words
from mhms_app.web.components.nothing_free import Reason
from mhms_app.web.gate import Role, handler
from mhms_app.web.public.doctor_week import (
    Choice,
    Day,
    Doctor,
    Time,
    choice_of,
    days_shown,
    doctor_of,
    onwards_of,
    time_of,
)
from mhms_app.web.public.week_room import WeekRoom, why_nothing
from mhms_app.web.screen import Screen

_WEEK = timedelta(days=7)
_OFFERS = 3
_FURTHEST = timedelta(days=366)
_NEARLY_FULL = 100
_OF_THE_PATIENT = (TooManyAppointments, BookingPaused, EmailNotConfirmed)  # another slot would not help
SlotId = Annotated[int, Field(gt=0, lt=2**31)]


class BookingForm(TypedDict):
    """What a patient types; nothing when an appointment is moved."""

    reason: NotRequired[Annotated[str, Field(max_length=5000)]]


class Profile(Screen):
    """A doctor's week, and the booking that begins in it.

    Attributes:
        day: the day that phones show.
        is_first: there is no week before the one shown.
        empty: nothing is free in this week.
        following, onwards: the next free slot outside of this week and the way there, for when nothing is free in it.
        chosen: the slot that is being booked.
        problem: why it cannot be booked, beside the button.
        unconfirmed: the patient's own address, which has to be confirmed first.
        offers: what is free instead.
        reason: what was typed, kept whatever else happens.
        room: how much more can be typed, once it is little.
        sheet: on phones, the booking is open over the week.
        news: the doctor has published times that are not shown yet.
        spoken: what a screen reader says of it.
        waiting_path: where a patient asks to be told when something is free.
        nothing: why nothing is free at all.
        kept_until, kept_seconds: until when the chosen slot is held for this patient, and how long that is.
        lapsed: said when it is held no more.
        moving: the appointment for which another time is looked for; ``""`` when a new one is booked.
        address: the page as it is, to come back to.
    """

    doctor: Doctor = Doctor()
    title: str = ""
    zone: str = ""
    days: list[Day] = []
    day: int = 0
    is_first: bool = True
    empty: bool = False
    following: Choice = Choice()
    onwards: str = ""
    chosen: Choice = Choice()
    problem: str = ""
    unconfirmed: str = ""
    offers: list[Time] = []
    reason: str = ""
    room: str = ""
    sheet: bool = False
    news: bool = False
    spoken: str = ""
    kept_until: str = ""
    kept_seconds: int = 0
    lapsed: str = ""
    moving: str = ""
    address: str = ""
    waiting_path: str = routes.WAITING
    nothing: Reason = Reason()
    login_path: str = routes.LOGIN
    signup_path: str = routes.SIGNUP

    _doctor_id: int = 0
    _monday: date = date.min
    _own: tuple[SlotRow, ...] = ()  # held for who looks: to everybody else they are taken
    _slot: SlotRow | None = None  # the chosen one
    _key: str = ""  # made when a slot is chosen: the same booking sent twice is one booking
    _hold: Hold | None = None
    _move: AppointmentRow | None = None
    _booked: int = 0  # the slot that was booked on this page
    _is_drawn: bool = False  # while it stands apart: whether ``days`` are what the tab shows

    @handler()
    async def load(self) -> None:
        """Show the doctor, the week and the slot that the address asks for."""
        url = self.router.url
        doctor_id, slot_id = _key_of(url.path.rpartition("/")[2]), _key_of(url.query_parameters.get("slot", ""))
        if doctor_id != self._doctor_id:
            self._slot = None
            self._remember("")
        self._doctor_id = doctor_id
        self.problem, self.unconfirmed, self.offers = "", "", []
        try:
            found, heard = await self._read(day_of(url.query_parameters.get("week", "")), slot_id)
        except NotFound:
            self.doctor = Doctor()
            hub.leave(self)
            return
        self._show(found, heard)
        await self._look_for_move(url.query_parameters.get("move", "")[:12])
        asked = found.asked if slot_id != self._booked else None  # who comes back has booked it
        if asked is not None and asked.state == "booked" and await self._is_mine(asked.id):
            self.tell(f"{words.clock(asked.starts_at)} is booked: you find it among your appointments.")
            asked = None
        self.sheet = asked is not None
        self._choose(asked)
        await self._keep()

    @handler()
    async def turn(self, weeks: Annotated[int, Field(ge=-1, le=1)]) -> None:
        """Show the week before, the week after, or with 0 this week."""
        today = words.local(bridge.now()).date()
        await self._turn_to(min(self._monday + weeks * _WEEK, today + _FURTHEST) if weeks else today)

    @handler()
    async def jump(self) -> None:
        """Show the week of the next free slot, or say that there is none."""
        await self._turn_to(None)
        if self.empty:
            self.tell(f"{self.doctor.name} has no free slots at the moment.", tone="warn")

    @handler()
    async def show_news(self) -> Any:
        """Show the times that were published meanwhile."""
        await self._turn_to(self._monday)
        return rx.set_focus("week")

    @handler()
    async def show_day(self, day: Annotated[int, Field(ge=0, le=6)]) -> None:
        """Show another day on a phone."""
        self.day = day

    @handler()
    async def choose(self, slot_id: SlotId) -> None:
        """Choose a slot."""
        await self._pick(slot_id)

    @handler()
    async def choose_instead(self, slot_id: SlotId) -> Any:
        """Choose a slot that is offered, and go on from there."""
        await self._pick(slot_id)
        return rx.set_focus("chosen")

    @handler()
    async def choose_another(self) -> Any:
        """Give up the chosen slot; what was typed stays."""
        self._choose(None)
        await self._keep()
        return rx.set_focus("week")

    @handler()
    async def go_on(self) -> Any:
        """On a phone: open the booking of the chosen slot."""
        self.sheet = True
        return rx.set_focus("chosen")

    @handler()
    async def leave(self) -> None:
        """The page is left: somebody else may have the slot."""
        self._choose(None)
        hub.leave(self)
        await self._keep()

    @handler()
    async def keep_reason(self, text: Annotated[str, Field(max_length=5000)]) -> None:
        """Remember what is typed, and how much room is left."""
        self._remember(text)

    @handler(Role.PATIENT)
    async def send_link(self) -> None:
        """Send the link with which the patient confirms their address once more; it leads back to this slot."""
        email = await bridge.call(self, addresses.send_again, then=self.address)
        self.tell(f"A new link is on its way to {email}.")

    @handler(Role.PATIENT)
    async def try_again(self) -> None:
        """Go on with the chosen slot, once the address is confirmed."""
        self._choose(self._slot)
        await self._keep()

    @handler(Role.PATIENT)
    async def confirm(self, form: BookingForm) -> Any:
        """Book the chosen slot.

        Which slot it is, the server remembers: what is booked is what this page shows as chosen.
        """
        self._remember(form.get("reason", ""))
        slot = self._slot
        if slot is None:
            raise NotFound
        try:
            reference = await self._book_or_move(slot)
        except NotBookable as refusal:
            await self._show_refusal(refusal, slot)
            return None
        hub.leave(self)
        keeper.forget(self)
        self._hold, self._booked = None, slot.id  # what is shown of it stays until the next page is there
        self._remember("")
        return rx.redirect(routes.booked(reference))

    async def _book_or_move(self, slot: SlotRow) -> str:
        """The reference of the appointment that now has the slot."""
        if self._move is not None:
            moved = await bridge.call(self, changes.move, reference=self._move.reference, slot_id=slot.id)
            return moved.reference
        with metrics.booking():
            booked = await bridge.call_at_once(
                self, statement.book_at_once, booking.book, slot_id=slot.id, reason=self.reason, key=self._key
            )
        return booked.reference

    async def _show_refusal(self, refusal: NotBookable, slot: SlotRow) -> None:
        """Show the week as it is by now, and why the slot cannot be had."""
        await self._turn_to(self._monday)
        self._refuse(refusal.sentence, slot, offer=not isinstance(refusal, _OF_THE_PATIENT))
        if isinstance(refusal, EmailNotConfirmed):
            self.unconfirmed = (await bridge.read(self, addresses.look)).email

    async def _look_for_move(self, reference: str) -> None:
        """Find the patient's appointment for which another time is looked for."""
        self._move, self.moving = None, ""
        if reference and self.viewer_role == Role.PATIENT.value:
            with suppress(NotFound):
                self._move = await bridge.read(self, lists.appointment, reference=reference)
                self.moving = words.span(self._move.starts_at, self._move.ends_at, now=bridge.now())
        self._follow()

    async def _is_mine(self, slot_id: int) -> bool:
        """Whether the viewer has booked a slot: the answer to it was lost when the connection broke."""
        is_patient = self.viewer_role == Role.PATIENT.value
        return is_patient and await bridge.read(self, booking.has_booked, slot_id=slot_id)

    async def _keep(self) -> None:
        """Hold what a patient has chosen, and let go of what was held here before, also if the new one is refused."""
        if self.viewer_role != Role.PATIENT.value:
            return
        slot, held = self._slot, self._hold
        self._forget_hold()
        if slot is None or self.problem:
            if held is not None:
                await bridge.call(self, holds.release)
            return
        try:
            self._hold = await bridge.call(
                self, holds.hold, slot_id=slot.id, moving=self._move.id if self._move else None
            )
        except NotBookable as refusal:
            if held is not None:
                await bridge.call(self, holds.release)
            await self._show_refusal(refusal, slot)
            return
        keeper.keep(self, self._hold)
        self._own = (slot,)
        self.kept_until = words.clock(self._hold.until)
        self.kept_seconds = round((self._hold.until - bridge.now()).total_seconds())

    def _forget_hold(self) -> None:
        keeper.forget(self)
        self._own = tuple(slot for slot in self._own if self._hold is None or slot.id != self._hold.slot_id)
        self._hold, self.kept_until, self.kept_seconds, self.lapsed = None, "", 0, ""

    async def _read(self, week: date | None, slot_id: int | None = None) -> tuple[BookableWeek, int]:
        """A week, and what had been heard of it before it was read."""
        heard = hub.heard
        found = await bridge.read(self, finding.bookable_week, doctor_id=self._doctor_id, week=week, slot_id=slot_id)
        read = partial(bridge.read, self)
        self.nothing = Reason() if found.following else await why_nothing(found, read)
        return found, heard

    async def _pick(self, slot_id: int) -> None:
        """Choose a slot; one that is not in sight is looked for first."""
        slot = next((slot for slot in (*self._week.free, *self._own) if slot.id == slot_id), None)
        if slot is None:
            found, heard = await self._read(None, slot_id)
            self._show(found, heard)
            slot = found.asked
        self._choose(slot)
        await self._keep()

    async def _turn_to(self, week: date | None) -> None:
        self._show(*await self._read(week))
        self._follow()

    def _remember(self, reason: str) -> None:
        left = REASON_LENGTH - len(reason)
        if reason != self.reason:
            self.reason = reason
        said = f"{words.count(abs(left), 'character')} {'left' if left >= 0 else 'too many'}"
        room = said if left < _NEARLY_FULL else ""
        if room != self.room:
            self.room = room

    @property
    def _week(self) -> WeekRoom:
        """What everybody knows of the week that is shown."""
        return WeekRoom.of(self._doctor_id, self._monday)

    def _show(self, found: BookableWeek, heard: int) -> None:
        """Show a week, and from now on what becomes of it."""
        now = bridge.now()
        today = words.local(now).date()
        self.doctor, self.waiting_path = doctor_of(found.doctor), routes.waiting(doctor_id=found.doctor.id)
        self._monday, self._own, self.news = found.monday, found.kept, False
        self.title = words.days_between(found.monday, found.monday + timedelta(days=days_shown(found.free) - 1))
        self.zone = words.zone_name(found.free[0].starts_at if found.free else now)
        self.is_first = found.monday <= week_of(today)
        self.following, self.onwards = onwards_of(found, now)
        self.day = words.local(found.free[0].starts_at).weekday() if found.free else 0
        self._enter(heard).show(found)
        self._draw()

    def _enter(self, heard: int) -> WeekRoom:
        """Be told of the week: alone whoever has chosen a slot, together with all the others who has not."""
        if not self._is_apart:
            self._is_drawn = False  # from now on the room draws, and this State hears nothing of it
        return hub.enter(self, self._week, since=heard, apart=self._is_apart)

    @property
    def _is_apart(self) -> bool:
        return bool(self._slot or self._own)

    def _is_here(self, slot: SlotRow) -> bool:
        """Whether a slot is in the week that is shown."""
        return week_of(words.local(slot.starts_at).date()) == self._monday

    def _draw(self) -> None:
        """Draw the week from what is known of it; what this tab was sent for itself already is not sent again."""
        days = self._week.days(self._own)
        if days != self.days or not self._is_drawn:
            self.days, self._is_drawn = days, self._is_apart
            self.empty = not any(day.morning or day.afternoon for day in days)

    def _choose(self, slot: SlotRow | None) -> None:
        """Make a slot the one to be booked, or none; say so if it is free no more."""
        self.problem, self.unconfirmed, self.offers, self.spoken = "", "", [], ""
        if slot is None:
            self.sheet = False
        elif self._slot is None or slot.id != self._slot.id:
            self._key = str(uuid4())
        self._slot, self.chosen = slot, choice_of(slot, bridge.now()) if slot else Choice()
        if slot is not None:
            if self._is_here(slot):
                self.day = words.local(slot.starts_at).weekday()
            if slot.state != "open" or slot.starts_at <= bridge.now():
                self._refuse(f"{words.clock(slot.starts_at)} is no longer free.", slot)
        self._enter(hub.heard)
        self._follow()

    def _refuse(self, sentence: str, slot: SlotRow, *, offer: bool = True) -> None:
        """Say beside the button why the chosen slot cannot be booked, and what is free after it."""
        self.problem = self.spoken = sentence
        later = [free for free in self._week.free if free.starts_at > slot.starts_at and free.id != slot.id]
        self.offers = [time_of(free, short=False) for free in later[:_OFFERS]] if offer else []
        if offer and not self.offers and self.following.id:
            self.offers = [Time(self.following.id, self.following.short, self.following.short)]

    def _follow(self) -> None:
        """Keep the ways back to this page true."""
        move = self._move.reference if self._move else ""
        self.address = routes.doctor_profile(
            self._doctor_id, week=self._monday, slot_id=self.chosen.id or None, move=move
        )
        self.login_path, self.signup_path = routes.login_then(self.address), routes.signup_then(self.address)

    async def _on_change(self, news: Sequence[Any]) -> None:
        """Show the week as it is by now, and what that means for the slot that is chosen or held here."""
        changes = [fact for fact in news if isinstance(fact, SlotsChanged)]
        freed = {slot.id for change in changes for slot in change.freed}
        gone = {slot_id for change in changes for slot_id in change.gone}
        if self._slot and LookAgain in map(type, news) and self._is_here(self._slot):
            gone |= {self._slot.id} - {slot.id for slot in self._week.free}
        gone -= {slot.id for slot in self._own}
        if any(change.came for change in changes):
            self.news = True
        if self._hold and self._hold.slot_id in freed:
            time = self.chosen.short
            self._forget_hold()
            self.lapsed = f"{time} is no longer kept for you. It is still free: confirm it now, or choose another."
        self._own = tuple(slot for slot in self._own if slot.id not in freed)
        self._draw()
        if self._slot and self._slot.id in gone and not self.problem:
            self._refuse(f"{words.clock(self._slot.starts_at)} has just been taken.", self._slot)


def _key_of(text: str) -> int:
    """The key that an address holds; 0 belongs to nothing."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
