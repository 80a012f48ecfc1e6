"""The ways out: the e-mail Lambda, and a recorder for tests."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterable
from typing import Protocol

import httpx
from email_validator import validate_email

from mhms_app import spans
from mhms_app.notifications.rules import Outcome, Verdict, meaning
from mhms_app.notifications.service import Message
from mhms_app.settings import settings

TIMEOUT = httpx.Timeout(25, connect=5)  # seconds for each step; the Lambda gives up after 20


class Sender(Protocol):
    """Hands one message on."""

    def send(self, message: Message) -> Outcome:
        """Send a message, once for each ``message.key``, and say how that went; called from many threads."""


class LambdaSender:
    """Posts to the e-mail Lambda, which sends each idempotency key once."""

    def __init__(self, client: httpx.Client | None = None) -> None:
        # A proxy of the clinic's network is used (trust_env), except for a Lambda on this machine.
        direct = {"all://127.0.0.1": None, "all://localhost": None}
        self._client = client or httpx.Client(timeout=TIMEOUT, mounts=direct)

    def send(self, message: Message) -> Outcome:
        """See ``Sender``. Nothing that this returns or raises quotes the message."""
        body = _body(message)
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-MHMS-Timestamp": timestamp,
            "X-MHMS-Signature": signature(settings().email_secret, timestamp, body),
        }
        if traceparent := spans.traceparent():
            headers["traceparent"] = traceparent
        try:
            answer = self._client.post(settings().email_url, content=body, headers=headers)
        except httpx.TimeoutException:
            return Outcome(Verdict.RETRY, "timeout")
        except httpx.TransportError as error:
            return Outcome(Verdict.RETRY, type(error).__name__)
        try:
            fields = answer.json()
        except ValueError:
            fields = None
        return meaning(answer.status_code, fields.get if isinstance(fields, dict) else {}.get)


class RecordingSender:
    """Keeps what it is given; answers from a script, and when that ends, ``SENT``."""

    def __init__(self, script: Iterable[Outcome | Exception] = ()) -> None:
        self.messages: list[Message] = []
        self._script = list(script)
        self._lock = threading.Lock()

    def send(self, message: Message) -> Outcome:
        """See ``Sender``."""
        with self._lock:
            self.messages.append(message)
            answer = self._script.pop(0) if self._script else Outcome(Verdict.SENT)
        if isinstance(answer, Exception):
            raise answer
        return answer


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a request: ``v1=`` and the hexadecimal HMAC-SHA256 (RFC 2104) of timestamp, full stop and body."""
    return "v1=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _body(message: Message) -> bytes:
    """The request of one message, as ``email_lambda/messages.py`` reads it."""
    address = validate_email(message.email, check_deliverability=False)
    fields = {
        "kind": message.kind,
        "idempotency_key": message.key,
        # An international domain travels as punycode (RFC 5890): not every mail server speaks SMTPUTF8.
        "recipient": {"email": address.ascii_email or address.normalized, "name": message.name},
        "clinic": {"name": settings().clinic_name, "url": settings().base_url},
        "data": message.data,
    }
    return json.dumps(fields).encode()
