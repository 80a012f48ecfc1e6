"""Browsers report what the content policy kept a page from doing: it is counted, and nothing else of it is kept."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mhms_app import cli, db, routes
from mhms_app.api import csp
from mhms_app.audit import violations
from tests.running import RunningApp

SECRET = "jo.doe@patients.example"
OLD = {
    "csp-report": {
        "document-uri": f"https://clinic.example/offer/{SECRET}",
        "violated-directive": "script-src-elem 'self' https://cdn.example",
        "blocked-uri": f"https://evil.example/?q={SECRET}",
        "script-sample": SECRET,
    }
}
NEW = {"type": "csp-violation", "age": 1, "url": SECRET, "body": {"effectiveDirective": "img-src", "sample": SECRET}}


def counted(app: RunningApp) -> dict[str, int]:
    with app.database() as session:
        return {seen.directive: seen.times for seen in violations.counts(session)}


def send(app: RunningApp, report: object, **headers: str) -> int:
    body = report if isinstance(report, bytes) else json.dumps(report).encode()
    return httpx.post(f"{app.base_url}{routes.CSP_REPORTS}", content=body, headers=headers).status_code


def test_a_report_is_counted_by_its_directive_and_nothing_of_its_text_is_kept(app: RunningApp) -> None:
    before = Counter(counted(app))
    assert send(app, OLD, Origin=app.base_url) == 204
    assert send(app, [NEW, NEW], Origin=app.base_url) == 204
    assert Counter(counted(app)) - before == {"script-src-elem": 1, "img-src": 2}
    assert "browsers report breaches of the content policy: img-src" in app.log()
    assert SECRET not in app.log()
    assert "evil.example" not in app.log()


@pytest.mark.parametrize("origin", [None, "null"])
def test_browsers_that_do_not_say_where_a_report_comes_from_are_heard(app: RunningApp, origin: str | None) -> None:
    assert send(app, OLD, **({"Origin": origin} if origin else {})) == 204


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:1"])
def test_other_sites_cannot_send_reports(app: RunningApp, origin: str) -> None:
    before = counted(app)
    assert send(app, OLD, Origin=origin) == 403
    assert counted(app) == before


def test_only_this_address_is_open_to_whoever_hides_their_origin(app: RunningApp) -> None:
    for path in (f"{routes.CSP_REPORTS}/", f"{routes.CSP_REPORTS}/x", "/session", f"//{routes.CSP_REPORTS}"):
        assert httpx.post(f"{app.base_url}{path}", content=b"{}", headers={"Origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"\xff",
        b"7",
        b'"csp-report"',
        b"[]",
        b"[[]]",
        b"{}",
        b'{"csp-report": []}',
        b'[{"body": null}]',
        b"[" * 8_000,
        b'{"csp-report": ' * 800,
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_what_is_no_report_counts_nothing(app: RunningApp, body: bytes) -> None:
    before = counted(app)
    assert send(app, body, Origin=app.base_url) == 400
    assert counted(app) == before


def test_a_report_that_is_too_long_is_not_read(app: RunningApp) -> None:
    long = {"csp-report": {**OLD["csp-report"], "script-sample": "x" * csp.MAX_BODY}}
    assert send(app, long, Origin=app.base_url) == 413


@pytest.mark.parametrize("named", ["made-up", "", "script-src\nforged", 7, None, ["img-src"], "x" * 10_000])
def test_what_is_no_directive_is_other(named: Any) -> None:
    report = {"csp-report": {"effective-directive": named}}
    assert csp.directives_of(json.dumps(report).encode()) in ({"other": 1}, {"script-src": 1})


def test_one_body_counts_no_more_than_twenty_times() -> None:
    assert csp.directives_of(json.dumps([NEW] * 500).encode()) == {"img-src": 20}


@pytest.mark.usefixtures("database")
def test_the_counts_grow_and_administrators_read_them_on_the_command_line() -> None:
    assert "No browser has reported a breach" in CliRunner().invoke(cli.app, ["check"]).output
    for found in ({"img-src": 1, "script-src": 2}, {"script-src": 5}):
        with db.transaction() as session:
            violations.count(session, found)
    with db.transaction(read_only=True) as session:
        assert [(seen.directive, seen.times) for seen in violations.counts(session)] == [
            ("script-src", 7),
            ("img-src", 1),
        ]
    assert "script-src 7 times" in CliRunner().invoke(cli.app, ["check"]).output


def test_a_flood_of_reports_is_cut(app: RunningApp) -> None:
    before = counted(app).get("img-src", 0)
    answers = Counter(send(app, [NEW], Origin=app.base_url) for _ in range(3 * csp.MOST_A_MINUTE))
    assert answers.keys() == {204, 429}
    assert counted(app)["img-src"] - before == answers[204]
