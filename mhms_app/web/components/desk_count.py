"""How many patients somebody at the desk has to call, in an administrator's navigation."""

from __future__ import annotations

from typing import Any

import reflex as rx

from mhms_app.actor import Role
from mhms_app.booking import desk
from mhms_app.web import bridge, theme, words
from mhms_app.web.gate import handler
from mhms_app.web.screen import Screen


class DeskCount(Screen):
    """Counted anew on every page that an administrator opens."""

    number: str = ""

    @handler(Role.ADMIN)
    async def count(self) -> None:
        """Count what waits now."""
        await self._count()

    async def _count(self) -> None:
        number = await bridge.read(self, desk.to_call)
        self.number = words.number(number) if number else ""


def desk_count() -> rx.Component:
    """The number, unless nothing waits."""
    number: Any = DeskCount.number
    return rx.cond(number, rx.el.span(number, theme.unseen(" waiting"), class_name="count numbers"))
