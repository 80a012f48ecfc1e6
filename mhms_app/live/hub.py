"""A committed change reaches every open screen of this worker.

Services announce what they changed; after the commit the hub hears of it (in the committing thread), collects
what arrives within a moment, and tells each tab that watches the doctor concerned. A tab is told what
changed, so that it can take a slot off its screen without asking the database: a thousand viewers of one
doctor cost no query. Nothing here can be called from a browser: tabs are told through ``app.modify_state``,
not through an event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import reflex as rx

from mhms_app import db
from mhms_app.availability.slots import SlotsChanged

log = logging.getLogger(__name__)

EVERY_DOCTOR = 0
_COLLECT_SECONDS = 0.1
_SETTLE_SECONDS = 2.5


class LiveScreen(Protocol):
    """A State that wants to hear of changes. The underscore keeps browsers from calling it."""

    async def _on_slots_changed(self, change: SlotsChanged) -> None:
        """Show a change: ``gone`` slots were taken or withdrawn, ``came`` says that new ones were published."""

    async def _settle(self) -> None:
        """Some seconds after a change: remove what was shown for a moment, catch up on what was left out."""


@dataclass(frozen=True, slots=True)
class _Tab:
    """One open tab and the State in it that watches.

    The connection belongs to it: whoever comes later with the same token has not asked to be told.
    """

    client_token: str
    connection: str
    screen: type[Any]

    def is_open(self, connected: Mapping[str, str]) -> bool:
        """Whether the tab is still connected as it was when it began to watch."""
        return connected.get(self.client_token) == self.connection


def _tab_of(screen: Any) -> _Tab:
    session = screen.router.session
    return _Tab(session.client_token, session.session_id, type(screen))


def connected_tabs(app: rx.App) -> set[str]:
    """The tokens of the tabs that are open in this worker."""
    return set(_connected(app))


def _connected(app: rx.App) -> Mapping[str, str]:
    """The connection of every tab that has one, by the tab's token."""
    return app.event_namespace.token_to_sid if app.event_namespace else {}


@dataclass(slots=True)
class Hub:
    """Who watches what, in this worker."""

    _watchers: dict[int, set[_Tab]] = field(default_factory=lambda: defaultdict(set))
    _watched: dict[_Tab, int] = field(default_factory=dict)

    def watch(self, screen: Any, doctor_id: int) -> None:
        """Tell this tab of changes to a doctor's slots (``EVERY_DOCTOR``: to anybody's) from now on.

        A tab's State watches one doctor at a time.
        """
        tab = _tab_of(screen)
        self._forget(tab)
        self._watched[tab] = doctor_id
        self._watchers[doctor_id].add(tab)

    def leave(self, screen: Any) -> None:
        """Tell this tab nothing more: it is about to show another page."""
        self._forget(_tab_of(screen))

    def _forget(self, tab: _Tab) -> None:
        doctor_id = self._watched.pop(tab, None)
        if doctor_id is not None:
            self._watchers[doctor_id].discard(tab)
            if not self._watchers[doctor_id]:
                del self._watchers[doctor_id]

    async def run(self, app: rx.App) -> None:
        """The lifespan task: hear of changes and pass them on until the worker ends."""
        loop, changes = asyncio.get_running_loop(), asyncio.Queue[SlotsChanged]()

        def hear(fact: object) -> None:
            if isinstance(fact, SlotsChanged):
                loop.call_soon_threadsafe(changes.put_nowait, fact)

        stop = db.listen(hear)
        try:
            while True:
                collected = [await changes.get()]
                await asyncio.sleep(_COLLECT_SECONDS)
                while not changes.empty():
                    collected.append(changes.get_nowait())
                for change in _merged(collected):
                    await self._tell(app, change)
        finally:
            stop()

    async def _tell(self, app: rx.App, change: SlotsChanged) -> None:
        """Pass one change on to every tab that watches; a tab that is closed is forgotten."""
        told: list[_Tab] = []
        connected = _connected(app)
        for tab in (*self._watchers.get(change.doctor_id, ()), *self._watchers.get(EVERY_DOCTOR, ())):
            if not tab.is_open(connected):
                self._forget(tab)
                continue
            if await self._with_screen(app, tab, lambda screen: screen._on_slots_changed(change)):
                told.append(tab)
        if told:
            asyncio.get_running_loop().call_later(
                _SETTLE_SECONDS, lambda: asyncio.ensure_future(self._let_settle(app, told))
            )

    async def _let_settle(self, app: rx.App, tabs: list[_Tab]) -> None:
        """Let the tabs come to rest after a change."""
        connected = _connected(app)
        for tab in tabs:
            if tab.is_open(connected):
                await self._with_screen(app, tab, lambda screen: screen._settle())

    async def _with_screen(self, app: rx.App, tab: _Tab, act: Callable[[Any], Awaitable[None]]) -> bool:
        """Run ``act`` on a tab's State under its lock and send what it changed; one tab's failure is its own."""
        try:
            async with app.modify_state(rx.BaseStateToken(ident=tab.client_token, cls=tab.screen)) as state:
                await act(await state.get_state(tab.screen))
        except Exception:
            log.exception("a live screen could not be told")
            return False
        return True


def _merged(changes: list[SlotsChanged]) -> list[SlotsChanged]:
    """One change a doctor from all that were collected."""
    merged: dict[int, SlotsChanged] = {}
    for change in changes:
        before = merged.get(change.doctor_id, SlotsChanged(change.doctor_id, (), came=False))
        freed, gone = {slot.id for slot in change.freed}, set(change.gone)
        merged[change.doctor_id] = SlotsChanged(  # of a slot that was freed and taken, what came last is true
            change.doctor_id,
            gone=tuple(slot_id for slot_id in before.gone if slot_id not in freed) + change.gone,
            came=before.came or change.came,
            freed=tuple(slot for slot in before.freed if slot.id not in gone) + change.freed,
        )
    return list(merged.values())


hub = Hub()
