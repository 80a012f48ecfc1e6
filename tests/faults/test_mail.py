"""The way to the e-mail service breaks: every message arrives, and a repeated one is the same message."""

from __future__ import annotations

import email
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.message import Message
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from mhms_app import db
from mhms_app.notifications import dispatcher
from tests.faults.proxy import FaultProxy, Line, proxy_to
from tests.race.cast import attempt, book, cast, count

SECRET = "a secret that only this test and its Lambda know"
UNSENT = "SELECT count(*) FROM outbox_message WHERE state <> 'sent'"
BOOKINGS = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def line(folder: Path, configure: Callable[[str, str], None]) -> Iterator[FaultProxy]:
    """The way to the real Lambda, which writes what it sends to ``folder``."""
    with Popen(
        [sys.executable, "-m", "email_lambda.local", "--port", "0", "--mail-dir", str(folder)],
        stdout=PIPE,
        text=True,
        env={**os.environ, "MHMS_EMAIL_SECRET": SECRET, "MHMS_EMAIL_SENDER": "folder"},
    ) as service:
        assert service.stdout
        port = int(json.loads(service.stdout.readline())["url"].rpartition(":")[2])
        with proxy_to(("127.0.0.1", port)) as proxy:
            configure("MHMS_EMAIL_URL", f"http://127.0.0.1:{proxy.port}")
            configure("MHMS_EMAIL_SECRET", SECRET)
            yield proxy
        service.terminate()


def booked() -> None:
    people = cast(patients=BOOKINGS, slots=BOOKINGS)
    for pair in zip(people.patients, people.slots, strict=True):
        assert book(attempt(*pair)).reference


def mails(folder: Path) -> list[Message]:
    return [email.message_from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]


def later(now: datetime) -> None:
    """Dispatch when the pause after a failure is over."""
    db.clock.freeze(now + timedelta(hours=1))
    dispatcher.dispatch_once()


def test_what_was_sent_and_not_acknowledged_is_asked_again_and_sent_once(
    database: str, now: datetime, folder: Path, line: FaultProxy
) -> None:
    booked()
    line.set(Line.ONE_WAY)
    dispatcher.dispatch_once()
    assert count(UNSENT) == BOOKINGS
    line.set(Line.OPEN)
    later(now)
    assert count(UNSENT) == 0
    sent = mails(folder)
    assert len(sent) == len({mail["Message-ID"] for mail in sent}) == BOOKINGS


@pytest.mark.parametrize("fault", [Line.CUT, Line.STALLED])
def test_mail_waits_for_its_service(database: str, now: datetime, folder: Path, line: FaultProxy, fault: Line) -> None:
    booked()
    line.set(fault)
    if fault is Line.STALLED:  # slow, and then it answers
        threading.Timer(1, line.set, [Line.OPEN]).start()
    dispatcher.dispatch_once()
    line.set(Line.OPEN)
    later(now)
    assert count(UNSENT) == 0
    assert len({mail["Message-ID"] for mail in mails(folder)}) == BOOKINGS


def test_the_clock_goes_back_a_minute(database: str, now: datetime, folder: Path, line: FaultProxy) -> None:
    booked()
    dispatcher.dispatch_once()
    db.clock.freeze(now - timedelta(minutes=1))
    assert dispatcher.dispatch_once() == 0
    booked()
    dispatcher.dispatch_once()
    assert count(UNSENT) == 0
    assert len(mails(folder)) == len({mail["Message-ID"] for mail in mails(folder)}) == 2 * BOOKINGS
