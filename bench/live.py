"""A booking seen by a thousand watching tabs, made in another process than the one that serves them.

The tabs are opened from several addresses of this machine, for one may open 500, by processes of their own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psutil
from redis import Redis
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection

from bench import servers
from bench.people import MONDAY, People, gather
from bench.table import Row
from bench.visitors import Tab, open_tab
from mhms_app import db, routes
from mhms_app.booking.statement import book_at_once
from tests.databases import fresh_database
from tests.redis_server import running_redis

TABS, FEW = 1_000, 100
PROCESSES, AN_ADDRESS, AT_ONCE = 2, 250, 4
BOOKINGS = 6
QUIET = 4.0  # seconds after a booking until nothing of it is under way any more


def measure() -> Iterator[Row]:
    """One worker, its state in memory and then in Redis."""
    yield from _measure("memory", "")
    with running_redis() as redis:
        yield from _measure("Redis", redis.url)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tabs saw of one booking.

    Attributes:
        seconds: from before it was asked for until each tab had it, sorted.
        messages, characters: what was sent to all of them until all was quiet again.
    """

    seconds: list[float]
    messages: int
    characters: int


def _measure(store: str, redis_url: str) -> Iterator[Row]:
    with fresh_database("postgresql") as url:
        db.use_engine(db.make_engine(url))
        people = gather(patients=2 * BOOKINGS + 2, doctors=1, slots=60)
        bookings = iter(zip(people.tokens, people.slots[0], strict=False))
        with servers.clinic(url, settings={"MHMS_REDIS_URL": redis_url}) as address:
            bare = _memory(address, redis_url)
            with _watching(address, people, FEW) as watchers:
                watchers.see(*next(bookings))
                _, few = _queries(watchers, bookings)
            before = _memory(address, redis_url)
            with _watching(address, people, TABS) as watchers:
                used = [now - then for now, then in zip(_memory(address, redis_url), before, strict=True)]
                watchers.see(*next(bookings))
                seen, many = _queries(watchers, bookings)
        db.use_engine(None)
    every, last = sorted(at for one in seen for at in one.seconds), sorted(one.seconds[-1] for one in seen)
    messages, characters = sum(one.messages for one in seen), sum(one.characters for one in seen)
    yield Row(f"state in {store}: until a tab has it", f"p50 {_ms(every, 0.5)}", f"p95 {_ms(every, 0.95)}")
    slowest = (f"p50 {_ms(last, 0.5)}", f"p95 {_ms(last, 0.95)}")
    yield Row(f"until the last of {TABS:,} tabs has it, seconds", *slowest, last[-1], "less than 1")
    sent = (f"{messages / BOOKINGS:,.0f} messages", f"{characters / BOOKINGS / 1000:,.0f} kB")
    yield Row("what was sent for it, messages a tab", *sent, messages / BOOKINGS / TABS)
    yield Row("transactions for it", f"{many:.1f}", f"{few:.1f} with {FEW} tabs", many / few, "about 1")
    stored = f"{used[1] / TABS / 1000:.0f} kB in Redis, " if redis_url else ""
    spent = (f"{used[0] / TABS / 1000:.0f} kB in the worker", f"{stored}{bare[0] / 1e6:.0f} MB without tabs")
    yield Row("memory for a tab, kB", *spent, sum(used) / TABS / 1000, "less than 200")


def _ms(values: list[float], share: float) -> str:
    return f"{values[min(len(values) - 1, int(share * len(values)))] * 1000:.0f} ms"


def _queries(watchers: Watchers, bookings: Iterator[tuple[str, int]]) -> tuple[list[Seen], float]:
    """Some bookings as they were seen, and how many transactions each took beyond what goes on anyway."""
    begin, counted = time.monotonic(), _transactions()
    time.sleep(BOOKINGS * QUIET)
    idle = (_transactions() - counted) / (time.monotonic() - begin)
    begin, counted = time.monotonic(), _transactions()
    seen = [watchers.see(*next(bookings)) for _ in range(BOOKINGS)]
    spent = _transactions() - counted - idle * (time.monotonic() - begin)
    return seen, spent / BOOKINGS


