"""PgBouncer in transaction mode gives every transaction another connection: nothing may rely on having the same one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from bench.programs import running_pgbouncer
from mhms_app import db
from tests.databases import fresh_database
from tests.race.cast import attempt, book, cast, count, what_must_never_be


@pytest.fixture
def pooled() -> Iterator[None]:
    """A database behind a PgBouncer."""
    with fresh_database("postgresql") as direct, running_pgbouncer(direct) as url:
        db.use_engine(db.make_engine(url, pooled=True))
        yield
        db.use_engine(None)


@pytest.mark.usefixtures("pooled")
def test_a_storm_of_bookings_passes_through_it_and_each_slot_has_one_winner() -> None:
    people = cast(patients=24, slots=8)
    wanted = [attempt(token, slot_id) for token in people.patients for slot_id in people.slots]
    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(book, wanted))
    assert Counter(answer.refusal for answer in answers)[""] == len(people.slots)
    assert what_must_never_be() == []


@pytest.mark.usefixtures("pooled")
def test_it_gives_each_transaction_another_connection_and_none_keeps_anything() -> None:
    """Many transactions that wait for each other have several connections; each has lost what one of them said."""

    def ask(number: int) -> tuple[int, str]:
        with db.transaction() as session:
            session.execute(text("SET LOCAL work_mem = '9MB'"))
            session.execute(text("SELECT pg_sleep(0.02)"))
        with db.transaction(read_only=True) as session:
            found = session.execute(text("SELECT pg_backend_pid(), current_setting('work_mem')")).one()
            return int(found[0]), str(found[1])

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(ask, range(120)))
    assert len({process for process, _ in seen}) > 1
    assert "9MB" not in {setting for _, setting in seen}


@pytest.mark.usefixtures("pooled")
def test_a_transaction_that_only_reads_leaves_nobody_else_unable_to_write() -> None:
    """Isolation and READ ONLY are said in each BEGIN, not once for a connection."""
    for _ in range(20):
        with db.transaction(read_only=True) as session:
            session.execute(text("SELECT 1"))
        with db.at_once() as connection:
            connection.execute(text("SELECT 1"))
        cast(patients=1)
    assert count("SELECT count(*) FROM patient") == 20
