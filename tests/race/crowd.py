"""Eight processes that begin at the same moment, each with an engine and two connections of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import chain
from threading import Barrier
from typing import TypeVar

from mhms_app import db
from tests.race.cast import Answer, Attempt, Way, book, taking_away

PROCESSES, CONNECTIONS = 8, 2
T = TypeVar("T")
_start: Barrier | None = None


class Crowd:
    """The processes; starting them takes longer than any race, so all races share them."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(PROCESSES, spawn, initializer=_get_ready, initargs=(spawn.Barrier(PROCESSES),))

    def together(self, url: str, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do one piece of work in each process on this database; what any of them raises, this raises."""
        assert len(works) == PROCESSES
        return list(self._pool.map(_work, [url] * PROCESSES, works))

    def book(self, url: str, attempts: Sequence[Attempt], *, way: Way = Way.SHIPPED) -> list[Answer]:
        """Let all processes book at once, each a share of the attempts."""
        shares = [partial(_book_share, attempts[n::PROCESSES], way) for n in range(PROCESSES)]
        return list(chain.from_iterable(self.together(url, shares)))

    def go_home(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _get_ready(start: Barrier) -> None:
    global _start  # noqa: PLW0603 - one crowd a process
    _start = start


def _work(url: str, work: Callable[[], T]) -> T:
    """Wait for the others, which also makes sure that each process gets one piece of work."""
    assert _start is not None
    db.use_engine(db.make_engine(url))
    try:
        _start.wait(timeout=120)
        return work()
    finally:
        db.use_engine(None)


def _book_share(attempts: Iterable[Attempt], way: Way) -> list[Answer]:
    with taking_away(way), ThreadPoolExecutor(CONNECTIONS) as connections:
        return list(connections.map(partial(book, way=way), attempts))
