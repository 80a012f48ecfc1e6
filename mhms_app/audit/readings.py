"""Writing down who looked at what, beside the pages: none waits for it, and none fails because of it.

A page reads in a transaction that cannot write, and on SQLite must wait for no writer. So services note what is looked
at (``service.note``), and once the page has its answer a thread of its own writes it down.

A worker remembers what it wrote, which spares most readings the database. What another worker wrote stands there, and
is looked for before writing.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from mhms_app import db, trace
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.service import Reading

AGAIN = timedelta(minutes=10)
"""Within which the same person looking at the same thing in the same session is one reading."""

_MOST = 10_000  # readings remembered by a worker
_COUNTED = re.compile(r"\d+ shown(, )?")

log = logging.getLogger(__name__)


class Readings:
    """What was written down lately as far as this worker knows, and the thread that writes."""

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
                    db.in_turn(session, f"reading of {one.actor_id}")
                    if before := _last(session, one):
                        self._remember(one, before)
                    else:
                        _record(session, one)
        except Exception as error:  # an outage: what was read was read, and the next reading is tried again
            self._forget(readings)
            log.error("%d readings are not in the audit trail (%s)", len(readings), type(error).__name__)

    def _remember(self, reading: Reading, at: datetime) -> None:
        """It was written down then, by another worker."""
        with self._lock:
            self._seen[replace(reading, rows=None)] = at

    def _forget(self, readings: Sequence[Reading]) -> None:
        with self._lock:
            for one in readings:
                self._seen.pop(replace(one, rows=None), None)


def _last(session: Session, reading: Reading) -> datetime | None:
    """When the same was last written down, if that was so lately that this is no other reading."""
    found = session.execute(
        select(col(AuditEntry.at), col(AuditEntry.detail))
        .where(
            col(AuditEntry.actor_id) == reading.actor_id,
            col(AuditEntry.action) == reading.action,
            col(AuditEntry.at) > db.clock.now() - AGAIN,
            col(AuditEntry.object_type) == reading.object_type,
            col(AuditEntry.object_id) == reading.object_id,
            col(AuditEntry.session_id) == reading.origin.session_id,
            col(AuditEntry.acted_by) == reading.origin.acted_by,
            col(AuditEntry.address) == reading.origin.address,
        )
        .order_by(col(AuditEntry.at).desc())
    )
    return next((at for at, detail in found if _COUNTED.sub("", detail, count=1) == reading.detail), None)


def _record(session: Session, reading: Reading) -> None:
    audit.come_from(session, reading.origin)
    counted = "" if reading.rows is None else f"{reading.rows} shown"
    audit.record(
        session,
        actor_id=reading.actor_id,
        action=reading.action,
        object_type=reading.object_type,
        object_id=reading.object_id,
        detail=", ".join(filter(None, (counted, reading.detail))),
    )


_readings = Readings()
keep = _readings.keep
