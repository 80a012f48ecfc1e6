"""What a process has one of, it makes once: whoever asks first, and however many they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from mhms_app import db, replica
from mhms_app.accounts import throttle
from mhms_app.once import Once
from mhms_app.oversight import figures

ASKING = 4


@pytest.fixture(
    params=[db.engine, replica._replica, throttle._store, figures._redis],
    ids=["engine", "replica", "throttle", "redis"],
)
def only(request: pytest.FixtureRequest) -> Iterator[Once[int]]:
    """Something that a process has one of, not made yet; afterwards it is what it was."""
    before = request.param.replace()
    yield request.param
    request.param.replace(before)


def test_threads_that_ask_first_at_the_same_time_are_given_the_same(
    only: Once[int], monkeypatch: pytest.MonkeyPatch
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
    with ThreadPoolExecutor(ASKING) as pool:
        assert list(pool.map(ask, range(ASKING))) == [0] * ASKING
    assert only() == 0


def test_another_takes_the_place_of_the_one_there_was() -> None:
    numbers = count()
    only = Once(lambda: next(numbers))
    assert only.replace(7) is None
    assert (only(), only.replace(), only(), only()) == (7, 7, 0, 0)
