"""The leave of any doctor, entered by an administrator."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app import routes
from mhms_app.directory import service as directory
from mhms_app.web import bridge, theme
from mhms_app.web.components.address import address
from mhms_app.web.components.doctor_choice import DoctorChoice, doctor_filter
from mhms_app.web.components.leave_steps import Days, FateName, LeaveSteps, Words, leave_steps
from mhms_app.web.components.listing import key_of
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


class DoctorsLeave(LeaveSteps, DoctorChoice, Screen):
    """Whose leave it is, then the same steps as a doctor takes.

    Attributes:
        asked: the doctor's key as in the address, or "" while nobody is chosen.
        address: of what is shown.
    """

    asked: dict[str, str] = {"doctor": ""}
    address: str = ""

    _number: int = 1

    @handler(Role.ADMIN)
    async def load(self) -> Any:
        """Show the leaves of the doctor whom the address names."""
        self.asked = {"doctor": self.router.url.query_parameters.get("doctor", "")[:9]}
        return await self._show()

    @handler(Role.ADMIN)
    async def look(self, typed: Days) -> None:
        """Show which appointments are booked in these days."""
        await self._look(typed)

    @handler(Role.ADMIN, local=True)
    async def choose(self, appointment_id: int, fate: FateName) -> None:
        """Choose what becomes of one appointment."""
        self._choose_one(appointment_id, fate)

    @handler(Role.ADMIN, local=True)
    async def choose_all(self, fate: FateName) -> None:
        """Choose the same for all that it can be chosen for."""
        self._choose_all(fate)

    @handler(Role.ADMIN, local=True)
    async def back(self) -> None:
        """Choose other days."""
        self.days = ""

    @handler(Role.ADMIN)
    async def take(self, typed: Words) -> Any:
        """Take the leave."""
        return await self._take(typed)

    @handler(Role.ADMIN)
    async def go_on(self) -> Any:
        """See to what is left."""
        return await self._go_on()

    async def _show(self) -> Any:
        self._offer(await bridge.read(self, directory.list_all_doctors))
        doctor_id = key_of(self.asked["doctor"])
        if not self.doctor or doctor_id is None:  # nobody, or nobody who works here
            self.asked, self.address = {"doctor": ""}, routes.ADMIN_LEAVE
            return None
        self.address = routes.admin_leave(doctor_id)
        return await self._begin(doctor_id)


def page() -> rx.Component:
    """The page."""
    nobody = theme.empty_state("Whose leave is it?", "Choose a doctor above.", icon_name="plane")
    return frame(
        only_for(
            Role.ADMIN,
            address(DoctorsLeave.address),
            theme.page_heading(
                "Enter a leave",
                "For a doctor: the days, then what becomes of each appointment. Every patient is told once.",
                back=("Worklist", routes.ADMIN_WORKLIST),
            ),
            theme.loading(
                theme.stack(
                    theme.card(doctor_filter(DoctorsLeave, placeholder="Name of a doctor"), title="Doctor"),
                    rx.cond(
                        DoctorsLeave.asked["doctor"],
                        leave_steps(DoctorsLeave, whose="Leaves to come"),
                        theme.card(nobody, flush=True),
                    ),
                    gap="loose",
                ),
                theme.card(theme.skeleton_rows(2), flush=True),
            ),
        ),
        active=routes.ADMIN_WORKLIST,
        wide=True,
    )
