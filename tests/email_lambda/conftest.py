"""One clinic, one patient, and requests signed the way the contract says, written out here a second time."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from email_lambda.handler import Mailer
from email_lambda.messages import Message, parse
from email_lambda.senders import FolderSender
from email_lambda.store import SqliteStore

SECRET = b"a secret of at least thirty-two bytes"
NOW = 1_795_000_000

SPAN = {
    "starts_at": "2026-11-26T09:00:00+00:00",
    "ends_at": "2026-11-26T09:20:00+00:00",
    "time_zone": "Europe/Berlin",
}
VISIT = SPAN | {
    "doctor": "Dr. A. Haddad",
    "department": "Cardiology",
    "location": "Building B, 2nd floor",
    "action_url": "https://linden.example/appointments/17",
}
APPOINTMENT = VISIT | {"reference": "MH-4K7D2Q", "uid": "appointment-17@linden.example", "sequence": 0}
OLD = SPAN | {"starts_at": "2026-11-24T08:00:00+00:00", "ends_at": "2026-11-24T08:20:00+00:00"}

LINK = {"good_for": "30 minutes", "action_url": "https://linden.example/link/token"}

DATA: dict[str, dict[str, Any]] = {
    "SIGNUP_WELCOME": {"role": "patient", "awaiting_approval": False, "action_url": "https://linden.example/book"},
    "BOOKING_CONFIRMATION": APPOINTMENT,
    "BOOKING_MOVED": APPOINTMENT | {"sequence": 1, "old": OLD},
    "BOOKING_CANCELLED": APPOINTMENT | {"sequence": 2, "cancelled_by": "clinic", "why": "Dr. Haddad is ill."},
    "APPOINTMENT_REMINDER": APPOINTMENT,
    "WAITLIST_OFFER": VISIT | {"kept_until": "2026-11-25T17:00:00+00:00"},
    "DOCTOR_DAY_SUMMARY": {
        "day": "2026-11-26",
        "appointments": [SPAN | {"initials": "JM"}, SPAN | {"ends_at": "2026-11-26T09:40:00Z", "initials": "ZÖ"}],
        "action_url": "https://linden.example/doctor?day=2026-11-26",
    },
    "ACCOUNT_CLOSED": {"action_url": "https://linden.example/signup"},
    "SIGN_IN_NEW_DEVICE": {
        "device": "Firefox on Windows",
        "address": "203.0.113.7",
        "at": "2026-11-26T09:00:00+00:00",
        "time_zone": "Europe/Berlin",
        "action_url": "https://linden.example/account/sessions",
        "forgot_url": "https://linden.example/forgot",
    },
    "ACCOUNT_PASSWORD": {
        "temporary_password": "brisk-otter-42-lake",
        "good_for": "3 days",
        "action_url": "https://linden.example/login",
    },
    "EMAIL_CONFIRM": LINK | {"welcome": True},
    "EMAIL_CHANGE": LINK | {"side": "old", "new_email": "jana.new@example.org"},
    "EMAIL_CHANGED": {"by": "owner", "action_url": "https://linden.example/login"},
    "PASSWORD_RESET": LINK,
    "SECOND_FACTOR_CHANGED": {"change": "app_on", "action_url": "https://linden.example/account/security"},
    "ACTED_FOR_YOU": {"reason": "Asked for help by phone.", "action_url": "https://linden.example/account/sessions"},
    "ACCOUNT_ACTION": {"action": "locked", "action_url": "https://linden.example/login"},
    "PASSWORD_CHANGED": {"action_url": "https://linden.example/forgot"},
}


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def make_body(
    kind: str = "BOOKING_CONFIRMATION",
    *,
    key: str = "key-1",
    name: str = "Jana Meier",
    clinic: str = "Linden Clinic",
    **data: Any,
) -> Any:
    return {
        "kind": kind,
        "idempotency_key": key,
        "recipient": {"email": "jana@example.org", "name": name},
        "clinic": {"name": clinic, "url": "https://linden.example"},
        "data": DATA[kind] | data,
    }


def make_event(body: Any, *, timestamp: int = NOW, secret: bytes = SECRET) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = hmac.new(secret, f"{timestamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return {
        "headers": {"x-mhms-timestamp": str(timestamp), "x-mhms-signature": f"v1={signature}"},
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
    }


@pytest.fixture(scope="session")
def body() -> Callable[..., Any]:
    return make_body


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, Any]]:
    return make_event


@pytest.fixture(scope="session")
def message() -> Callable[..., Message]:
    return lambda *args, **fields: parse(json.dumps(make_body(*args, **fields)).encode())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mail_dir(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def mailer(mail_dir: Path, clock: Clock) -> Mailer:
    return Mailer(
        secret=lambda: SECRET,
        store=SqliteStore(mail_dir / ".keys.sqlite3"),
        sender=FolderSender(mail_dir),
        from_address="no-reply@linden.example",
        clock=clock,
    )
