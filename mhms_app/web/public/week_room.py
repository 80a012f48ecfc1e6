"""A doctor's free week as everybody sees it who looks at it in this worker."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from mhms_app.availability import finding, soonest
from mhms_app.availability.finding import BookableWeek
from mhms_app.availability.slots import SlotRow, SlotsChanged, free_times
from mhms_app.availability.when_rules import ANY_TIME
from mhms_app.errors import NotFound
from mhms_app.live.hub import Ask, Room, hub
from mhms_app.web import bridge, words
from mhms_app.web.components.nothing_free import Reason, reason_of
from mhms_app.web.public.doctor_week import Day, days_of, onwards_of

_STRUCK_SECONDS = 2.0


class WeekRoom(Room):
    """One week of one doctor.

    What somebody takes is struck through for a moment. What is freed comes back by itself; what was published is
    offered, so that no button moves under a finger.

    Attributes:
        free: the slots that anybody can book.
    """

    linger = 2.5

    def __init__(self, doctor_id: int, monday: date) -> None:
        super().__init__((WeekRoom, doctor_id, monday), free_times(doctor_id))
        self.doctor_id, self.monday = doctor_id, monday
        self.free: tuple[SlotRow, ...] = ()
        self._read: BookableWeek | None = None  # what was read last
        self._struck: dict[SlotRow, float] = {}  # since when, by a clock that only goes forward
        self._offered: set[int] = set()  # published meanwhile, and not shown yet
        self._drawn: tuple[object, list[Day]] = (None, [])  # from what, and the week: one for all who look at it

    @staticmethod
    def of(doctor_id: int, monday: date) -> WeekRoom:
        """The one in which somebody is, or an empty one."""
        found = hub.find((WeekRoom, doctor_id, monday))
        return found if isinstance(found, WeekRoom) else WeekRoom(doctor_id, monday)

    def show(self, found: BookableWeek) -> None:
        """Take what somebody has just read."""
        self.free, self._read = tuple(slot for slot in found.free if slot not in found.kept), found
        self._struck, self._offered = {}, set()

    def days(self, own: Sequence[SlotRow] = ()) -> list[Day]:
        """The week as it is drawn; to somebody a slot of their own is as good as free."""
        if own:
            return self._draw(own)
        source = (self.free, tuple(self._struck), words.local(bridge.now()).date())
        if self._drawn[0] != source:
            self._drawn = (source, self._draw(()))
        return self._drawn[1]

    def _draw(self, own: Sequence[SlotRow]) -> list[Day]:
        mine = {slot.id for slot in own}
        struck = {slot.id for slot in self._struck} - mine
        shown = {slot.id: slot for slot in (*self.free, *self._struck, *own)}
        slots = tuple(sorted(shown.values(), key=lambda slot: slot.starts_at))
        return days_of(self.monday, slots, frozenset(struck), today=words.local(bridge.now()).date())

    async def look(self, news: Sequence[Any], ask: Ask[Any]) -> Mapping[str, Any]:
        """Take away what is gone, which needs no database; after any other news read the week as it is by now."""
        gone, now = _only_gone(news), bridge.now()
        if gone is None or self._read is None:
            return await self._look_again(news)
        was_struck, following = bool(self._struck), self._read.following
        left = [slot for slot in self.free if slot.id not in gone and slot.starts_at > now]
        if following and following.id in gone:
            if not left or following not in self.free:
                return await self._look_again(news)
            self._read = replace(self._read, following=left[0])  # it stood here, so there is nothing after this week
        self._strike(left)
        return self._week() if was_struck or self._struck else {}

    async def _look_again(self, news: Sequence[Any]) -> Mapping[str, Any]:
        """Read the week as it is by now."""
        try:
            found = await bridge.look(finding.bookable_week, doctor_id=self.doctor_id, week=self.monday)
        except NotFound:  # nobody can be booked here any more
            self.free, self._read, self._struck = (), None, {}
            return self._week()
        changes = [fact for fact in news if isinstance(fact, SlotsChanged)]
        came = any(change.came for change in changes)
        freed = {slot.id for change in changes for slot in change.freed}
        if came:
            self._offered |= {slot.id for slot in found.free} - {slot.id for slot in (*self.free, *self._struck)}
        self._offered -= freed
        self._read = found
        self._strike([slot for slot in found.free if slot.id not in self._offered])
        shown = self._week()
        if found.following is None:
            shown["nothing"] = await why_nothing(found, bridge.look)
        return shown | ({"news": True} if came else {})

    def _week(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"days": self.days(), "empty": not (self.free or self._struck)}
        if self._read:
            shown["following"], shown["onwards"] = onwards_of(self._read, bridge.now())
        return shown

    def _strike(self, free: Sequence[SlotRow]) -> None:
        """Go on with what is free by now, and strike through what is so no more, for a moment."""
        at, now, still = time.monotonic(), bridge.now(), {slot.id for slot in free}
        struck = {slot: since for slot, since in self._struck.items() if at - since < _STRUCK_SECONDS}
        struck |= {slot: at for slot in self.free if slot.starts_at > now}
        self._struck = {slot: since for slot, since in struck.items() if slot.id not in still}
        self.free = tuple(free)


def _only_gone(news: Sequence[Any]) -> set[int] | None:
    """The slots that are gone, when that is all that has happened; None when it is not."""
    changes = [fact for fact in news if isinstance(fact, SlotsChanged)]
    if len(changes) < len(news) or any(change.came or change.freed or not change.gone for change in changes):
        return None
    return {slot_id for change in changes for slot_id in change.gone}


async def why_nothing(found: BookableWeek, read: Callable[..., Awaitable[Any]]) -> Reason:
    """Say why a doctor has nothing free at all."""
    doctor = found.doctor
    why = await read(soonest.why_nothing, department_id=doctor.department_id, doctor_id=doctor.id, when=ANY_TIME)
    return reason_of(why, now=bridge.now())
