"""Choosing one doctor of hundreds by typing a part of the name."""

from __future__ import annotations

from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from mhms_app.accounts.rules import search_key
from mhms_app.actor import Role
from mhms_app.directory.service import DoctorRow
from mhms_app.errors import Invalid
from mhms_app.web import theme
from mhms_app.web.gate import handler


class DoctorChoice(rx.State, mixin=True):
    """What the State of a ``Listing`` needs in which one doctor can be chosen.

    Attributes:
        doctors: what can be chosen.
        doctor: what is chosen, or ``""``.
    """

    doctors: list[str] = []
    doctor: str = ""

    _keys: dict[str, int] = {}

    @handler(Role.ADMIN)
    async def choose_doctor(self: Any, text: Annotated[str, Field(max_length=300)]) -> Any:
        """Show the list of one doctor, as soon as the text means only one; of all when it is empty."""
        chosen = self._key_of(text)
        if chosen is not None:
            self.asked, self._number = {**self.asked, "doctor": chosen}, 1
        return await self._show()

    def _key_of(self, text: str) -> str | None:
        """The key of the one doctor who is called this; ``""`` for nobody, None when it could be several."""
        wanted = search_key(text)
        fitting = {key for label, key in self._keys.items() if wanted in search_key(label)}
        exact = {key for label, key in self._keys.items() if wanted == search_key(label)}
        if wanted and not fitting:
            raise Invalid("No doctor is called this. Choose one from the list.", field="doctor")
        if not wanted:
            return ""
        return str(min(exact or fitting)) if len(exact or fitting) == 1 else None

    def _offer(self: Any, doctors: tuple[DoctorRow, ...]) -> None:
        """Show who can be chosen, and who is."""
        self._keys = {label: key for key, label in _labels(doctors).items()}
        if self.doctors != list(self._keys):  # hundreds of names: sent once, not with every page
            self.doctors = list(self._keys)
        self.doctor = next((label for label, key in self._keys.items() if str(key) == self.asked["doctor"]), "")


def _labels(doctors: tuple[DoctorRow, ...]) -> dict[int, str]:
    """What to call each doctor in a list of all, so that no two are called the same."""
    found: dict[int, str] = {}
    for doctor in doctors:
        label = f"{doctor.name} · {doctor.department}"
        found[doctor.id] = label if label not in found.values() else f"{label} · {doctor.id}"
    return found


def doctor_filter(state: Any, *, placeholder: str = "Any doctor") -> rx.Component:
    """A field that suggests doctors while one types."""
    return rx.fragment(
        theme.text_field(
            "Doctor",
            "doctor",
            hide_label=True,
            compact=True,
            placeholder=placeholder,
            auto_complete="off",
            max_length=200,
            default_value=state.doctor,
            error=state.errors["doctor"],
            on_change=lambda text: state.choose_doctor(text).debounce(300),
            list="doctors",
        ),
        rx.el.datalist(rx.foreach(state.doctors, lambda name: rx.el.option(value=name)), id="doctors"),
    )
