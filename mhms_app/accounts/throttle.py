"""Slowing down whoever guesses passwords: per account and per address, never for good."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import cache

from limits import RateLimitItem, parse_many
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from mhms_app.errors import TooManyAttempts
from mhms_app.settings import settings

# One person at one address has a few tries a minute. A whole hospital behind one address still gets in,
# and somebody else's guesses close an account for minutes only.
_RULES = {
    "login-account": parse_many("10/5minutes; 40/hour"),
    "login-address": parse_many("60/5minutes; 300/hour"),
    "signup-address": parse_many("20/hour; 60/day"),
    "reset-address": parse_many("20/hour; 60/day"),
    "reset-account": parse_many("3/hour; 8/day"),
    "code-account": parse_many("10/5minutes; 40/hour"),
    "confirm-account": parse_many("3/hour; 8/day"),
    "passkey-address": parse_many("60/5minutes; 300/hour"),
}


@cache
def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(storage_from_string(settings().redis_url or "memory://"))


def _counters(keys: dict[str, str]) -> Iterator[tuple[RateLimitItem, str, str]]:
    """Each limit of each ``rule=key``; "Jo@x " and "jo@x" are one account, or its limit would be no limit."""
    for rule, key in keys.items():
        name = rule.replace("_", "-")
        for limit in _RULES[name]:
            yield limit, name, key.strip().casefold()


def check(**keys: str) -> None:
    """Count one attempt for each ``rule=key`` (underscores for dashes) and refuse when one is used up.

    Raises:
        TooManyAttempts: with the seconds to wait.
    """
    for counter in _counters(keys):
        if not _limiter().hit(*counter):
            resets_at = _limiter().get_window_stats(*counter).reset_time
            raise TooManyAttempts(max(1, math.ceil(resets_at - time.time())))


def forget(**keys: str) -> None:
    """Clear the counts of each ``rule=key``, after a success."""
    for counter in _counters(keys):
        _limiter().clear(*counter)


def reset() -> None:
    """Forget every attempt (tests)."""
    _limiter.cache_clear()
