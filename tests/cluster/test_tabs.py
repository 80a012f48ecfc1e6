"""A tab may land on any worker of any machine, at any time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from redis import Redis
from sqlalchemy import text

from bench.cluster import Cluster
from mhms_app import routes
from mhms_app.web.patient.home import Home
from mhms_app.web.public.doctor_profile import Profile
from tests.socket.cast import MORNING, Cast
from tests.socket.hostile import Tab, tab

CHOOSE, CONFIRM = f"{Profile.get_full_name()}.choose", f"{Profile.get_full_name()}.confirm"
SEVERAL_LOOKS = 7.0  # seconds, in which every worker's keeper has looked after its holds three times


def week(cast: Cast) -> str:
    return routes.doctor_profile(cast.doctor, week=MORNING.date())


def state_of(cluster: Cluster, slot_id: int) -> str:
    with cluster.database() as session:
        return str(session.scalar(text("SELECT state FROM slot WHERE id = :id"), {"id": slot_id}))


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def chosen(visitor: Tab, cast: Cast) -> int:
    """Choose a free slot; its id."""
    slot_id = cast.free.pop()
    visitor.visit(week(cast))
    said = visitor.call(CHOOSE, {"slot_id": slot_id})
    assert said.var(Profile, "chosen")["id"] == slot_id
    return slot_id


def test_a_tab_goes_on_in_another_worker_with_what_it_had(cluster: Cluster, cast: Cast) -> None:
    first, second = cluster.machines
    with tab(first, cast.cookie["patient"]) as before:
        slot_id = chosen(before, cast)
    with tab(second, cast.cookie["patient"], token=before.token) as after:
        assert after.token == before.token
        assert after.call(CONFIRM, {"form": {"reason": ""}}).redirect
    assert state_of(cluster, slot_id) == "booked"


def test_a_hold_stays_with_a_tab_that_moves_and_ends_with_it(cluster: Cluster, cast: Cast) -> None:
    first, second = cluster.machines
    with tab(first, cast.cookie["patient"]) as before:
        slot_id = chosen(before, cast)
    with tab(second, cast.cookie["patient"], token=before.token) as after:
        after.settle()
        time.sleep(SEVERAL_LOOKS)
        assert state_of(cluster, slot_id) == "held"
    wait_until(lambda: state_of(cluster, slot_id) == "open")


def test_workers_that_are_killed_are_replaced_and_their_tabs_come_back_elsewhere(cluster: Cluster, cast: Cast) -> None:
    machine, other = cluster.machines
    killed = set(machine.workers())
    with tab(machine, cast.cookie["patient"]) as visitor:
        chosen(visitor, cast)
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        with tab(other, cast.cookie["patient"], token=visitor.token) as again:
            assert again.visit(routes.PATIENT).var(Home, "next")
    wait_until(lambda: len(machine.workers()) == len(killed) and not killed & set(machine.workers()))
    machine.wait_until_ready()


def test_a_page_whose_state_is_gone_comes_back_by_itself(cluster: Cluster, cast: Cast) -> None:
    """As after an hour in which nothing happened, or when Redis was emptied: what was asked for leads to the page."""
    with tab(cluster, cast.cookie["patient"]) as visitor:
        visitor.visit(week(cast))
        with Redis.from_url(cluster.redis.url) as redis:
            assert redis.delete(*redis.scan_iter(f"*{visitor.token}*"))
        slot_id = cast.free.pop()
        visitor.send(CHOOSE, {"slot_id": slot_id})
        visitor.hears_that(lambda said: (said.var(Profile, "doctor") or {}).get("name"))
        assert visitor.call(CHOOSE, {"slot_id": slot_id}).var(Profile, "chosen")["id"] == slot_id
