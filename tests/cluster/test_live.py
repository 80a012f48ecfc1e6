"""A change made through one machine, on the pages that are open on the other."""

from __future__ import annotations

from contextlib import ExitStack

import httpx
from sqlalchemy import text

from bench.cluster import Cluster
from mhms_app import routes
from mhms_app.web.patient.home import Home
from tests.cluster.test_tabs import CHOOSE, CONFIRM, week
from tests.socket.cast import Cast, log_in
from tests.socket.hostile import tab
from tests.socket.test_live import LEAVE, slots

TABS = 8  # enough to be on both workers of a machine
END_EVERY_CHANNEL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ '^(LISTEN|SELECT pg_notify\\(\\$1, \\$2\\))'
"""


def test_a_booking_through_one_machine_is_seen_on_the_other(cluster: Cluster, cast: Cast) -> None:
    here, there = cluster.machines
    slot_id = cast.free.pop()
    with ExitStack() as stack:
        visitors = [stack.enter_context(tab(there)) for _ in range(TABS)]
        patient, at_home = (stack.enter_context(tab(one, cast.cookie["patient"])) for one in (here, there))
        for visitor in visitors:
            assert slots(visitor.visit(week(cast)))[slot_id] is False
        at_home.visit(routes.PATIENT)
        patient.visit(week(cast))
        patient.call(CHOOSE, {"slot_id": slot_id})
        heard = [visitor.hears_that(lambda said: slots(said).get(slot_id)) for visitor in visitors]
        reference = patient.call(CONFIRM, {"form": {"reason": "A secret matter."}}).redirect.rpartition("/")[2]
        at_home.hears_that(lambda said: reference in str(said.var(Home, "later")) + str(said.var(Home, "next")))
        heard += [visitor.hears_that(lambda said: slots(said) and slot_id not in slots(said)) for visitor in visitors]
    sent = "".join(said.text for said in heard)
    assert not [word for word in (reference, "Moreau", "secret") if word in sent]


def test_a_slot_that_is_freed_through_one_machine_comes_back_on_the_other(cluster: Cluster, cast: Cast) -> None:
    here, there = cluster.machines
    slot_id = cast.free[-1]
    with tab(there) as visitor, tab(here, cast.cookie["patient"]) as patient:
        visitor.visit(week(cast))
        patient.visit(week(cast))
        patient.call(CHOOSE, {"slot_id": slot_id})
        visitor.hears_that(lambda said: slots(said).get(slot_id))
        patient.call(LEAVE)
        visitor.hears_that(lambda said: slots(said).get(slot_id) is False)


def test_a_session_that_is_ended_through_one_machine_closes_its_sockets_on_the_other(
    cluster: Cluster, cast: Cast
) -> None:
    here, there = cluster.machines
    with cluster.database() as session:
        token = log_in(session, cast.user["patient"])
    with ExitStack() as stack:
        tabs = [stack.enter_context(tab(there, token)) for _ in range(TABS)]
        for one in tabs:
            one.visit(routes.PATIENT)
        origin = f"http://{here.address}"
        headers = {"Origin": origin, "Cookie": f"mhms={token}"}
        assert httpx.post(origin + routes.POST_LOGOUT, headers=headers).is_redirect
        assert all(one.is_closed() for one in tabs)


def test_what_was_missed_while_nobody_could_listen_appears(cluster: Cluster, cast: Cast) -> None:
    _, there = cluster.machines
    slot_id = cast.free.pop()
    with ExitStack() as stack:
        visitors = [stack.enter_context(tab(there)) for _ in range(TABS)]
        for visitor in visitors:
            visitor.visit(week(cast))
        with cluster.database() as session:
            session.execute(text(END_EVERY_CHANNEL))
            session.execute(text("UPDATE slot SET state = 'withdrawn' WHERE id = :id"), {"id": slot_id})
        for visitor in visitors:
            visitor.hears_that(lambda said: slots(said) and slot_id not in slots(said))


def test_a_tab_that_was_away_catches_up_wherever_it_returns(cluster: Cluster, cast: Cast) -> None:
    here, there = cluster.machines
    slot_id = cast.free.pop()
    with tab(here) as visitor:
        assert slot_id in slots(visitor.visit(week(cast)))
        token = visitor.token
    with cluster.database() as session:
        session.execute(text("UPDATE slot SET state = 'withdrawn' WHERE id = :id"), {"id": slot_id})
    with tab(there, token=token) as visitor:
        said = visitor.visit(week(cast))  # as the browser does when it connects again
        assert slots(said)
        assert slot_id not in slots(said)
        other = cast.free[-1]
        with tab(here, cast.cookie["patient"]) as patient:
            patient.visit(week(cast))
            patient.call(CHOOSE, {"slot_id": other})
            visitor.hears_that(lambda said: slots(said).get(other))
            patient.call(LEAVE)
