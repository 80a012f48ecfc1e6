"""Who is listened to while there is a crowd, and what becomes of who sends too much."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from starlette.types import Message

from mhms_app.api import pace
from mhms_app.api.pace import Crowd, Paced

JOIN, EVENT = "40/_event,", '42/_event,["event",{}]'
LEFT = {"type": "websocket.disconnect", "code": 1005}


class Socket:
    """A client that has sent all of this, and what it was told."""

    def __init__(
        self, *texts: str, leaves: bool = False, has_session: bool = False, size: int = 0, crowd: Crowd | None = None
    ) -> None:
        self.size = size
        self.told: list[str] = []
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        for text in texts:
            self.sends(text)
        if leaves:
            self._sent.put_nowait(LEFT)
        crowd = crowd or Crowd(lambda: self.size, "busy", "over")
        self.receive = Paced(self._sent.get, self._send, crowd=crowd, has_session=has_session)

    def sends(self, text: str) -> None:
        self._sent.put_nowait({"type": "websocket.receive", "text": text})

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0.06)  # while something else arrives
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


def test_of_many_that_come_at_once_only_as_many_are_let_in_as_there_is_room_for() -> None:
    async def main() -> None:
        waiting: list[Socket] = []  # what was handed on is a moment later among those who wait
        crowd = Crowd(lambda: len(waiting))
        sockets = [Socket(EVENT, crowd=crowd) for _ in range(1000)]
        heard = [asyncio.create_task(socket.receive()) for socket in sockets]
        await asyncio.sleep(0.1)
        assert [task.done() for task in heard] == [number < pace.CROWD_FOR_STRANGERS for number in range(1000)]

        first = sockets[: pace.CROWD_FOR_STRANGERS]
        waiting += first
        for socket in first:
            socket.receive.close()
        await asyncio.sleep(0.1)
        assert sum(task.done() for task in heard) == len(first)

        del waiting[:10]
        await asyncio.sleep(0.1)
        assert [task.done() for task in heard] == [number < len(first) + 10 for number in range(1000)]
        for task in heard:
            task.cancel()

    run(main())


def test_whoever_leaves_or_is_no_longer_listened_to_takes_up_no_room() -> None:
    async def main() -> None:
        crowd = Crowd()
        inside = [Socket(EVENT, crowd=crowd) for _ in range(pace.CROWD_FOR_STRANGERS)]
        for socket in inside:
            assert await socket.hears() == EVENT
        leaving, cancelled, staying = (Socket(EVENT, leaves=number == 0, crowd=crowd) for number in range(3))
        in_line = [asyncio.create_task(socket.receive()) for socket in (leaving, cancelled, staying)]
        await asyncio.sleep(0.1)
        assert in_line[0].result()["type"] == "websocket.disconnect"
        in_line[1].cancel()
        await asyncio.sleep(0.1)
        assert not in_line[2].done()
        inside[0].receive.close()
        assert (await asyncio.wait_for(in_line[2], 1))["text"] == EVENT
        assert await Socket(EVENT, crowd=crowd).hears() is None
        inside[1].receive.close()
        assert await Socket(EVENT, crowd=crowd).hears() == EVENT

    run(main())


def test_nothing_is_lost_of_what_was_sent_meanwhile_and_it_keeps_its_order() -> None:
    async def main() -> None:
        texts: Sequence[str] = [str(number) for number in range(20)]
        socket = Socket(*texts, size=pace.CROWD)
        waiting = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0.3)
        socket.size = 0
        heard = [(await waiting)["text"]]
        for text in ("one more", "and the last"):
            socket.sends(text)
            await asyncio.sleep(0.02)
            heard.append(await socket.hears())
        socket.size = pace.CROWD
        waiting = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0.1)
        socket.size = 0
        heard += [(await waiting)["text"], *[await socket.hears() for _ in range(18)]]
        assert heard == [*texts, "one more", "and the last"]

    run(main())


def test_of_a_client_that_has_left_nothing_more_is_handed_on() -> None:
    async def main() -> None:
        socket = Socket(*[EVENT] * 50, leaves=True, size=pace.CROWD)
        assert (await asyncio.wait_for(socket.receive(), 5))["type"] == "websocket.disconnect"

    run(main())


@pytest.mark.parametrize(
    "texts", [["x"] * (pace.MOST_AHEAD + 2), ["", "x" * (pace.LONGEST_AHEAD + 1)]], ids=["often", "at length"]
)
def test_whoever_sends_more_than_can_wait_is_hung_up_on(texts: list[str]) -> None:
    async def main() -> None:
        socket = Socket(*texts, size=pace.CROWD)
        assert (await asyncio.wait_for(socket.receive(), 5))["type"] == "websocket.disconnect"
        assert await Socket(*texts[:-1], size=pace.CROWD).hears(0.3) is None

    run(main())


def test_what_comes_while_somebody_is_told_to_wait_is_no_reason_to_hang_up() -> None:
    async def main() -> None:
        socket = Socket(JOIN, EVENT)
        assert await socket.hears() == JOIN
        socket.size = pace.CROWD
        waiting = asyncio.ensure_future(socket.receive())
        while not socket.told:
            socket.sends("first")
            await asyncio.sleep(0.05)
        socket.sends("last")
        await asyncio.sleep(0.05)
        socket.size = 0
        heard = [str((await waiting)["text"])]
        while (text := await socket.hears()) is not None:
            heard.append(text)
        assert (heard[0], heard[-1]) == (EVENT, "last")

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
