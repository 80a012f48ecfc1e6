"""When each task of this process has last done its work: it says so here, and the worker's row takes it along."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

_beats: dict[str, datetime] = {}


def beat(task: str) -> None:
    """This task has just done its work."""
    _beats[task] = datetime.now(UTC)


def beats() -> dict[str, datetime]:
    """When each task of this process has last done its work; aware UTC."""
    return dict(_beats)


async def keep_doing(
    task: str,
    work: Callable[[], object],
    *,
    every: float,
    log: logging.Logger,
    trouble: str,
    wake: asyncio.Event | None = None,
) -> None:
    """Do something in a thread, again and again until cancelled; an outage ends nothing.

    Args:
        every: seconds between two times, unless it is woken.
        trouble: what the log says of a failure; ``%s`` is its type.
    """
    wake = wake or asyncio.Event()
    while True:
        wake.clear()
        try:
            await asyncio.to_thread(work)
            beat(task)
        except Exception as error:  # an outage, most likely; it must not stop for good
            log.warning(trouble, type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), every)
