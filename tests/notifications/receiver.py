"""A stand-in for the Lambda at the other end of the wire: checks signatures, sends each key once, records."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mhms_app.notifications.senders import signature

SECRET = "a secret of the tests, and long enough for both"


class Receiver(ThreadingHTTPServer):
    """``arrived`` lists the key of every signed request, ``sent`` those that were new."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: list[str] = []
        self.sent: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.may_answer: Callable[[], bool] = lambda: True
        self.answered = 0
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, body: bytes) -> tuple[int, str]:
        """Send what is new, and answer as soon as the test lets it."""
        fields = json.loads(body)
        key = fields["idempotency_key"]
        with self._changed:
            self.arrived.append(key)
            self.bodies.append(fields)
            known = key in self.sent
            if not known:
                self.sent.append(key)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.may_answer(), timeout=30)  # noqa: PLW0108 - release() changes it
            self.answered += 1
        return 200, '{"status": "duplicate"}' if known else '{"status": "sent"}'

    def release(self) -> None:
        """Answer everybody from now on."""
        with self._changed:
            self.may_answer = lambda: True
            self._changed.notify_all()

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrived) >= requests, timeout=30)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = signature(SECRET, self.headers["X-MHMS-Timestamp"], body)
        if self.headers["X-MHMS-Signature"] == expected:
            code, text = self.server.take(body)
        else:
            code, text = 401, '{"error": "signature"}'
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
