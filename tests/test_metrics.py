"""What is counted is counted once, and is still known when the worker that counted it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mhms_app import metrics
from mhms_app.booking.rules import SlotTaken
from tests.databases import ROOT

Numbers = dict[tuple[str, tuple[str, ...]], float]


def read(text: str) -> Numbers:
    """Each sample's value, by its name and the values of its labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def book(how: Callable[[], None]) -> None:
    with metrics.booking():
        how()


def refuse() -> None:
    raise SlotTaken(1)


def test_a_booking_is_counted_by_what_comes_of_it() -> None:
    def counted() -> list[float]:
        found = read(metrics.exposition().decode())
        return [found.get(("mhms_bookings_total", (name,)), 0) for name in ("booked", "SlotTaken", "failed")]

    before = counted()
    book(lambda: None)
    with pytest.raises(SlotTaken):
        book(refuse)
    with pytest.raises(ZeroDivisionError):
        book(lambda: print(1 / 0))
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 1]


_WORKER = """
import sys
from mhms_app import metrics
metrics.SOCKETS.inc(7)
for _ in range(5):
    metrics.REFUSALS.labels("SlotTaken").inc()
metrics.EVENT_SECONDS.labels("Profile.confirm").observe(0.02)
print("counted", flush=True)
sys.stdin.read()
"""


def test_one_worker_answers_for_all_and_for_those_that_were_killed(tmp_path: Path) -> None:
    environment = {**os.environ, metrics.FOLDER: str(tmp_path)}
    arguments = [sys.executable, "-c", _WORKER]
    workers = [
        subprocess.Popen(arguments, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    def told() -> list[float]:
        answer = subprocess.run(
            [sys.executable, "-c", "from mhms_app import metrics; print(metrics.exposition().decode())"],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        found = read(answer.stdout)
        names = ("mhms_refusals_total", ("SlotTaken",)), ("mhms_event_seconds_count", ("Profile.confirm",))
        return [found[name] for name in (*names, ("mhms_sockets_open", ()))]

    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "counted\n"
        assert told() == [10, 2, 14]
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        assert told() == [10, 2, 7]  # its sockets are closed; what it counted has happened
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_a_start_begins_with_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "metrics-3000"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"")
    monkeypatch.delenv(metrics.FOLDER, raising=False)
    metrics.share(folder)
    assert (list(folder.iterdir()), os.environ.pop(metrics.FOLDER)) == ([], str(folder))
