"""When each task of this process has last done its work: it says so here, and the worker's row takes it along."""

from __future__ import annotations

from datetime import UTC, datetime

_beats: dict[str, datetime] = {}


def beat(task: str) -> None:
    """This task has just done its work."""
    _beats[task] = datetime.now(UTC)


def beats() -> dict[str, datetime]:
    """When each task of this process has last done its work; aware UTC."""
    return dict(_beats)
