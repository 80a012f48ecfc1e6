"""Choosing slots of a doctor's week, giving one another time, and withdrawing them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time
from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from mhms_app.actor import Role
from mhms_app.availability import rules
from mhms_app.availability import service as availability
from mhms_app.errors import ClinicError, Conflict, Invalid
from mhms_app.web import bridge, words
from mhms_app.web.doctor import plan as planning
from mhms_app.web.doctor.pieces import day_of
from mhms_app.web.doctor.week import Picked, picked_by_day
from mhms_app.web.gate import handler

Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
Minute = Annotated[int, Field(ge=0, lt=24 * 60)]


class Choosing(rx.State, mixin=True):
    """The part of a week's State that is about its slots.

    Attributes:
        picked_ids: the free slots chosen to be changed or withdrawn.
        moving: the form of the only chosen slot, and a key by which it is drawn anew.
        asked: whether they shall really be withdrawn.
        sheet_open: the panel is in sight where it has no room beside the week.
        answered, focused: tell the grid that a drag was answered, and which slot gets the focus.
    """

    picked_ids: list[int] = []
    picked: list[Picked] = []
    moving: dict[str, str] = {}
    withdraw_words: str = ""
    offer_week: str = ""
    footnote: str = ""
    asked: bool = False
    sheet_open: bool = False
    answered: int = 0
    focused: int = 0

    _free: dict[int, rules.Times] = {}
    _held: set[int] = set()

    async def _show(self) -> None:
        """Read the week, and show it."""
        raise NotImplementedError

    @handler(Role.DOCTOR, local=True)
    async def pick(self, slot_id: int) -> None:
        """Choose a free slot, or let go of it; one that is not free says why it cannot be chosen."""
        self._must_be_free(slot_id)
        self._pick(set(self.picked_ids) ^ {slot_id})

    @handler(Role.DOCTOR, local=True)
    async def open_slot(self, slot_id: int) -> Any:
        """Choose just this slot and go on in the panel."""
        self._must_be_free(slot_id)
        self._pick({slot_id})
        self.sheet_open = True
        return rx.set_focus("panel")

    @handler(Role.DOCTOR, local=True)
    async def pick_day(self, day: Day) -> None:
        """Choose every free slot of a day too."""
        self._pick({*self.picked_ids, *(key for key, (at, _) in self._free.items() if str(day_of(at)) == day)})

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
    async def withdraw(self: Any) -> None:
        """Withdraw the chosen slots."""
        chosen, self.asked, self.sheet_open = tuple(self.picked_ids), False, False
        done = await bridge.call(self, availability.withdraw, slot_ids=chosen)
        kept = f" {words.count(done.kept, 'slot')} could not be withdrawn any more." if done.kept else ""
        self.tell(f"{words.count(done.withdrawn, 'slot')} withdrawn. Patients can no longer book this time.{kept}")
        self._pick(())
        await self._show()

    @handler(Role.DOCTOR)
    async def drop(self, slot_id: int, day: Day, start: Minute, end: Minute) -> None:
        """Give a slot the time to which it was dragged; a refusal is said above the week, and it is back."""
        self.answered, self.focused = self.answered + 1, 0
        try:
            await self._change(slot_id, planning.day_of(day), planning.clock_of(start), planning.clock_of(end))
        except Invalid as refusal:
            raise ClinicError(refusal.sentence) from None

    @handler(Role.DOCTOR)
    async def change(self, form: planning.NewTime) -> None:
        """Give the chosen slot the time that was typed."""
        if len(self.picked_ids) != 1:
            raise Conflict
        await self._change(self.picked_ids[0], *planning.read_new_time(form))
        self.answered += 1

    async def _change(self: Any, slot_id: int, day: date, start: time, end: time) -> None:
        slot = await bridge.call(self, availability.change_slot, slot_id=slot_id, day=day, start=start, end=end)
        self.tell(f"The slot is now on {words.span(slot.starts_at, slot.ends_at, now=bridge.now())}.")
        self._pick(())
        self.sheet_open, self.focused = False, slot.id
        await self._show()

    def _must_be_free(self, slot_id: int) -> None:
        if slot_id not in self._free:
            raise rules.SlotHeld if slot_id in self._held else rules.SlotBooked

    def _pick(self, slot_ids: Iterable[int]) -> None:
        """Choose exactly these slots, and say so."""
        chosen = sorted(slot_ids, key=lambda key: self._free[key])
        if chosen != self.picked_ids:
            self.picked_ids = chosen
            self.asked = False
        self.picked = picked_by_day(chosen, {key: at for key, (at, _) in self._free.items()})
        self.moving = planning.time_typed(chosen[0], *self._free[chosen[0]]) if len(chosen) == 1 else {}
        self.withdraw_words = f"Withdraw {words.count(len(chosen), 'slot')}"
        self.footnote = "Choose a free slot to change or withdraw it." if self._free else ""
        self.offer_week = f"Choose all {len(self._free)} free slots" if len(chosen) < len(self._free) else ""
