"""Where the throttle keeps its counts: in this process, or in Redis for all workers together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

_REMEMBERED = 50_000  # counts in one process; the oldest are forgotten first
_PATIENCE = 1.0  # seconds for Redis to answer
_PAUSE = 10.0  # seconds until a Redis that did not answer is asked again
_PREFIX = "mhms:throttle:"


class Count(NamedTuple):
    """What is known of one key; instants are seconds since the epoch.

    Attributes:
        level: how many attempts are remembered; they are forgotten little by little.
        at: when ``level`` was true.
        closed_until: no attempt is let through before.
        forgotten_at: nothing is left of it then.
    """

    level: float = 0
    at: float = 0
    closed_until: float = 0
    forgotten_at: float = 0


Change = Callable[[list[Count]], list[Count]]


class Store(Protocol):
    """Keeps counts by key."""

    def update(self, keys: list[str], change: Change) -> None:
        """Replace the counts of ``keys`` by what ``change`` makes of them; when it raises, they stay.

        Nobody else changes them meanwhile; ``change`` may be called more than once.
        """


class Memory:
    """Keeps counts in this process."""

    def __init__(self) -> None:
        self._counts: dict[str, Count] = {}
        self._changing = threading.Lock()

    def update(self, keys: list[str], change: Change) -> None:
        """As ``Store.update``."""
        with self._changing:
            changed = change([self._counts.get(key, Count()) for key in keys])
            for key, count in zip(keys, changed, strict=True):
                self._counts.pop(key, None)  # the newest stand last
                self._counts[key] = count
            while len(self._counts) > _REMEMBERED:
                del self._counts[next(iter(self._counts))]


class Shared:
    """Keeps counts in Redis; while it does not answer, in this process."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 1),  # a connection that was left over may be dead
        )
        self._own = Memory()
        self._asked_again_at = 0.0

    def update(self, keys: list[str], change: Change) -> None:
        """As ``Store.update``."""
        if time.monotonic() < self._asked_again_at:
            self._own.update(keys, change)
            return
        try:
            self._redis.transaction(lambda pipe: _change(pipe, keys, change), *(_PREFIX + key for key in keys))
        except RedisError as error:
            if not self._asked_again_at:
                log.warning("Redis does not count attempts (%s): each worker counts its own", type(error).__name__)
            self._asked_again_at = time.monotonic() + _PAUSE
            self._own.update(keys, change)
        else:
            if self._asked_again_at:
                log.info("Redis counts attempts again")
            self._asked_again_at = 0.0


def _change(pipe: Pipeline, keys: list[str], change: Change) -> None:
    """Change watched counts: all of them at once, or again when another worker has changed one meanwhile."""
    stored = cast("list[str | None]", pipe.mget([_PREFIX + key for key in keys]))
    changed = change([Count(*map(float, text.split())) if text else Count() for text in stored])
    pipe.multi()
    for key, count in zip(keys, changed, strict=True):
        remembered = max(1, round(count.forgotten_at - count.at))
        pipe.set(_PREFIX + key, " ".join(map(repr, count)), ex=remembered)
