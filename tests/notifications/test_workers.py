"""Several workers at one outbox, and workers that are killed: threads and processes on both engines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mhms_app import db
from mhms_app.notifications import rules
from mhms_app.notifications.dispatcher import LANES, dispatch_once
from mhms_app.notifications.models import Delivery
from mhms_app.notifications.senders import LambdaSender
from mhms_app.settings import settings
from tests.notifications.outbox import states, write
from tests.notifications.receiver import Receiver

ROOT = Path(__file__).parent.parent.parent
KEYS = [f"welcome-{n}" for n in range(40)]


@contextmanager
def worker(database: str, call: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that calls one function of the dispatcher."""
    chosen = settings()
    environ = {
        **os.environ,
        "MHMS_DATABASE_URL": database,
        "MHMS_EMAIL_URL": chosen.email_url,
        "MHMS_EMAIL_SECRET": chosen.email_secret,
    }
    code = f"from mhms_app.notifications import dispatcher; dispatcher.{call}()"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_threads_share_the_work_and_send_each_message_once(database: str, receiver: Receiver) -> None:
    write(*KEYS)
    sender = LambdaSender()
    threads = [threading.Thread(target=dispatch_once, args=(sender,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(receiver.arrived) == Counter(KEYS)
    assert set(states().values()) == {Delivery.SENT}


def test_processes_share_the_work_and_send_each_message_once(database: str, receiver: Receiver) -> None:
    write(*KEYS)
    receiver.may_answer = lambda: len(receiver.arrived) >= 2  # so both are at work at the same time
    with worker(database, "dispatch_once") as first, worker(database, "dispatch_once") as second:
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert Counter(receiver.arrived) == Counter(KEYS)
    assert set(states().values()) == {Delivery.SENT}


@pytest.fixture
def later() -> Iterator[None]:
    """Lets a test move the clock ahead of the real one, in which the worker processes live."""
    yield
    db.clock.freeze(None)


@pytest.mark.usefixtures("later")
def test_a_worker_killed_in_the_middle_loses_nothing_and_repeats_nothing(database: str, receiver: Receiver) -> None:
    write(*KEYS)
    receiver.may_answer = lambda: receiver.answered < 10
    with worker(database, "dispatch_forever") as process:
        receiver.wait_for(10 + LANES)  # so many have been sent, and the worker has not been told of the last ones
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.release()
    assert Counter(states().values()) == {Delivery.SENT: 10, Delivery.SENDING: LANES, Delivery.WAITING: 30 - LANES}
    db.clock.freeze(db.clock.now() + rules.CLAIM)
    dispatch_once()
    assert Counter(states().values()) == {Delivery.SENT: len(KEYS)}
    assert Counter(receiver.sent) == Counter(KEYS)
    assert len(receiver.arrived) == len(KEYS) + LANES  # the second time as duplicates


def test_a_worker_that_is_asked_to_stop_leaves_no_claim_behind(database: str, receiver: Receiver) -> None:
    write(*KEYS)
    receiver.may_answer = lambda: receiver.answered < 10
    with worker(database, "dispatch_forever") as process:
        receiver.wait_for(10 + LANES)
        process.send_signal(signal.SIGTERM)
        receiver.release()
        assert process.wait(60) == 0
    assert set(states().values()) <= {Delivery.SENT, Delivery.WAITING}
    assert Counter(receiver.arrived) == Counter(key for key, state in states().items() if state == Delivery.SENT)
