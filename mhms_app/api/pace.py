"""How fast a socket is listened to: what is not read yet waits in the network, and fills no memory of ours."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from starlette.types import Message, Receive

BURST, RATE = 300, 60  # messages at once, and a second after that: more than any page of ours sends
CROWD_FOR_STRANGERS, CROWD = 500, 1500  # events waiting or under way in a worker, beyond which nobody is listened to


def paced(receive: Receive, *, crowd: Callable[[], int], has_session: bool) -> Receive:
    """Hand on the client's messages, not faster than ``RATE`` and not while too many events wait already.

    Args:
        crowd: how many wait or are under way.
        has_session: it comes with a session's cookie: strangers stop being listened to much earlier, so that there is
            room left for those who were here before the crowd.
    """
    most = CROWD if has_session else CROWD_FOR_STRANGERS
    left, at = float(BURST), time.monotonic()

    async def receiving() -> Message:
        nonlocal left, at
        message = await receive()
        now = time.monotonic()
        left, at = min(BURST, left + (now - at) * RATE) - 1, now
        if left < 0:
            await asyncio.sleep(-left / RATE)
        while message["type"] == "websocket.receive" and crowd() >= most:  # noqa: ASYNC110 - a number, not an event
            await asyncio.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - no secret: not all at the same moment
        return message

    return receiving
