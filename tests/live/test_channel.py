"""What one worker commits, another hears: once it is committed, in order, and after an interruption too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.statement import book_at_once
from mhms_app.facts import EVERYTHING, LookAgain
from mhms_app.live.channel import Channel
from mhms_app.notifications.service import OutboxChanged
from tests import builders
from tests.databases import fresh_database
from tests.faults.postgres import proxied
from tests.faults.proxy import Line

ANEW = LookAgain((EVERYTHING,))
GONE, FREED = SlotsChanged(7, (1,), came=False), SlotsChanged(7, (), came=True)


class Worker:
    """A process with a channel, and what is heard everywhere in it."""

    def __init__(self, url: str) -> None:
        self.url, self.heard = url, asyncio.Queue[object]()

    def run(self, story: Callable[[], Awaitable[None]], *, probe_seconds: float = 5.0) -> None:
        """Let the channel run while a story is told."""

        async def play() -> None:
            loop = asyncio.get_running_loop()

            def hear(fact: object) -> None:
                if fact != OutboxChanged():  # told in this process alone, whenever
                    loop.call_soon_threadsafe(self.heard.put_nowait, fact)

            stop = db.listen(hear, everywhere=True)
            channel = asyncio.create_task(Channel(probe_seconds=probe_seconds).run())
            try:
                await self.hears(ANEW)
                await story()
            finally:
                stop()
                channel.cancel()
                with suppress(asyncio.CancelledError):
                    await channel

        asyncio.run(asyncio.wait_for(play(), 60))

    async def hears(self, *facts: object) -> None:
        """Wait until something is heard, and then exactly these facts."""
        for fact in facts:
            assert await self.heard.get() == fact


@pytest.fixture
def worker(configure: Callable[[str, str], None]) -> Iterator[Worker]:
    with fresh_database("postgresql") as url:
        configure("MHMS_DATABASE_URL", url)
        db.use_engine(db.make_engine(url))
        yield Worker(url)
        db.use_engine(None)


def announce(*facts: object) -> None:
    with db.transaction() as session:
        for fact in facts:
            db.announce(session, fact)


def another_process(url: str, *facts: object) -> None:
    """Announce as another worker would: nobody in this process is told directly."""
    from mhms_app import facts as wire

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for payload in wire.encode(facts):
            connection.execute("SELECT pg_notify(%s, %s)", (db.CHANNEL, payload))


def end_connections(url: str) -> None:
    """As when the database is restarted, or somebody ends what is idle."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%%'"
            " OR query LIKE 'SELECT pg_notify%%' AND pid <> pg_backend_pid()"
        )


def test_what_is_committed_is_heard_once_and_in_order_and_nothing_else_is(worker: Worker) -> None:
    async def story() -> None:
        with suppress(RuntimeError), db.transaction() as session:
            db.announce(session, PatientChanged(9))
            raise RuntimeError("it is not committed")
        await asyncio.to_thread(announce, GONE, OutboxChanged(), PatientChanged(3))
        await asyncio.to_thread(another_process, worker.url, FREED)
        await worker.hears(GONE, PatientChanged(3), FREED)
        await asyncio.to_thread(another_process, worker.url, PatientChanged(4))
        await worker.hears(PatientChanged(4))

    worker.run(story)


def test_the_guarded_statement_tells_the_others_too(worker: Worker) -> None:
    with db.transaction() as session:
        doctor, patient = builders.doctor(session), builders.patient(session)
        slot_id = builders.key(builders.slot(session, doctor, db.clock.now() + timedelta(days=2)))
        token = sessions.open_session(session, user_id=patient.user_id)
        doctor_id, patient_id = builders.key(doctor), builders.key(patient)

    async def story() -> None:
        booked = await asyncio.to_thread(book_at_once, token, "", slot_id=slot_id, reason="", key=str(uuid4()))
        assert booked is not None
        await worker.hears(SlotsChanged(doctor_id, (slot_id,), came=False), PatientChanged(patient_id))

    worker.run(story)


def test_a_lost_connection_is_made_again_and_everything_is_looked_at(worker: Worker) -> None:
    async def story() -> None:
        await asyncio.to_thread(end_connections, worker.url)
        await worker.hears(ANEW)
        await asyncio.to_thread(another_process, worker.url, GONE)
        await worker.hears(GONE)

    worker.run(story)


def test_a_connection_that_is_silently_dead_is_noticed(worker: Worker, configure: Callable[[str, str], None]) -> None:
    """Neither side was told: a firewall forgot the connection, or a cable was pulled."""
    with proxied(worker.url) as (proxy, url):
        configure("MHMS_DATABASE_DIRECT_URL", url)

        async def story() -> None:
            proxy.set(Line.STALLED)
            while db._channel_is_up:  # noqa: ASYNC110 - nobody says when
                await asyncio.sleep(0.05)
            await asyncio.to_thread(another_process, worker.url, GONE)  # it is lost
            proxy.set(Line.OPEN)
            await worker.hears(ANEW)
            await asyncio.to_thread(another_process, worker.url, FREED)
            await worker.hears(FREED)

        worker.run(story, probe_seconds=0.3)


def test_a_connection_that_answers_and_hears_nothing_is_noticed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pool of transactions does, which forgets that somebody listens."""

    async def story() -> None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(db, "CHANNEL", "elsewhere")  # the probe goes where nobody listens
            while db._channel_is_up:  # noqa: ASYNC110 - nobody says when
                await asyncio.sleep(0.05)
        await worker.hears(ANEW)

    worker.run(story, probe_seconds=0.3)


def test_while_the_channel_is_down_a_worker_hears_itself(worker: Worker) -> None:
    heard: list[object] = []
    stop = db.listen(heard.append, everywhere=True)
    announce(GONE)
    stop()
    assert heard == [GONE]


def test_what_nobody_can_read_is_looked_at_as_a_whole(worker: Worker) -> None:
    async def story() -> None:
        with psycopg.connect(worker.url.replace("+psycopg", "")) as connection:
            connection.execute("SELECT pg_notify(%s, 'no json')", (db.CHANNEL,))
        await worker.hears(ANEW)

    worker.run(story)
