"""Each worker says that it is there, in a row of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.oversight import workers
from mhms_app.oversight.models import Worker
from mhms_app.oversight.workers import Life, Numbers

pytestmark = pytest.mark.usefixtures("database")


def sign(life: Life, **numbers: int) -> None:
    with db.transaction() as session:
        life.sign(session, tasks={"mail": db.clock.now()}, numbers=Numbers(**numbers))


def test_a_worker_has_one_row_that_says_how_it_stood_last(session: Session, now: datetime) -> None:
    one, other = Life(), Life()
    sign(one, sockets=1)
    db.clock.freeze(now + timedelta(seconds=15))
    sign(one, sockets=7)
    db.clock.freeze(now + timedelta(seconds=20))
    sign(other)
    second, first = workers.list_workers(session)
    assert (first.started_at, first.seen_at, first.numbers.sockets) == (now, now + timedelta(seconds=15), 7)
    assert first.tasks == {"mail": now + timedelta(seconds=15)}
    assert (second.seen_at, second.numbers) == (now + timedelta(seconds=20), Numbers())


def test_a_worker_of_another_version_is_understood_as_far_as_can_be(session: Session) -> None:
    sign(Life(), sockets=7)
    row = session.exec(select(Worker)).one()
    row.numbers = {"sockets": 7, "what the future adds": 1}
    session.flush()
    assert workers.list_workers(session)[0].numbers == Numbers(sockets=7)


def test_who_is_gone_for_a_day_is_forgotten_when_another_starts(session: Session, now: datetime) -> None:
    sign(Life())
    db.clock.freeze(now + timedelta(hours=23))
    sign(Life())
    assert len(workers.list_workers(session)) == 2
    session.rollback()
    db.clock.freeze(now + timedelta(hours=25))
    sign(Life())
    assert [row.seen_at for row in workers.list_workers(session)] == [
        now + timedelta(hours=25),
        now + timedelta(hours=23),
    ]
