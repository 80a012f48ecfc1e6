"""A replica answers what may be some seconds old, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import InternalError
from sqlmodel import Session

from mhms_app import db, replica
from mhms_app.booking import changes
from mhms_app.booking import service as booking
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.settings import settings
from mhms_app.web import bridge
from tests import builders
from tests.cluster.standby import Server, primary_and_replica

PAUSED, RESUMED = "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with primary_and_replica() as servers:
        yield servers


@pytest.fixture
def follower(servers: tuple[Server, Server], configure: Callable[[str, str], None]) -> Iterator[Server]:
    """The replica; both are in use."""
    primary, follower = servers
    configure("MHMS_DATABASE_URL", primary.url)
    configure("MHMS_DATABASE_REPLICA_URL", follower.url)
    replica._replica.replace()
    db.use_engine(db.make_engine(primary.url))
    yield follower
    follower.say(RESUMED)
    replica._replica.replace()
    db.use_engine(None)


def answers_come_from_the_replica() -> bool:
    with replica.reading() as session:
        return session.get_bind() is not db.engine()


def wait_for(answer: bool) -> None:
    deadline = time.monotonic() + 30
    while answers_come_from_the_replica() is not answer:
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def names() -> set[str]:
    with replica.reading() as session:
        return {row.name for row in departments.list_departments(session, None)}


def add(name: str) -> None:
    with db.transaction() as session:
        builders.department(session, name=name)


def test_it_answers_while_it_keeps_up_and_the_database_does_when_it_falls_behind(
    follower: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "MOST_BEHIND", 1.0)
    add("Cardiology")
    wait_for(True)
    follower.say(PAUSED)
    add("Neurology")
    wait_for(False)
    assert {"Cardiology", "Neurology"} <= names()
    monkeypatch.setattr(replica._replica(), "_look_at", 0.0)  # instead of waiting for the end of the pause
    follower.say(RESUMED)
    wait_for(True)
    assert {"Cardiology", "Neurology"} <= names()


def test_the_database_answers_when_it_is_away(follower: Server) -> None:
    wait_for(True)
    follower.stop()
    try:
        add("Surgery")
        wait_for(False)
        assert "Surgery" in names()
    finally:
        follower.start()


def test_whoever_has_changed_something_is_answered_by_the_database_for_a_while(
    follower: Server, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """And a tab that has changed nothing by the replica, which knows nothing of it yet."""
    monkeypatch.setattr(replica, "MOST_BEHIND", 60.0)
    wait_for(True)
    follower.say(PAUSED)
    acting, looking = screen(), screen()

    async def names_for(of: Any) -> set[str]:
        with bridge.expect(bridge.Expected()):
            return {row.name for row in await bridge.read(of, departments.list_departments)}

    async def tell() -> list[bool]:
        with bridge.expect(bridge.Expected()):
            await bridge.call(acting, lambda session, _: builders.department(session, name="Urology"))
        seen = [await names_for(acting), await names_for(looking)]
        db.clock.freeze(now + timedelta(seconds=replica.SEEN_BY_THEN))
        return ["Urology" in each for each in (*seen, await names_for(acting))]

    assert asyncio.run(tell()) == [True, False, False]


def screen() -> Any:
    """What the bridge knows of a tab: nobody's."""
    router = {
        "rx_router_headers": SimpleNamespace(cookie=""),
        "rx_router_session": SimpleNamespace(client_ip="127.0.0.1"),
    }
    return SimpleNamespace(**router, _owner=0, _patient_id=0, _has_duty=False, _acted_at=0.0, met=True, acting_until="")


def test_it_refuses_to_write(follower: Server) -> None:
    wait_for(True)
    with pytest.raises(InternalError, match="read-only"), replica.reading() as session:
        builders.department(session)


def test_only_what_is_marked_is_read_there(follower: Server) -> None:
    @replica.may_be_stale
    def look(session: Session) -> None: ...

    assert replica.can_read(look)
    assert replica.can_read(departments.list_departments)
    assert not any(map(replica.can_read, (booking.book, changes.own, directory.get_doctor)))


def test_without_a_replica_nothing_changes() -> None:
    assert not settings().database_replica_url
    assert not replica.can_read(departments.list_departments)
