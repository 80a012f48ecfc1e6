"""What booking does by itself, in every worker; several workers may do so at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mhms_app.booking import reminders, settling, summaries

log = logging.getLogger(__name__)

_EVERY = 60.0  # seconds


async def remind() -> None:
    """Write the reminders that are due, until cancelled."""
    await _every_minute(reminders.remind_all, "reminders cannot be written (%s)")


async def summarise() -> None:
    """Write the summaries of doctors' days that are due, until cancelled."""
    await _every_minute(summaries.summarise_all, "summaries cannot be written (%s)")


async def finish_leaves() -> None:
    """Finish interrupted leaves, at the start and from then on, until cancelled."""
    await _every_minute(settling.finish_all, "leaves cannot be finished (%s)")


async def _every_minute(work: Callable[[], int], trouble: str) -> None:
    while True:
        try:
            await asyncio.to_thread(work)
        except Exception as error:  # an outage, most likely; it must not stop for good
            log.warning(trouble, type(error).__name__)
        await asyncio.sleep(_EVERY)
