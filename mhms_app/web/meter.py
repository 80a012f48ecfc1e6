"""What a worker measures of itself, every second for /metrics, and every few seconds for the others to see."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import reflex as rx
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.event import Event

from mhms_app import db, metrics, pulse
from mhms_app.oversight import workers
from mhms_app.oversight.workers import Life, Numbers
from mhms_app.web import bridge

log = logging.getLogger(__name__)

_EVERY = 1.0  # seconds
_STATM = Path("/proc/self/statm")  # its second number is the resident memory, in pages (proc(5))
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ARRIVED = "_mhms_arrived"  # of an event: when it did, by ``time.perf_counter``


class Waits(Middleware):
    """How long events wait for their turn: behind others of their tab, for its State, and for the loop itself."""

    def __init__(self) -> None:
        self._longest = 0.0

    def begin(self, app: rx.App) -> None:
        """From now on know of each event when it arrived, for which Reflex has no hook."""
        processor: Any = app.event_processor
        enqueue = processor.enqueue

        def stamped(token: str, event: Event, *others: Any, **more: Any) -> Any:
            vars(event).setdefault(_ARRIVED, time.perf_counter())  # one that is put off has waited since the first time
            return enqueue(token, event, *others, **more)

        processor.enqueue = stamped

    async def preprocess(self, app: rx.App, state: BaseState, event: Event) -> StateUpdate | None:
        """Its turn has come; it goes on."""
        if arrived := vars(event).get(_ARRIVED):
            waited = time.perf_counter() - arrived
            metrics.EVENT_WAIT_SECONDS.observe(waited)
            self._longest = max(self._longest, waited)
        return None

    def take_longest(self) -> float:
        """The longest wait since this was last asked, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest


waits = Waits()


async def run(app: rx.App) -> None:
    """The lifespan task: measure until the worker ends."""
    loop, life = asyncio.get_running_loop(), Life()
    lags: deque[float] = deque(maxlen=round(workers.EVERY / _EVERY))
    signed = float("-inf")
    waits.begin(app)
    while True:
        asked = loop.time()
        await asyncio.sleep(_EVERY)
        lags.append(max(0.0, loop.time() - asked - _EVERY))
        numbers = _measure(app, max(lags))
        metrics.LOOP_LAG.set(lags[-1])
        if loop.time() - signed >= workers.EVERY:
            signed = loop.time()
            await asyncio.to_thread(_sign, life, replace(numbers, waited=round(waits.take_longest(), 3)))


def _measure(app: rx.App, lag: float) -> Numbers:
    """How this worker stands now; sets the gauges by the way."""
    used, kept = db.connections()
    events, (running, waiting) = _events_waiting(app), bridge.load()
    memory = int(_STATM.read_text().split()[1]) * _PAGE if _STATM.exists() else 0
    metrics.EVENTS_WAITING.set(events)
    metrics.SERVICES_RUNNING.set(running)
    metrics.SERVICES_WAITING.set(waiting)
    metrics.CONNECTIONS.set(kept)
    metrics.CONNECTIONS_USED.set(used)
    metrics.MEMORY.set(memory)
    tabs = len(app.event_namespace.sid_to_token) if app.event_namespace else 0
    return Numbers(tabs, events + waiting, round(lag, 3), memory, used, db.hears())


def _events_waiting(app: rx.App) -> int:
    """Events that have arrived and not begun; Reflex has no public name for its queues: one for all, one a tab."""
    processor: Any = app.event_processor
    each = processor._token_queues.values()
    return (processor._queue.qsize() if processor._queue else 0) + sum(len(queue) - 1 for queue in each)


def _sign(life: Life, numbers: Numbers) -> None:
    try:
        with db.transaction() as session:
            life.sign(session, tasks=pulse.beats(), numbers=numbers)
    except Exception as error:  # an outage: the next sign of life says it all
        log.warning("this worker cannot say that it is there (%s)", type(error).__name__)
