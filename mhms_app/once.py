"""What a process has one of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """A function that makes something when it is first asked for, and hands out the same from then on.

    Unlike ``functools.cache``, it makes one however many threads ask first: ``cache`` lets each of them make its own,
    and what some of them were given is not what the others use.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._making = threading.Lock()

    def __call__(self) -> T:
        """The one that there is."""
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made

    def replace(self, other: T | None = None) -> T | None:
        """Hand out another from now on, or with None make a new one; returns the one that there was."""
        with self._making:
            before, self._made = self._made, other
        return before
