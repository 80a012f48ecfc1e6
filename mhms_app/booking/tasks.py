"""What booking does by itself, in every worker; several workers may do so at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from mhms_app import db, pulse
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import matching, reminders, settling, summaries

log = logging.getLogger(__name__)

_EVERY = 60.0  # seconds


async def remind() -> None:
    """Write the reminders that are due, until cancelled."""
    await _every_minute("reminders", reminders.remind_all, "reminders cannot be written (%s)")


async def summarise() -> None:
    """Write the summaries of doctors' days that are due, until cancelled."""
    await _every_minute("summaries", summaries.summarise_all, "summaries cannot be written (%s)")


async def finish_leaves() -> None:
    """Finish interrupted leaves, at the start and from then on, until cancelled."""
    await _every_minute("leaves", settling.finish_all, "leaves cannot be finished (%s)")


async def tend_waiting_list() -> None:
    """Offer what is published as soon as it is, and take closed accounts off the list, until cancelled."""
    loop, wake = asyncio.get_running_loop(), asyncio.Event()

    def hear(fact: object) -> None:
        if isinstance(fact, SlotsChanged) and fact.came:
            with suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(wake.set)

    stop = db.listen(hear)
    try:
        await _every_minute("waiting list", matching.tend, "the waiting list cannot be tended (%s)", wake=wake)
    finally:
        stop()


async def _every_minute(task: str, work: Callable[[], int], trouble: str, *, wake: asyncio.Event | None = None) -> None:
    await pulse.keep_doing(task, work, every=_EVERY, log=log, trouble=trouble, wake=wake)
