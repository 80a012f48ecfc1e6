"""Whoever has no session any more is shown out; a socket that is being opened meanwhile is never refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from mhms_app import db, pulse
from mhms_app.accounts import cookies, rules, sessions
from mhms_app.accounts.models import LoginSession
from mhms_app.accounts.sessions import SessionsEnded, hash_token
from mhms_app.facts import EVERYTHING, LookAgain
from mhms_app.live import doorman as module
from mhms_app.live.doorman import Doorman
from tests import builders

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


@asynccontextmanager
async def at_work() -> AsyncIterator[Doorman]:
    """A doorman whose task runs, and who has looked once."""
    doorman, before = Doorman(), pulse.beats().get("sessions")
    task = asyncio.create_task(doorman.run())
    try:
        while pulse.beats().get("sessions") == before:  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(0.01)
        yield doorman
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def enters(doorman: Doorman, token: str) -> asyncio.Task[None]:
    """A tab whose browser has this cookie, until it is hung up on."""
    arriving = asyncio.Queue[dict[str, str]]()
    arriving.put_nowait({"type": "websocket.connect"})

    async def page(_scope: object, receive: Callable[[], Awaitable[dict[str, str]]], _send: object) -> None:
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def nothing_goes(_message: object) -> None:
        """Nobody listens."""

    headers = [(b"cookie", f"{cookies.session_cookie()}={token}".encode())] if token else []
    tab = asyncio.ensure_future(doorman.serve(page, {"headers": headers}, arriving.get, nothing_goes))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return tab


async def are_left(*tabs: asyncio.Task[None]) -> list[bool]:
    """Who is still inside after many a look."""
    await asyncio.sleep(0.5)
    return [not tab.done() for tab in tabs]


def log_in() -> str:
    with db.transaction() as session:
        return sessions.open_session(session, user_id=builders.key(builders.user(session)))


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)


def test_whoever_was_idle_for_too_long_is_shown_out_and_nobody_else_is(
    database: str, now: datetime, often: None
) -> None:
    async def story() -> None:
        first = log_in()
        db.clock.freeze(now + rules.IDLE / 2)
        async with at_work() as doorman:
            unattended, used, stranger = [await enters(doorman, token) for token in (first, log_in(), "")]
            assert await are_left(unattended, used, stranger) == [True, True, True]
            db.clock.freeze(now + rules.IDLE)
            await asyncio.wait_for(unattended, 10)
            again = await enters(doorman, first)  # by itself, as nobody
            assert await are_left(used, stranger, again) == [True, True, True]

    asyncio.run(story())


def test_an_end_that_was_not_heard_is_looked_up_once_others_are_heard_again(database: str, now: datetime) -> None:
    def another_worker_ends_it() -> None:
        with db.transaction() as session:
            session.execute(update(LoginSession).values(revoked_at=now))

    async def story() -> None:
        token = log_in()
        async with at_work() as doorman:
            tab = await enters(doorman, token)
            another_worker_ends_it()
            assert await are_left(tab) == [True]
            db.tell_from_channel([LookAgain((EVERYTHING,))])
            await asyncio.wait_for(tab, 10)

    asyncio.run(story())


def test_while_the_database_is_away_everybody_stays(
    database: str, now: datetime, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> frozenset[str]:
        raise OperationalError("", {}, Exception())

    async def story() -> None:
        token = log_in()
        db.clock.freeze(now + rules.ABSOLUTE)
        async with at_work() as doorman:
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(sessions, "over", away)
                tab = await enters(doorman, token)
                assert await are_left(tab) == [True]
            await asyncio.wait_for(tab, 10)

    asyncio.run(story())
