"""A backup holds the clinic of one moment, whatever goes on meanwhile, and a restore gives it back or nothing."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, select, text
from sqlmodel import SQLModel, col
from typer.testing import CliRunner

from mhms_app import backup, cli, db, demo, sealed
from mhms_app.audit import chain
from mhms_app.booking.models import Appointment
from mhms_app.settings import settings
from tests.databases import ENGINES, fresh_database
from tests.race.cast import attempt, book, cast, what_must_never_be


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clinic.backup"


@pytest.fixture
def an_sqlite() -> Iterator[str]:
    with fresh_database("sqlite") as url:
        db.use_engine(db.make_engine(url))
        yield url
        db.use_engine(None)


def contents() -> dict[str, list[str]]:
    """Every row of every table."""
    with db.transaction(read_only=True) as session:
        return {
            table.name: sorted(map(str, session.execute(select(table)).all()))
            for table in SQLModel.metadata.sorted_tables
        }


def test_a_whole_clinic_comes_back_row_by_row_and_on_the_other_engine_too(database: str, file: Path) -> None:
    with db.transaction() as session:
        demo.load(session)
    chain.seal_all()
    before = contents()
    assert backup.save(file).rows == {name: len(rows) for name, rows in before.items()}
    backup.clear()
    CliRunner().invoke(cli.app, ["restore", str(file)], catch_exceptions=False)
    assert contents() == before
    (other,) = set(ENGINES) - {db.engine().dialect.name}
    with fresh_database(other) as url:
        db.use_engine(db.make_engine(url))
        backup.restore(file)
        assert contents() == before
        people = cast(patients=1, slots=1)  # its keys come after those that were restored
        assert book(attempt(people.patients[0], people.slots[0])).reference


def test_it_is_the_state_of_one_moment_while_people_book(database: str, file: Path) -> None:
    people = cast(patients=120, slots=120)
    wanted = [attempt(*pair) for pair in zip(people.patients, people.slots, strict=True)]
    promised = {book(one).reference for one in wanted[:20]}
    with ThreadPoolExecutor(4) as crowd:
        answers = crowd.map(book, wanted[20:])
        backup.save(file)
        later = {answer.reference for answer in answers}
    backup.clear()
    CliRunner().invoke(cli.app, ["restore", str(file)], catch_exceptions=False)
    with db.transaction(read_only=True) as session:
        kept = set(session.scalars(select(col(Appointment.reference))).all())
    assert promised <= kept <= promised | later
    assert what_must_never_be() == []


def test_only_its_owner_reads_it_and_only_whoever_has_the_key(
    database: str, file: Path, configure: Callable[[str, str], None]
) -> None:
    cast(patients=100, slots=100)
    configure("MHMS_ENCRYPTION_KEYS", sealed.new_key())
    backup.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"audit_entry" not in file.read_bytes()
    assert backup.read(file).total > 100
    configure("MHMS_ENCRYPTION_KEYS", sealed.new_key())
    with pytest.raises(sealed.Unreadable):
        backup.read(file)
    assert settings().encryption_keys


@pytest.mark.parametrize("harm", ["cut", "changed", "reordered", "something else", "missing"])
def test_a_file_that_is_not_as_it_was_written_is_refused(an_sqlite: str, file: Path, harm: str) -> None:
    cast(patients=3, slots=3)
    backup.save(file)
    lines = file.read_bytes().splitlines(keepends=True)
    match harm:
        case "cut":
            file.write_bytes(b"".join(lines[:-1]))
        case "changed":
            file.write_bytes(b"".join(lines[:2] + lines[3:]))
        case "reordered":
            file.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
        case "something else":
            file.write_bytes(b"SQLite format 3\0 and so on")
        case _:
            file.unlink()
    with pytest.raises(backup.BackupFailed):
        backup.read(file)


def test_what_is_there_is_kept_unless_somebody_gives_it_up(database: str, file: Path) -> None:
    cast(patients=1)
    backup.save(file)
    people = cast(patients=1)
    book(attempt(people.patients[0], people.slots[0]))
    after = contents()
    with pytest.raises(backup.BackupFailed, match="not empty"):
        CliRunner().invoke(cli.app, ["restore", str(file)], catch_exceptions=False)
    assert contents() == after
    done = CliRunner().invoke(cli.app, ["restore", str(file), "--replace"], catch_exceptions=False)
    assert "are restored" in done.output
    assert contents()["appointment"] == []


def test_nothing_is_taken_away_while_somebody_uses_it(
    database: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast(patients=1)
    backup.save(file)
    before = contents()
    monkeypatch.setitem(db._POSTGRESQL, "options", "-c timezone=UTC -c lock_timeout=300ms")  # instead of 30 s
    db.use_engine(db.make_engine(database))
    if db.engine().dialect.name == "sqlite":
        event.listen(db.engine(), "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=300"))
    other = db.make_engine(database)
    with other.connect() as somebody:
        somebody.execute(text("UPDATE patient SET id = id"))
        with pytest.raises(backup.BackupFailed, match="in use"):
            CliRunner().invoke(cli.app, ["restore", str(file), "--replace"], catch_exceptions=False)
    other.dispose()
    assert contents() == before


def test_a_clinic_that_is_not_in_order_is_not_restored(database: str, file: Path) -> None:
    people = cast(patients=1)
    book(attempt(people.patients[0], people.slots[0]))
    with db.transaction() as session:
        session.execute(text("UPDATE slot SET state = 'open'"))
    backup.save(file)
    with pytest.raises(backup.BackupFailed, match="a slot says of itself"):
        CliRunner().invoke(cli.app, ["restore", str(file), "--replace"], catch_exceptions=False)
    assert contents()["slot"] == []


def test_an_older_backup_is_not_written_over(database: str, file: Path) -> None:
    file.write_text("the last one")
    with pytest.raises(backup.BackupFailed, match="exists already"):
        backup.save(file)
    assert file.read_text() == "the last one"
