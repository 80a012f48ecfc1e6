"""Whichever worker of a machine Prometheus happens to ask answers for all of them, the killed ones included."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import httpx

from bench.cluster import Cluster, Machine
from mhms_app import routes
from tests.cluster.conftest import METRICS_TOKEN
from tests.cluster.test_tabs import wait_until
from tests.socket.cast import Cast
from tests.socket.hostile import tab
from tests.test_metrics import Numbers, read

TABS = 6
SOCKETS, WAITS, WORKERS = (("mhms_sockets_open", ()), ("mhms_event_wait_seconds_count", ()), ("mhms_workers", ()))


def scrape(machine: Machine) -> Numbers:
    """Each time through a connection of its own, which any worker takes."""
    answer = httpx.get(f"http://{machine.address}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    return read(answer.raise_for_status().text)


def test_any_worker_answers_for_its_machine(cluster: Cluster, cast: Cast) -> None:
    machine, other = cluster.machines
    wait_until(lambda: scrape(machine)[SOCKETS] == 0)
    before = scrape(machine)[WAITS]
    with ExitStack() as visitors:
        for _ in range(TABS):
            visitors.enter_context(tab(machine, cast.cookie["patient"])).visit(routes.PATIENT)
        found = [scrape(machine) for _ in range(12)]
        assert {one[SOCKETS] for one in found} == {TABS}
        assert all(one[WAITS] >= before + TABS for one in found)
        assert scrape(other)[SOCKETS] == 0
    counted, workers = scrape(machine)[WAITS], machine.workers()
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(machine.workers()) == len(workers) and workers[0] not in machine.workers())
    machine.wait_until_ready()
    assert all(scrape(machine)[WAITS] >= counted for _ in range(6))
    wait_until(lambda: scrape(other)[WORKERS] >= 4)  # those of all machines, which only the database knows
