"""/metrics: nothing without the setting, nothing without the token, and no label that speaks of anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette.routing import Route

from mhms_app import db, errors, routes
from mhms_app.api import prometheus
from mhms_app.api.app import make_api
from mhms_app.audit import service as audit
from mhms_app.booking import rules
from mhms_app.notifications import service as notifications
from mhms_app.oversight import backups, figures
from mhms_app.oversight.workers import Life, Numbers
from tests import builders
from tests.api.conftest import ADDRESS, METRICS_TOKEN
from tests.conftest import NOW
from tests.running import RunningApp
from tests.socket.hostile import tab
from tests.socket.matrix import WIRE_NAME
from tests.test_metrics import read

BEARER = {"Authorization": f"Bearer {METRICS_TOKEN}"}
REFUSALS = {name for module in (errors, rules) for name in vars(module)}


def test_without_the_setting_there_is_nothing(app: RunningApp) -> None:
    for headers in ({}, BEARER, {"Authorization": "Bearer"}):
        assert httpx.get(f"{app.base_url}/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", METRICS_TOKEN, f"Basic {METRICS_TOKEN}", f"Bearer {METRICS_TOKEN}x", "Bearer \xfc"],
)
def test_without_the_token_nothing_is_told(production: RunningApp, given: str) -> None:
    headers = {"Authorization": given.encode("latin-1")} if given else {}
    answer = httpx.get(f"{production.base_url}/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "mhms_" not in answer.text


def test_what_is_told_is_numbers_under_names_from_the_source(production: RunningApp) -> None:
    canary = "canary-7f3a"
    with httpx.Client(base_url=production.base_url, headers={"Origin": ADDRESS}) as client:
        client.get(f"/{canary}?q={canary}")
        client.get(f"/reset/{canary}")
        client.get(f"/calendar/{canary}.ics")
        client.post(routes.POST_LOGIN, data={"email": f"{canary}@example.com", "password": canary})
    with tab(production, origin=ADDRESS) as hostile:
        hostile.visit(f"/doctors?q={canary}")
        hostile.send(f"reflex___state____state.{canary}", {canary: canary})
        hostile.send(WIRE_NAME["public.doctors.Directory.search"], {canary: canary})
        hostile.settle()
    answer = httpx.get(f"{production.base_url}/metrics", headers=BEARER)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    assert canary not in answer.text
    found = read(answer.text)
    assert found["mhms_database_up", ()] == 1
    assert found["mhms_events_refused_total", ("arguments",)] >= 1
    assert found["mhms_event_seconds_count", ("Directory.load",)] >= 1
    assert found["mhms_http_seconds_count", (routes.CALENDAR_FEED, "404")] == 1
    known = {route.path for route in make_api().routes if isinstance(route, Route)} | {"page", "asset", "/ping"}
    assert {labels[0] for name, labels in found if name == "mhms_http_seconds_count"} <= known
    assert {labels[0] for name, labels in found if name == "mhms_refusals_total"} <= REFUSALS


def ask(token: str) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(make_api())
        async with httpx.AsyncClient(transport=transport, base_url="http://clinic.example") as client:
            return await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})

    return asyncio.run(answer())


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, configure: Callable[[str, str], None]) -> None:
    configure("MHMS_METRICS_TOKEN", METRICS_TOKEN)
    monkeypatch.setattr(prometheus, "_of_the_database", prometheus.OfTheDatabase())


@pytest.mark.usefixtures("database", "fresh", "now")
def test_what_waits_in_the_database_is_told_whichever_worker_is_asked() -> None:
    with db.transaction() as session:
        builders.slot(session, builders.doctor(session), db.clock.now() + timedelta(days=1), state="held")
        notifications.account_password(
            session, email="jo@example.com", name="Jo", temporary_password="abcd", good_for="3 days"
        )
        audit.record(session, actor_id=None, action="test.done")
        backups.note(session, rows=40, size=4000, revision="0004")
        Life().sign(session, tasks={"mail": db.clock.now()}, numbers=Numbers(hears=False))
    db.clock.freeze(db.clock.now() + timedelta(seconds=40))
    found = read(ask(METRICS_TOKEN).text)
    expected = {
        "mhms_outbox_waiting": 1,
        "mhms_outbox_oldest_waiting_seconds": 40,
        "mhms_holds": 1,
        "mhms_audit_unsealed_seconds": 40,
        "mhms_workers": 1,
        "mhms_workers_deaf": 1,
    }
    assert {name: found[name, ()] for name in expected} == expected
    assert found["mhms_backup_timestamp_seconds", ()] == NOW.timestamp()
    assert ("mhms_task_done_timestamp_seconds", ("mail",)) in found


@pytest.mark.usefixtures("database", "fresh")
def test_the_database_is_read_once_for_all_who_ask_within_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, real = [], figures.read
    monkeypatch.setattr(figures, "read", lambda session: reads.append(1) or real(session))
    assert ask(METRICS_TOKEN).text and ask(METRICS_TOKEN).text
    assert reads == [1]


@pytest.mark.usefixtures("database", "fresh")
def test_a_database_that_is_away_is_a_number_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_options: bool) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(db, "transaction", away)
    found = read(ask(METRICS_TOKEN).text)
    assert found["mhms_database_up", ()] == 0
    assert ("mhms_outbox_waiting", ()) not in found
