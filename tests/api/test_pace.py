"""Who is listened to while there is a crowd, and what becomes of who sends too much."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from starlette.types import Message

from mhms_app.api import pace
from mhms_app.api.pace import Crowd, Paced

JOIN, EVENT = "40/_event,", '42/_event,["event",{}]'
LEFT = {"type": "websocket.disconnect", "code": 1005}


class Socket:
    """A client that has sent all of this, and what it was told."""

    def __init__(self, *texts: str, leaves: bool = False, has_session: bool = False, size: int = 0) -> None:
        self.size = size
        self.told: list[str] = []
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        for text in texts:
            self._sent.put_nowait({"type": "websocket.receive", "text": text})
        if leaves:
            self._sent.put_nowait(LEFT)
        crowd = Crowd(lambda: self.size, "busy", "over")
        self.receive = Paced(self._sent.get, self._send, crowd=crowd, has_session=has_session)

    async def _send(self, message: Message) -> None:
        self.told.append(message["text"])

    async def hears(self, seconds: float = 0.05) -> str | None:
        """The next text that is handed on; None when nothing is for so long."""
        try:
            return str((await asyncio.wait_for(self.receive(), seconds))["text"])
        except TimeoutError:
            return None


def run(work: Coroutine[Any, Any, Any]) -> None:
    asyncio.run(work)


def test_what_a_page_sends_is_handed_on_as_it_comes() -> None:
    async def main() -> None:
        socket = Socket(JOIN, *[EVENT] * 100)
        assert [await socket.hears() for _ in range(101)] == [JOIN, *[EVENT] * 100]
        assert socket.told == []

    run(main())


def test_in_a_crowd_strangers_wait_and_those_with_a_session_do_not() -> None:
    async def main() -> None:
        size = pace.CROWD_FOR_STRANGERS
        assert await Socket(EVENT, has_session=True, size=size).hears() == EVENT
        assert await Socket(EVENT, size=size).hears() is None
        assert await Socket(EVENT, has_session=True, size=pace.CROWD).hears() is None

    run(main())


def test_whoever_waits_is_told_so_and_goes_on_when_there_is_room() -> None:
    async def main() -> None:
        socket = Socket(JOIN, EVENT)
        assert await socket.hears() == JOIN
        socket.size = pace.CROWD
        waiting = asyncio.ensure_future(socket.receive())
        while not socket.told:  # noqa: ASYNC110 - a list, not an event
            await asyncio.sleep(0.05)
        assert socket.told == ["busy"]
        socket.size = 0
        assert (await waiting)["text"] == EVENT
        assert socket.told == ["busy", "over"]

    run(main())


def test_nothing_is_lost_of_what_was_sent_meanwhile_and_it_keeps_its_order() -> None:
    async def main() -> None:
        texts: Sequence[str] = [str(number) for number in range(20)]
        socket = Socket(*texts, size=pace.CROWD)
        waiting = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0.3)
        socket.size = 0
        assert [(await waiting)["text"], *[await socket.hears() for _ in texts[1:]]] == texts

    run(main())


def test_of_a_client_that_has_left_nothing_more_is_handed_on() -> None:
    async def main() -> None:
        socket = Socket(*[EVENT] * 50, leaves=True, size=pace.CROWD)
        assert (await asyncio.wait_for(socket.receive(), 5))["type"] == "websocket.disconnect"

    run(main())


def test_whoever_sends_more_than_can_wait_is_hung_up_on() -> None:
    async def main() -> None:
        socket = Socket(*["x" * 1000] * 100, size=pace.CROWD)
        assert (await asyncio.wait_for(socket.receive(), 5))["type"] == "websocket.disconnect"

    run(main())


def test_faster_than_any_page_is_slowed_down() -> None:
    async def main() -> None:
        socket = Socket(*["3"] * (pace.BURST + 20))
        async with asyncio.timeout(30):
            for _ in range(pace.BURST):
                await socket.receive()
        heard = 0
        while await socket.hears(0.001) is not None:
            heard += 1
        assert heard < 20

    run(main())
