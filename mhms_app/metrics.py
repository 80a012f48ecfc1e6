"""What is counted and measured while the clinic runs, for Prometheus.

Labels are names from the source: of handlers, routes and refusals. Nothing that a person typed, and nobody's key, is
one. Several workers of one machine share their numbers through files in ``PROMETHEUS_MULTIPROC_DIR``, which
``launch.serve`` makes: whichever of them is asked answers for all, and what a worker has counted outlives it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from mhms_app.errors import ClinicError

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name
_PID = re.compile(r"_(\d+)\.db$")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter began: as many series again
_registry = CollectorRegistry()


def _gauge(name: str, says: str) -> Gauge:
    """A state of now; of several workers that run, the sum."""
    return Gauge(name, says, multiprocess_mode="livesum", registry=_registry)


EVENT_SECONDS = Histogram(
    "mhms_event_seconds", "Time for an event, by its handler.", ["handler"], buckets=_SECONDS, registry=_registry
)
EVENT_WAIT_SECONDS = Histogram(
    "mhms_event_wait_seconds",
    "Time until an event's turn came, before its handler.",
    buckets=_SECONDS,
    registry=_registry,
)
EVENTS_REFUSED = Counter(
    "mhms_events_refused", "Events that the gate did not let through, by why.", ["why"], registry=_registry
)
REFUSALS = Counter("mhms_refusals", "What was refused to people, by its name.", ["refusal"], registry=_registry)
FAILURES = Counter("mhms_failures", "What failed as nobody expected, by where.", ["where"], registry=_registry)
BOOKINGS = Counter(
    "mhms_bookings", "Bookings that were asked for, by what came of it.", ["outcome"], registry=_registry
)
HTTP_SECONDS = Histogram(
    "mhms_http_seconds",
    "Time for an HTTP request, by its route and status.",
    ["route", "status"],
    buckets=_SECONDS,
    registry=_registry,
)
SOCKETS = _gauge("mhms_sockets_open", "Sockets of open tabs.")
SOCKETS_REFUSED = Counter("mhms_sockets_refused", "Sockets beyond those of one address.", registry=_registry)
DELIVERIES = Counter(
    "mhms_deliveries", "Attempts to deliver a message, by what came of it.", ["outcome"], registry=_registry
)
CONNECTION_SECONDS = Histogram(
    "mhms_database_connection_wait_seconds",
    "Time until the pool had a connection.",
    buckets=(0.001, 0.01, 0.1, 1.0, 5.0),
    registry=_registry,
)
CONNECTIONS = _gauge("mhms_database_connections", "Connections of the pools, used or not.")
CONNECTIONS_USED = _gauge("mhms_database_connections_used", "Connections that are in use.")
EVENTS_WAITING = _gauge("mhms_events_waiting", "Events whose handler has not begun.")
SERVICES_RUNNING = _gauge("mhms_services_running", "Threads in which a service runs.")
SERVICES_WAITING = _gauge("mhms_services_waiting", "Services that wait for a thread.")
LOOP_LAG = Gauge(
    "mhms_event_loop_lag_seconds",
    "How late the event loop is; of several workers the latest.",
    multiprocess_mode="livemax",
    registry=_registry,
)
MEMORY = _gauge("mhms_memory_bytes", "Resident memory of the workers.")


@contextmanager
def booking() -> Iterator[None]:
    """Count a booking by what comes of it: ``booked``, the name of the refusal, or ``failed``."""
    outcome = "failed"
    try:
        yield
        outcome = "booked"
    except ClinicError as refusal:
        outcome = type(refusal).__name__
        raise
    finally:
        BOOKINGS.labels(outcome).inc()


def share(folder: Path) -> None:
    """Let the workers that are started from here share their numbers in this folder, which is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[FOLDER] = str(folder)


def exposition(*more: Collector) -> bytes:
    """All numbers in Prometheus' text format 0.0.4, of every worker of this machine.

    Args:
        more: collectors of what is the same whichever worker is asked.
    """
    registry = CollectorRegistry()
    if folder := os.environ.get(FOLDER):
        _forget_the_dead(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_registry)
        ProcessCollector(registry=registry)
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """What a worker that is gone had open or in use is no more; what it has counted stays."""
    for pid in _pids(folder.glob("gauge_live*.db")):
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _pids(files: Iterable[Path]) -> set[int]:
    return {int(found[1]) for file in files if (found := _PID.search(file.name))}
