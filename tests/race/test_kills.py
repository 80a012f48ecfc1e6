"""Processes die with SIGKILL in the middle of their work. What they had promised holds, and nothing is done by half."""

from __future__ import annotations

import email
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from subprocess import PIPE, Popen

from sqlmodel import select

from mhms_app import db
from mhms_app.booking.models import Appointment
from tests.race.booker import booking
from tests.race.cast import attempt, book, cast, count, what_must_never_be

SECRET = "a secret that only this test and its Lambda know"
UNFINISHED = "SELECT count(*) FROM outbox_message WHERE state IN ('waiting', 'sending')"


def test_nothing_acknowledged_is_lost_when_the_worker_is_killed(database: str, tmp_path: Path) -> None:
    """Kill it again and again; each one after it makes the same requests, as browsers do that got no answer."""
    people = cast(patients=400, slots=400)
    attempts = [attempt(*wanted) for wanted in zip(people.patients, people.slots, strict=True)]
    promised: dict[str, str] = {}
    for _ in range(3):
        attempts.sort(key=lambda wanted: wanted.key in promised)
        with booking(database, tmp_path / "attempts.json", attempts) as worker:
            assert worker.stdout
            lines = list(islice(worker.stdout, 30))
            worker.kill()
            lines += worker.stdout  # what it could still say before it died
        _hear(lines, promised)
        assert len(promised) < len(attempts), "it was killed in the middle"
        assert promised.items() <= _stored().items()
        assert what_must_never_be() == []

    with booking(database, tmp_path / "attempts.json", attempts) as worker:
        assert worker.stdout
        _hear(worker.stdout, promised)
        assert worker.wait() == 0
    assert promised == _stored()
    assert what_must_never_be() == []
    assert len(promised) == len(attempts) == count("SELECT count(*) FROM slot WHERE state = 'booked'")


def _hear(lines: Iterable[bytes], promised: dict[str, str]) -> None:
    """Note what was promised; nobody is ever promised something else than before."""
    for line in lines:
        key, reference = line.decode().split()
        assert promised.setdefault(key, reference) == reference


def _stored() -> dict[str, str]:
    with db.transaction(read_only=True) as session:
        return dict(session.exec(select(Appointment.idempotency_key, Appointment.reference)).all())


def test_every_message_arrives_once_when_dispatchers_are_killed(database: str, tmp_path: Path) -> None:
    """Booking, outbox, dispatcher, the real Lambda, files: the whole way, with two dispatchers shot."""
    folder = tmp_path / "mail"
    people = cast(patients=100, slots=100)
    booked = {book(attempt(*wanted)).reference for wanted in zip(people.patients, people.slots, strict=True)}
    with _lambda(folder) as address:
        for kill in (1, 2):
            with _dispatcher(database, address, minutes_fast=5 * kill) as worker:
                _wait(worker, lambda: len(list(folder.glob("*.eml"))) >= 20 * kill)  # noqa: B023
            assert count(UNFINISHED) > 0, "it was killed in the middle"
        with _dispatcher(database, address, minutes_fast=60) as worker:
            _wait(worker, lambda: count(UNFINISHED) == 0)
    assert count("SELECT count(*) FROM outbox_message WHERE state = 'sent'") == len(booked) == 100
    mails = [email.message_from_bytes(file.read_bytes()) for file in folder.glob("*.eml")]
    assert len(mails) == len({mail["To"] for mail in mails}) == 100
    assert {reference for mail in mails for reference in booked if reference in str(mail)} == booked


@contextmanager
def _dispatcher(url: str, address: str, *, minutes_fast: int) -> Iterator[Popen[bytes]]:
    """A dispatcher at work, in a process of its own; at the end it is killed with SIGKILL."""
    with Popen(
        [sys.executable, "-m", "tests.race.dispatch", str(minutes_fast)],
        env={**os.environ, "MHMS_DATABASE_URL": url, "MHMS_EMAIL_URL": address, "MHMS_EMAIL_SECRET": SECRET},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _lambda(folder: Path) -> Iterator[str]:
    """The e-mail Lambda behind HTTP, in a process of its own; yields its address."""
    with Popen(
        [sys.executable, "-m", "email_lambda.local", "--port", "0", "--mail-dir", str(folder)],
        stdout=PIPE,
        text=True,
        env={**os.environ, "MHMS_EMAIL_SECRET": SECRET, "MHMS_EMAIL_SENDER": "folder"},
    ) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["url"] + "/"
        finally:
            process.terminate()


def _wait(worker: Popen[bytes], until: Callable[[], bool]) -> None:
    while not until():
        assert worker.poll() is None
        time.sleep(0.002)
