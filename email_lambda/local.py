"""The Lambda's own handler behind a small HTTP server, for development and tests.

    MHMS_EMAIL_SECRET=... python -m email_lambda.local --port 3001 --mail-dir var/mail

Messages land in the folder unless MHMS_EMAIL_SENDER says otherwise. It listens on 127.0.0.1 only.
"""

import argparse
import base64
import os
import signal
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import settings
from .handler import Event, Response, answer, log, make_mailer

GATEWAY_LIMIT = 10 * 1024 * 1024
"""Bytes that API Gateway takes at most; below it the handler decides."""
READ_TIMEOUT = 10
"""Seconds that a client may be silent."""


class Server(ThreadingHTTPServer):
    """One thread per request; closing waits for the deliveries under way."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int, handle: Callable[[Event], Response]) -> None:
        self.handle_event = handle
        super().__init__(("127.0.0.1", port), _Gateway)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news; the outcome of its delivery is already logged."""


class _Gateway(BaseHTTPRequestHandler):
    """Translates HTTP to API Gateway's events (payload format 2.0) and back, one request a connection."""

    server: Server
    timeout = READ_TIMEOUT
    server_version = "mhms-email"
    sys_version = ""

    def do_GET(self) -> None:
        self._reply(answer(200, status="ok") if self.path == "/healthz" else answer(404, error="not_found"))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/":
            self._reply(answer(404, error="not_found"))
        elif not (length.isascii() and length.isdecimal()):
            self._reply(answer(411, error="length_required"))
        elif int(length) > GATEWAY_LIMIT:
            self._reply(answer(413, error="too_large"))
        else:
            self._reply(self.server.handle_event(self._event(self.rfile.read(int(length)))))

    def _event(self, body: bytes) -> Event:
        return {
            "version": "2.0",
            "rawPath": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": {"http": {"method": self.command, "path": self.path}},
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }

    def _reply(self, response: Response) -> None:
        body = response["body"].encode()
        self.send_response(response["statusCode"])
        for name, value in response["headers"].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The handler's own line says more, and no more than it may."""


def _end_with_input(server: Server) -> None:
    """Wait until standard input closes, as it does when the parent ends, however it ends."""
    sys.stdin.read()
    server.shutdown()


def main() -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one, and the first line of output names it."""
    parser = argparse.ArgumentParser(prog="python -m email_lambda.local", description="Send MHMS's e-mail locally.")
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--mail-dir", help="folder of .eml files (or MHMS_EMAIL_FOLDER; default var/mail)")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    args = parser.parse_args()

    defaults = {
        "MHMS_EMAIL_SENDER": "folder",
        "MHMS_EMAIL_FROM": "no-reply@clinic.example",
        "MHMS_EMAIL_FOLDER": "var/mail",
    }
    env = defaults | os.environ | ({"MHMS_EMAIL_FOLDER": args.mail_dir} if args.mail_dir else {})
    try:
        mailer = make_mailer(env)
    except settings.Misconfigured as error:
        sys.exit(f"email_lambda: {error}")

    with Server(args.port, mailer.handle) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            # shutdown() waits for serve_forever(), which this signal has interrupted: it needs a thread.
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        if args.with_parent:
            threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
        log("listening", url=f"http://127.0.0.1:{server.server_port}")
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
