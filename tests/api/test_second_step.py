"""The second step of a login, over plain HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from mhms_app.accounts.models import User
from mhms_app.settings import settings
from tests import builders
from tests.accounts.authenticator import Authenticator
from tests.accounts.second_factors import a_passkey, an_app, code_of, recovery_codes
from tests.api.conftest import client
from tests.api.test_login import log_in, open_sessions, refusal, sign_up, somebody
from tests.running import RunningApp
from tests.socket.hostile import tab


@dataclass
class Person:
    """A patient with every second factor that there is."""

    email: str
    secret: str
    codes: tuple[str, ...]
    device: Authenticator


@pytest.fixture
def person(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Their secret is sealed with the key of the server."""
    monkeypatch.setenv("MHMS_DATA_DIR", str(app.folder))
    settings.cache_clear()
    with app.database() as session:
        user = session.get_one(User, builders.patient(session).user_id)
        device = a_passkey(session, user)
        device.origin = app.base_url
        person = Person(user.email, an_app(session, user), recovery_codes(session, user), device)
    yield person
    monkeypatch.undo()
    settings.cache_clear()


def send_code(visitor: httpx.Client, code: str, **more: str) -> httpx.Response:
    return visitor.post("/session/code", data={"code": code, **more})


def test_the_right_password_opens_a_step_and_the_code_the_session(
    app: RunningApp, visitor: httpx.Client, person: Person
) -> None:
    before = open_sessions(app, person.email)
    first = log_in(visitor, person.email, next="/doctors/1?slot=5")
    assert (first.status_code, first.headers["location"]) == (303, "/login/code?next=%2Fdoctors%2F1%3Fslot%3D5")
    assert "mhms" not in first.cookies
    cookie = next(one for one in first.headers.get_list("set-cookie") if one.startswith("mhms_step="))
    assert {"HttpOnly", "Max-Age=600", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert open_sessions(app, person.email) == before
    step = visitor.cookies["mhms_step"]
    second = send_code(visitor, code_of(person.secret), next="/doctors/1?slot=5")
    assert (second.status_code, second.headers["location"]) == (303, "/doctors/1?slot=5")
    assert second.cookies["mhms"] != step
    assert "mhms_step" not in visitor.cookies
    assert open_sessions(app, person.email) == before + 1


def test_the_token_of_a_step_is_no_session_anywhere(app: RunningApp, visitor: httpx.Client, person: Person) -> None:
    log_in(visitor, person.email)
    step = visitor.cookies["mhms_step"]
    with tab(app, step) as hostile:
        assert hostile.visit("/patient").redirect.startswith("/login?")
    stolen = httpx.get(f"{app.base_url}/admin/bookings.csv", cookies={"mhms": step})
    assert stolen.headers["location"].startswith("/login")


def test_the_answer_to_a_wrong_password_does_not_tell_who_has_a_second_factor(
    app: RunningApp, visitor: httpx.Client, person: Person
) -> None:
    answers = [log_in(visitor, email, "wrong password 123") for email in (person.email, somebody(app))]
    brought = [refusal(answer)["errors"] for answer in answers]
    shapes = {re.sub(r'mhms_form="?[^;]*', "", answer.headers["set-cookie"]) for answer in answers}
    assert (brought[0], len(shapes)) == (brought[1], 1)


def test_a_wrong_code_leads_back_and_five_to_the_beginning(visitor: httpx.Client, person: Person) -> None:
    log_in(visitor, person.email, next="/doctors")
    answers = [send_code(visitor, f"{number:06}", next="/doctors") for number in range(5)]
    assert [answer.headers["location"] for answer in answers] == ["/login/code?next=%2Fdoctors"] * 4 + [
        "/login?next=%2Fdoctors"
    ]
    assert refusal(answers[0])["errors"].keys() == {"code"}
    assert refusal(answers[4])["errors"].keys() == {"form"}


def test_guessing_codes_through_many_steps_is_slowed_down_and_a_passkey_still_opens(
    app: RunningApp, person: Person
) -> None:
    with client(app) as guesser, client(app) as owner:
        for number in range(6):
            log_in(guesser, person.email)
            answer = send_code(guesser, f"{number:06}")
        assert "Too many attempts" in refusal(answer)["errors"]["form"]
        options = owner.post("/session/passkey/options").text
        answer = owner.post("/session/passkey", data={"credential": person.device.use(options)})
        assert answer.headers["location"] == "/patient"


def test_a_recovery_code_leads_past_the_page_that_says_how_many_are_left(visitor: httpx.Client, person: Person) -> None:
    log_in(visitor, person.email)
    answer = send_code(visitor, person.codes[0], next="/doctors")
    assert answer.headers["location"] == "/account/security?recovered=1&next=%2Fdoctors"


def test_without_a_step_there_is_nothing_to_finish(visitor: httpx.Client, person: Person) -> None:
    for path, data in (("/session/code", {"code": code_of(person.secret)}), ("/session/passkey", {"credential": "{}"})):
        for token in ("", "made-up", "x" * 3000):
            visitor.cookies.set("mhms_step", token)
            answer = visitor.post(path, data=data)
            assert answer.headers["location"] == "/login"
            assert "mhms" not in answer.cookies
            visitor.cookies.clear()


def test_a_passkey_alone_logs_in_and_leads_on(app: RunningApp, visitor: httpx.Client, person: Person) -> None:
    asked = visitor.post("/session/passkey/options")
    assert asked.json()["rpId"] == "localhost"
    assert asked.json()["userVerification"] == "required"
    assert asked.headers["cache-control"] == "no-store"
    answer = visitor.post("/session/passkey", data={"credential": person.device.use(asked.text), "next": "/doctors"})
    assert (answer.headers["location"], "mhms" in answer.cookies) == ("/doctors", True)


def test_an_answer_is_worth_nothing_in_another_browser(app: RunningApp, person: Person) -> None:
    with client(app) as owner, client(app) as thief:
        answer = person.device.use(owner.post("/session/passkey/options").text)
        thief.post("/session/passkey/options")
        assert "mhms" not in thief.post("/session/passkey", data={"credential": answer}).cookies
        log_in(thief, somebody(app))
        assert "mhms" in owner.post("/session/passkey", data={"credential": answer}).cookies


def test_one_place_asks_for_so_many_passkeys(app: RunningApp, visitor: httpx.Client) -> None:
    answers = [visitor.post("/session/passkey/options").status_code for _ in range(61)]
    assert (answers[0], answers[-1]) == (200, 429)


def test_nobody_renews_a_session_at_will(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    log_in(visitor, email)
    answer = visitor.post("/session/go-on")
    assert (answer.headers["location"], "mhms" in answer.cookies) == ("/account/security", False)
    visitor.cookies.clear()
    assert visitor.post("/session/go-on").headers["location"].startswith("/login?")


def test_in_production_staff_do_nothing_before_they_have_a_second_factor(
    production: RunningApp, visitor_behind_tls: httpx.Client
) -> None:
    doctor = {"role": "doctor", "email": "a.newcomer@example.com", "full_name": "Dr. A Newcomer", "department": "1"}
    answer = sign_up(visitor_behind_tls, **doctor)
    assert answer.headers["location"] == "/account/security"
    token = answer.cookies["__Host-mhms"]
    with tab(production, origin="https://clinic.example", cookie=f"none; __Host-mhms={token}") as newcomer:
        assert newcomer.visit("/doctor").redirect == "/account/security"
        assert not newcomer.visit("/account/security").redirect
