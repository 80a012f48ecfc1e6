"""The whole database in one file, and back: the same file for SQLite and PostgreSQL, and from one to the other.

It is read in one snapshot while the clinic goes on working, with nothing but the application's own connection: no
program that has to match the server's version (docs/adr/0024). A file is lines: the first says what it is, each of the
others holds some rows of a table, compressed, and sealed where the clinic has keys; the last one is the manifest, with
the number of rows of each table and the hash of every line before it, so that a file that was cut or changed is known.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import Column, Connection, Date, LargeBinary, Table, Time, func, select, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, SQLModel

import mhms_app.accounts.models
import mhms_app.audit.models
import mhms_app.availability.models
import mhms_app.booking.models
import mhms_app.calendars.models
import mhms_app.directory.models
import mhms_app.notifications.models  # noqa: F401 - each import adds its tables to the metadata
from mhms_app import db, sealed
from mhms_app.audit import chain
from mhms_app.errors import ClinicError
from mhms_app.oversight import invariants
from mhms_app.settings import settings

_FORMAT = "mhms-backup-1"
_ROWS = 500  # of a line


class BackupFailed(ClinicError):
    """A file that is no whole backup, or a database that it cannot be restored into; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_at: the instant of its snapshot, ISO 8601.
        revision: of the database's tables, as Alembic names it.
        rows: their number, by table.
        sha256: of all the lines before this one.
    """

    made_at: str
    revision: str
    rows: dict[str, int]
    sha256: str

    @property
    def total(self) -> int:
        """How many rows it holds."""
        return sum(self.rows.values())


def save(path: Path) -> Manifest:
    """Write a backup of this moment; the file appears when it is complete, for its owner's eyes only.

    Raises:
        BackupFailed: the database has not the tables of this version, or the file exists.
    """
    if path.exists():
        raise BackupFailed(f"{path} exists already.")
    partial = path.with_name(f"{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        manifest = _write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    return manifest


def _write(file: IO[bytes]) -> Manifest:
    lines, rows = _Lines(file), Counter[str]()
    with _snapshot() as connection:
        revision = _revision(connection)
        lines.write_plainly({"format": _FORMAT, "sealed": lines.are_sealed})
        for table in SQLModel.metadata.sorted_tables:
            rows[table.name] = 0
            found = connection.execution_options(yield_per=_ROWS).execute(select(table).order_by(*table.primary_key))
            for some in found.partitions():
                lines.write({"table": table.name, "rows": [[_plain(value) for value in row] for row in some]})
                rows[table.name] += len(some)
    manifest = Manifest(db.clock.now().isoformat(), revision, dict(rows), lines.sha256)
    lines.write({"manifest": asdict(manifest)})
    return manifest


def read(path: Path) -> Manifest:
    """The manifest of a whole and unchanged backup.

    Raises:
        BackupFailed: it is not one.
        sealed.Unreadable: it was sealed with a key that is not there.
    """
    for content in _read(path):
        if "manifest" in content:
            return Manifest(**content["manifest"])
    raise BackupFailed(f"{path} ends too early: it is not a whole backup.")


def restore(path: Path) -> Manifest:
    """Fill an empty, migrated database from a backup: all of it, and only if what then stands there is well.

    Raises:
        BackupFailed: the file is not whole, is of another version, the database is not empty, or what was restored is
            not as it should be.
    """
    manifest = read(path)
    with db.transaction() as session:
        connection = session.connection()
        if _revision(connection) != manifest.revision:
            raise BackupFailed(
                f"The backup is of the tables of revision {manifest.revision}: restore it with that version."
            )
        if occupied := [table.name for table in SQLModel.metadata.sorted_tables if _count(connection, table)]:
            raise BackupFailed(
                f"The database is not empty ({', '.join(occupied[:3])}): --replace gives up what is there."
            )
        for content in _read(path):
            if "table" in content:
                _insert(connection, SQLModel.metadata.tables[content["table"]], content["rows"])
        for table in SQLModel.metadata.sorted_tables:
            if _count(connection, table) != manifest.rows.get(table.name, 0):
                raise BackupFailed(f"{table.name} has another number of rows than the backup says.")
            _advance(connection, table)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))  # or it plans without knowing the tables until it looks by itself
        _look_at(session)
    return manifest


def clear() -> None:
    """Take every table away, with everything in it: for a restore that replaces what is there.

    Raises:
        BackupFailed: somebody was using them for too long; nothing was changed.
    """
    try:
        _drop_everything()
    except OperationalError as error:
        if not _waited_in_vain(error):
            raise
        raise BackupFailed("The tables are in use, so nothing was changed: stop the app first.") from None


def _waited_in_vain(error: OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return isinstance(error.orig, LockNotAvailable) or code == sqlite3.SQLITE_BUSY


def _drop_everything() -> None:
    with db.transaction() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            return
        SQLModel.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _look_at(session: Session) -> None:
    """What was restored is a clinic in order: its trail is whole, and nothing is true that must never be."""
    session.flush()
    problems = [*invariants.broken(session), *filter(None, [chain.verify(session).problem])]
    if problems:
        raise BackupFailed(f"What was restored is not in order: {'; '.join(problems)}. Nothing was kept.")


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """One instant of the database, however long it takes to read, which holds nobody up."""
    with db.engine().connect() as connection:
        options: dict[str, Any] = {"read_only": True}
        if connection.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        yield connection.execution_options(**options)


def _revision(connection: Connection) -> str:
    if (revision := db.revision_of(connection)) is None:
        raise BackupFailed("The database has no tables of MHMS.")
    return revision


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _insert(connection: Connection, table: Table, rows: list[list[Any]]) -> None:
    readers = [(column.name, _reader(column)) for column in table.columns]
    connection.execute(
        table.insert(),
        [
            {name: None if value is None else read(value) for (name, read), value in zip(readers, row, strict=True)}
            for row in rows
        ],
    )


def _advance(connection: Connection, table: Table) -> None:
    """On PostgreSQL the next key comes after those that were restored; SQLite looks at them itself."""
    counted = table.autoincrement_column
    if counted is None or connection.dialect.name != "postgresql":
        return
    sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, counted.name))).scalar()
    if sequence:
        highest = connection.execute(select(func.max(counted))).scalar()
        connection.execute(select(func.setval(sequence, highest or 1, highest is not None)))


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    """How a column's value is made of what JSON has."""
    kinds: dict[type, Callable[[Any], Any]] = {
        db.UTCDateTime: datetime.fromisoformat,
        Date: date.fromisoformat,
        Time: time.fromisoformat,
        LargeBinary: base64.b64decode,
    }
    return kinds.get(type(column.type), lambda value: value)


