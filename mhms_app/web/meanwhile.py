"""What a tab reads while its event waits: sent to it at once, beside the answer that is still to come."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from reflex_base.constants.state import FIELD_MARKER
from reflex_base.event.context import EventContext

from mhms_app.errors import Busy, TryAgain
from mhms_app.web.screen import Screen

BUSY = "The clinic is very busy just now. We keep trying for you; nothing that you typed is lost."
AWAY = "The connection to the clinic's records is interrupted. We keep trying; nothing that you typed is lost."
SLOW = "This takes longer than usual. We are still at it; nothing that you typed is lost."
APART = "The connection to the clinic is interrupted. We keep trying, and this page comes back by itself."
_SLOW_AFTER = 2.5  # seconds


class Wait:
    """While this context lasts, the tab whose event is under way learns why it has to wait, and then that it is over.

    What live screens read again is no event of a tab: nobody is told then.
    """

    def __init__(self) -> None:
        self._said = ""
        self._late: asyncio.TimerHandle | None = None
        self._saying: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        """Begin to wait."""
        self._late = asyncio.get_running_loop().call_later(_SLOW_AFTER, self._soon, SLOW)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Take the sentence away, unless the page itself goes on waiting."""
        if self._late:
            self._late.cancel()
        if self._said and not isinstance(error, TryAgain):
            self._soon("")

    async def tell(self, problem: TryAgain) -> None:
        """Say what is waited for."""
        sentence = sentence_of(problem)
        if sentence != self._said:
            self._said = sentence
            await say(sentence)

    def _soon(self, sentence: str) -> None:
        if sentence and self._said:  # it is known why it is slow
            return
        self._said = sentence
        task = asyncio.ensure_future(say(sentence))
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)


async def say(sentence: str) -> None:
    """Show a sentence in the tab whose event is under way; ``""`` takes it away."""
    with suppress(LookupError):  # no event is under way
        await EventContext.get().emit_delta(delta_of(sentence))


def sentence_of(problem: TryAgain) -> str:
    """What is waited for."""
    return BUSY if isinstance(problem, Busy) else AWAY


def delta_of(sentence: str) -> dict[str, dict[str, Any]]:
    """What shows a sentence in a tab. The server itself keeps none: the next full state takes it away too."""
    return {Screen.get_full_name(): {f"meanwhile{FIELD_MARKER}": sentence}}


def frame_of(sentence: str) -> str:
    """The same as a frame of the socket, for the wall, which stands before all events (Socket.IO 5, engine.io 4)."""
    return f"42/_event,{json.dumps(['event', {'delta': delta_of(sentence)}])}"
