"""How an entry is sealed. Standard library only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_HEAD = re.compile(r"(\d{1,10}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain goes: its last position, from 1 on, and the hash there. Both tell it from any other chain."""

    position: int
    hash: str

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


START = Head(0, "0" * 64)
"""The head of an empty chain."""


def head_in(text: str) -> Head | None:
    """The first ``POSITION:HASH`` that stands in a text."""
    found = _HEAD.search(text)
    return Head(int(found[1]), found[2]) if found else None


def seal(previous: str, position: int, sealed_at: datetime, entry: Sequence[object]) -> str:
    """The hexadecimal SHA-256 over the hash before and one entry in its place.

    Args:
        previous: the hash of the position before.
        entry: the entry's columns in a fixed order; instants are aware.
    """
    canonical = _CANONICAL.encode((position, sealed_at, *entry))
    return hashlib.sha256(f"{previous}{canonical}".encode()).hexdigest()


def _instant(value: datetime) -> str:
    """An instant as text that is the same whatever the database."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


_CANONICAL = json.JSONEncoder(separators=(",", ":"), default=_instant)
