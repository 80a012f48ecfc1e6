"""Whatever somebody does can be found again by its id: in the log, in the trail, and by what they were told."""

from __future__ import annotations

import json
import re

import httpx
from sqlmodel import col, select

from mhms_app.audit.models import AuditEntry
from mhms_app.web import gate
from tests.running import RunningApp
from tests.socket.canaries import away
from tests.socket.cast import Cast
from tests.socket.hostile import tab
from tests.socket.matrix import WIRE_NAME

_NAMED = re.compile(r"name ([0-9a-f]{12})\.$")


def lines(app: RunningApp, event_id: str) -> list[str]:
    written = [json.loads(line) for line in app.log().splitlines() if line.startswith("{")]
    return [line["message"] for line in written if line.get("id") == event_id]


def entries(app: RunningApp, event_id: str) -> list[str]:
    with app.database() as session:
        return list(session.exec(select(AuditEntry.action).where(col(AuditEntry.event_id) == event_id)))


def test_a_failure_tells_the_person_the_id_that_stands_in_the_log(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["admin"]) as admin:
        admin.visit("/admin/bookings")
        with away(app, "appointment"):
            said = admin.call(WIRE_NAME["admin.bookings.Bookings.turn"], {"by": 1})
    assert said.notice.startswith(gate.UNEXPECTED)
    named = _NAMED.search(said.notice)
    assert named
    assert lines(app, named[1]) == ["handler Listing.turn failed"]


def test_what_is_done_and_what_is_looked_at_is_in_the_trail_by_the_event(app: RunningApp, cast: Cast) -> None:
    with tab(app, cast.cookie["admin"]) as admin:
        admin.visit("/admin/audit")
        admin.call(WIRE_NAME["admin.audit.Audit.verify"], {})
        admin.call(WIRE_NAME["admin.audit.Audit.verify"], {})
    with app.database() as session:
        verified = select(AuditEntry.event_id).where(col(AuditEntry.action) == "audit.verify")
        first, second = session.exec(verified.order_by(col(AuditEntry.id).desc()).limit(2)).all()
    assert re.fullmatch("[0-9a-f]{12}", first) and first != second
    assert "audit.verify" in entries(app, first)


def test_an_answer_names_the_request_that_the_trail_names(app: RunningApp, cast: Cast) -> None:
    answer = httpx.post(
        f"{app.base_url}/session",
        data={"email": "nobody@example.com", "password": "seven lanterns"},
        headers={"Origin": app.base_url, "X-Request-Id": "aaaa0000bbbb", "traceparent": f"00-{'4' * 32}-{'2' * 16}-01"},
    )
    event_id = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{12}", event_id) and event_id != "aaaa0000bbbb"  # from a proxy only
    assert entries(app, event_id) == ["session.refuse"]
