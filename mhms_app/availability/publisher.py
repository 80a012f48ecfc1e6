"""Keeping slots published while the clinic is open: a task of every worker, at its start and every hour."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from mhms_app import pulse
from mhms_app.availability import hours

EVERY = 3600.0  # seconds; a new day is published within an hour of midnight
AFTER_OUTAGE = 60.0

log = logging.getLogger(__name__)


class HoursPublisher:
    """Extends every doctor's horizon for as long as its task runs; several workers may do so at once."""

    def __init__(self, *, every: float = EVERY, after_outage: float = AFTER_OUTAGE) -> None:
        self._every, self._after_outage = every, after_outage

    async def run(self) -> None:
        """Publish until cancelled; then finish the doctor whose turn it is."""
        stop, loop = threading.Event(), asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="hours") as pool:  # its own: nobody waits for it
            try:
                while True:
                    pause = self._every
                    try:
                        await loop.run_in_executor(pool, hours.publish_due, stop)
                        pulse.beat("working hours")
                    except Exception as error:  # an outage, most likely; it must not stop for good
                        pause = self._after_outage
                        log.warning("slots cannot be published (%s); next try in %.0f s", type(error).__name__, pause)
                    await asyncio.sleep(pause)
            finally:
                stop.set()
