"""The patient's appointments in their own calendar."""

from __future__ import annotations

import reflex as rx

from mhms_app import routes
from mhms_app.calendars import service as calendars
from mhms_app.web import bridge, theme
from mhms_app.web.components.feeds import Feed, NewFeed, feed_section, new_feed, shown
from mhms_app.web.components.only_for import only_for
from mhms_app.web.gate import Role, handler
from mhms_app.web.screen import Screen
from mhms_app.web.shell import frame


class Calendar(Screen):
    """The patient's private calendar addresses.

    Attributes:
        asked: the address about whose end the page asks, or 0.
    """

    feeds: list[Feed] = []
    new: NewFeed = NewFeed()
    asked: int = 0

    @handler(Role.PATIENT)
    async def load(self) -> None:
        """Show the addresses that there are."""
        await self._show(NewFeed())

    @handler(Role.PATIENT)
    async def create(self) -> None:
        """Make an address and show it this once."""
        await self._show(new_feed(await bridge.call(self, calendars.create_feed, shows="own")))

    @handler(Role.PATIENT, local=True)
    async def copied(self) -> None:
        """Say that the address was copied."""
        self.tell("The address is copied.")

    @handler(Role.PATIENT, local=True)
    async def ask(self, feed_id: int) -> None:
        """Ask before an address ends; 0 asks about none."""
        self.asked = feed_id

    @handler(Role.PATIENT)
    async def revoke(self, feed_id: int) -> None:
        """End an address."""
        await bridge.call(self, calendars.revoke_feed, feed_id=feed_id)
        await self._show(NewFeed())
        self.tell("The address is revoked.")

    async def _show(self, new: NewFeed) -> None:
        self.feeds, self.new, self.asked = shown(await bridge.read(self, calendars.list_feeds)), new, 0


def page() -> rx.Component:
    """The page."""
    content = theme.narrow(
        theme.page_heading("Calendar", back=("My appointments", routes.PATIENT)),
        feed_section(
            theme.button("Create an address", icon_name="plus", full=True, on_click=Calendar.create),
            feeds=Calendar.feeds,
            new=Calendar.new,
            asked=Calendar.asked,
            on_copied=Calendar.copied,
            ask=Calendar.ask,
            revoke=Calendar.revoke,
        ),
    )
    return frame(only_for(Role.PATIENT, theme.loading(content, _skeleton())), active=routes.PATIENT)


def _skeleton() -> rx.Component:
    return theme.narrow(theme.skeleton("8rem", "1.75rem"), theme.skeleton("100%"), theme.skeleton("100%", "96px"))
