"""Faults of one worker's clinic while people book, move and cancel; ``test_ordeals`` has those of a whole cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from tests.faults.history import Crowd, judged, storm
from tests.faults.postgres import own_server, proxied
from tests.faults.proxy import Line
from tests.running import RunningApp, running_app

CUT_SECONDS = 10
MORE = 20  # answers after a fault that show that the clinic works again


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[tuple[RunningApp, Crowd]]:
    crowd = Crowd()
    with running_app("sqlite", fill=crowd.fill) as app:
        yield app, crowd


def test_answers_of_the_database_are_lost_for_ten_seconds() -> None:
    crowd = Crowd()
    with ExitStack() as stack:
        server = stack.enter_context(own_server())
        line, through = stack.enter_context(proxied(server.url))
        app = stack.enter_context(running_app("postgresql", fill=crowd.fill, url=server.url, reach=lambda _: through))
        with storm(app, crowd) as history:
            line.set(Line.ONE_WAY)
            time.sleep(CUT_SECONDS)
            line.set(Line.OPEN)
            history.wait_for_more(MORE)
        assert judged(app, history).is_good


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
