"""The servers that are measured, each in a process of its own, and a mail service that is as slow as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.programs import free_port, running_nginx, wait_for_port
from mhms_app import launch
from mhms_app.settings import settings as current
from tests.redis_server import running_redis

ROOT = Path(__file__).parent.parent
MAIL_SECONDS = 0.15

CLINIC = "from mhms_app import launch; from mhms_app.settings import settings; launch.serve(settings())"
MINIMAL = """
import multiprocessing
import os
from granian import Granian
from reflex.constants import Env
from reflex.environment import environment
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    environment.REFLEX_ENV_MODE.set(Env.PROD)
    environment.REFLEX_SKIP_COMPILE.set(True)
    port, workers = int(os.environ["MINIMAL_PORT"]), int(os.environ["MINIMAL_WORKERS"])
    Granian("minimal:app", factory=True, port=port, workers=workers, interface="asgi", log_level="error").serve()
"""


@dataclass(frozen=True, slots=True)
class SetUp:
    """How the application is served.

    Attributes:
        workers: of each machine; several keep Reflex's state in Redis, one keeps it in its memory.
        machines: processes of their own; several stand behind a balancer, with which a tab stays on its machine.
    """

    name: str
    workers: int = 1
    machines: int = 1


ALONE = SetUp("one worker, state in memory")


@contextmanager
def clinic(url: str, set_up: SetUp = ALONE, *, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The application as ``make run`` starts it; yields its address.

    Args:
        settings: further ``MHMS_*`` variables.
    """
    launch.build_pages(current())
    with ExitStack() as stack:
        shared = {
            "MHMS_ENV": "development",
            "MHMS_DEMO": "0",
            "MHMS_WORKERS": str(set_up.workers),
            "MHMS_REDIS_URL": _redis(stack, set_up),
            "MHMS_DATABASE_URL": url,
            "MHMS_DATA_DIR": stack.enter_context(tempfile.TemporaryDirectory()),
            "MHMS_EMAIL_URL": stack.enter_context(_mail_service()),
            **(settings or {}),
        }
        yield _balanced(stack, set_up, lambda port: _serving(CLINIC, port, ROOT, {**shared, "MHMS_PORT": str(port)}))


@contextmanager
def minimal(url: str, set_up: SetUp = ALONE) -> Iterator[str]:
    """The application in ``bench/minimal``, served alike; yields its address."""
    with ExitStack() as stack:
        shared = {
            "MINIMAL_DATABASE_URL": url.replace("+psycopg", ""),
            "MINIMAL_WORKERS": str(set_up.workers),
            "MINIMAL_REDIS_URL": _redis(stack, set_up),
        }
        folder = ROOT / "bench" / "minimal"
        yield _balanced(
            stack, set_up, lambda port: _serving(MINIMAL, port, folder, {**shared, "MINIMAL_PORT": str(port)})
        )


def _redis(stack: ExitStack, set_up: SetUp) -> str:
    """The address of a Redis for several workers; ``""`` for one."""
    return stack.enter_context(running_redis()).url if set_up.workers > 1 else ""


def _balanced(stack: ExitStack, set_up: SetUp, serving: Callable[[int], AbstractContextManager[None]]) -> str:
    """Start the machines; the address under which all of them are reached."""
    ports = [free_port() for _ in range(set_up.machines)]
    for port in ports:
        stack.enter_context(serving(port))
    if len(ports) > 1:
        balancer = free_port()
        stack.enter_context(running_nginx(balancer, [f"127.0.0.1:{port}" for port in ports], sticky=True))
        return f"localhost:{balancer}"
    return f"localhost:{ports[0]}"


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
            wait_for_port(port, process)
            yield
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-4000:])
            raise
        finally:
            process.terminate()


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
