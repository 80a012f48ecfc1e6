"""Delivering the outbox with one worker, on both engines."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from mhms_app import db
from mhms_app.notifications import dispatcher, rules
from mhms_app.notifications.dispatcher import (
    Claim,
    Dispatcher,
    claim_due,
    deliver,
    dispatch_due,
    dispatch_once,
    next_due,
)
from mhms_app.notifications.models import Delivery
from mhms_app.notifications.rules import Outcome, Verdict
from mhms_app.notifications.senders import RecordingSender, Sender
from mhms_app.notifications.service import Message
from tests.notifications.outbox import rows, states, write

TIMEOUT = Outcome(Verdict.RETRY, "timeout")
REFUSED = Outcome(Verdict.DEAD, "422 invalid")


def test_a_message_is_sent_once(now: datetime, database: str) -> None:
    write("welcome-1")
    sender = RecordingSender()
    assert dispatch_due(sender) == 1
    assert dispatch_due(sender) == 0
    assert [message.key for message in sender.messages] == ["welcome-1"]
    sent = rows()["welcome-1"]
    assert (sent.state, sent.attempts, sent.last_error, sent.sent_at) == (Delivery.SENT, 1, "", now)
    assert next_due() is None


def test_a_failure_is_tried_again_when_it_is_due(now: datetime, database: str) -> None:
    write("welcome-1")
    sender = RecordingSender([TIMEOUT, TIMEOUT])
    assert dispatch_due(sender, limit=1) == 1
    waiting = rows()["welcome-1"]
    assert (waiting.state, waiting.last_error) == (Delivery.WAITING, "timeout")
    assert now <= waiting.next_attempt_at <= now + rules.FIRST_DELAY
    assert next_due() == waiting.next_attempt_at
    db.clock.freeze(waiting.next_attempt_at - timedelta(microseconds=1))
    assert dispatch_due(sender) == 0
    db.clock.freeze(waiting.next_attempt_at)
    assert dispatch_due(sender, limit=1) == 1
    db.clock.freeze(now + timedelta(days=1))
    assert dispatch_due(sender) == 1
    sent = rows()["welcome-1"]
    assert (sent.state, sent.attempts, sent.last_error) == (Delivery.SENT, 3, "")


def test_the_last_failure_is_a_dead_letter(now: datetime, database: str) -> None:
    write("welcome-1")
    sender = RecordingSender([TIMEOUT] * 99)
    for day in range(99):
        db.clock.freeze(now + timedelta(days=day))
        dispatch_due(sender, limit=1)
    dead = rows()["welcome-1"]
    assert (dead.state, dead.attempts, dead.last_error) == (Delivery.DEAD, rules.MAX_ATTEMPTS, "timeout")
    assert len(sender.messages) == rules.MAX_ATTEMPTS


def test_a_permanent_failure_is_a_dead_letter_at_once(database: str) -> None:
    write("refused", "welcome-1")
    dispatch_once(RecordingSender([REFUSED]))
    assert states() == {"refused": Delivery.DEAD, "welcome-1": Delivery.SENT}
    assert rows()["refused"].last_error == "422 invalid"


def test_a_message_that_breaks_the_sender_does_not_stop_the_others(database: str) -> None:
    write("broken", "welcome-1")
    dispatch_due(RecordingSender([ValueError("jo.moreau@example.com")]), limit=2)
    assert states() == {"broken": Delivery.WAITING, "welcome-1": Delivery.SENT}
    assert rows()["broken"].last_error == "ValueError"


def test_the_log_tells_each_attempt_and_nothing_personal(database: str, caplog: pytest.LogCaptureFixture) -> None:
    write("welcome-1", "welcome-2", "welcome-3")
    with caplog.at_level(logging.DEBUG, logger="mhms_app"):
        dispatch_due(RecordingSender([TIMEOUT, REFUSED]), limit=3)
    ids = [row.id for row in rows().values()]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("mhms_app")] == [
        f"message {ids[0]} (SIGNUP_WELCOME), attempt 1: retry, timeout",
        f"message {ids[1]} (SIGNUP_WELCOME), attempt 1: dead, 422 invalid",
        f"message {ids[2]} (SIGNUP_WELCOME), attempt 1: sent",
    ]


def test_the_claim_of_a_dead_worker_ends(now: datetime, database: str) -> None:
    write("welcome-1")
    (lost,) = claim_due(limit=5)
    assert states() == {"welcome-1": Delivery.SENDING}
    assert claim_due(limit=5) == []
    assert next_due() == lost.until
    db.clock.freeze(lost.until)
    (taken,) = claim_due(limit=5)
    assert (taken.id, taken.attempts) == (lost.id, lost.attempts + 1)


@pytest.mark.parametrize("late", [Outcome(Verdict.SENT), TIMEOUT, REFUSED])
def test_a_worker_that_comes_back_late_changes_nothing(now: datetime, database: str, late: Outcome) -> None:
    write("welcome-1")
    (slow,) = claim_due(limit=1)
    db.clock.freeze(slow.until)
    (_taken_over,) = claim_due(limit=1)
    before = rows()["welcome-1"].model_dump()
    deliver(RecordingSender([late]), slow)
    assert rows()["welcome-1"].model_dump() == before


def test_messages_are_sent_in_the_order_in_which_they_are_due(now: datetime, database: str) -> None:
    for minute, key in ((2, "third"), (0, "first"), (1, "second")):
        db.clock.freeze(now + timedelta(minutes=minute))
        write(key)
    db.clock.freeze(now + timedelta(minutes=5))
    sender = RecordingSender()
    dispatch_once(sender)
    assert [message.key for message in sender.messages] == ["first", "second", "third"]


class Gate(RecordingSender):
    """A sender that holds the messages whose keys begin with ``slow`` until it is opened."""

    def __init__(self, script: Iterable[Outcome] = ()) -> None:
        super().__init__(script)
        self.opened = threading.Event()
        self.sent: list[str] = []
        self._changed = threading.Condition()
        self._entered = 0

    def send(self, message: Message) -> Outcome:
        with self._changed:
            self._entered += 1
            self._changed.notify_all()
        if message.key.startswith("slow"):
            assert self.opened.wait(30)
        with self._changed:
            self.sent.append(message.key)
            self._changed.notify_all()
        return super().send(message)

    def wait_for(self, *, sent: int = 0, entered: int = 0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent) >= sent and self._entered >= entered, timeout=30)


@contextmanager
def running(sender: Sender, *, lanes: int = 4) -> Iterator[Callable[[], None]]:
    """A dispatcher at work in a thread of its own; yields how to stop it and wait until it has stopped."""
    ready, stop = threading.Event(), [lambda: None]

    async def main() -> None:
        task = asyncio.ensure_future(Dispatcher(sender, lanes=lanes).run())
        loop = asyncio.get_running_loop()
        stop[0] = lambda: loop.call_soon_threadsafe(task.cancel) and None
        loop.call_soon(ready.set)
        with suppress(asyncio.CancelledError):
            await task

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(30)

    def stopped() -> None:
        with suppress(RuntimeError):  # it has stopped already
            stop[0]()
        thread.join(30)
        assert not thread.is_alive()

    try:
        yield stopped
    finally:
        stopped()


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a wake-up makes the dispatcher look at an outbox without anything due."""
    monkeypatch.setattr(dispatcher, "POLL", 3600.0)
    monkeypatch.setattr(dispatcher, "SOON", 3600.0)


