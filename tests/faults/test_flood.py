"""A thousand tabs ask for far more than can be served: those who were inside go on, and afterwards all is as before."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from sqlmodel import select
from websockets.exceptions import WebSocketException

from mhms_app import routes
from mhms_app.accounts.models import User
from mhms_app.booking.models import Appointment
from mhms_app.web.public.landing import Landing
from tests import builders
from tests.databases import ROOT
from tests.faults.conftest import Shaky
from tests.socket.hostile import tab
from tests.socket.matrix import WIRE_NAME

TABS = 1000
MEGABYTE = 2**20
TURN, CHOOSE, CONFIRM = (WIRE_NAME[f"public.doctor_profile.Profile.{name}"] for name in ("turn", "choose", "confirm"))


class Crowd:
    """The crowd, once it is inside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def leave(self) -> dict[str, int]:
        """Send everybody away; says how often they asked, were answered and were told to wait."""
        out, _ = self._process.communicate("")
        return dict(json.loads(out))


@contextmanager
def crowd(clinic: Shaky, pause: float) -> Iterator[Crowd]:
    path = routes.doctor_profile(clinic.cast.doctor)
    arguments = [str(clinic.app.port), str(TABS), path, TURN, json.dumps({"weeks": 1}), str(pause)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.crowd", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and process.stdout.readline() == "inside\n"
        yield Crowd(process)
    finally:
        process.kill()


@pytest.mark.parametrize("pause", [0.5, 0.05], ids=["of the patient, who stay", "of the hasty, who are hung up on"])
def test_those_inside_book_and_log_in_during_a_flood_and_memory_has_an_end(clinic: Shaky, pause: float) -> None:
    slot_id = clinic.cast.free.pop()
    (worker,) = clinic.app.workers
    with tab(clinic.app, clinic.cast.cookie["patient"]) as patient:
        patient.visit(routes.doctor_profile(clinic.cast.doctor))
        before = worker.memory_info().rss
        with crowd(clinic, pause) as strangers:
            patient.call(CHOOSE, {"slot_id": slot_id})
            assert patient.call(CONFIRM, {"form": {"reason": ""}}).redirect
            assert log_in(clinic).headers["location"].endswith(routes.PATIENT)
            during = worker.memory_info().rss
            heard = strangers.leave()
        assert heard["busy"] > 0
        assert during - before < TABS * MEGABYTE / 2
    a_stranger_is_served(clinic)
    with clinic.app.database() as session:
        assert len(session.exec(select(Appointment).where(Appointment.slot_id == slot_id)).all()) == 1


def a_stranger_is_served(clinic: Shaky) -> None:
    """As soon as what the crowd has asked for is worked off, or dropped."""
    deadline = time.monotonic() + 90
    while True:
        assert time.monotonic() < deadline, "nobody new is served any more"
        with suppress(AssertionError, OSError, WebSocketException), tab(clinic.app) as visitor:
            if visitor.visit("/").var(Landing, "departments"):
                return


def log_in(clinic: Shaky) -> httpx.Response:
    with clinic.app.database() as session:
        email = session.get_one(User, clinic.cast.user["patient"]).email
    address = clinic.app.base_url
    with httpx.Client(base_url=address, headers={"Origin": address}, timeout=60) as browser:
        return browser.post(routes.POST_LOGIN, data={"email": email, "password": builders.PASSWORD})
