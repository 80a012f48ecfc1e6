"""State in the memory of each machine, behind a balancer that leads a tab to the same one: the fastest set-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bench.cluster import Cluster, running_cluster
from mhms_app import routes
from mhms_app.web.patient.home import Home
from tests.cluster.conftest import METRICS_TOKEN
from tests.cluster.test_metrics import SOCKETS, scrape
from tests.cluster.test_tabs import CHOOSE, CONFIRM, chosen, state_of, wait_until, week
from tests.socket.cast import Cast
from tests.socket.hostile import tab
from tests.socket.test_live import slots

TABS = 20  # of which some are on each machine, however the hashes fall


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def cluster(cast: Cast) -> Iterator[Cluster]:
    environment = {"MHMS_STATE": "memory", "MHMS_METRICS_TOKEN": METRICS_TOKEN}
    with running_cluster(workers=1, sticky=True, fill=cast.fill, environment=environment) as cluster:
        yield cluster


def test_a_tab_that_connects_again_finds_what_it_had(cluster: Cluster, cast: Cast) -> None:
    with tab(cluster, cast.cookie["patient"]) as before:
        slot_id = chosen(before, cast)
    with tab(cluster, cast.cookie["patient"], token=before.token) as after:
        assert after.call(CONFIRM, {"form": {"reason": ""}}).redirect
    assert state_of(cluster, slot_id) == "booked"


def test_tabs_of_both_machines_see_a_booking_and_those_of_a_dead_one_go_on_at_the_other(
    cluster: Cluster, cast: Cast
) -> None:
    with ExitStack() as stack:
        visitors = [stack.enter_context(tab(cluster)) for _ in range(TABS)]
        patient = stack.enter_context(tab(cluster, cast.cookie["patient"]))
        for one in (*visitors, patient):
            one.visit(week(cast))
        assert all(scrape(machine)[SOCKETS] for machine in cluster.machines)
        slot_id = cast.free.pop()
        patient.call(CHOOSE, {"slot_id": slot_id})
        for visitor in visitors:
            visitor.hears_that(lambda said: slots(said).get(slot_id))
        cluster.machines[0].kill()
        dead = [visitor.token for visitor in visitors]
    for token in dead:  # each browser connects again with the token of its tab, until it is let in
        with tab(cluster, cast.cookie["patient"], token=token) as again:
            assert again.visit(routes.PATIENT).var(Home, "next")
    cluster.machines[0].start()
    cluster.machines[0].wait_until_ready()
    wait_until(lambda: state_of(cluster, slot_id) in ("held", "open"))
