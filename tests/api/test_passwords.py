"""Forgotten, temporary and other passwords: native forms over plain HTTP, and what is seen of them from outside."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select
from starlette.types import Message, Receive, Scope, Send

from mhms_app import db
from mhms_app.accounts import own_password, throttle
from mhms_app.accounts.models import AccountLink, LoginSession, User
from mhms_app.accounts.sessions import hash_token
from mhms_app.api.app import make_api
from mhms_app.audit.models import AuditEntry
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.accounts.links import mailed
from tests.api.conftest import client
from tests.running import RunningApp

NEW = "amber kettle bridge 44"


def somebody(app: RunningApp, *, active: bool = True) -> str:
    """The address of a patient of the test's own."""
    with app.database() as session:
        user = session.get_one(User, builders.patient(session).user_id)
        user.active = active
        return user.email


def log_in(visitor: httpx.Client, email: str, password: str = builders.PASSWORD) -> httpx.Response:
    return visitor.post("/session", data={"email": email, "password": password})


def ask(visitor: httpx.Client, email: str) -> httpx.Response:
    return visitor.post("/password/forgotten", data={"email": email})


def reset(visitor: httpx.Client, token: str, password: str = NEW) -> httpx.Response:
    return visitor.post("/password/reset", data={"token": token, "password": password})


def change(visitor: httpx.Client, **typed: str) -> httpx.Response:
    return visitor.post("/password", data={"current": builders.PASSWORD, "password": NEW, **typed})


def errors(answer: httpx.Response) -> dict[str, str]:
    """What the refused form brings back to its page; never what was typed as a password."""
    assert answer.status_code == 303
    brought: dict[str, Any] = json.loads(base64.urlsafe_b64decode(answer.cookies["mhms_form"]))
    assert not set(brought["typed"]) - {"email"}
    return dict(brought["errors"])


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def token_to(app: RunningApp, email: str) -> str:
    """The token of the link in the one message to an address."""

    def look() -> str:
        for path in app.mail.glob("*.eml"):
            text = path.read_text(encoding="utf-8").replace("=\n", "").replace("=3D", "=")
            found = re.search(r"/reset/([\w-]{43})", text)
            if found and email in text:
                return found[1]
        return ""

    token = eventually(look)
    assert token
    return str(token)


def user_of(app: RunningApp, email: str) -> User:
    with app.database() as session:
        return session.exec(select(User).where(User.email == email)).one()


def is_open(app: RunningApp, token: str) -> bool:
    with app.database() as session:
        found = session.exec(select(LoginSession).where(LoginSession.token_hash == hash_token(token))).one()
        return found.revoked_at is None


def test_the_answer_is_the_same_for_known_unknown_and_closed_accounts(app: RunningApp) -> None:
    answers = []
    for email in (somebody(app), "nobody.here@example.com", somebody(app, active=False)):
        with client(app) as visitor:
            answer = ask(visitor, email)
        headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
        answers.append((answer.status_code, answer.content, headers))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][2]["location"] == "/forgot?sent=1"


def test_each_of_them_is_written_down_and_one_is_sent_a_link(app: RunningApp) -> None:
    known, unknown = somebody(app), "nobody.there@example.com"
    with app.database() as session:
        last = session.exec(select(AuditEntry.id).order_by(col(AuditEntry.id).desc())).first() or 0
    for email in (known, unknown):
        with client(app) as visitor:
            ask(visitor, email)
    user_id = user_of(app, known).id

    def entries() -> list[int | None]:
        with app.database() as session:
            mine = select(AuditEntry).where(col(AuditEntry.id) > last, AuditEntry.action == "password.forget")
            return [entry.object_id for entry in session.exec(mine)]

    eventually(lambda: len(entries()) == 2)
    assert set(entries()) == {user_id, None}
    with app.database() as session:
        assert session.exec(select(OutboxMessage).where(OutboxMessage.recipient_email == unknown)).all() == []


