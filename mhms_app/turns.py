"""The threads in which services run: who gets one next, and what happens while there is none or no database.

A queue without an end makes everybody wait for answers that nobody needs any more, and fills the memory. So each kind
of work waits in a line of limited length, and what does not fit is refused at once (``Busy``): a look before an act,
a stranger before somebody with a session. What was refused, or could not reach the database, is tried again for a
while (``patiently``), which for the person behind it is an answer that takes a little longer.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from itertools import count
from typing import TypeVar

from mhms_app import db, trace
from mhms_app.errors import Busy, OutcomeUnknown, TryAgain, Unreachable

T = TypeVar("T")

PATIENCE = 8.0  # seconds; below the ten after which Reflex takes the lock of a tab's state in Redis away
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 1.5  # seconds between two tries


class Urgency(IntEnum):
    """How long a line somebody still joins, and before whom: lower comes first."""

    ACT = 0  # somebody with a session changes something
    LOOK = 1  # somebody with a session reads
    STRANGER = 2  # anybody else


class Turns:
    """A number of threads, and a line in front of them.

    Args:
        threads: how many work at once.
        lines: for each ``Urgency``, how many may be waiting in all for one more to join them.
        name: of the threads, in logs and profiles.
    """

    def __init__(self, threads: int, *, lines: tuple[int, int, int], name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lines = lines
        self._threads = self._free = threads
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._order = count()

    @property
    def running(self) -> int:
        """How many threads are at work."""
        return self._threads - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return len(self._waiting)

    async def run(self, work: Callable[[], T], urgency: Urgency) -> T:
        """Run ``work`` in a thread, in its turn and with the caller's context variables.

        Raises:
            Busy: the line is too long.
        """
        await self._turn(urgency)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, trace.carried(work))
        finally:
            self._pass_on()

    async def _turn(self, urgency: Urgency) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._lines[urgency]:
            raise Busy
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came just as its owner left
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


async def patiently(
    attempt: Callable[[], Awaitable[T]],
    *,
    repeatable: bool,
    told: Callable[[TryAgain], Awaitable[None]],
    patience: float = PATIENCE,
) -> T:
    """Make an attempt, and make it again while the database is away or nobody has time for it.

    Args:
        repeatable: doing it twice is the same as doing it once, so that a lost outcome is no reason to stop.
        told: hears before every pause what it is waiting for.
        patience: seconds after which the last refusal stands.

    Raises:
        TryAgain: it could not be done all this time; nothing was changed.
        OutcomeUnknown: the database went away during the commit of something that is not repeatable, or did not come
            back in time to repeat it.
    """
    loop = asyncio.get_running_loop()
    end, pause, is_unknown = loop.time() + patience, _FIRST_PAUSE, False
    while True:
        try:
            return await attempt()
        except Busy as refusal:
            problem: TryAgain = refusal
        except Exception as error:
            if not db.is_away(error):
                raise
            is_unknown = is_unknown or isinstance(error, db.CommitLost)
            if is_unknown and not repeatable:
                raise OutcomeUnknown from error
            problem = Unreachable()
            problem.__cause__ = error
        if loop.time() + pause > end:
            raise OutcomeUnknown if is_unknown else problem
        await told(problem)
        await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - no secret: not all at the same moment
        pause = min(2 * pause, _LONGEST_PAUSE)
