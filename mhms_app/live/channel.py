"""The channel between workers: PostgreSQL's LISTEN, one connection a worker.

A fact is sent by NOTIFY inside the transaction that it is about, so it arrives if and only if that commits, in the
order of the commits. A lost connection loses what was sent meanwhile; whoever listens is then told to look again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg

from mhms_app import db, facts
from mhms_app.facts import EVERYTHING, LookAgain
from mhms_app.settings import settings

log = logging.getLogger(__name__)

_PROBE_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


@dataclass(slots=True)
class Channel:
    """What this worker hears of the others.

    Attributes:
        probe_seconds: how often the whole way through the database is tried; so long an answer may take.
    """

    probe_seconds: float = _PROBE_SECONDS
    _probe: str = field(default_factory=lambda: f"probe {uuid4()}")
    _came_back: bool = False

    async def run(self) -> None:
        """The lifespan task: listen, and connect again whenever that ends, until the worker ends."""
        if settings().uses_sqlite:
            return  # one worker: everything is told in the process
        pause = _FIRST_PAUSE
        while True:
            try:
                async with self._connected() as connection:
                    pause = _FIRST_PAUSE
                    await self._listen(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("the channel between workers is down (%s)", type(error).__name__)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection that hears everything from now on."""
        url = settings().database_direct_url.replace("+psycopg", "", 1)
        async with asyncio.timeout(2 * self.probe_seconds):
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True, **_KEEPALIVES)
        try:
            async with asyncio.timeout(self.probe_seconds):
                await connection.execute("LISTEN mhms")  # db.CHANNEL; LISTEN takes no parameter
            db.channel_is_up(True)
            db.tell_from_channel([LookAgain((EVERYTHING,))])
            yield connection
        finally:
            db.channel_is_up(False)
            connection.pgconn.finish()  # without a word to a server that may be gone

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        """Pass on what comes; a probe that does not come back shows that nothing else would."""
        while True:
            async for heard in connection.notifies(timeout=self.probe_seconds):
                self._hear(heard.payload)
            self._came_back = False
            async with asyncio.timeout(self.probe_seconds):
                await connection.execute("SELECT pg_notify(%s, %s)", (db.CHANNEL, self._probe))
                while not self._came_back:
                    async for heard in connection.notifies(stop_after=1):
                        self._hear(heard.payload)

    def _hear(self, payload: str) -> None:
        if payload.startswith("probe "):
            self._came_back = self._came_back or payload == self._probe
            return
        try:
            told = facts.decode(payload)
        except (ValueError, TypeError):
            log.warning("the channel brought something unreadable: everything is looked at again")
            told = [LookAgain((EVERYTHING,))]
        db.tell_from_channel(told)
