"""Acting as somebody else, over plain HTTP: a reason, another session, and the way back."""

from __future__ import annotations

import asyncio
import base64
import csv
import json
from io import StringIO

import httpx
import pytest
from sqlmodel import select

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.actor import Actor, Role
from mhms_app.api.app import make_api
from mhms_app.audit.models import AuditEntry
from tests import builders

WHY = "Asks by phone to move the appointment."


class Office:
    """An administrator and a patient, and a browser that follows nothing by itself."""

    def __init__(self) -> None:
        with db.transaction() as session:
            self.admin = builders.key(builders.user(session, role=Role.ADMIN, name="Ada Office"))
            self.patient = builders.patient(session, name='=HYPERLINK("http://evil.example")').user_id
            self.token = {
                "admin": sessions.open_session(session, user_id=self.admin),
                "patient": sessions.open_session(session, user_id=self.patient),
                "nobody": "",
            }

    def send(self, method: str, path: str, token: str, **data: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(make_api())
            jar = {cookies.session_cookie(): token} if token else {}
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=jar) as browser:
                return await browser.request(method, path, data=data or None)

        return asyncio.run(ask())

    def act(self, token: str, *, user_id: str = "", reason: str = WHY) -> httpx.Response:
        person = user_id or str(self.patient)
        return self.send("POST", routes.POST_ACT, token, user_id=person, reason=reason)


@pytest.fixture
def office(database: str, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("REFLEX_ENV_MODE", "prod")
    return Office()


def session_in(answer: httpx.Response) -> str:
    return answer.cookies.get(cookies.session_cookie(), "")


def who(token: str) -> Actor | None:
    with db.transaction(read_only=True) as session:
        return sessions.resolve(session, token)


def test_an_administrator_goes_on_as_the_person_and_back_as_themself(office: Office) -> None:
    begun = office.act(office.token["admin"])
    assert (begun.status_code, begun.headers["location"]) == (303, "/patient")
    there = who(session_in(begun))
    assert there is not None
    assert (there.user_id, there.acted_by) == (office.patient, office.admin)
    back = office.send("POST", routes.POST_ACT_END, session_in(begun))
    assert (back.status_code, back.headers["location"]) == (303, routes.admin_person(office.patient))
    own = who(session_in(back))
    assert own is not None
    assert (own.user_id, own.acted_by) == (office.admin, None)
    assert len({office.token["admin"], session_in(begun), session_in(back)}) == 3


def test_a_reason_that_is_too_short_comes_back_to_the_panel_with_what_was_typed(office: Office) -> None:
    refused = office.act(office.token["admin"], reason="help")
    assert refused.headers["location"] == routes.admin_person(office.patient)
    assert not session_in(refused)
    brought = json.loads(base64.urlsafe_b64decode(refused.cookies[cookies.FORM_COOKIE]))
    assert (brought["form"], brought["typed"]) == ("act", {"reason": "help"})
    assert "10 to 300" in brought["errors"]["reason"]
    assert who(office.token["admin"]) is not None


@pytest.mark.parametrize("person", ["patient", "nobody"])
def test_nobody_else_becomes_anybody(office: Office, person: str) -> None:
    assert not session_in(office.act(office.token[person], user_id=str(office.admin)))
    assert not session_in(office.act(office.token[person]))
    ended = office.send("POST", routes.POST_ACT_END, office.token[person])
    assert (ended.headers["location"], session_in(ended)) == (routes.LOGIN, "")


@pytest.mark.parametrize("user_id", ["0", "-1", "x", "٣", "9" * 30, "999999"])
def test_a_person_who_is_none_is_refused(office: Office, user_id: str) -> None:
    refused = office.act(office.token["admin"], user_id=user_id)
    assert refused.status_code == 303
    assert not session_in(refused)


def test_the_way_back_is_good_once(office: Office) -> None:
    begun = session_in(office.act(office.token["admin"]))
    assert session_in(office.send("POST", routes.POST_ACT_END, begun))
    assert not session_in(office.send("POST", routes.POST_ACT_END, begun))


def test_the_trail_as_a_table_is_for_administrators_complete_and_harmless(office: Office) -> None:
    begun = session_in(office.act(office.token["admin"]))
    answer = office.send(
        "GET",
        f"{routes.AUDIT_CSV}?group=acting",
        office.send("POST", routes.POST_ACT_END, begun).cookies[cookies.session_cookie()],
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    headings, began, ended = csv.reader(StringIO(answer.text.removeprefix("\ufeff")))
    assert headings[2:7] == ["Who", "Acted by", "Action", "In words", "Whose record"]
    assert began[2:8] == [
        "Ada Office",
        "",
        "acting.begin",
        "began to act as this person",
        '\'=HYPERLINK("http://evil.example")',
        WHY,
    ]
    assert ended[4] == "acting.end"
    with db.transaction(read_only=True) as session:
        (entry,) = session.exec(select(AuditEntry).where(AuditEntry.action == "audit.export")).all()
    assert (entry.actor_id, entry.detail) == (office.admin, "by group")


def test_nobody_else_gets_the_trail(office: Office) -> None:
    asked = f"{routes.AUDIT_CSV}?q=Moreau"
    assert office.send("GET", asked, office.token["patient"]).status_code == 404
    stranger = office.send("GET", asked, "")
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/login?next=%2Fadmin%2Faudit%3Fq%3DMoreau")
