"""What a process has one of, it makes once: whoever asks first, and however many they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from mhms_app import db, replica
from mhms_app.accounts import throttle
from mhms_app.once import Once
from mhms_app.oversight import figures

ASKING = 4


@pytest.fixture
def fresh() -> Iterator[Callable[[Once[int]], Once[int]]]:
    """Makes a process forget what it has one of; afterwards it has its own again."""
    kept: list[tuple[Once[int], int | None]] = []

    def forget(only: Once[int]) -> Once[int]:
        kept.append((only, only.replace()))
        return only

    yield forget
    for only, before in kept:
        only.replace(before)


@pytest.mark.parametrize(
    "only",
    [db.engine, replica._replica, throttle._store, figures._redis],
    ids=["engine", "replica", "throttle", "redis"],
)
def test_threads_that_ask_first_at_the_same_time_are_given_the_same(
    only: Once[int], fresh: Callable[[Once[int]], Once[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else attempts at a password would be counted in two places, and one of them forgotten."""
    numbers, together = count(), threading.Barrier(ASKING)

    def make() -> int:
        """Takes long enough for all the others to come too, if they are let in."""
        threading.Event().wait(0.05)
        return next(numbers)

    def ask(_: int) -> int:
        together.wait()
        return only()

    monkeypatch.setattr(only, "_make", make)
    fresh(only)
    with ThreadPoolExecutor(ASKING) as pool:
        assert list(pool.map(ask, range(ASKING))) == [0] * ASKING
    assert only() == 0


def test_another_takes_the_place_of_the_one_there_was() -> None:
    numbers = count()
    only = Once(lambda: next(numbers))
    assert only.replace(7) is None
    assert (only(), only.replace(), only(), only()) == (7, 7, 0, 0)
