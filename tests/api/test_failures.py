"""A request that fails as nobody expected."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
from starlette.requests import Request

from mhms_app.api import health
from mhms_app.api.app import make_api
from mhms_app.logs import OneLine


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


async def _ask(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(make_api(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic.example") as client:
        return await client.get(path)
