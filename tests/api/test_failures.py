"""A request that fails as nobody expected, or that somebody makes who has to do something else first."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
from starlette.requests import Request

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.actor import Duty, Role
from mhms_app.api import forms, health
from mhms_app.api.app import make_api
from mhms_app.logs import OneLine
from tests import builders


def test_the_person_reads_a_sentence_and_the_log_says_where_it_happened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def healthz(_request: Request) -> None:
        raise RuntimeError("violet harbour")

    monkeypatch.setattr(health, "healthz", healthz)
    with caplog.at_level(logging.ERROR, logger="mhms_app"):
        answer = asyncio.run(_ask("/healthz"))
    assert (answer.status_code, answer.headers["cache-control"]) == (500, "no-store")
    assert answer.text.startswith("This did not work")
    (line,) = [json.loads(OneLine().format(record)) for record in caplog.records if record.name == "mhms_app.api.app"]
    assert line["error"].startswith("RuntimeError < healthz@test_failures.py")
    assert "violet harbour" not in f"{answer.text} {line}"


@pytest.mark.parametrize(
    ("role", "path"),
    [
        (Role.ADMIN, routes.BOOKINGS_CSV),
        (Role.ADMIN, routes.AUDIT_CSV),
        (Role.PATIENT, routes.calendar_file("MH-2345-6789")),
        (Role.PATIENT, routes.ACCOUNT_EXPORT),
    ],
)
def test_whoever_has_a_duty_is_led_to_it(database: str, role: Role, path: str) -> None:
    with db.transaction() as session:
        person = builders.key(builders.user(session, role=role))
        token = sessions.open_session(session, user_id=person, must_do=Duty.SECOND_FACTOR)
    answer = asyncio.run(_ask(path, token))
    assert (answer.status_code, answer.headers["location"]) == (303, forms.pages_origin() + routes.ACCOUNT_SECURITY)


async def _ask(path: str, token: str = "") -> httpx.Response:
    transport, jar = httpx.ASGITransport(make_api(), raise_app_exceptions=False), {cookies.session_cookie(): token}
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic.example", cookies=jar) as client:
        return await client.get(path)
