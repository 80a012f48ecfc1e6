"""A streaming replica takes reading off the database, for what may be shown as it was a moment ago.

Only a function that is marked with ``may_be_stale`` is ever read there: lists and exports, never what somebody decides
by, and nothing that belongs to a session. The replica itself refuses to write. When it is away, or further behind than
``MOST_BEHIND``, the database answers.

How far it is behind is measured in the database's own log: where that stood at which moment is written down once a
second, and the replica says how far it has come. So it also counts when the two have lost each other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from mhms_app import db
from mhms_app.once import Once
from mhms_app.settings import settings

log = logging.getLogger(__name__)

MOST_BEHIND = 5.0  # seconds
SEEN_BY_THEN = 2 * MOST_BEHIND  # seconds after which whoever has changed something sees it on the replica too
_LOOK_EVERY = 1.0
_PAUSE = 10.0  # seconds until a replica that failed is asked again

_MARK = "__mhms_may_be_stale__"
_WRITTEN = text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
_REPLAYED = text("SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')")

Reading = TypeVar("Reading", bound=Callable[..., Any])


def may_be_stale(reading: Reading) -> Reading:
    """Mark a function that only reads, and whose answer may be some seconds old."""
    setattr(reading, _MARK, True)
    return reading


def exists() -> bool:
    """Whether there is a replica at all."""
    return bool(settings().database_replica_url)


def can_read(reading: Callable[..., Any]) -> bool:
    """Whether there is a replica, and it may answer this."""
    return exists() and getattr(reading, _MARK, False)


class Replica:
    """The replica, and how far it is behind."""

    def __init__(self, url: str, *, every: float = _LOOK_EVERY, pause: float = _PAUSE) -> None:
        # Said of each connection: one that is given back forgets it, and would then ask to write, which is refused.
        self._engine = db.make_engine(url, pooled=settings().is_pooled).execution_options(postgresql_readonly=True)
        self._every, self._pause = every, pause
        self._looking = threading.Lock()
        self._marks: deque[tuple[float, int]] = deque()  # when, and how far the database's log was then
        self._look_at = 0.0
        self._is_fresh = False

    def fresh(self) -> Engine | None:
        """Its engine, if it answers and is near enough."""
        if time.monotonic() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._engine if self._is_fresh else None

    def failed(self) -> None:
        """Do not ask it for a while."""
        if self._is_fresh:
            log.warning("the replica is away or too far behind: the database answers instead")
        self._is_fresh, self._look_at = False, time.monotonic() + self._pause

    def _look(self) -> None:
        now = time.monotonic()
        self._look_at = now + self._every
        try:
            with db.engine().connect() as primary:
                self._marks.append((now, int(primary.execute(_WRITTEN).scalar_one())))
            with self._engine.connect() as connection:
                replayed = connection.execute(_REPLAYED).scalar()  # NULL: it is no replica
        except SQLAlchemyError:
            self.failed()
            return
        while self._marks[0][0] < now - MOST_BEHIND:
            self._marks.popleft()
        if replayed is not None and int(replayed) >= self._marks[0][1]:
            self._is_fresh = True
        elif self._is_fresh:
            self.failed()


@Once
def _replica() -> Replica:
    return Replica(settings().database_replica_url)


@contextmanager
def reading() -> Iterator[Session]:
    """A session in one transaction that only reads, on the replica if that will do.

    When the replica fails in the middle, so does the block, as when the database itself goes away: whoever repeats it
    is answered by the database.
    """
    chosen = _replica().fresh()
    if chosen is None:
        with db.transaction(read_only=True) as session:
            yield session
        return
    try:
        with Session(chosen, expire_on_commit=False) as session:
            yield session
    except SQLAlchemyError:
        _replica().failed()
        raise
