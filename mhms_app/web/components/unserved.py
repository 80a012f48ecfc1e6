"""Those who wait in vain for a free time, for an administrator: whom to call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from mhms_app.actor import Role
from mhms_app.booking import unserved
from mhms_app.booking.unserved import UnservedRow
from mhms_app.web import bridge, theme, words
from mhms_app.web.components.desk_count import DeskCount
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody to call, how, and why."""

    id: int
    patient: str
    reach: str
    whom: str
    why: str


class Unserved(Screen):
    """The list, those who wait longest first.

    Attributes:
        asked: of whom it is asked whether they were called; 0 is nobody.
        more: said when there are more than are shown.
    """

    waiters: list[Waiter] = []
    asked: int = 0
    more: str = ""

    @handler(Role.ADMIN)
    async def load(self) -> None:
        """Show the list."""
        self.asked = 0
        await self._show()

    @handler(Role.ADMIN, local=True)
    async def ask(self, entry_id: Annotated[int, Field(ge=0, lt=2**31)]) -> None:
        """Ask before somebody is taken off the list, or with 0 think better of it."""
        self.asked = entry_id

    @handler(Role.ADMIN)
    async def finish(self) -> None:
        """Take whoever was called off the waiting list."""
        waiter = next((one for one in self.waiters if one.id == self.asked), None)
        if waiter is not None:
            await bridge.call(self, unserved.see_to, entry_id=waiter.id)
            self.asked = 0
            await self._show()
            await (await self.get_state(DeskCount))._count()
            self.tell(f"{waiter.patient} waits no more.")

    async def _show(self) -> None:
        found = await bridge.read(self, unserved.unserved)
        now = bridge.now()
        self.waiters = [waiter_of(row, now) for row in found.rows]
        left = found.total - len(found.rows)
        self.more = f"{words.count(left, 'other')} come after these." if left else ""


def waiter_of(row: UnservedRow, now: datetime) -> Waiter:
    """What to say of somebody who waits."""
    waited = words.how_long(row.since, now=now)
    return Waiter(
        id=row.id,
        patient=row.patient,
        reach=" · ".join(way for way in (row.phone, row.email) if way),
        whom=f"{row.doctor or 'Any doctor'} · {row.department}",
        why=f"Nobody there can be booked; has waited {waited}" if row.is_gone else f"Has waited {waited}",
    )


def unserved_section() -> rx.Component:
    """The section, unless nobody waits in vain."""
    listed = theme.section(
        "On the waiting list in vain",
        theme.card(theme.rows(rx.foreach(Unserved.waiters, _row)), flush=True),
        rx.cond(Unserved.more, rx.el.p(Unserved.more, class_name="small second")),
    )
    return rx.el.div(rx.cond(Unserved.waiters, listed), on_mount=Unserved.load)


def _row(waiter: Waiter) -> rx.Component:
    asked: Any = Unserved.asked == waiter.id
    question = theme.confirm(
        rx.fragment("Was ", waiter.patient, " called?"),
        "They are taken off the waiting list.",
        theme.button("Take off the list", kind="primary", on_click=Unserved.finish),
        theme.button("Not yet", kind="quiet", on_click=Unserved.ask(0), auto_focus=True),
    )
    ask = theme.button(
        rx.fragment("Called", theme.unseen(": ", waiter.patient)), compact=True, on_click=Unserved.ask(waiter.id)
    )
    return theme.list_row(
        waiter.patient,
        rx.fragment(waiter.reach, rx.el.br(), waiter.whom, rx.el.br(), waiter.why),
        rx.cond(asked, question, ask),
    )