@pytest.mark.usefixtures("database", "no_poll")
def test_a_commit_wakes_the_dispatcher_and_does_not_wait_for_mail() -> None:
    gate = Gate()
    with running(gate):
        for n in range(3):
            write(f"slow-{n}")  # returns although the one before still hangs
            gate.wait_for(entered=n + 1)
            assert gate.sent == []
        gate.opened.set()
        gate.wait_for(sent=3)
    assert set(states().values()) == {Delivery.SENT}


@pytest.mark.usefixtures("database", "no_poll")
def test_a_slow_recipient_holds_up_nobody_else() -> None:
    gate = Gate()
    with running(gate, lanes=2):
        write("slow", *(f"quick-{n}" for n in range(10)))
        gate.wait_for(sent=10)
        assert states()["slow"] == Delivery.SENDING
        gate.opened.set()
    assert set(states().values()) == {Delivery.SENT}


@pytest.mark.usefixtures("database", "no_poll")
def test_no_more_messages_are_under_way_than_there_are_lanes() -> None:
    gate = Gate()
    with running(gate, lanes=3):
        write(*(f"slow-{n}" for n in range(9)))
        gate.wait_for(entered=3)
        assert sorted(states().values()) == [Delivery.SENDING] * 3 + [Delivery.WAITING] * 6
        gate.opened.set()
        gate.wait_for(sent=9)