def test_a_link_is_sent_even_if_the_database_is_away_when_its_turn_comes(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction() as session:
        builders.patient(session, email="jo@example.com")
    throttle.reset()
    api, order, real = make_api(), list[str](), own_password.ask_reset

    def ask_reset(session: Session, *, email: str) -> None:
        order.append("look")
        if order.count("look") == 1:
            raise OperationalError("SELECT", {}, AdminShutdown())
        real(session, email=email)

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        async def and_send(message: Message) -> None:
            order.append(message["type"])
            await send(message)

        await api(scope, receive, and_send)

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(noted)
        async with httpx.AsyncClient(transport=transport, base_url="http://clinic.example") as visitor:
            return await visitor.post("/password/forgotten", data={"email": "jo@example.com"})

    monkeypatch.setattr(own_password, "ask_reset", ask_reset)
    assert asyncio.run(post()).headers["location"].endswith("/forgot?sent=1")
    assert order == ["http.response.start", "http.response.body", "look", "look"]
    assert len(mailed("PASSWORD_RESET", to="jo@example.com")) == 1


def test_asking_for_many_is_slowed_down_alike(app: RunningApp) -> None:
    said = []
    for email in (somebody(app), "nobody.else@example.com"):
        with client(app) as visitor:
            answers = [ask(visitor, email) for _ in range(5)]
        said.append([re.sub(r"\d+", "n", str(a.headers["location"])) for a in answers])
        assert "Too many attempts" in errors(answers[-1])["form"]
    assert said[0] == said[1]


def test_what_is_no_address_is_said_beside_the_field(visitor: httpx.Client) -> None:
    answer = ask(visitor, "jo@")
    assert "not complete" in errors(answer)["email"]
    assert answer.headers["location"] == "/forgot"


def test_a_forgotten_password_is_chosen_anew_and_nobody_is_logged_in_by_that(app: RunningApp) -> None:
    email = somebody(app)
    with client(app) as owner, client(app) as visitor:
        session_token = log_in(owner, email).cookies["mhms"]
        ask(visitor, email)
        token = token_to(app, email)
        answer = reset(visitor, token)
        assert answer.headers["location"] == "/login?said=password"
        assert "mhms" not in answer.cookies
        assert not is_open(app, session_token)
        assert reset(visitor, token, "another violet lantern 5").headers["location"] == f"/reset/{token}"
        assert log_in(visitor, email).headers["location"] == "/login"
    with client(app) as visitor:
        assert log_in(visitor, email, NEW).headers["location"] == "/patient"


def test_a_weak_password_uses_no_link_up(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    ask(visitor, email)
    token = token_to(app, email)
    for weak in ("short", email, "password1234"):
        answer = reset(visitor, token, weak)
        assert set(errors(answer)) == {"password"}
        assert answer.headers["location"] == f"/reset/{token}"
    assert reset(visitor, token).headers["location"] == "/login?said=password"


def test_opening_a_link_changes_nothing(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    ask(visitor, email)
    token = token_to(app, email)
    for method in ("GET", "HEAD"):
        assert visitor.request(method, f"/reset/{token}").status_code in (200, 404)  # the page itself is the app's
        visitor.request(method, f"/confirm/{token}")
    with app.database() as session:
        assert (
            session.exec(select(AccountLink).where(AccountLink.token_hash == hash_token(token))).one().used_at is None
        )


@pytest.mark.parametrize("token", ["", "x", "../../admin", "//evil.example", "x" * 5000, "a\r\nSet-Cookie: mhms=x"])
def test_whatever_is_no_link_leads_to_a_page_of_this_clinic(visitor: httpx.Client, token: str) -> None:
    answer = reset(visitor, token)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).netloc == ""
    assert answer.headers["location"].startswith("/reset/")
    assert "mhms" not in answer.cookies


def test_a_logged_in_person_who_follows_somebody_elses_link_keeps_their_own_account(app: RunningApp) -> None:
    jo, kim = somebody(app), somebody(app)
    with client(app) as visitor:
        session_token = log_in(visitor, kim).cookies["mhms"]
        ask(visitor, jo)
        reset(visitor, token_to(app, jo))
        assert is_open(app, session_token)
    with client(app) as visitor:
        assert log_in(visitor, kim).headers["location"] == "/patient"


def test_a_changed_password_has_a_new_session_and_ends_the_others(app: RunningApp) -> None:
    email = somebody(app)
    with client(app) as here, client(app) as elsewhere:
        tokens = [log_in(each, email).cookies["mhms"] for each in (here, elsewhere)]
        answer = change(here)
        assert answer.headers["location"] == "/account/password?changed=1"
        assert [is_open(app, token) for token in (*tokens, answer.cookies["mhms"])] == [False, False, True]
        assert "HttpOnly" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"current": "not mine"}, {"current"}),
        ({"current": ""}, {"current"}),
        ({"password": "short"}, {"password"}),
        ({"current": "not mine", "password": "short"}, {"current", "password"}),
        ({"password": builders.PASSWORD}, {"password"}),
    ],
)
def test_a_change_is_refused_beside_its_fields(app: RunningApp, typed: dict[str, str], wrong: set[str]) -> None:
    with client(app) as visitor:
        session_token = log_in(visitor, somebody(app)).cookies["mhms"]
        assert set(errors(change(visitor, **typed))) == wrong
    assert is_open(app, session_token)


