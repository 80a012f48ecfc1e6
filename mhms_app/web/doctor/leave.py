"""A doctor's own leave."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.web import theme
from mhms_app.web.components.leave_steps import Days, FateName, LeaveSteps, Words, leave_steps
from mhms_app.web.doctor.pieces import for_doctors
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


class Leave(LeaveSteps, Screen):
    """The days, then their appointments, then what became of them."""

    @handler(Role.DOCTOR)
    async def load(self) -> Any:
        """Show the leaves to come, and go on with one that was interrupted."""
        return await self._begin(None)

    @handler(Role.DOCTOR)
    async def look(self, typed: Days) -> None:
        """Show which appointments are booked in these days."""
        await self._look(typed)

    @handler(Role.DOCTOR, local=True)
    async def choose(self, appointment_id: int, fate: FateName) -> None:
        """Choose what becomes of one appointment."""
        self._choose_one(appointment_id, fate)

    @handler(Role.DOCTOR, local=True)
    async def choose_all(self, fate: FateName) -> None:
        """Choose the same for all that it can be chosen for."""
        self._choose_all(fate)

    @handler(Role.DOCTOR, local=True)
    async def back(self) -> None:
        """Choose other days."""
        self.days = ""

    @handler(Role.DOCTOR)
    async def take(self, typed: Words) -> Any:
        """Take the leave."""
        return await self._take(typed)

    @handler(Role.DOCTOR)
    async def go_on(self) -> Any:
        """See to what is left."""
        return await self._go_on()


def page() -> rx.Component:
    """The page."""
    return frame(
        for_doctors(
            theme.page_heading(
                "Leave",
                "Choose the days, then what becomes of each appointment. Every patient is told once.",
                back=("Working hours", routes.HOURS),
            ),
            leave_steps(Leave, whose="Your leaves"),
        ),
        active=routes.HOURS,
        wide=True,
    )
