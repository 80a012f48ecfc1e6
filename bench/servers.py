"""The servers that are measured, each in a process of its own, and a mail service that is as slow as a real one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mhms_app import launch
from mhms_app.settings import settings as current

ROOT = Path(__file__).parent.parent
MAIL_SECONDS = 0.15

CLINIC = "from mhms_app import launch; from mhms_app.settings import settings; launch.serve(settings())"
MINIMAL = """
import os
from granian import Granian
from reflex.constants import Env
from reflex.environment import environment
if __name__ == "__main__":
    environment.REFLEX_ENV_MODE.set(Env.PROD)
    environment.REFLEX_SKIP_COMPILE.set(True)
    port = int(os.environ["MINIMAL_PORT"])
    Granian("minimal:app", factory=True, port=port, interface="asgi", log_level="error").serve()
"""


@contextmanager
def clinic(url: str, *, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The application with one worker, as ``make run`` starts it; yields its address.

    Args:
        settings: further ``MHMS_*`` variables.
    """
    launch.build_pages(current())
    with tempfile.TemporaryDirectory() as folder, _mail_service() as email_url:
        port = free_port()
        environment = {
            "MHMS_ENV": "development",
            "MHMS_DEMO": "0",
            "MHMS_PORT": str(port),
            "MHMS_DATABASE_URL": url,
            "MHMS_DATA_DIR": folder,
            "MHMS_EMAIL_URL": email_url,
            **(settings or {}),
        }
        with _serving(CLINIC, port, ROOT, environment):
            yield f"localhost:{port}"


@contextmanager
def minimal(url: str) -> Iterator[str]:
    """The application in ``bench/minimal``, served alike; yields its address."""
    port = free_port()
    environment = {"MINIMAL_DATABASE_URL": url.replace("+psycopg", ""), "MINIMAL_PORT": str(port)}
    with _serving(MINIMAL, port, ROOT / "bench" / "minimal", environment):
        yield f"localhost:{port}"


@contextmanager
def _serving(program: str, port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    quiet = {"REFLEX_TELEMETRY_ENABLED": "false", "PYTHONWARNINGS": "ignore"}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, **quiet, **environment},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            _wait_for(process, port)
            yield
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-4000:])
            raise
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    while True:
        if process.poll() is not None:
            raise RuntimeError("the server did not start")
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class _Mail(BaseHTTPRequestHandler):
    """Says of every message that it was sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(MAIL_SECONDS)
        body = b'{"status": "sent"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _mail_service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Mail) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