def test_the_new_field_does_not_tell_whether_a_guess_is_the_password(app: RunningApp, visitor: httpx.Client) -> None:
    log_in(visitor, somebody(app))
    assert set(errors(change(visitor, current="a guess", password=builders.PASSWORD))) == {"current"}


def test_guessing_the_current_password_is_slowed_down(app: RunningApp, visitor: httpx.Client) -> None:
    log_in(visitor, somebody(app))
    said = [errors(change(visitor, current=f"guess {number}")) for number in range(12)]
    assert set(said[0]) == {"current"}
    assert "Too many attempts" in said[-1]["form"]


def test_nobody_changes_a_password_without_a_login(visitor: httpx.Client) -> None:
    assert change(visitor).headers["location"] == "/login?next=%2Faccount%2Fpassword"
    with httpx.Client(base_url=visitor.base_url, cookies={"mhms": "made up"}) as foreign:
        assert foreign.post("/password", data={}, headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_temporary_password_leads_to_the_choice_of_another_and_nowhere_else(app: RunningApp) -> None:
    email = somebody(app)
    with app.database() as session:
        user = session.exec(select(User).where(User.email == email)).one()
        user.password_is_temporary, user.email_confirmed_at = True, None
        user.password_ends_at = db.clock.now() + timedelta(hours=1)
    with client(app) as visitor:
        answer = log_in(visitor, email)
        assert answer.headers["location"] == "/account/password"
        assert user_of(app, email).email_confirmed_at is not None
        same = change(visitor, current="", password=builders.PASSWORD)
        assert set(errors(same)) == {"password"}
        chosen = change(visitor, current="")
        assert chosen.headers["location"] == "/patient"
        assert chosen.cookies["mhms"] != answer.cookies["mhms"]
    with client(app) as visitor:
        assert log_in(visitor, email, NEW).headers["location"] == "/patient"


def test_a_temporary_password_that_is_over_says_so_to_whoever_knows_it(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    with app.database() as session:
        user = session.exec(select(User).where(User.email == email)).one()
        user.password_is_temporary, user.password_ends_at = True, db.clock.now() - timedelta(minutes=1)
    assert "works no longer" in errors(log_in(visitor, email))["password"]
    assert "do not match" in errors(log_in(visitor, email, "a guess at it"))["password"]


def test_no_token_is_in_the_log(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    ask(visitor, email)
    token = token_to(app, email)
    visitor.get(f"/reset/{token}")
    visitor.get(f"/confirm/{token}?next=/doctors")
    visitor.get("/login", headers={"Referer": f"{visitor.base_url}/reset/{token}"})
    reset(visitor, token, "short")
    reset(visitor, token)
    reset(visitor, token)
    assert token not in app.log()
    assert email not in app.log()
