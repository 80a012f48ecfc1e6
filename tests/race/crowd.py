"""Eight processes with two connections each, which all begin at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import chain
from threading import Barrier
from typing import TypeVar

from mhms_app import db
from tests.race.cast import Answer, Attempt, Way, attempt, book, taking_away

PROCESSES, CONNECTIONS = 8, 2
T = TypeVar("T")
_start: Barrier | None = None


class Crowd:
    """The processes; starting them takes longer than any race, so all races share them."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        start = spawn.Barrier(PROCESSES * CONNECTIONS)
        self._pool = ProcessPoolExecutor(PROCESSES, spawn, initializer=_get_ready, initargs=(start,))

    def together(self, url: str, works: Sequence[Callable[[], T]], *, way: Way = Way.SHIPPED) -> list[T]:
        """Do one piece of work on each connection to this database; what any of them raises, this raises."""
        assert len(works) == PROCESSES * CONNECTIONS
        shares = [works[n : n + CONNECTIONS] for n in range(0, len(works), CONNECTIONS)]
        return list(chain.from_iterable(self._pool.map(partial(_work_in_threads, url, way), shares)))

    def book(self, url: str, attempts: Sequence[Attempt], *, way: Way = Way.SHIPPED) -> list[Answer]:
        """Let all connections book at once, each a share of the attempts."""
        everybody = PROCESSES * CONNECTIONS
        shares = [partial(_book_share, attempts[n::everybody], way) for n in range(everybody)]
        return list(chain.from_iterable(self.together(url, shares, way=way)))

    def go_home(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _get_ready(start: Barrier) -> None:
    global _start  # noqa: PLW0603 - one crowd a process
    _start = start


def _work_in_threads(url: str, way: Way, works: Sequence[Callable[[], T]]) -> list[T]:
    db.use_engine(db.make_engine(url))
    try:
        with taking_away(way), ThreadPoolExecutor(CONNECTIONS) as connections:
            return list(connections.map(_work, works))
    finally:
        db.use_engine(None)


def _work(work: Callable[[], T]) -> T:
    """Connect, wait for everybody else, which also gives each process its share, and only then begin."""
    assert _start is not None
    book(attempt("nobody's token", 0))
    _start.wait(timeout=120)
    return work()


def _book_share(attempts: Iterable[Attempt], way: Way) -> list[Answer]:
    return [book(wanted, way=way) for wanted in attempts]