class _Lines:
    """The lines of a backup that is written, and the hash of all that were."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self.are_sealed = bool(settings().encryption_keys.get_secret_value())

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write_plainly(self, content: dict[str, Any]) -> None:
        self._write(json.dumps(content).encode())

    def write(self, content: dict[str, Any]) -> None:
        packed = zlib.compress(json.dumps(content, ensure_ascii=False).encode())
        self._write(sealed.seal_bytes(packed) if self.are_sealed else base64.b64encode(packed))

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._hash.update(line)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """What the lines of a backup hold, the manifest at last; a file that is not as it was written is refused."""
    seen = hashlib.sha256()
    try:
        with path.open("rb") as file:
            first = next(file, b"").rstrip(b"\n")
            header = json.loads(first)
            if header.get("format") != _FORMAT:
                raise ValueError
            seen.update(first)
            for ended in file:
                line = ended.rstrip(b"\n")
                packed = sealed.unseal_bytes(line) if header["sealed"] else base64.b64decode(line, validate=True)
                content = json.loads(zlib.decompress(packed))
                if content.get("manifest", {}).get("sha256", seen.hexdigest()) != seen.hexdigest():
                    raise ValueError
                seen.update(line)
                yield content
    except (OSError, ValueError, AttributeError, zlib.error) as error:
        raise BackupFailed(f"{path} is not a backup of MHMS, or it was changed.") from error
