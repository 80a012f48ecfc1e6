"""A socket that is being opened while everybody is shown out is opened, then hung up on: it is never refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mhms_app.accounts.sessions import SessionsEnded, hash_token
from mhms_app.live import doorman as module
from mhms_app.live.doorman import Doorman

Happening = Callable[[Doorman], Awaitable[None]]


async def the_session_ends(doorman: Doorman) -> None:
    doorman._show_out(SessionsEnded(frozenset({hash_token("")})))


async def opened_while(happens: Happening) -> list[str]:
    """What is read of a socket whose opening has not arrived yet when something happens."""
    doorman, read, arriving = Doorman(), list[str](), asyncio.Queue[dict[str, str]]()

    async def engine_io(_scope: object, receive: Callable[[], Awaitable[dict[str, str]]], _send: object) -> None:
        while "websocket.disconnect" not in read:
            read.append((await receive())["type"])

    async def nothing_goes(_message: object) -> None:
        """Nobody listens."""

    socket = asyncio.ensure_future(doorman.serve(engine_io, {"headers": []}, arriving.get, nothing_goes))  # type: ignore[arg-type]
    await asyncio.sleep(0)  # it waits for the opening
    await happens(doorman)
    arriving.put_nowait({"type": "websocket.connect"})
    await asyncio.wait_for(socket, 10)
    return read


@pytest.mark.parametrize("happens", [Doorman.close, the_session_ends])
def test_a_socket_is_opened_before_it_is_hung_up_on(happens: Happening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_WORDS", 0)
    assert asyncio.run(opened_while(happens)) == ["websocket.connect", "websocket.disconnect"]