def _transactions() -> int:
    with db.transaction(read_only=True) as session:
        return int(
            session.scalar(text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")) or 0
        )


def _memory(address: str, redis_url: str) -> tuple[float, float]:
    """Bytes of the server's processes, and of Redis."""
    port = int(address.rpartition(":")[2])
    found = next(
        c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr[1] == port and c.status == "LISTEN"
    )
    server = psutil.Process(found)
    processes = {*server.children(recursive=True), server, *(server.parents()[:1])}
    used = sum(process.memory_info().rss for process in processes if process.pid != psutil.Process().pid)
    if not redis_url:
        return used, 0
    with Redis.from_url(redis_url) as redis:
        return used, int(redis.info("memory")["used_memory"])


# The tabs, in processes of their own -----------------------------------------------------------------


class Watchers:
    """Tabs that show a doctor's week and wait for what becomes of it."""

    def __init__(self, address: str, page: str, number: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, spawn) for _ in range(PROCESSES)]
        opening = [
            pool.submit(_open_tabs, Tab(address, page), number // PROCESSES, place)
            for place, pool in enumerate(self._pools)
        ]
        for opened in opening:
            opened.result()

    def see(self, token: str, slot_id: int) -> Seen:
        """Book a slot in this process; what the tabs saw of it."""
        waiting = [pool.submit(_wait_for, slot_id) for pool in self._pools]
        time.sleep(0.5)
        begin = time.monotonic()
        assert book_at_once(token, "", slot_id=slot_id, reason="", key=str(uuid4()))
        shares = [one.result() for one in waiting]
        return Seen(
            sorted(at - begin for times, _, _ in shares for at in times),
            sum(messages for _, messages, _ in shares),
            sum(characters for _, _, characters in shares),
        )

    def leave(self) -> None:
        """Close everything."""
        for pool in self._pools:
            pool.submit(_close_tabs).result()
            pool.shutdown()


@contextmanager
def _watching(address: str, people: People, number: int) -> Iterator[Watchers]:
    watchers = Watchers(address, routes.doctor_profile(people.doctors[0], week=MONDAY), number)
    try:
        yield watchers
    finally:
        watchers.leave()


_loop = asyncio.new_event_loop()
_open: list[ClientConnection] = []


def _open_tabs(tab: Tab, number: int, place: int) -> None:
    _loop.run_until_complete(_open_all(tab, number, place))


async def _open_all(tab: Tab, number: int, place: int) -> None:
    waiting = list(range(number))

    async def one_after_the_other() -> None:
        while waiting:
            source = f"127.0.{1 + place}.{1 + waiting.pop() // AN_ADDRESS}"
            _open.append(await open_tab(tab, local_addr=(source, 0), ping_interval=None))

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


def _wait_for(slot_id: int) -> tuple[list[float], int, int]:
    return _loop.run_until_complete(_wait_for_all(slot_id))


async def _wait_for_all(slot_id: int) -> tuple[list[float], int, int]:
    """When each tab showed that a slot is taken, and the messages and characters until all was quiet."""
    struck, times, counted = f'"id":{slot_id},', list[float](), [0, 0]
    everybody = asyncio.Event()

    async def watch(socket: ClientConnection) -> None:
        is_seen = False
        async for frame in socket:
            message = str(frame)
            if message == "2":
                await socket.send("3")
                continue
            counted[0], counted[1] = counted[0] + 1, counted[1] + len(message)
            slot = message.partition(struck)[2].partition("}")[0]
            if not is_seen and '"taken":true' in slot:
                is_seen = True
                times.append(time.monotonic())
                if len(times) == len(_open):
                    everybody.set()

    watching = [asyncio.ensure_future(watch(socket)) for socket in _open]
    async with asyncio.timeout(60):
        await everybody.wait()
    await asyncio.sleep(QUIET)
    for one in watching:
        one.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return times, counted[0], counted[1]


def _close_tabs() -> None:
    async def close() -> None:
        await asyncio.gather(*(socket.close() for socket in _open))

    _loop.run_until_complete(close())
    _open.clear()
