"""What goes over the wire to the Lambda."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from mhms_app.notifications.rules import Outcome, Verdict
from mhms_app.notifications.senders import LambdaSender, signature
from tests.notifications.outbox import message
from tests.notifications.receiver import Receiver


def test_a_request_is_the_contract(receiver: Receiver, configure: Callable[[str, str], None]) -> None:
    configure("MHMS_CLINIC_NAME", "Klinik Süd")
    assert LambdaSender().send(message("welcome-1")) == Outcome(Verdict.SENT)
    assert receiver.bodies == [
        {
            "kind": "SIGNUP_WELCOME",
            "idempotency_key": "welcome-1",
            "recipient": {"email": "jo.moreau@example.com", "name": "Jo Moreau"},
            "clinic": {"name": "Klinik Süd", "url": "http://localhost:3000"},
            "data": {"role": "patient", "awaiting_approval": False, "action_url": "http://localhost:3000/login"},
        }
    ]


def test_the_signature_covers_time_and_body() -> None:
    # HMAC-SHA256 made with OpenSSL: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    assert signature("key", "1700000000", b"{}") == (
        "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )
    assert signature("key", "1700000000", b"{}") != signature("key", "1700000001", b"{}")


def test_an_international_domain_travels_as_punycode(receiver: Receiver) -> None:
    LambdaSender().send(replace(message("welcome-1"), email="jo@klinik-süd.example"))
    assert receiver.bodies[0]["recipient"]["email"] == "jo@xn--klinik-sd-x9a.example"


def test_a_wrong_secret_is_tried_again(receiver: Receiver, configure: Callable[[str, str], None]) -> None:
    configure("MHMS_EMAIL_SECRET", "another secret that the Lambda does not know")
    assert LambdaSender().send(message("welcome-1")) == Outcome(Verdict.RETRY, "401 signature")
    assert receiver.sent == []


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, "<html>Please log in to this network</html>", Outcome(Verdict.RETRY, "200")),
        (200, '["sent"]', Outcome(Verdict.RETRY, "200")),
        (200, "\udcff", Outcome(Verdict.RETRY, "200")),
        (503, '{"error": "try_again"}', Outcome(Verdict.RETRY, "503 try_again")),
        (422, '{"error": "invalid", "detail": "data: missing"}', Outcome(Verdict.DEAD, "422 invalid data: missing")),
    ],
)
def test_any_answer_is_understood(code: int, body: str, expected: Outcome) -> None:
    answer = httpx.Response(code, content=body.encode(errors="surrogateescape"))
    client = httpx.Client(transport=httpx.MockTransport(lambda _request: answer))
    assert LambdaSender(client).send(message("welcome-1")) == expected


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, configure: Callable[[str, str], None], code: int) -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(code)
            self.send_header("Location", receiver.url)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        configure("MHMS_EMAIL_URL", f"http://127.0.0.1:{server.server_port}")
        assert LambdaSender().send(message("welcome-1")).verdict is not Verdict.SENT
    assert receiver.sent == []


def test_a_lambda_that_is_down_or_silent_is_tried_again(configure: Callable[[str, str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure("MHMS_EMAIL_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        impatient = LambdaSender(httpx.Client(timeout=0.1))
        assert impatient.send(message("welcome-1")) == Outcome(Verdict.RETRY, "timeout")
    assert impatient.send(message("welcome-1")) == Outcome(Verdict.RETRY, "ConnectError")


def test_a_message_shows_neither_address_nor_content_when_printed() -> None:
    shown = repr(message("welcome-1"))
    assert "welcome-1" in shown
    assert "Moreau" not in shown
    assert "example.com" not in shown
    assert json.dumps(message("welcome-1").data) not in shown
