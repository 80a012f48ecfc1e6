"""Faults while people book, move and cancel: nothing acknowledged is lost, nothing booked twice, every message sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil
import pytest

from tests.faults.history import Crowd, judged, storm
from tests.faults.postgres import OwnServer, own_server, proxied
from tests.faults.proxy import FaultProxy, Line
from tests.running import RunningApp, running_app

CUT_SECONDS = 10
MORE = 20  # answers after a fault that show that the clinic works again


@dataclass(frozen=True, slots=True)
class Clinic:
    """The running clinic on a PostgreSQL of its own, and the line between the two."""

    app: RunningApp
    crowd: Crowd
    server: OwnServer
    line: FaultProxy


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    crowd = Crowd()
    with ExitStack() as stack:
        server = stack.enter_context(own_server())
        line, through = stack.enter_context(proxied(server.url))
        app = stack.enter_context(running_app("postgresql", fill=crowd.fill, url=server.url, reach=lambda _: through))
        yield Clinic(app, crowd, server, line)


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[tuple[RunningApp, Crowd]]:
    crowd = Crowd()
    with running_app("sqlite", fill=crowd.fill) as app:
        yield app, crowd


def test_a_worker_is_killed(clinic: Clinic) -> None:
    with storm(clinic.app, clinic.crowd) as history:
        for _ in range(2):
            (worker,) = clinic.app.workers
            worker.kill()
            history.wait_for_more(MORE)
    assert judged(clinic.app, history).is_good


def test_postgresql_crashes(clinic: Clinic) -> None:
    with storm(clinic.app, clinic.crowd) as history:
        clinic.server.crash()
        history.wait_for_more(MORE)
    clinic.app.forget_connections()
    assert judged(clinic.app, history).is_good


@pytest.mark.parametrize("line", [Line.CUT, Line.STALLED, Line.ONE_WAY])
def test_the_network_to_the_database_is_gone_for_ten_seconds(clinic: Clinic, line: Line) -> None:
    with storm(clinic.app, clinic.crowd) as history:
        clinic.line.set(line)
        time.sleep(CUT_SECONDS)
        clinic.line.set(Line.OPEN)
        history.wait_for_more(MORE)
    assert judged(clinic.app, history).is_good


def test_a_worker_is_killed_on_sqlite(on_sqlite: tuple[RunningApp, Crowd]) -> None:
    app, crowd = on_sqlite
    with storm(app, crowd) as history:
        (worker,) = app.workers
        worker.kill()
        history.wait_for_more(MORE)
    assert judged(app, history).is_good


def test_the_disk_is_full_on_sqlite(on_sqlite: tuple[RunningApp, Crowd]) -> None:
    app, crowd = on_sqlite
    with storm(app, crowd) as history:
        with no_room(app):
            time.sleep(3)
            answers = history.answers
            time.sleep(2)
            assert history.answers == answers, "there was room left"
        history.wait_for_more(MORE)
    assert judged(app, history).is_good


@contextmanager
def no_room(app: RunningApp) -> Iterator[None]:
    """No file of the worker may grow any more (RLIMIT_FSIZE), as on a full disk."""
    (worker,) = app.workers
    before = worker.rlimit(psutil.RLIMIT_FSIZE)
    worker.rlimit(psutil.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        worker.rlimit(psutil.RLIMIT_FSIZE, before)
