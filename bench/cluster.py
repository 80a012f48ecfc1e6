"""``python -m bench.cluster``: the clinic as a hospital runs it, on this machine, until Ctrl-C.

Two machines with two workers each (processes of their own, started as ``cli serve`` is), behind nginx, with PostgreSQL,
Redis and the e-mail Lambda's own handler. Everything is real and can be hurt: tests and fault injections use
``running_cluster`` and the handles that it gives.

nginx and Redis are Debian's (``python -m tests.setup`` installs them); PostgreSQL is the one of the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from sqlalchemy import Engine
from sqlmodel import Session

from bench.programs import free_port, running_nginx, running_pgbouncer
from bench.servers import CLINIC
from mhms_app import db, launch, sealed
from mhms_app.settings import settings
from tests.databases import ROOT, committed, fresh_database
from tests.redis_server import RedisServer, running_redis

PATIENCE = 240.0  # seconds for something to start, on a busy machine too


@dataclass(slots=True)
class Machine:
    """One app process with its workers, as it would run on a machine of its own.

    Attributes:
        address: where it answers itself, such as ``127.0.0.1:41234``.
        log_path: everything that it wrote.
    """

    address: str
    log_path: Path
    _environment: Mapping[str, str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it; ``wait_until_ready`` waits for it."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CLINIC], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    @property
    def port(self) -> int:
        """The port of its address."""
        return int(self.address.rpartition(":")[2])

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The main process, which serves nothing itself."""
        assert self._process is not None, "this machine was never started"
        return self._process

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # or one that has just been killed
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child.pid)
        return found

    def status(self, path: str = "/readyz") -> int:
        """What the machine itself answers; 0 is no answer."""
        try:
            return httpx.get(f"http://{self.address}{path}", timeout=5).status_code
        except httpx.HTTPError:
            return 0

    def wait_until_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            RuntimeError: it has ended, or is not ready in time; the message holds its log.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.status() == 200:
                return
            time.sleep(0.1)
        raise RuntimeError(f"a machine did not become ready:\n{self.log_path.read_text()[-4000:]}")

    def ask_to_stop(self) -> None:
        """Tell it to end, as a deployment does."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60) -> int:
        """Wait until it has ended; its exit code."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it and its workers at once, as a power cut does."""
        if self._process is None or self._process.poll() is not None:
            return
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Cluster:
    """The running clinic.

    Attributes:
        address: where people reach it, such as ``localhost:41234``.
        mail: the folder into which the Lambda writes messages.
        database_url: the database itself, for whoever looks from outside.
    """

    address: str
    machines: tuple[Machine, ...]
    redis: RedisServer
    database_url: str
    mail: Path
    _engine: Engine = field(repr=False)

    @property
    def port(self) -> int:
        """The balancer's port."""
        return int(self.address.rpartition(":")[2])

    @property
    def base_url(self) -> str:
        """The address with its scheme."""
        return f"http://{self.address}"

    def log(self) -> str:
        """What all machines have written so far."""
        return "\n".join(machine.log_path.read_text(errors="replace") for machine in self.machines)

    def forget_connections(self) -> None:
        """Open new ones from now on: the server has ended those of this process too."""
        self._engine.dispose()

    def database(self) -> AbstractContextManager[Session]:
        """A session in one transaction, committed at the end of the block."""
        return committed(self._engine)


@contextmanager
def _lambda(folder: Path) -> Iterator[str]:
    """The e-mail Lambda's own handler, which writes into this folder; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "email_lambda.local", "--port", str(port), "--mail-dir", str(folder)]
    environment = {**os.environ, "MHMS_EMAIL_SECRET": settings().email_secret}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def running_cluster(
    *,
    machines: int = 2,
    workers: int = 2,
    database_url: str | None = None,
    fill: Callable[[Session], object] | None = None,
    environment: Mapping[str, str] | None = None,
    pooled: bool = False,
    sticky: bool = False,
    reach: Callable[[str], str] = str,
    mail_service: Callable[[Path], AbstractContextManager[str]] = _lambda,
    port: int | None = None,
    build: bool = True,
) -> Iterator[Cluster]:
    """Run the clinic on several machines until the block ends.

    Args:
        database_url: a migrated PostgreSQL; None makes one, which the block's end drops.
        fill: puts people into the database before the machines start.
        environment: further ``MHMS_*`` settings of every machine, such as another MHMS_DATABASE_URL.
        pooled: the machines reach the database through PgBouncer in transaction mode.
        sticky: the balancer leads a tab to the same machine for as long as that is there.
        reach: the address by which machines and PgBouncer reach the database, from the database's own.
        mail_service: an e-mail service that writes into a folder; yields its address.
        port: of the balancer; None is any that is free.
        build: False serves the pages that are there.
    """
    if build:
        launch.build_pages(settings())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mhms-cluster-")))
        url = database_url or stack.enter_context(fresh_database("postgresql"))
        engine = db.make_engine(url)
        stack.callback(engine.dispose)
        if fill is not None:
            with committed(engine) as session:
                fill(session)
        redis = stack.enter_context(running_redis())
        reached = reach(url)
        port = port or free_port()
        address = f"localhost:{port}"
        given = {
            "MHMS_ENV": "development",
            "MHMS_DEMO": "0",
            "MHMS_WORKERS": str(workers),
            "MHMS_BASE_URL": f"http://{address}",
            "MHMS_DATABASE_URL": stack.enter_context(running_pgbouncer(reached)) if pooled else reached,
            "MHMS_DATABASE_DIRECT_URL": reached,
            "MHMS_REDIS_URL": redis.url,
            "MHMS_TRUSTED_PROXY_HOPS": "1",
            "MHMS_BCRYPT_COST": "4",
            "MHMS_ENCRYPTION_KEYS": sealed.new_key(),
            "MHMS_EMAIL_URL": stack.enter_context(mail_service(folder / "mail")),
            **(environment or {}),
        }
        started = tuple(_machine(folder, number, given) for number in range(machines))
        for machine in started:
            stack.callback(machine.kill)
            machine.start()
        for machine in started:
            machine.wait_until_ready()
        stack.enter_context(running_nginx(port, [machine.address for machine in started], sticky=sticky))
        yield Cluster(address, started, redis, url, folder / "mail", engine)


def _machine(folder: Path, number: int, given: Mapping[str, str]) -> Machine:
    port = free_port()
    own = {"MHMS_PORT": str(port), "MHMS_DATA_DIR": str(folder / f"machine-{number}")}
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MHMS_", "REFLEX_"))}
    environment = {**outside, "REFLEX_TELEMETRY_ENABLED": "false", "PYTHONWARNINGS": "ignore", **own, **given}
    return Machine(f"127.0.0.1:{port}", folder / f"machine-{number}.log", environment)


if __name__ == "__main__":
    from mhms_app import demo

    with running_cluster(fill=demo.load, port=settings().port) as cluster:
        print(f"The clinic is open:  {cluster.base_url}")
        for machine in cluster.machines:
            print(f"  machine at {machine.address}, workers {', '.join(map(str, machine.workers()))}")
        print(f"  Redis at {cluster.redis.url}\n  PostgreSQL at {cluster.database_url}\n  e-mails in {cluster.mail}")
        print(f"  {demo.PATIENT}, {demo.DOCTOR}, {demo.ADMIN}: {demo.PASSWORD}\nCtrl-C closes it.", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
