"""Writing down who looked at what, beside the pages: none waits for it, and none fails because of it.

A page reads in a transaction that cannot write, and on SQLite must wait for no writer. So services note what is looked
at (``service.note``), and once the page has its answer a thread of its own writes it down.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from mhms_app import db, trace
from mhms_app.audit import service as audit
from mhms_app.audit.service import Reading

AGAIN = timedelta(minutes=10)
"""Within which the same person looking at the same thing in the same session is one reading."""

_MOST = 10_000  # readings remembered by a worker

log = logging.getLogger(__name__)


class Readings:
    """What was written down lately, and the thread that writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[Reading, datetime] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="readings")

    def keep(self, readings: Sequence[Reading]) -> Future[None] | None:
        """Have those written down that are new."""
        if fresh := [one for one in readings if self._is_new(replace(one, rows=None))]:
            return self._writer.submit(trace.carried(lambda: self._write(fresh)))
        return None

    def _is_new(self, reading: Reading) -> bool:
        now = db.clock.now()
        with self._lock:
            before = self._seen.get(reading)
            is_new = before is None or now - before >= AGAIN
            if is_new:
                self._seen.pop(reading, None)
                self._seen[reading] = now  # at the end: the oldest stand first
            if len(self._seen) > _MOST:
                del self._seen[next(iter(self._seen))]
        return is_new

    def _write(self, readings: Sequence[Reading]) -> None:
        try:
            with db.transaction() as session:
                for one in readings:
                    audit.come_from(session, one.origin)
                    counted = "" if one.rows is None else f"{one.rows} shown"
                    audit.record(
                        session,
                        actor_id=one.actor_id,
                        action=one.action,
                        object_type=one.object_type,
                        object_id=one.object_id,
                        detail=", ".join(filter(None, (counted, one.detail))),
                    )
        except Exception as error:  # an outage: what was read was read, and the next reading is tried again
            log.error("%d readings are not in the audit trail (%s)", len(readings), type(error).__name__)


_readings = Readings()
keep = _readings.keep
