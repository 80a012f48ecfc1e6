"""Slowing down whoever guesses: by account, place, device and address, and never for good (ADR 15).

Each attempt counts before it is looked at, so many at once are no way around; a success takes it back. After a few
free attempts each further one doubles the wait, up to a longest one, in which one attempt is forgotten.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass

from mhms_app.accounts.rules import network_of
from mhms_app.accounts.throttle_store import Count, Memory, Shared, Store
from mhms_app.errors import TooManyAttempts
from mhms_app.once import Once
from mhms_app.settings import settings

_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast something may be tried.

    Attributes:
        free: attempts before the first wait.
        first: that wait, in seconds; each further attempt doubles it.
        longest: no wait is longer; and in so many seconds one attempt is forgotten.
        shared: others try under the same key, so a success takes back its own attempt and no other.
    """

    free: int
    first: float
    longest: float
    shared: bool = False

    def attempt(self, count: Count, now: float) -> Count:
        """Count one more attempt."""
        level = self._left(count, now) + 1
        beyond = math.ceil(level) - self.free
        wait = min(self.longest, self.first * 2**beyond) if beyond >= 0 else 0
        return Count(level, now, now + wait, now + level * self.longest)

    def success(self, count: Count, now: float) -> Count:
        """Take back what a success proves to have been no guess."""
        level = max(0, self._left(count, now) - 1) if self.shared else 0
        return Count(level, now, 0, now + level * self.longest)

    def _left(self, count: Count, now: float) -> float:
        """How many attempts are still remembered."""
        return max(0, count.level - max(0, now - count.at) / self.longest)


# One person has a few tries. Who is not known to an account shares its tries with everybody else who is not; so these
# are many, and a single place runs out of its own long before. A whole hospital behind one address gets in.
_PACES = {
    "login-address": Pace(60, 5, 1 * _MINUTE, shared=True),
    "login-account": Pace(20, 5, 15 * _MINUTE, shared=True),
    "login-place": Pace(8, 15, 1 * _HOUR),
    "login-device": Pace(8, 15, 15 * _MINUTE),
    "passkey-address": Pace(60, 5, 1 * _MINUTE, shared=True),
    "code-account": Pace(5, 15, 1 * _HOUR),
    "signup-address": Pace(20, 1 * _MINUTE, 30 * _MINUTE),
    "reset-address": Pace(20, 1 * _MINUTE, 30 * _MINUTE),
    "export-account": Pace(5, 1 * _MINUTE, 1 * _HOUR),
    # Not longer than a link is good for: whoever has to wait has a message with one that works.
    "reset-account": Pace(3, 10 * _MINUTE, 30 * _MINUTE),
    "confirm-account": Pace(3, 10 * _MINUTE, 30 * _MINUTE),
}


@Once
def _store() -> Store:
    return Shared(settings().redis_url) if settings().redis_url else Memory()


def check(**keys: str) -> None:
    """Count one attempt for each ``rule=key`` (underscores for dashes); when one has to wait, none is counted.

    A key that ends in ``_address`` is a network address, ``"account address"`` one of ``login_place``.

    Raises:
        TooManyAttempts: with the seconds to wait.
    """
    paces, now = _paces(keys), time.time()

    def attempt(counts: list[Count]) -> list[Count]:
        wait = max(count.closed_until for count in counts) - now
        if wait > 0:
            raise TooManyAttempts(math.ceil(wait))
        return [pace.attempt(count, now) for pace, count in zip(paces.values(), counts, strict=True)]

    _store().update(list(paces), attempt)


def forget(**keys: str) -> None:
    """Take back attempts after a success: all of what is one person's own, else the one that it was."""
    paces, now = _paces(keys), time.time()

    def success(counts: list[Count]) -> list[Count]:
        return [pace.success(count, now) for pace, count in zip(paces.values(), counts, strict=True)]

    _store().update(list(paces), success)


def _paces(keys: dict[str, str]) -> dict[str, Pace]:
    """The pace of each key, by the name of its count, which says neither whose it is nor from where."""
    paces = {}
    for given, key in keys.items():
        rule = given.replace("_", "-")
        one = network_of(key) if rule.endswith("-address") else key.strip().casefold()  # "Jo@x " and "jo@x" are one
        paces[f"{rule}:{hashlib.sha256(one.encode(errors='surrogatepass')).hexdigest()}"] = _PACES[rule]
    return paces


def reset() -> None:
    """Forget every attempt that this process has counted (tests)."""
    _store.replace()
