"""The Lambda: verify, validate, render, claim the key, send, mark it done."""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

from . import settings
from .messages import Invalid, parse
from .render import key_hash, render
from .senders import Refused, Sender
from .store import Claim, Store

MAX_BODY = 64 * 1024
"""Bytes."""
MAX_SKEW = 300
"""Seconds that a signature's timestamp may lie before or after now."""
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

Event = Mapping[str, Any]
Response = dict[str, Any]


def lambda_handler(event: Event, _context: object) -> Response:
    """Answer one request of API Gateway (HTTP API, payload format 2.0)."""
    return _mailer().handle(event)


@dataclass(frozen=True)
class Mailer:
    """What one delivery needs.

    Attributes:
        secret: returns the shared secret; may fail while its keeper is out of reach.
        clock: returns unix seconds.
    """

    secret: Callable[[], bytes]
    store: Store
    sender: Sender
    from_address: str
    clock: Callable[[], float] = time.time

    def handle(self, event: Event) -> Response:
        """Deliver the message of ``event`` once, and say how that went.

        Never raises: whatever is not the caller's fault is answered with 503 and logged, without its text, which
        could hold personal data.
        """
        try:
            return self._deliver(event)
        except Exception as error:
            return _trouble(error)

    def _deliver(self, event: Event) -> Response:
        body = _body(event)
        if len(body) > MAX_BODY:
            log("too_large")
            return answer(413, error="too_large")

        now = self.clock()
        if fault := signature_fault(event.get("headers", {}), body, self.secret(), now=now):
            log("signature", fault=fault)
            return answer(401, error="signature")
        try:
            message = parse(body)
        except Invalid as invalid:
            log("invalid", detail=str(invalid))
            return answer(422, error="invalid", detail=str(invalid))
        mail = render(message, from_address=self.from_address, now=datetime.fromtimestamp(now, UTC))
        key = key_hash(message.idempotency_key)
        about = {"kind": message.kind, "key": key[:16], **_trace(event.get("headers", {}))}
        return self._send_once(mail, key, about, now=now)

    def _send_once(self, mail: EmailMessage, key: str, about: Mapping[str, str], *, now: float) -> Response:
        owner = uuid.uuid4().hex
        match self.store.claim(key, owner, now=now):
            case Claim.DONE:
                log("duplicate", **about)
                return answer(200, status="duplicate")
            case Claim.IN_PROGRESS:
                log("in_progress", **about)
                return answer(409, error="in_progress")
        try:
            self.sender.send(mail, key)
        except Refused:
            self.store.release(key, owner)
            log("refused", **about)
            return answer(422, error="invalid", detail="recipient.email: refused by the mail server")
        except Exception as error:
            self.store.release(key, owner)
            return _trouble(error, **about)
        try:
            self.store.finish(key, now=now)
        except Exception as error:
            # The mail has left. Asking for a retry now would send it twice.
            log("not_marked", error=type(error).__name__, **about)
        log("sent", **about)
        return answer(200, status="sent")


def make_mailer(env: Mapping[str, str]) -> Mailer:
    """Put together what the variables choose.

    Raises:
        settings.Misconfigured: a variable is missing or wrong.
    """
    chosen = settings.read(env)
    return Mailer(chosen.secret, chosen.store, chosen.sender, chosen.from_address)


def signature_fault(headers: Mapping[str, str], body: bytes, secret: bytes, *, now: float) -> str | None:
    """Say what is wrong with the signature: ``missing``, ``stale`` or ``wrong``; None if nothing is.

    It is ``v1=`` and the hexadecimal HMAC-SHA256 (RFC 2104) of the timestamp, a full stop and the raw body.
    """
    given = {name.lower(): value for name, value in headers.items()}
    timestamp, signature = given.get("x-mhms-timestamp", ""), given.get("x-mhms-signature", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12 and signature):
        return "missing"
    expected = "v1=" + hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return "wrong"
    return None if abs(now - int(timestamp)) <= MAX_SKEW else "stale"


def answer(code: int, /, **fields: str) -> Response:
    """Return a JSON answer in API Gateway's form."""
    return {"statusCode": code, "headers": {"content-type": "application/json"}, "body": json.dumps(fields)}


def log(outcome: str, **fields: str) -> None:
    """Write one line of JSON to standard output; never pass an address, a name or a secret."""
    sys.stdout.write(json.dumps({"time": datetime.now(UTC).isoformat(), "outcome": outcome, **fields}) + "\n")
    sys.stdout.flush()


def _trouble(error: Exception, **about: str) -> Response:
    where = traceback.extract_tb(error.__traceback__)[-1]
    log("failed", error=type(error).__name__, at=f"{Path(where.filename).name}:{where.lineno}", **about)
    return answer(503, error="try_again")


def _trace(headers: Mapping[str, str]) -> dict[str, str]:
    """The trace-id of a caller that traces (W3C Trace Context, section 3.2), for the log."""
    given = {name.lower(): value for name, value in headers.items()}
    found = _TRACEPARENT.fullmatch(given.get("traceparent", ""))
    return {"trace": found[1]} if found else {}


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


@cache
def _mailer() -> Mailer:
    return make_mailer(os.environ)
