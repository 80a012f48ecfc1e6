"""Logging in, signing up, logging out: native forms, over plain HTTP."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import func
from sqlmodel import select

from mhms_app.accounts.models import LoginSession, User
from mhms_app.accounts.sessions import hash_token
from mhms_app.actor import Role
from mhms_app.audit.models import AuditEntry
from tests import builders
from tests.api.conftest import client
from tests.running import RunningApp
from tests.socket.cast import Cast, tables
from tests.socket.hostile import tab

WRONG = "E-mail address and password do not match."


def log_in(visitor: httpx.Client, email: str, password: str = builders.PASSWORD, **more: str) -> httpx.Response:
    return visitor.post("/session", data={"email": email, "password": password, **more})


def sign_up(visitor: httpx.Client, **fields: str) -> httpx.Response:
    typed = {"role": "patient", "full_name": "New Person", "password": "violet harbour lantern 9", **fields}
    return visitor.post("/signup/account", data=typed)


def refusal(answer: httpx.Response) -> dict[str, Any]:
    """What the refused form brings back to its page."""
    assert answer.status_code == 303
    assert "mhms" not in answer.cookies
    return json.loads(base64.urlsafe_b64decode(answer.cookies["mhms_form"]))


def email_of(app: RunningApp, user_id: int) -> str:
    with app.database() as session:
        return session.get_one(User, user_id).email


def somebody(app: RunningApp, *, active: bool = True) -> str:
    """The address of a patient of the test's own."""
    with app.database() as session:
        patient = builders.patient(session)
        user = session.get_one(User, patient.user_id)
        user.active = active
        return user.email


def open_sessions(app: RunningApp, email: str) -> int:
    with app.database() as session:
        found = select(func.count()).select_from(LoginSession).join(User, User.id == LoginSession.user_id)
        return session.exec(found.where(User.email == email, LoginSession.revoked_at.is_(None))).one()


def test_the_right_password_opens_a_session(app: RunningApp, visitor: httpx.Client) -> None:
    answer = log_in(visitor, somebody(app))
    assert (answer.status_code, answer.headers["location"]) == (303, "/patient")
    with app.database() as session:
        stored = session.exec(select(LoginSession.token_hash)).all()
    assert hash_token(answer.cookies["mhms"]) in stored
    assert answer.cookies["mhms"] not in stored
    assert len(base64.urlsafe_b64decode(answer.cookies["mhms"] + "=")) == 32


def test_the_answer_to_every_wrong_login_is_the_same(app: RunningApp, visitor: httpx.Client) -> None:
    tries = [(somebody(app), "wrong password 123"), ("nobody@example.com", "x"), ("not an address", "x"), ("", "")]
    tries += [(somebody(app, active=False), builders.PASSWORD), (somebody(app).upper() + "\0", "x"), ("x" * 400, "x")]
    answers = [(log_in(visitor, email, password), email) for email, password in tries]
    for answer, email in answers:
        brought = refusal(answer)
        assert brought["errors"] == {"password": WRONG}
        assert email.strip().startswith(brought["typed"]["email"])
        assert answer.headers["location"] == "/login"
    shapes = {re.sub(r'mhms_form="?[^;]*', "mhms_form=", answer.headers["set-cookie"]) for answer, _ in answers}
    assert len(shapes) == 1


@pytest.mark.parametrize("known", [True, False])
def test_guessing_closes_one_account_at_one_place_for_a_while(app: RunningApp, known: bool) -> None:
    email = somebody(app) if known else "nobody.at.all@example.com"
    with client(app) as guesser:
        sentences = [refusal(log_in(guesser, email, f"guess number {n}"))["errors"] for n in range(12)]
        assert sentences[0] == {"password": WRONG}
        assert re.fullmatch(r"Too many attempts\. Please try again in \d+ seconds\.", sentences[-1]["form"])
        # Another spelling opens nothing, and the right password has to wait there, too.
        assert "form" in refusal(log_in(guesser, f" {email.upper()} "))["errors"]
        assert log_in(guesser, somebody(app)).headers["location"] == "/patient"


def test_whoever_guesses_keeps_nobody_else_out(app: RunningApp) -> None:
    email = somebody(app)
    with client(app) as guesser, client(app) as elsewhere:
        for number in range(40):
            log_in(guesser, email, f"guess number {number}")
        assert "form" in refusal(log_in(guesser, email))["errors"]
        assert log_in(elsewhere, email).headers["location"] == "/patient"


