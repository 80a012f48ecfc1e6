"""/metrics: how the clinic stands, in Prometheus' text format, for whoever has the token."""

from __future__ import annotations

import hmac
import platform
import threading
import time
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mhms_app import db
from mhms_app import metrics as counted
from mhms_app.oversight import figures
from mhms_app.oversight.figures import Figures
from mhms_app.settings import settings

_FRESH = 5.0  # seconds for which what was read from the database is told again
_ROOT = Path(__file__).parent.parent.parent
_PROJECT = (_ROOT / "pyproject").with_suffix(".toml")
_BUILT_FROM = _ROOT / ".web" / "mhms-build"  # as ``launch.build_pages`` writes it


async def metrics(request: Request) -> Response:
    """GET with ``Authorization: Bearer`` and the token of MHMS_METRICS_TOKEN; without that setting there is nothing."""
    token = settings().metrics_token.get_secret_value()
    if not token:
        return PlainTextResponse("We could not find this.", status_code=404)
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return PlainTextResponse("A token is needed.", status_code=401, headers={"WWW-Authenticate": "Bearer"})
    text = await run_in_threadpool(counted.exposition, _of_the_database)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


class OfTheDatabase(Collector):
    """What is the same whichever worker is asked, read once for all who ask within some seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._found: Figures | None = None

    def collect(self) -> Iterator[Metric]:
        """How everything stands; when the database is away, only that."""
        yield InfoMetricFamily("mhms_build", "What runs.", value=_build())
        found = self._read()
        yield _gauge("mhms_database_up", "Whether the database answers and is migrated.", found is not None)
        if found is not None:
            yield from _families(found)

    def _read(self) -> Figures | None:
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH:
                self._found = self._ask()
                self._read_at = time.monotonic()
            return self._found

    def _ask(self) -> Figures | None:
        try:
            with db.transaction(read_only=True) as session:
                return figures.read(session) if db.is_migrated(session) else None
        except SQLAlchemyError:
            return None


_of_the_database = OfTheDatabase()


def _families(found: Figures) -> Iterator[Metric]:
    outbox, at = found.outbox, found.at
    age = (at - outbox.oldest_waiting_at).total_seconds() if outbox.oldest_waiting_at else 0
    lag = (at - found.unsealed_since).total_seconds() if found.unsealed_since else 0
    yield _gauge("mhms_database_answer_seconds", "Time for one statement.", found.database.seconds)
    yield _gauge("mhms_database_size_bytes", "Size of the database.", found.database.size)
    if found.database.room is not None:
        yield _gauge("mhms_database_room_bytes", "Room on its disk.", found.database.room)
    yield _gauge("mhms_outbox_waiting", "Messages that wait to be sent.", outbox.waiting)
    yield _gauge("mhms_outbox_oldest_waiting_seconds", "For how long the oldest of them waits.", age)
    yield _gauge("mhms_outbox_dead", "Messages that were given up.", outbox.dead)
    yield _gauge("mhms_holds", "Slots that are kept for somebody.", found.holds)
    yield _gauge("mhms_audit_unsealed_seconds", "For how long an entry of the audit trail waits for its seal.", lag)
    if found.backed_up_at:
        at_last = found.backed_up_at.timestamp()
        yield _gauge("mhms_backup_timestamp_seconds", "When the last backup was made by MHMS itself.", at_last)
    is_whole = not (found.check and found.check.problem)
    yield _gauge("mhms_audit_whole", "Whether verifying the audit trail found nothing wrong.", is_whole)
    yield _gauge("mhms_workers", "Workers that were there within a minute.", len(found.alive))
    deaf = sum(worker.numbers.hears is False for worker in found.alive)
    yield _gauge("mhms_workers_deaf", "Of those, which do not hear what others change.", deaf)
    if found.redis is not None:
        yield _gauge("mhms_redis_up", "Whether Redis answers.", found.redis)
    done = GaugeMetricFamily("mhms_task_done_timestamp_seconds", "When a task has last done its work.", labels=["task"])
    for task, last in found.beats.items():
        done.add_metric([task], last.timestamp())
    yield done
    broken = CounterMetricFamily(
        "mhms_policy_violations", "Breaches of the content policy that browsers reported.", labels=["directive"]
    )
    for seen in found.violations:
        broken.add_metric([seen.directive], seen.times)
    yield broken


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, says, value=value)


@cache
def _build() -> dict[str, str]:
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    return {
        "version": project["version"],
        "sources": _BUILT_FROM.read_text(encoding="utf-8")[:12] if _BUILT_FROM.is_file() else "",
        "python": platform.python_version(),
        "reflex": version("reflex"),
    }
