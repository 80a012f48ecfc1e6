"""How fast a socket is listened to: what is not read yet waits in the network, and fills no memory of ours."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from starlette.types import Message, Receive, Send

BURST, RATE = 300, 60  # messages at once, and a second after that: more than any page of ours sends
CROWD_FOR_STRANGERS, CROWD = 48, 400  # tabs of a worker that wait for an answer, beyond which nobody is listened to
MOST_AHEAD, LONGEST_AHEAD = 32, 64 * 1024  # messages, and characters of them, that a client sends who has to wait
_JOINED = "40/_event,"  # how Socket.IO's client enters the namespace of the events
_LOOKS_EVERY = 0.02  # seconds
_SAID_AFTER = 0.6  # seconds


class Crowd:
    """Who waits for an answer of this worker, and the lines of those who are not listened to meanwhile.

    What has been let in is on its way for a moment, until it is seen among those who wait. It counts from the start:
    else a thousand that come at once would all find the room empty.

    Args:
        size: how many tabs wait for an answer.
        busy, over: the frames with which a tab learns that it has to wait, and that it does no more.
    """

    def __init__(self, size: Callable[[], int] = lambda: 0, busy: str = "", over: str = "") -> None:
        self.busy, self.over = busy, over
        self._size = size
        self._on_the_way = 0
        # Strangers stop being listened to much earlier, so that there is room left for those who were here before
        # the crowd; who sends a cookie that is none has won a second.
        self._lines: dict[int, deque[asyncio.Future[None]]] = {CROWD: deque(), CROWD_FOR_STRANGERS: deque()}
        self._usher: asyncio.Task[None] | None = None

    def enter(self, *, has_session: bool) -> asyncio.Future[None]:
        """Ask for room; the result is done as soon as there is some, and then ``arrived`` has to be said."""
        most = CROWD if has_session else CROWD_FOR_STRANGERS
        turn = asyncio.get_running_loop().create_future()
        self._lines[most].append(turn)
        self._let_in()
        if not turn.done() and self._usher is None:
            self._usher = asyncio.create_task(self._look_for_room())
        return turn

    def arrived(self) -> None:
        """What was let in is among those who wait, or never will be."""
        self._on_the_way -= 1

    async def _look_for_room(self) -> None:
        try:
            while any(self._lines.values()):
                await asyncio.sleep(_LOOKS_EVERY)
                self._let_in()
        finally:
            self._usher = None

    def _let_in(self) -> None:
        for most, line in self._lines.items():
            while line and (line[0].done() or self._size() + self._on_the_way < most):
                turn = line.popleft()
                if not turn.done():  # else its client has left
                    self._on_the_way += 1
                    turn.set_result(None)


class Paced:
    """Hands on what a client sends: not faster than ``RATE``, and not while too many tabs wait already.

    Meanwhile it reads ahead, a little. More than that no person sends: whoever does is hung up on. Of a client that has
    left, or has to, nothing more is handed on. Who asks for the next message has dealt with the last one.

    Args:
        has_session: it comes with a session's cookie.
    """

    def __init__(self, receive: Receive, send: Send, *, crowd: Crowd, has_session: bool) -> None:
        self._receive, self._send, self._crowd = receive, send, crowd
        self._has_session = has_session
        self._left, self._at = float(BURST), time.monotonic()
        self._ahead: deque[Message] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._waits = self._has_joined = self._is_on_the_way = False

    async def __call__(self) -> Message:
        """The client's next message (ASGI 3.0)."""
        self.close()
        message = await self._next()
        if message["type"] != "websocket.receive":
            return message
        now = time.monotonic()
        self._left, self._at = min(BURST, self._left + (now - self._at) * RATE) - 1, now
        self._waits = True
        try:
            is_gone = self._left < 0 and await self._is_gone_after(-self._left / RATE)
            is_gone = is_gone or await self._is_gone_before_room()
        finally:
            self._waits = False
        if is_gone:
            return {"type": "websocket.disconnect", "code": 1008}
        self._has_joined = self._has_joined or str(message.get("text", "")).startswith(_JOINED)
        return message

    def close(self) -> None:
        """Leave the way to those who come next: the last message was dealt with, or never will be."""
        if self._is_on_the_way:
            self._is_on_the_way = False
            self._crowd.arrived()

    async def _is_gone_before_room(self) -> bool:
        """Wait for room, and say so; True as soon as the client leaves, or has to."""
        turn = self._crowd.enter(has_session=self._has_session)
        try:
            is_gone = not turn.done() and await self._is_gone_in_line(turn)
        finally:
            self._is_on_the_way = not turn.cancel()  # its turn had come
        if is_gone:
            self.close()
        return is_gone

    async def _is_gone_in_line(self, turn: asyncio.Future[None]) -> bool:
        is_gone = await self._is_gone_after(_SAID_AFTER, turn)
        if is_gone or turn.done():
            return is_gone
        if self._has_joined:
            await self._send({"type": "websocket.send", "text": self._crowd.busy})
        is_gone = await self._is_gone_after(None, turn)
        if self._has_joined and not is_gone:
            await self._send({"type": "websocket.send", "text": self._crowd.over})
        return is_gone

    async def _is_gone_after(self, seconds: float | None, turn: asyncio.Future[None] | None = None) -> bool:
        """Read ahead for so long, or until it is somebody's turn; True as soon as the client leaves, or has to."""
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_ahead())
        awaited = {self._reader, turn} if turn else {self._reader}
        await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._reader.done()

    async def _read_ahead(self) -> None:
        """Take what comes for as long as its client has to wait, and the one message after that."""
        while True:
            self._ahead.append(message := await self._receive())
            if message["type"] != "websocket.receive" or (self._waits and self._is_too_much()):
                return  # and stays, as the sign that its client is gone
            if not self._waits:
                self._reader = None
                return

    def _is_too_much(self) -> bool:
        return len(self._ahead) > MOST_AHEAD or sum(map(_size, self._ahead)) > LONGEST_AHEAD

    async def _next(self) -> Message:
        if not self._ahead:
            if self._reader is None:
                return await self._receive()
            await self._reader
        return self._ahead.popleft()


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or "")
