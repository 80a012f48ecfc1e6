"""Holds end: when their time is over, and when the screen that asked for them is gone.

So do the offers of the waiting list. The database knows until when a slot is held; this task opens what is over, in
whichever worker looks first. Which tab holds what is known by the worker in which it asked for it: a tab that stays
closed for two looks, and was not opened in another worker meanwhile, loses its hold. Should the worker die instead, the
hold's own end frees the slot.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import reflex as rx

from mhms_app import db, pulse, tab
from mhms_app.booking import holds, waiting
from mhms_app.booking.holds import Hold

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0


@dataclass(slots=True)
class Keeper:
    """Which tab of this worker holds what."""

    _held: dict[str, Hold] = field(default_factory=dict)
    _missing: set[str] = field(default_factory=set)

    def keep(self, screen: Any, hold: Hold) -> None:
        """Remember that this tab holds a slot; it holds one at a time."""
        self._held[tab.token(screen)] = hold

    def forget(self, screen: Any) -> None:
        """This tab holds nothing any more."""
        self._held.pop(tab.token(screen), None)

    async def run(self, app: rx.App) -> None:
        """The lifespan task: look every two seconds until the worker ends."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                left = self._left(await self._closed(app))
                await asyncio.to_thread(_end, left)
                pulse.beat("holds")
            except Exception as error:  # an outage; every hold still ends by itself
                log.warning("holds could not be looked after (%s)", type(error).__name__)

    async def _closed(self, app: rx.App) -> set[str]:
        """The tabs that hold something and are open in no worker."""
        if app.event_namespace is None:
            return set(self._held)
        tabs = app.event_namespace._token_manager  # with Redis it knows those of all workers
        return {token for token in tuple(self._held) if not await tabs.is_token_connected(token)}

    def _left(self, closed: set[str]) -> list[Hold]:
        """The holds of the tabs that were closed at the last look already."""
        left = [self._held.pop(token) for token in closed & self._missing & self._held.keys()]
        self._missing = closed & self._held.keys()
        return left


def _end(left: list[Hold]) -> None:
    with db.transaction(read_only=True) as session:
        due, over = bool(left) or holds.any_expired(session), waiting.over(session)
    if due:
        with db.transaction() as session:
            for hold in left:
                holds.let_go(session, hold)
            holds.open_expired(session)
    for offer_id in over:  # each on its own: the next one is told although another fails
        with db.transaction() as session:
            waiting.expire(session, offer_id=offer_id)


keeper = Keeper()
