"""The id of the request or event that is under way: in every line that is logged for it, and in the audit trail.

It lives in a context variable. Tasks and ``asyncio.to_thread`` take it along by themselves, an executor does not:
give it ``carried(work)``.
"""

from __future__ import annotations

import contextvars
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

HEADER = "X-Request-Id"
LONGEST = 32

_HEX = re.compile(r"[0-9a-f]{8,32}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_current: contextvars.ContextVar[str] = contextvars.ContextVar("event_id", default="")


def current() -> str:
    """The id of what is under way here, 8 to 32 hexadecimal digits; ``""`` for what the system does by itself."""
    return _current.get()


def new_id() -> str:
    """An id that no other request or event of these days has: 12 hexadecimal digits, 48 random bits."""
    return secrets.token_hex(6)


def begin(event_id: str) -> None:
    """Everything that follows in this task belongs to this event."""
    _current.set(event_id)


@contextmanager
def under_way(event_id: str) -> Iterator[None]:
    """Everything within the block belongs to this request."""
    token = _current.set(event_id)
    try:
        yield
    finally:
        _current.reset(token)


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """The same work, for another thread."""
    context = contextvars.copy_context()
    return lambda: context.run(work)


def told(traceparent: str, request_id: str) -> str:
    """The id that a proxy gave to a request, or ``""``.

    Args:
        traceparent: as in W3C Trace Context, section 3.2: its trace-id is taken.
        request_id: hexadecimal, with or without hyphens, as nginx, Caddy and cloud balancers make it.
    """
    if found := _TRACEPARENT.fullmatch(traceparent):
        return found[1]
    plain = request_id.replace("-", "").lower()
    return plain if _HEX.fullmatch(plain) else ""
