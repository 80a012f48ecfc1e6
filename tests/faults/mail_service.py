"""The real e-mail Lambda over HTTP, which can be made to fail.

    python -m tests.faults.mail_service PORT

Each line of its standard input is what is wrong with it from then on; it ends with its standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from bench.programs import free_port, wait_for_port
from email_lambda.handler import Event, Response, answer, make_mailer
from email_lambda.local import Server
from mhms_app.settings import settings
from tests.databases import ROOT

SLOW_SECONDS = 3


class Trouble(StrEnum):
    """What is wrong with the service."""

    NONE = "none"
    FAILING = "nothing is sent, and the answer is 500"
    SLOW = "it takes seconds"
    AFTERWARDS = "the message is sent, and the answer is 500"


class MailService:
    """The running service.

    Args:
        process: it, with its standard input open.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def suffer(self, trouble: Trouble) -> None:
        """From now on this is wrong."""
        assert self._process.stdin
        self._process.stdin.write(f"{trouble}\n".encode())
        self._process.stdin.flush()


@contextmanager
def mail_service(folder: Path) -> Iterator[tuple[MailService, str]]:
    """The service, which writes messages into a folder, and its address, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "tests.faults.mail_service", str(port)]
    environment = {
        **os.environ,
        "MHMS_EMAIL_SECRET": settings().email_secret,
        "MHMS_EMAIL_SENDER": "folder",
        "MHMS_EMAIL_FROM": "no-reply@clinic.example",
        "MHMS_EMAIL_FOLDER": str(folder),
    }
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_for_port(port, process)
            yield MailService(process), f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def main(port: int) -> None:
    """Serve until standard input ends."""
    mailer, trouble = make_mailer(os.environ), Trouble.NONE

    def handle(event: Event) -> Response:
        if trouble is Trouble.FAILING:
            return answer(500, error="trouble")
        if trouble is Trouble.SLOW:
            time.sleep(SLOW_SECONDS)
        response = mailer.handle(event)
        return answer(500, error="trouble") if trouble is Trouble.AFTERWARDS else response

    with Server(port, handle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for line in sys.stdin:
            trouble = Trouble(line.strip())
        server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
