"""How soon the first page is served: by ``make run`` in a clone that has run before, and after a worker has died."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from bench.programs import free_port
from bench.table import Row
from tests.databases import ROOT

TIMES = 3  # of which the middle one counts
_PATIENCE = 600.0  # seconds; the first run of a clone installs everything and builds the pages


def measure() -> Iterator[Row]:
    """On SQLite with the demo clinic, as ``make run`` starts it."""
    with tempfile.TemporaryDirectory() as data:
        with _running(data):
            pass  # whatever only the first run does
        starts, restarts = [], []
        for _ in range(TIMES):
            began = time.monotonic()
            with _running(data) as (process, port):
                starts.append(time.monotonic() - began)
                restarts.append(_kill_worker(process, port))
    yield Row("make run again, until the first page", _middle(starts), aim="less than 8 s")
    yield Row("a worker was killed, until the next page", _middle(restarts))


@contextmanager
def _running(data: str) -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    settings = {"MHMS_PORT": str(port), "MHMS_DATA_DIR": data, "MHMS_DATABASE_URL": "", "MHMS_ENV": "development"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MHMS_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a second start reads what the first has compiled
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(["make", "run"], cwd=ROOT, env=kept | settings, stdout=log, stderr=log) as started,
    ):
        try:
            _wait_for_page(port)
            yield psutil.Process(started.pid), port
        finally:
            started.send_signal(signal.SIGTERM)
            for child in psutil.Process(started.pid).children(recursive=True):
                child.terminate()


def _kill_worker(process: psutil.Process, port: int) -> float:
    workers = [child for child in process.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
    began = time.monotonic()
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers)
    _wait_for_page(port)
    return time.monotonic() - began


def _wait_for_page(port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            if httpx.get(f"http://localhost:{port}/", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise TimeoutError("no page was served")


def _middle(seconds: list[float]) -> str:
    return f"{sorted(seconds)[len(seconds) // 2]:.1f} s"
