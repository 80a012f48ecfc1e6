"""What was mailed in a test, and the links in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from sqlmodel import col, select

from mhms_app import db
from mhms_app.notifications.models import OutboxMessage


def mailed(kind: str = "", *, to: str = "") -> list[OutboxMessage]:
    """The messages of a kind and to an address, in order."""
    with db.transaction(read_only=True) as session:
        found = session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id))).all()
    return [m for m in found if (not kind or m.kind == kind) and (not to or m.recipient_email == to)]


def token_to(email: str, kind: str) -> str:
    """The token of the newest link that was mailed to an address."""
    return urlsplit(mailed(kind, to=email)[-1].payload["action_url"]).path.rpartition("/")[2]


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls at the same moment; returns what each returned, or raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        start.wait(30)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
