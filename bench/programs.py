"""Programs of Debian's that stand before the application or its database, each on a port of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url

from tests import setup
from tests.databases import ROOT


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens on its port.

    Raises:
        RuntimeError: it has ended instead.
    """
    while process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("localhost", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} has ended")


@contextmanager
def running_nginx(port: int, machines: Sequence[str], *, sticky: bool = False) -> Iterator[None]:
    """nginx with the settings of ``deploy/nginx.conf`` before these addresses.

    Args:
        sticky: a tab stays on its machine for as long as that is there.
    """
    program = setup.nginx()
    assert program, "there is no nginx: python -m tests.setup installs it"
    servers = [f"server {address} max_fails=2 fail_timeout=2s;" for address in machines]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    with tempfile.TemporaryDirectory(prefix="mhms-nginx-") as temporary:
        folder = Path(temporary)
        values = {
            "FOLDER": temporary,
            "ADDRESS": f"127.0.0.1:{port}",
            "MACHINES": "\n        ".join((["hash $arg_token consistent;"] if sticky else []) + servers),
            "TEMPORARY": "\n    ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
        }
        written = _written(folder, "nginx.conf", values)
        command = [program, "-c", str(written), "-e", str(folder / "nginx.log"), "-g", "daemon off;"]
        with subprocess.Popen(command) as process:
            try:
                wait_for_port(port, process)
                yield
            finally:
                process.terminate()


@contextmanager
def running_pgbouncer(database_url: str) -> Iterator[str]:
    """PgBouncer with the settings of ``deploy/pgbouncer.ini`` before a database; yields its address."""
    program = setup.pgbouncer()
    assert program, "there is no PgBouncer: python -m tests.setup installs it"
    url, port = make_url(database_url), free_port()
    host = str(url.query.get("host", url.host))
    with tempfile.TemporaryDirectory(prefix="mhms-pgbouncer-") as temporary:
        folder = Path(temporary)
        values = {
            "FOLDER": temporary,
            "PORT": str(port),
            "DATABASE_HOST": host,
            "DATABASE_PORT": str(url.port or 5432),
            "DATABASE_USER": str(url.username),
        }
        written = _written(folder, "pgbouncer.ini", values)
        user = None
        if os.geteuid() == 0:  # as whom it does not run; the database's user may use its folder
            user = Path(host).stat().st_uid if host.startswith("/") else "nobody"
            shutil.chown(folder, user)
        with subprocess.Popen([program, "-q", str(written)], user=user, stderr=subprocess.DEVNULL) as process:
            try:
                wait_for_port(port, process)
                yield url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
            finally:
                process.terminate()


def _written(folder: Path, name: str, values: Mapping[str, str]) -> Path:
    """The file of this name in ``deploy``, with the values in place of ``@NAMES@``."""
    text = (ROOT / "deploy" / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    written = folder / name
    written.write_text(text)
    return written
