"""Browsers, as far as the server can tell: socket connections in processes of their own, many of them at work at once.

One process cannot ask as fast as the server answers, so each round is shared by two.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

PROCESSES = 2
HYDRATE = "reflex___state____state.hydrate_and_load"
_open: list[tuple[Tab, ClientConnection]] = []


@dataclass(frozen=True, slots=True)
class Tab:
    """One open page of one person."""

    address: str
    path: str
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One event, and the words in the answer that end it."""

    handler: str
    payload: dict[str, Any] = field(default_factory=dict)
    until: str = ""


class Visitors:
    """All tabs, spread over some processes that keep them open."""

    def __init__(self, tabs: Sequence[Tab]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, spawn) for _ in range(PROCESSES)]
        self._each(_open_tabs, [tabs[n::PROCESSES] for n in range(PROCESSES)])

    def ask(self, asks: Sequence[Ask], *, at_once: int) -> float:
        """Let every tab ask, so many of them at once; returns the answers a second.

        Args:
            asks: one for each tab, in the order of the tabs.
        """
        if at_once == 1:
            spans = [pool.submit(_ask, asks[n::PROCESSES], 1).result() for n, pool in enumerate(self._pools)]
            return len(asks) / sum(end - begin for begin, end in spans)
        spans = self._each(_ask, [asks[n::PROCESSES] for n in range(PROCESSES)], at_once // PROCESSES)
        return len(asks) / (max(end for _, end in spans) - min(begin for begin, _ in spans))

    def leave(self) -> None:
        """Close everything."""
        self._each(_close_tabs, [None] * PROCESSES)
        for pool in self._pools:
            pool.shutdown()

    def _each(self, work: Any, shares: list[Any], *arguments: Any) -> list[Any]:
        futures = [pool.submit(work, share, *arguments) for pool, share in zip(self._pools, shares, strict=True)]
        return [future.result() for future in futures]


@contextmanager
def visitors_of(tabs: Sequence[Tab]) -> Iterator[Visitors]:
    """The visitors who have these tabs open."""
    visitors = Visitors(tabs)
    try:
        yield visitors
    finally:
        visitors.leave()


_loop = asyncio.new_event_loop()


def _open_tabs(tabs: Sequence[Tab]) -> None:
    for tab in tabs:
        _open.append((tab, _loop.run_until_complete(open_tab(tab))))


def _close_tabs(_: None) -> None:
    while _open:
        _loop.run_until_complete(_open.pop()[1].close())


async def open_tab(tab: Tab, **options: Any) -> ClientConnection:
    """Open a socket as Reflex's client does, and wait until the page is there.

    Args:
        options: further ones of ``websockets.connect``.
    """
    socket = await connect(
        f"ws://{tab.address}/_event/?EIO=4&transport=websocket&token={uuid4()}",
        origin=f"http://{tab.address}",
        additional_headers={"Cookie": tab.cookie},
        compression=None,
        max_size=None,
        **options,
    )
    await socket.recv()
    await socket.send("40/_event," + json.dumps({"event": event(tab, Ask(HYDRATE, {"vars": {}}))}))
    await _answer(socket, '"is_hydrated_rx_state_":true')
    return socket


def event(tab: Tab, ask: Ask) -> dict[str, Any]:
    """An event as Reflex's client writes it."""
    where = {"pathname": tab.path.partition("?")[0], "asPath": tab.path}
    return {"name": ask.handler, "payload": ask.payload, "router_data": where}


async def _answer(socket: ClientConnection, until: str) -> None:
    """Read until an answer holds these words; answer the server's pings on the way."""
    async with asyncio.timeout(30):
        while until not in (message := str(await socket.recv())):
            if message == "2":
                await socket.send("3")


def _ask(asks: Sequence[Ask], at_once: int) -> tuple[float, float]:
    """Ask, so many at once; returns when that began and ended, by a clock that all processes share."""
    return _loop.run_until_complete(_ask_all(list(zip(_open, asks, strict=True)), at_once))


async def _ask_all(waiting: list[Any], at_once: int) -> tuple[float, float]:
    async def one_after_the_other() -> None:
        while waiting:
            (tab, socket), ask = waiting.pop()
            await socket.send("42/_event," + json.dumps(["event", event(tab, ask)]))
            await _answer(socket, ask.until)

    begin = time.monotonic()
    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return begin, time.monotonic()