@pytest.mark.usefixtures("database", "no_poll")
def test_a_lane_that_is_free_again_while_others_are_claimed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def late(*, limit: int) -> list[Claim]:
        claims = claim_due(limit=limit)
        gate.opened.set()
        while states()["slow"] != Delivery.SENT:
            time.sleep(0.01)
        return claims

    with running(gate, lanes=2):
        write("slow")
        gate.wait_for(entered=1)
        monkeypatch.setattr(dispatcher, "claim_due", late)
        write("first", "second")
        gate.wait_for(sent=3)


@pytest.mark.usefixtures("database", "no_poll")
def test_a_dispatcher_starts_with_what_was_left() -> None:
    write("left", "and-another")
    gate = Gate()
    with running(gate):
        gate.wait_for(sent=2)


@pytest.mark.usefixtures("database", "no_poll")
def test_a_retry_needs_nobody_to_wake_the_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "FIRST_DELAY", timedelta(milliseconds=1))
    monkeypatch.setattr(dispatcher, "SOON", 0.01)
    gate = Gate([TIMEOUT, TIMEOUT])
    write("welcome-1")
    with running(gate):
        gate.wait_for(sent=3)
    assert states() == {"welcome-1": Delivery.SENT}


@pytest.mark.usefixtures("database", "no_poll")
def test_a_stopped_dispatcher_finishes_what_is_under_way_and_takes_nothing_more() -> None:
    gate = Gate()
    with running(gate, lanes=1) as stop:
        write("slow-1", "slow-2")
        gate.wait_for(entered=1)
        threading.Timer(0.05, gate.opened.set).start()
        stop()
    assert sorted(states().values()) == [Delivery.SENT, Delivery.WAITING]
    write("later")
    assert states()["later"] == Delivery.WAITING


@pytest.mark.usefixtures("database", "no_poll")
def test_an_outage_of_the_database_is_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_PAUSE", 0.01)
    noticed = threading.Event()
    monkeypatch.setattr(dispatcher.log, "warning", lambda *_args: noticed.set())
    write("welcome-1")
    with db.transaction() as session:
        session.execute(text("ALTER TABLE outbox_message RENAME TO out_of_reach"))
    gate = Gate()
    with running(gate):
        assert noticed.wait(30)
        assert gate.sent == []
        with db.transaction() as session:
            session.execute(text("ALTER TABLE out_of_reach RENAME TO outbox_message"))
        gate.wait_for(sent=1)
    assert states() == {"welcome-1": Delivery.SENT}


@pytest.mark.usefixtures("database", "no_poll")
def test_an_outcome_that_could_not_be_written_down_is_taken_up_when_the_claim_ends(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    class Cut:
        """The table is out of reach when the message has been sent."""

        def send(self, message: Message) -> Outcome:
            with db.transaction() as session:
                session.execute(text("ALTER TABLE outbox_message RENAME TO out_of_reach"))
            return Outcome(Verdict.SENT)

    write("welcome-1")
    with pytest.raises(Exception, match="outbox_message"):
        dispatch_once(Cut())
    with db.transaction() as session:
        session.execute(text("ALTER TABLE out_of_reach RENAME TO outbox_message"))
    assert states() == {"welcome-1": Delivery.SENDING}
    db.clock.freeze(now + rules.CLAIM)
    sender = RecordingSender()
    dispatch_once(sender)
    assert [message.key for message in sender.messages] == ["welcome-1"]
