"""Several machines start at once, and an old version goes on beside the new one's tables."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sqlalchemy import inspect, select, text

from mhms_app import db, launch
from mhms_app.notifications.models import OutboxMessage
from tests.databases import ROOT, fresh_database, migrate

MIGRATE = "from mhms_app import launch; launch.migrate()"


def set_revision(revision: str) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def is_migrated() -> bool:
    with db.transaction(read_only=True) as session:
        return db.is_migrated(session)


def test_machines_that_start_at_once_migrate_once() -> None:
    with fresh_database("postgresql", migrated=False) as url:
        environment = {**os.environ, "MHMS_DATABASE_URL": url}
        started = [
            subprocess.Popen([sys.executable, "-c", MIGRATE], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        ended = [(process.communicate(timeout=120)[1].decode()[-500:], process.returncode) for process in started]
        assert [code for _, code in ended] == [0, 0, 0], ended
        db.use_engine(db.make_engine(url))
        assert is_migrated()
        db.use_engine(None)


def test_a_migration_gives_way_to_whoever_uses_the_tables_and_changes_nothing() -> None:
    with fresh_database("postgresql", migrated=False) as url:
        db.use_engine(db.make_engine(url))
        migrate(db.engine(), "0004")
        with db.transaction() as session:
            session.execute(select(OutboxMessage.id).limit(1))  # a long report, say
            with pytest.raises(launch.LaunchFailed, match="are in use"):
                launch.migrate()
        with db.engine().connect() as connection:
            assert db.revision_of(connection) == "0004"
            assert "traceparent" not in {column["name"] for column in inspect(connection).get_columns("outbox_message")}
        launch.migrate()
        assert is_migrated()
        db.use_engine(None)


@pytest.mark.usefixtures("database")
def test_a_version_goes_on_beside_tables_that_a_later_one_has_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_migrated()
    set_revision("0099")
    assert is_migrated()
    monkeypatch.setattr(launch.command, "upgrade", lambda *_: pytest.fail("the database is ahead of this version"))
    launch.migrate()


@pytest.mark.usefixtures("database")
def test_a_version_is_not_ready_before_its_own_tables_are_there() -> None:
    set_revision("0001")
    assert not is_migrated()
