"""Keeping calendars in step while the clinic is open: a task of every worker, woken by changes and by time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from mhms_app import db, pulse
from mhms_app.availability.slots import SlotsChanged
from mhms_app.calendars import google
from mhms_app.calendars.google import ConnectionChanged
from mhms_app.calendars.google_sync import claim_due, make_due, sync
from mhms_app.settings import settings

LANES = 4  # doctors at once in one process
POLL = 10.0  # seconds after which somebody may be due without a change in this process
COLLECT = 1.0  # seconds in which changes are collected

log = logging.getLogger(__name__)
T = TypeVar("T")


async def run() -> None:
    """The lifespan task: keep calendars in step until cancelled; without credentials, see that none closes slots."""
    if not settings().has_google:
        await asyncio.to_thread(_forget_unused)
        return
    stop, wake, changed = threading.Event(), asyncio.Event(), asyncio.Queue[int]()
    with ThreadPoolExecutor(LANES + 1, thread_name_prefix="google") as pool, _listening(changed, wake):
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_hear(pool, changed, wake))
                for _ in range(LANES):
                    tasks.create_task(_lane(pool, wake, stop))
        finally:
            stop.set()


async def _lane(pool: ThreadPoolExecutor, wake: asyncio.Event, stop: threading.Event) -> None:
    while True:
        try:
            if claim := await _in_thread(pool, claim_due):
                await _in_thread(pool, partial(sync, claim, stop))
                continue
            pulse.beat("calendars")
        except Exception as error:  # an outage, most likely; it must not stop for good
            log.warning("calendars cannot be kept in step (%s)", type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), POLL)
        wake.clear()


async def _hear(pool: ThreadPoolExecutor, changed: asyncio.Queue[int], wake: asyncio.Event) -> None:
    """Wake a lane after changes."""
    while True:
        doctors = {await changed.get()}
        await asyncio.sleep(COLLECT)
        while not changed.empty():
            doctors.add(changed.get_nowait())
        try:
            if await _in_thread(pool, partial(make_due, doctors)):
                wake.set()
        except Exception as error:  # they are due in some minutes all the same
            log.warning("changes cannot be passed on (%s)", type(error).__name__)


@contextmanager
def _listening(changed: asyncio.Queue[int], wake: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def heard(fact: object) -> None:
        with suppress(RuntimeError):  # the loop has just closed
            if isinstance(fact, SlotsChanged):
                loop.call_soon_threadsafe(changed.put_nowait, fact.doctor_id)
            elif isinstance(fact, ConnectionChanged):
                loop.call_soon_threadsafe(wake.set)

    stop = db.listen(heard)
    try:
        yield
    finally:
        stop()


def _forget_unused() -> None:
    try:
        with db.transaction() as session:
            google.forget_unused(session)
    except Exception as error:  # an outage, most likely; the next start does it
        log.warning("calendars cannot be forgotten (%s)", type(error).__name__)


async def _in_thread(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