def test_whom_the_account_knows_gets_in_while_it_is_attacked_from_everywhere(app: RunningApp) -> None:
    """A known browser at a new place, and a new browser at a known place; a stranger waits with the attackers."""
    email, wait = somebody(app), 0
    with client(app) as phone, client(app) as elsewhere, client(app) as stranger:
        log_in(phone, email)
        phone.post("/session/end")
        while wait < 3:
            with client(app) as guesser:
                wait = seconds_to_wait(log_in(guesser, email, "a guess from yet another place"))
        stranger.cookies.set("mhms_device", "made up")
        assert seconds_to_wait(log_in(stranger, email)) > 0
        elsewhere.cookies.set("mhms_device", phone.cookies["mhms_device"])
        assert log_in(elsewhere, email).headers["location"] == "/patient"
        phone.cookies.clear()
        assert log_in(phone, email).headers["location"] == "/patient"


def seconds_to_wait(answer: httpx.Response) -> int:
    told = re.search(r"in (\d+) second", refusal(answer)["errors"].get("form", ""))
    return int(told[1]) if told else 0


def test_another_spelling_of_an_address_is_no_other_account(app: RunningApp) -> None:
    with client(app) as guesser:
        for spelling in ("jo@b\u00fccher.example", "JO@bu\u0308cher.example", "jo@xn--bcher-kva.example"):
            answers = [log_in(guesser, spelling, f"guess {number}") for number in range(3)]
        assert "form" in refusal(answers[-1])["errors"]


def test_guessing_many_accounts_closes_the_address_and_no_header_changes_it(app: RunningApp) -> None:
    email = somebody(app)
    with client(app) as guesser, client(app) as elsewhere:
        for number in range(62):
            forged = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.0.{number}"}
            answer = guesser.post("/session", data={"email": f"a{number}@example.com"}, headers=forged)
        assert "Too many attempts" in refusal(answer)["errors"]["form"]
        assert "form" in refusal(log_in(guesser, email))["errors"]
        assert log_in(elsewhere, email).headers["location"] == "/patient"


