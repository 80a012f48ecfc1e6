"""A worker leaves without anybody losing anything: the balancer is told, then the sockets are closed, then it ends.

``launch.serve`` sends SIGUSR1 to its workers when it is asked to stop, and ends them after ``seconds_to_leave``. For
``MHMS_DRAIN_SECONDS`` everything is still served while ``/readyz`` says no, so that a balancer looks elsewhere. Then no
new socket is let in, and those that are open are closed in peace: their tabs come back through another worker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from contextlib import suppress

from mhms_app.live.doorman import LAST_WORDS, doorman
from mhms_app.settings import settings

LEAVE = signal.SIGUSR1
_LOOK_SECONDS = 1.0
_LEEWAY = 0.5  # seconds, until a socket that was closed is gone


class Leaving:
    """How far this worker has got.

    Attributes:
        is_announced: it is not ready any more, and keeps no connection open for another request.
        is_closed: nobody new is let in.
    """

    is_announced = False
    is_closed = False

    async def run(self) -> None:
        """The lifespan task: wait to be asked to leave, then go through the steps.

        A worker whose main process has died leaves too, at once: nobody would replace it, and as long as it keeps the
        port no other main process can be started.
        """
        asked, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_signal_handler(LEAVE, asked.set)
        started_by = multiprocessing.parent_process()  # which may have died before this worker came to here
        main = started_by.pid if started_by else os.getppid()
        while not asked.is_set() and os.getppid() == main:
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), _LOOK_SECONDS)
        self.is_announced = True
        if asked.is_set():
            await asyncio.sleep(settings().drain_seconds)
        self.is_closed = True
        await doorman.close()
        if not asked.is_set():
            os.kill(os.getpid(), signal.SIGTERM)


def seconds_to_leave() -> float:
    """How long a worker takes from being asked to leave until it may be ended; 0: it does not wait for anything."""
    drain = settings().drain_seconds
    return drain + LAST_WORDS + _LEEWAY if drain else 0


leaving = Leaving()
