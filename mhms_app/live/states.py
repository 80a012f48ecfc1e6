"""Redis keeps what open tabs show (Reflex's State): while it is away they are told, and afterwards they begin anew.

A tab that nobody touches sends nothing, so it would never find out that its State is gone, and a live screen would be
told of nothing any more. So each worker looks in Redis for a mark. While Redis does not answer, the worker's tabs read
why nothing happens; when it answers again, or its mark is another one because it was emptied, their sockets are closed.
The browser opens a new one within two seconds, and the page is read anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import reflex as rx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from reflex.istate.manager.redis import StateManagerRedis, enable_keyspace_notifications

from mhms_app.live.doorman import doorman
from mhms_app.live.hub import send
from mhms_app.settings import settings

log = logging.getLogger(__name__)

_MARK = "mhms:states"
_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class States:
    """Whether the States of this worker's tabs are still where they were.

    Args:
        away: what shows a tab that they cannot be reached, as a delta.
    """

    away: Mapping[str, Mapping[str, Any]]
    _mark: bytes = b""
    _is_away: bool = False
    _told: set[str] = field(default_factory=set)

    async def run(self, app: rx.App) -> None:
        """The lifespan task: look every second until the worker ends."""
        if not isinstance(app.state_manager, StateManagerRedis):
            return
        limits: dict[str, Any] = {"socket_timeout": _LOOK_SECONDS, "socket_connect_timeout": _LOOK_SECONDS}
        async with Redis.from_url(settings().redis_url, retry=Retry(NoBackoff(), 0), **limits) as redis:
            while True:
                await self.look(app, redis)
                await asyncio.sleep(_LOOK_SECONDS)

    async def look(self, app: rx.App, redis: Redis) -> None:
        """Look once."""
        try:
            await redis.set(_MARK, str(uuid4()), nx=True)
            mark = await redis.get(_MARK)
            if self._is_away or self._mark not in (b"", mark):
                await enable_keyspace_notifications(redis)  # which a Redis forgets that is started again
                log.warning("Redis answers, and the pages of this worker begin anew")
                await doorman.close()
            self._mark, self._is_away = mark, False
            self._told.clear()
        except RedisError as error:
            if not self._is_away:
                log.warning("Redis does not answer (%s): pages wait", type(error).__name__)
            self._is_away = True
            await self._tell(app)

    async def _tell(self, app: rx.App) -> None:
        """Tell every tab of this worker that has not been told yet."""
        connected = app.event_namespace.sid_to_token if app.event_namespace else {}
        untold = connected.keys() - self._told
        self._told |= untold
        await send(app, untold, self.away)
