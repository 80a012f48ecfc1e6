"""What a worker does about the open pages when Redis, which keeps their State, was emptied."""

from __future__ import annotations

import asyncio

import reflex as rx
from redis.asyncio import Redis

from mhms_app.live.doorman import doorman
from mhms_app.live.states import States
from mhms_app.mhms_app import app
from tests.redis_server import running_redis


async def an_open_socket() -> asyncio.Task[None]:
    """A tab of this worker, until it is hung up on."""
    arriving = asyncio.Queue[dict[str, str]]()
    arriving.put_nowait({"type": "websocket.connect"})

    async def page(_scope: object, receive: object, _send: object) -> None:
        assert (await receive())["type"] == "websocket.connect"  # type: ignore[operator]
        assert (await receive())["type"] == "websocket.disconnect"  # type: ignore[operator]

    async def nothing_goes(_message: object) -> None:
        """Nobody listens."""

    tab = asyncio.ensure_future(doorman.serve(page, {"headers": []}, arriving.get, nothing_goes))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return tab


async def looks(app: rx.App, url: str) -> list[bool]:
    """Whether an open tab was hung up on: at the first look, at the second, and after Redis was emptied."""
    states, tab, found = States({}), await an_open_socket(), []
    async with Redis.from_url(url) as redis:
        for is_emptied in (False, False, True):
            if is_emptied:
                await redis.flushall()
            await states.look(app, redis)
            await asyncio.sleep(0.1)
            found.append(tab.done())
    return found


def test_pages_begin_anew_when_redis_was_emptied_and_not_before() -> None:
    with running_redis() as server:
        assert asyncio.run(looks(app, server.url)) == [False, False, True]
