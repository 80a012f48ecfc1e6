"""Starting everything: the front-end build, the migrations, the demo clinic, the e-mail Lambda, the server."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from alembic import command
from alembic.config import Config
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import MPServer
from psycopg.errors import LockNotAvailable
from reflex.constants import Env
from reflex.environment import environment
from sqlalchemy.exc import OperationalError

from mhms_app import db, demo, metrics
from mhms_app.live.leaving import LEAVE, seconds_to_leave
from mhms_app.settings import Settings, read_env_file

ROOT = Path(__file__).parent.parent
PAGES = ROOT / ".web" / "build" / "client"
_STAMP = ROOT / ".web" / "mhms-build"
_BUILT_FROM = ("mhms_app/**/*.py", "assets/**/*", "rxconfig.py", "requirements.txt", "reflex.lock/package-lock.json")


class LaunchFailed(Exception):
    """The clinic could not be started; the message is a sentence that says why."""


def build_pages(settings: Settings) -> bool:
    """Build the front end unless what is there was built from the same sources; says whether it built.

    A second process of this checkout waits for the first, and finds the pages built.
    """
    with (ROOT / "rxconfig.py").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        return _build_pages(settings)


def _build_pages(settings: Settings) -> bool:
    stamp = _fingerprint(settings)
    if PAGES.is_dir() and _STAMP.is_file() and _STAMP.read_text() == stamp:
        return False
    if not os.access(ROOT, os.W_OK):
        raise LaunchFailed("these pages were built with another MHMS_ENV, MHMS_CLINIC_NAME or MHMS_DEMO: build anew.")
    _STAMP.unlink(missing_ok=True)
    export = subprocess.run(
        [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip", "--env", "prod"],
        check=False,
        cwd=ROOT,
        env=_environment(),
        stdout=sys.stderr,
    )
    if export.returncode:
        raise LaunchFailed("the pages could not be built; what went wrong stands above.")
    _STAMP.write_text(stamp)
    return True


def _fingerprint(settings: Settings) -> str:
    """What the built pages depend on: the sources, and the settings that are written into them."""
    digest = hashlib.sha256(f"{settings.env}|{settings.clinic_name}|{settings.demo}".encode())
    for pattern in _BUILT_FROM:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _environment() -> dict[str, str]:
    """The environment of a child: node and npm come from this virtual environment."""
    bin_folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": bin_folder + os.pathsep + os.environ.get("PATH", ""),
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_USE_NPM": "1",
    }


def migrate() -> None:
    """Bring the database to the tables of this version; several machines may do so at once (``alembic/env.py``).

    A database that a later version has migrated stays as it is: this one goes on beside it while it is replaced.

    Raises:
        LaunchFailed: a table was in use for too long; nothing was changed.
    """
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    try:
        with db.direct_connection() as connection:
            if db.is_newer(connection):
                return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise LaunchFailed("the tables are in use and could not be migrated; nothing was changed: try again.") from None


def load_demo() -> bool:
    """Load the demo clinic into an empty database, unless another machine is doing that; says whether it did."""
    with db.transaction() as session:
        return db.alone(session, "the demo clinic") and demo.load(session)


@contextmanager
def local_email(settings: Settings) -> Iterator[None]:
    """Run the e-mail Lambda's own handler beside the app, unless another address is configured."""
    if not settings.local_email:
        yield
        return
    require_free_port("127.0.0.1", settings.email_port, "MHMS_EMAIL_PORT")
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        [
            sys.executable,
            "-m",
            "email_lambda.local",
            "--with-parent",
            "--port",
            str(settings.email_port),
            "--mail-dir",
            str(settings.data_dir / "mail"),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # it closes with this process, however that ends
        env={**read_env_file(ROOT / ".env"), **_environment(), "MHMS_EMAIL_SECRET": settings.email_secret},
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait(timeout=10)


def require_free_port(host: str, port: int, setting: str) -> None:
    """Refuse a port that another process listens on.

    Raises:
        LaunchFailed: naming the setting that chooses another port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror.lower() if error.strerror else "not available"
            raise LaunchFailed(f"port {port} cannot be used ({reason}): choose another with {setting}.") from None


def wait_until_ready(settings: Settings, *, seconds: float = 120) -> bool:
    """Ask ``/readyz`` until it says yes."""
    address = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - compared, not bound
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://{address}:{settings.port}/readyz", timeout=5).is_success:
                return True
        time.sleep(0.3)
    return False


class _Server(MPServer):
    """Granian, which on SIGTERM lets its workers leave (``live.leaving``) before it ends them; Ctrl-C does not wait."""

    _is_leaving = False

    def signal_handler_interrupt(self, number: int, _frame: object) -> None:
        if number != signal.SIGTERM or self._is_leaving or not seconds_to_leave():
            super().signal_handler_interrupt()  # type: ignore[no-untyped-call]
            return
        self._is_leaving = True
        for worker in self.wrks:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, LEAVE)
        ending = threading.Timer(seconds_to_leave(), super().signal_handler_interrupt)
        ending.daemon = True
        ending.start()


def serve(settings: Settings) -> None:
    """Serve pages, socket and routes on one port until a signal ends it."""
    require_free_port(settings.host, settings.port, "MHMS_PORT")
    # A forked worker would inherit this process's threads' locks and database connections.
    multiprocessing.set_start_method("spawn")
    environment.REFLEX_ENV_MODE.set(Env.PROD)
    environment.REFLEX_SKIP_COMPILE.set(True)
    environment.REFLEX_MOUNT_FRONTEND_COMPILED_APP.set(True)
    if settings.workers > 1:
        metrics.share(settings.data_dir / f"metrics-{settings.port}")
    _Server(
        target="mhms_app.mhms_app:app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
    ).serve()
