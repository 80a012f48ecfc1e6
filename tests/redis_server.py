"""A real Redis for the tests, which can be taken away and given back."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError

from tests.setup import redis


class RedisServer:
    """A Redis on a port of its own that keeps nothing on disk."""

    def __init__(self) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = int(found.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = redis()
        assert program, "there is no Redis: python -m tests.setup installs it"
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                with Redis.from_url(self.url) as client:
                    client.ping()
            except RedisError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("Redis did not start")

    def stop(self) -> None:
        """End it; what it knew is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A Redis that runs until the block ends."""
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
