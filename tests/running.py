"""The real application, running: what the tests of sockets, routes and browsers talk to.

``running_app`` builds the pages when their sources have changed (``make run`` uses the same build), makes a
fresh database, fills it, starts ``python -m mhms_app.cli serve`` on free ports and waits until it is ready.
Nothing is replaced by a double; even the e-mail Lambda runs beside it and writes to ``RunningApp.mail``.

    @pytest.fixture(scope="session", params=ENGINES)
    def app(request):
        with running_app(request.param, fill=cast) as app:
            yield app

Without ``fill`` the server finds an empty database and loads the demo clinic (``mhms_app.demo``).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from sqlalchemy import Engine
from sqlmodel import Session

from mhms_app import db, launch
from mhms_app.settings import read_env_file, read_settings
from tests.databases import ROOT, committed, fresh_database

_SERVE = ("-m", "mhms_app.cli", "serve")
_SERVE_WHAT_IS_BUILT = ("-c", "from mhms_app import launch, settings; launch.serve(settings.settings())")
_PATIENCE = 180


@dataclass(frozen=True, slots=True, eq=False)
class RunningApp:
    """A started clinic.

    Attributes:
        base_url: where it answers, such as ``http://localhost:41234``.
        database_url: its database; ``database()`` opens it.
        folder: its ``MHMS_DATA_DIR``.
        log_path: everything that it wrote to standard output and standard error.
    """

    base_url: str
    database_url: str
    folder: Path
    log_path: Path
    _engine: Engine = field(repr=False)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def port(self) -> int:
        """The port of pages, socket and routes."""
        return int(self.base_url.rpartition(":")[2])

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve, each of which is replaced when it dies."""
        children = psutil.Process(self._processes[-1].pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    @property
    def mail(self) -> Path:
        """Where the local Lambda puts the messages."""
        return self.folder / "mail"

    def log(self) -> str:
        """What the server has written so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def forget_connections(self) -> None:
        """Open new ones from now on: the server has ended those of this process too."""
        self._engine.dispose()

    def database(self) -> AbstractContextManager[Session]:
        """A session in one transaction on the server's database, committed at the end of the block."""
        return committed(self._engine)


@contextmanager
def running_app(
    engine: str,
    *,
    fill: Callable[[Session], object] | None = None,
    environment: Mapping[str, str] | None = None,
    build: bool = True,
    url: str = "",
    reach: Callable[[str], str] = str,
) -> Iterator[RunningApp]:
    """Run the clinic until the block ends.

    Args:
        engine: one of ``tests.databases.ENGINES``.
        fill: puts people into the database before the server starts; None: it loads the demo clinic.
        environment: further ``MHMS_*`` settings.
        build: False serves the pages that are built already, whatever the settings say: a test of
            production settings must not leave a build behind that the next start would have to replace.
        url: a migrated, empty database to use instead of a fresh one.
        reach: the address by which the server reaches its database, from the database's own.

    Raises:
        RuntimeError: the server has ended, or does not become ready; the message holds its log.
    """
    port, email_port = _free_ports()
    database = nullcontext(url) if url else fresh_database(engine)
    with tempfile.TemporaryDirectory(prefix="mhms-running-") as temporary, database as database_url:
        folder = Path(temporary)
        given = {
            "MHMS_PORT": str(port),
            "MHMS_EMAIL_PORT": str(email_port),
            "MHMS_DATA_DIR": str(folder),
            "MHMS_DATABASE_URL": reach(database_url),
            "MHMS_BCRYPT_COST": "4",
            **(environment or {}),
        }
        launch.build_pages(read_settings({**read_env_file(ROOT / ".env"), **(given if build else {})}))
        connections = db.make_engine(database_url)
        app = RunningApp(f"http://localhost:{port}", database_url, folder, folder / "server.log", connections)
        if fill is not None:
            with app.database() as session:
                fill(session)
        with app.log_path.open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, *(_SERVE if build else _SERVE_WHAT_IS_BUILT)],
                cwd=ROOT,
                env={**_without_settings(os.environ), **given},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        app._processes.append(server)
        try:
            _wait_until_ready(app, server)
            yield app
        finally:
            _end(server)
            connections.dispose()


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what this installation's own clinic may have set."""
    return {name: value for name, value in environ.items() if not name.startswith(("MHMS_", "REFLEX_"))}


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody listens on."""
    with closing(socket.socket()) as first, closing(socket.socket()) as second:
        for candidate in (first, second):
            candidate.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _wait_until_ready(app: RunningApp, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{app.port}/readyz", timeout=5).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not become ready (exit code {server.poll()}):\n{app.log()[-4000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server as Ctrl-C does, and whatever of it should be left."""
    server.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        server.wait(timeout=15)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
