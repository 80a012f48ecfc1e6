"""A new version is rolled out while people book: no request fails, and whatever was done was also answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from sqlalchemy import text
from websockets.exceptions import InvalidStatus, WebSocketException

from bench.cluster import Cluster, Machine
from bench.people import MONDAY, People, gather
from mhms_app import db, routes
from mhms_app.web.public.doctor_profile import Profile
from tests.race.cast import NEVER
from tests.socket.cast import Cast
from tests.socket.hostile import tab

VISITORS = 3
CHOOSE, CONFIRM = f"{Profile.get_full_name()}.choose", f"{Profile.get_full_name()}.confirm"


@dataclass(slots=True)
class Traffic:
    """People who book, one after the other, and others who look at pages, until it is over.

    Attributes:
        booked: the slots of the bookings that were answered.
        answers: how many answers had which status.
    """

    cluster: Cluster
    people: People
    booked: set[int] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def book(self, share: int) -> None:
        """Book for a share of the people; a closed socket is opened again, as a browser does."""
        for number in range(share, len(self.people.tokens), VISITORS):
            while not self.over.is_set() and not self._booked(number):
                time.sleep(0.2)

    def _booked(self, number: int) -> bool:
        slot_id = self.people.slots[number][0]
        try:
            with tab(self.cluster, self.people.tokens[number]) as visitor:
                visitor.visit(routes.doctor_profile(self.people.doctors[number], week=MONDAY))
                visitor.call(CHOOSE, {"slot_id": slot_id})
                visitor.send(CONFIRM, {"form": {"reason": ""}})
                if visitor.settle().redirect:
                    self.booked.add(slot_id)
        except InvalidStatus as refusal:
            self.answers[refusal.response.status_code] += 1
        except (AssertionError, WebSocketException, OSError):
            pass  # the socket was closed: once more
        return slot_id in self.booked

    def look(self) -> None:
        """Ask for pages, and post a login that is refused."""
        with httpx.Client(base_url=self.cluster.base_url, headers={"Origin": self.cluster.base_url}) as client:
            while not self.over.is_set():
                self.answers[client.get("/login").status_code] += 1
                self.answers[client.post(routes.POST_LOGOUT).status_code] += 1
                time.sleep(0.02)


@contextmanager
def traffic(cluster: Cluster) -> Iterator[Traffic]:
    db.use_engine(db.make_engine(cluster.database_url))
    people = gather(patients=600, doctors=600, slots=1)
    db.use_engine(None)
    flow = Traffic(cluster, people)
    threads = [threading.Thread(target=flow.book, args=(share,)) for share in range(VISITORS)]
    threads.append(threading.Thread(target=flow.look))
    for thread in threads:
        thread.start()
    try:
        yield flow
    finally:
        flow.over.set()
        for thread in threads:
            thread.join()


def restart(machine: Machine, flow: Traffic) -> None:
    """Replace a machine as a deployment does; people go on booking while it is away."""
    machine.ask_to_stop()
    deadline = time.monotonic() + 10
    while machine.status() != 503:
        assert time.monotonic() < deadline, "it still says that it is ready"
        time.sleep(0.05)
    assert machine.status("/healthz") == 200, "it serves on while others are told"
    assert machine.wait() == 0
    before = len(flow.booked)
    machine.start()
    machine.wait_until_ready()
    assert len(flow.booked) > before, "nobody could book meanwhile"


def test_machines_are_replaced_one_after_the_other_while_people_book(cluster: Cluster, cast: Cast) -> None:
    with traffic(cluster) as flow:
        for machine in cluster.machines:
            restart(machine, flow)
    assert {status for status in flow.answers if status >= 400} == set()
    assert flow.answers[200] > 0
    with cluster.database() as session:
        booked = set(
            session.scalars(
                text("SELECT slot_id FROM appointment WHERE slot_id = ANY(:slots)"),
                {"slots": [slot_id for slots in flow.people.slots for slot_id in slots]},
            )
        )
        assert [
            name for name, query in NEVER.items() if "message" not in name and session.execute(text(query)).first()
        ] == []
    assert booked == flow.booked
    assert cluster.log().count("Traceback") == 0
