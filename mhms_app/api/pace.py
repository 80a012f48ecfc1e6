"""How fast a socket is listened to: what is not read yet waits in the network, and fills no memory of ours."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Message, Receive, Send

BURST, RATE = 300, 60  # messages at once, and a second after that: more than any page of ours sends
CROWD_FOR_STRANGERS, CROWD = 48, 400  # tabs of a worker that wait for an answer, beyond which nobody is listened to
MOST_AHEAD = 64 * 1024  # characters that a client who has to wait may send meanwhile
_JOINED = "40/_event,"  # how Socket.IO's client enters the namespace of the events
_SAID_AFTER = 3  # looks in vain


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a worker says of its crowd.

    Attributes:
        size: how many tabs wait for an answer.
        busy, over: the frames with which a tab learns that it has to wait, and that it does no more.
    """

    size: Callable[[], int] = lambda: 0
    busy: str = ""
    over: str = ""


class Paced:
    """Hands on what a client sends: not faster than ``RATE``, and not while too many tabs wait already.

    Meanwhile it reads ahead, a little. More than that no person sends: whoever does is hung up on. Of a client that has
    left, or has to, nothing more is handed on.

    Args:
        has_session: it comes with a session's cookie. Strangers stop being listened to much earlier, so that there is
            room left for those who were here before the crowd; who sends a cookie that is none has won a second.
    """

    def __init__(self, receive: Receive, send: Send, *, crowd: Crowd, has_session: bool) -> None:
        self._receive, self._send, self._crowd = receive, send, crowd
        self._most = CROWD if has_session else CROWD_FOR_STRANGERS
        self._left, self._at = float(BURST), time.monotonic()
        self._ahead: deque[Message] = deque()
        self._reading: asyncio.Future[Message] | None = None
        self._has_joined = False

    async def __call__(self) -> Message:
        """The client's next message (ASGI 3.0)."""
        message = self._ahead.popleft() if self._ahead else await self._read()
        if message["type"] != "websocket.receive":
            return message
        now = time.monotonic()
        self._left, self._at = min(BURST, self._left + (now - self._at) * RATE) - 1, now
        if gone := await self._wait(-self._left / RATE) or await self._wait_for_room():
            return gone
        self._has_joined = self._has_joined or str(message.get("text", "")).startswith(_JOINED)
        return message

    async def _wait_for_room(self) -> Message | None:
        looks = 0
        while self._crowd.size() >= self._most:
            looks += 1
            if looks == _SAID_AFTER and self._has_joined:
                await self._send({"type": "websocket.send", "text": self._crowd.busy})
            # Not all of them look at the same moment.
            if gone := await self._wait(random.uniform(0.1, 0.3)):  # noqa: S311 - no secret
                return gone
        if looks >= _SAID_AFTER and self._has_joined:
            await self._send({"type": "websocket.send", "text": self._crowd.over})
        return None

    async def _wait(self, seconds: float) -> Message | None:
        """Let time pass and read ahead; returns early, and with its last message, when the client leaves or has to."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._reading = self._reading or asyncio.ensure_future(_awaited(self._receive))
            await asyncio.wait({self._reading}, timeout=left)
            if not self._reading.done():
                return None
            message = await self._read()
            self._ahead.append(message)
            if message["type"] != "websocket.receive" or sum(map(_size, self._ahead)) > MOST_AHEAD:
                self._ahead.clear()
                return {"type": "websocket.disconnect", "code": 1008}
        return None

    async def _read(self) -> Message:
        if self._reading is None:
            return await self._receive()
        reading, self._reading = self._reading, None
        return await reading


async def _awaited(receive: Receive) -> Message:
    return await receive()


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or "")
