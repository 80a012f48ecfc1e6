"""Waiting for a pause in the typing before the server is told."""

from __future__ import annotations

_PAUSE = 250  # milliseconds
_places: dict[str, int] = {}


def pause(field: str) -> int:
    """How long to wait, for ``debounce``, where several fields share one handler.

    Reflex tells waiting events apart by handler and length. With the same length the second field filled in
    within a pause would swallow the first, so each field has a length of its own.
    """
    return _PAUSE + _places.setdefault(field, len(_places))
