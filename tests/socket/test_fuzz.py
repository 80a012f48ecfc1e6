"""An hour of a patient attacker in a minute: the server stays up, the database as it was, memory flat, the log clean.

Every run begins with the same attacks. ``MHMS_TEST_FUZZ_SECONDS`` gives them longer than a minute,
``MHMS_TEST_FUZZ_SEED`` begins with others; a failure names the seed and the smallest attack that fails.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from itertools import count

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.databases import ENGINES, ROOT
from tests.running import RunningApp
from tests.socket.cast import Cast, tables
from tests.socket.fuzz import Attack, attacks
from tests.socket.hostile import tab

SECONDS = float(os.environ.get("MHMS_TEST_FUZZ_SECONDS", "60")) / len(ENGINES)
FIRST_SEED = int(os.environ.get("MHMS_TEST_FUZZ_SEED", "0"))
A_ROUND = 40
WARM_UP = 3  # rounds after which caches, pools and the tabs of all tokens are there
OUR_FILES = {path.name for path in (ROOT / "mhms_app").rglob("*.py")} - {"__init__.py", "app.py"}  # Reflex has those
GROWTH = 64 * 2**20  # bytes; what a leak of each attack would soon be beyond


@pytest.mark.timeout(SECONDS + 240)
def test_whatever_is_sent_changes_nothing_and_breaks_nothing(app: RunningApp, cast: Cast) -> None:
    before, warm, end = tables(app), 0, time.monotonic() + SECONDS
    with httpx.Client(base_url=app.base_url) as visitor:

        def attack(one: Attack) -> None:
            carry_out(app, cast, one)
            assert visitor.get("/healthz", timeout=10).is_success

        for number in count(FIRST_SEED):
            written = len(app.log())
            print(f"attacks of seed {number}")
            fuzz = given(attacks(cast))(attack)
            seed(number)(HOW(fuzz))()
            assert_serving(app, cast)
            assert tables(app) == before
            assert failures(app.log()[written:]) == set()
            if number == FIRST_SEED + WARM_UP:
                warm = memory(app)
            if time.monotonic() > end:
                break
    assert not warm or memory(app) - warm < GROWTH


HOW = settings(
    max_examples=A_ROUND,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def carry_out(app: RunningApp, cast: Cast, attack: Attack) -> None:
    """Send everything, and wait until it has been dealt with or the server has closed the connection."""
    joining = tab(app, cast.cookie[attack.person], token=attack.token, joined=False)
    with suppress(ConnectionClosed, InvalidStatus), joining as hostile:
        for frame in attack.frames:
            hostile.send_raw(frame)
        hostile.wait(0.3)


def assert_serving(app: RunningApp, cast: Cast) -> None:
    """Somebody else sees the booking page, and a logged-in person their own."""
    with tab(app) as visitor, tab(app, cast.cookie["patient"]) as patient:
        assert visitor.visit(f"/doctors/{cast.doctor}").page_data
        assert patient.visit("/patient").page_data


def failures(written: str) -> set[str]:
    """What the log holds of exceptions that came through code of ours, and of what was printed past it.

    Reflex reads the envelope of an event before anybody else can, and gives up the events whose address is none.
    """
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    errors = {f"{line['message']}: {line['error']}" for line in lines if "error" in line}
    ours = {error for error in errors if OUR_FILES & set(re.findall(r"@([\w.]+):", error))}
    return ours | set(re.findall("Traceback.*", written))


def memory(app: RunningApp) -> int:
    """What the server and its children hold, in bytes."""
    port = str(app.port)
    running = [process for process in psutil.Process().children(recursive=True) if _port_of(process) == port]
    assert running
    return sum(process.memory_info().rss for process in running)


def _port_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return str(process.environ().get("MHMS_PORT", ""))
    return ""
