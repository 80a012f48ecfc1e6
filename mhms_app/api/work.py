"""Where the routes do their work: in threads of their own, so that a flood of logins leaves the open pages theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mhms_app import turns
from mhms_app.errors import TryAgain
from mhms_app.turns import Turns, Urgency

P = ParamSpec("P")
T = TypeVar("T")

_turns = Turns(8, lines=(80, 80, 80), name="http")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what acts.

    Raises:
        TryAgain: the database is away, or too many wait already; nothing was changed.
        OutcomeUnknown: the database went away while it committed.
        ClinicError: whatever the service refuses.
    """
    return await _run(lambda: function(*args, **kwargs), repeatable=False, patience=0)


async def look(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what can be run twice, and do so for a while if the database is away.

    Raises:
        TryAgain: it is away for longer, or too many wait already.
        ClinicError: whatever the service refuses.
    """
    return await _run(lambda: function(*args, **kwargs), repeatable=True, patience=turns.PATIENCE)


async def _run(work: Callable[[], T], *, repeatable: bool, patience: float) -> T:
    async def said(_problem: TryAgain) -> None:
        """The browser shows by itself that it waits."""

    return await turns.patiently(
        lambda: _turns.run(work, Urgency.LOOK), repeatable=repeatable, told=said, patience=patience
    )
