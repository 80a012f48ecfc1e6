"""What a worker keeps of its tabs, and for how long: memory has an end, however many tabs come and go.

Reflex keeps the State of every tab for an hour after its last event. A tab that comes back within it goes on where it
was; but whoever opens thousands of tabs, each with a token of its own, would fill the memory with them.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Collection
from typing import Any

import reflex as rx
from reflex.istate.manager.memory import StateManagerMemory
from reflex.istate.manager.token import StateToken

MOST_CLOSED = 1000  # tabs that are closed, of which the State is kept in case they come back
_EVERY = 5.0  # seconds


async def run(app: rx.App) -> None:
    """The lifespan task: drop the States of the tabs that have been closed for longest, until the worker ends.

    In Redis they end by themselves, and by its own limit of memory (docs/operations.md). What was imported stays for as
    long as the worker: garbage is not looked for in it again and again, which would answer nobody meanwhile.
    """
    gc.freeze()
    while isinstance(app.state_manager, StateManagerMemory):
        drop_oldest(app.state_manager, connected=app.event_namespace.token_to_sid if app.event_namespace else {})
        await asyncio.sleep(_EVERY)


def drop_oldest(states: StateManagerMemory, *, connected: Collection[str], most: int = MOST_CLOSED) -> int:
    """Drop all but ``most`` of the States of closed tabs; returns how many were dropped.

    Reflex has no function for this: what it does itself when a State expires is done here earlier.
    """
    known = sorted(states._token_expires_at.values(), key=lambda seen: seen[0])
    closed = [token for _, token in known if token.ident not in connected and not _is_in_use(states, token)]
    over = closed[: max(0, len(closed) - most)]
    for token in over:
        states._purge_token(token)
    return len(over)


def _is_in_use(states: StateManagerMemory, token: StateToken[Any]) -> bool:
    lock = states._states_locks.get(token.lock_key)
    return lock is not None and lock.locked()


def crowd(app: rx.App) -> int:
    """How many tabs of this worker wait for an answer; one that asks for much counts as one.

    What nobody has looked at yet counts by itself, whosever it is.
    """
    processor = app.event_processor
    return len(processor._token_queues) + (processor._queue.qsize() if processor._queue else 0)