def test_a_success_forgets_the_guesses_before_it(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    for _ in range(3):
        for _ in range(5):
            log_in(visitor, email, "a slip of the finger")
        assert log_in(visitor, email).headers["location"] == "/patient"


def test_each_login_has_a_new_token_and_ends_the_one_before(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    first = log_in(visitor, email).cookies["mhms"]
    second = log_in(visitor, email).cookies["mhms"]
    assert first != second
    assert open_sessions(app, email) == 1
    with tab(app, first) as old, tab(app, second) as new:
        assert old.visit("/patient").redirect.startswith("/login?")
        assert not new.visit("/patient").redirect


def test_a_token_that_somebody_else_chose_is_never_taken_over(app: RunningApp, visitor: httpx.Client) -> None:
    visitor.cookies.set("mhms", "chosen-by-an-attacker")
    assert log_in(visitor, somebody(app)).cookies["mhms"] != "chosen-by-an-attacker"
    with tab(app, "chosen-by-an-attacker") as hostile:
        assert hostile.visit("/patient").redirect.startswith("/login?")


def test_logging_out_ends_the_session_and_takes_the_cookie_back(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    token = log_in(visitor, email).cookies["mhms"]
    answer = visitor.post("/session/end")
    assert 'mhms=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert answer.headers["clear-site-data"] == '"cache"'
    assert open_sessions(app, email) == 0
    with tab(app, token) as hostile:
        assert hostile.visit("/patient").redirect.startswith("/login?")


@pytest.mark.parametrize("token", ["", "x", "x" * 3000, '"', "a;b=c"])
def test_logging_out_nobody_ends_nothing(app: RunningApp, visitor: httpx.Client, token: str) -> None:
    before = tables(app)
    assert visitor.post("/session/end", headers={"Cookie": f"mhms={token}"}).status_code == 303
    assert tables(app) == before


# Signing up -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "Admin", "ADMIN", "superuser", "", "patient admin", "patient\0"])
def test_nobody_signs_up_as_an_administrator(app: RunningApp, visitor: httpx.Client, role: str) -> None:
    before = tables(app)
    assert "role" in refusal(sign_up(visitor, role=role, email="mallory@example.com"))["errors"]
    assert tables(app) == before


def test_nor_through_fields_that_the_form_does_not_have(app: RunningApp, visitor: httpx.Client) -> None:
    more = {"is_admin": "1", "admin": "true", "active": "1", "user_id": "1", "id": "1", "approved": "1", "actor": "1"}
    answer = visitor.post(
        "/signup/account",
        content="role=patient&role=admin&full_name=Mal+Ory&email=mal%40example.com&password=violet+harbour+lantern+9&"
        + "&".join(f"{name}={value}" for name, value in more.items()),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    with app.database() as session:
        found = session.exec(select(User).where(User.email == "mal@example.com")).first()
        administrators = session.exec(select(func.count()).where(User.role == Role.ADMIN.value)).one()
    assert administrators == 2
    assert answer.status_code == 303
    assert found is None or found.role == "patient"


def test_an_address_in_any_spelling_belongs_to_one_account(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    for spelling in (email, email.upper(), f"  {email.title()} "):
        assert refusal(sign_up(visitor, email=spelling))["errors"].keys() == {"email"}


def test_a_password_never_comes_back(app: RunningApp, visitor: httpx.Client) -> None:
    brought = refusal(sign_up(visitor, email="no", password="short but mine"))
    assert "short but mine" not in json.dumps(brought)
    assert brought["typed"].keys() == {"role", "full_name", "email", "department"}


def test_in_production_a_doctor_waits_for_approval(production: RunningApp, visitor_behind_tls: httpx.Client) -> None:
    doctor = {"role": "doctor", "email": "new.doctor@example.com", "full_name": "Dr. New Arrival", "department": "1"}
    assert sign_up(visitor_behind_tls, **doctor).headers["location"] == "/account/security"  # its second factor first
    with tab(production, origin="https://clinic.example") as stranger:
        assert "New Arrival" not in stranger.visit("/doctors").text


# Where a login leads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie:x=y\r\nX: y",
        "http:evil.example",
        "///evil.example",
        "/\t/evil.example",
        "x" * 300,
    ],
)
def test_a_login_never_leads_to_another_site(app: RunningApp, visitor: httpx.Client, target: str) -> None:
    answer = log_in(visitor, somebody(app), next=target)
    assert answer.headers["location"] == "/patient"
    assert "x" not in answer.cookies
    wrong = log_in(visitor, "nobody@example.com", "x", next=target)
    assert wrong.headers["location"] == "/login"


def test_a_login_leads_back_to_where_it_was_asked_for(app: RunningApp, visitor: httpx.Client) -> None:
    answer = log_in(visitor, somebody(app), next="/doctors/1?slot=5")
    assert answer.headers["location"] == "/doctors/1?slot=5"


# Cookies ----------------------------------------------------------------------------------------------


def test_no_script_and_no_other_site_has_the_cookies(app: RunningApp, visitor: httpx.Client) -> None:
    for answer in (log_in(visitor, somebody(app)), log_in(visitor, "nobody@example.com", "x")):
        for cookie in answer.headers.get_list("set-cookie"):
            assert "SameSite=lax" in cookie or "SameSite=strict" in cookie
            assert "HttpOnly" in cookie or "Max-Age=0" in cookie
            assert "Domain" not in cookie
            assert "Path=/;" in cookie or cookie.endswith("Path=/")


def test_behind_tls_the_session_belongs_to_this_host_alone(
    production: RunningApp, visitor_behind_tls: httpx.Client
) -> None:
    answer = log_in(visitor_behind_tls, somebody(production))
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-mhms="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


# What is written down ---------------------------------------------------------------------------------


def test_logins_and_refusals_are_in_the_audit(app: RunningApp, visitor: httpx.Client, cast: Cast) -> None:
    email = email_of(app, cast.user["doctor"])
    log_in(visitor, email)
    log_in(visitor, email, "wrong password 123")
    visitor.post("/session/end")
    with app.database() as session:
        entries = session.exec(
            select(AuditEntry.action).where(
                AuditEntry.object_type == "user", AuditEntry.object_id == cast.user["doctor"]
            )
        ).all()
    assert {"session.open", "session.refuse"} <= set(entries)
