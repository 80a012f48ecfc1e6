"""How the clinic's machinery stands, read from the database: for /metrics, /admin/system and ``cli check`` alike."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import and_, func, literal_column, or_
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.audit import chain, violations
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.violations import Seen
from mhms_app.availability.models import Slot
from mhms_app.notifications import outbox
from mhms_app.notifications.outbox import OutboxCounts
from mhms_app.once import Once
from mhms_app.oversight import backups, checks, workers
from mhms_app.oversight.checks import Check
from mhms_app.oversight.workers import SILENT, WorkerRow
from mhms_app.settings import settings

HOURS = 24
_HELD = col(Slot.state) == literal_column("'held'")  # not bound: only then may either engine use its index
_BOOKED = ("appointment.book",)
_REFUSED = ("session.refuse", "session.refuse_code", "session.refuse_passkey")


@dataclass(frozen=True, slots=True)
class Database:
    """What keeps everything.

    Attributes:
        name: such as ``PostgreSQL 15.3``.
        seconds: that it took to answer.
        size: in bytes.
        room: bytes that are free on the disk, where that is this machine's; else None.
    """

    name: str
    seconds: float
    size: int
    room: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How everything stands at an instant.

    Attributes:
        unsealed_since: when the first entry of the audit trail was made that has no seal yet.
        sealed_to: the last position of its chain.
        backed_up_at: when ``cli backup`` was last run; None is never.
        holds: slots that are kept for somebody.
        redis: whether it answers; None where none is configured.
        bookings, refused: of each of the last hours, the current one last; logins that were refused.
    """

    at: datetime
    database: Database
    outbox: OutboxCounts
    unsealed_since: datetime | None
    sealed_to: int
    check: Check | None
    backed_up_at: datetime | None = None
    violations: tuple[Seen, ...] = ()
    holds: int = 0
    workers: tuple[WorkerRow, ...] = ()
    redis: bool | None = None
    bookings: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()

    @property
    def alive(self) -> tuple[WorkerRow, ...]:
        """The workers that have said lately that they are there."""
        return tuple(worker for worker in self.workers if self.at - worker.seen_at < SILENT)

    @property
    def beats(self) -> dict[str, datetime]:
        """When each task has last done its work, in any worker."""
        last: dict[str, datetime] = {}
        for worker in self.workers:
            for task, at in worker.tasks.items():
                last[task] = max(at, last.get(task, at))
        return last


def read(session: Session) -> Figures:
    """Read everything; the database has every migration."""
    now = db.clock.now()
    return Figures(
        at=now,
        database=_database(session),
        outbox=outbox.standing(session),
        unsealed_since=chain.waits_since(session),
        sealed_to=chain.head(session).position,
        check=checks.last_check(session),
        backed_up_at=backups.last(session),
        violations=violations.counts(session),
        holds=session.scalar(select(func.count()).select_from(Slot).where(_HELD)) or 0,
        workers=workers.list_workers(session),
        redis=_redis_answers(),
        bookings=_by_hour(session, _BOOKED, now),
        refused=_by_hour(session, _REFUSED, now),
    )


def _database(session: Session) -> Database:
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    began = time.perf_counter()
    version = session.scalar(select(func.version() if is_postgresql else func.sqlite_version())) or ""
    seconds = time.perf_counter() - began
    if is_postgresql:
        size = session.scalar(select(func.pg_database_size(func.current_database()))) or 0
        return Database(" ".join(version.split()[:2]), seconds, size)
    file = Path(session.get_bind().engine.url.database or "")
    return Database(f"SQLite {version}", seconds, file.stat().st_size, shutil.disk_usage(file).free)


def _by_hour(session: Session, actions: tuple[str, ...], now: datetime) -> tuple[int, ...]:
    """How often something was done in each of the last hours."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    starts = [this_hour - timedelta(hours=hour) for hour in reversed(range(HOURS))]
    at, hour = col(AuditEntry.at), timedelta(hours=1)
    each = (func.count().filter(and_(at >= start, at < start + hour)) for start in starts)
    named = or_(*(col(AuditEntry.action) == action for action in actions))
    found = session.execute(select(*each).where(named, at >= starts[0])).one()
    return tuple(found)


@Once
def _redis() -> Redis:
    return Redis.from_url(settings().redis_url, socket_timeout=1, socket_connect_timeout=1)


def _redis_answers() -> bool | None:
    if not settings().redis_url:
        return None
    try:
        return bool(_redis().ping())
    except RedisError:
        return False
