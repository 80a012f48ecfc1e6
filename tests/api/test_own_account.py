"""Taking one's data away and closing one's account, over plain HTTP; and by what a browser is known."""

from __future__ import annotations

import httpx
from sqlmodel import select

from mhms_app.accounts.models import KnownDevice, User
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.api.test_login import WRONG, log_in, open_sessions, refusal, sign_up, somebody
from tests.running import RunningApp
from tests.socket.hostile import tab


def test_somebodys_data_come_as_a_file_that_nobody_keeps(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    log_in(visitor, email)
    answer = visitor.get("/account/export.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].startswith('attachment; filename="my-data-')
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["account"]["email"] == email
    assert document["sign_ins"][0]["address"].startswith("127.0.1.")


def test_a_stranger_takes_nothing_away(visitor: httpx.Client) -> None:
    answer = visitor.get("/account/export.json")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Faccount")


def test_data_are_taken_away_a_few_times_an_hour(app: RunningApp, visitor: httpx.Client) -> None:
    log_in(visitor, somebody(app))
    answers = [visitor.get("/account/export.json") for _ in range(7)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert answers[-1].status_code == 403
    assert answers[-1].text.startswith("Too many attempts.")


def test_an_account_is_closed_with_its_password_only(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    log_in(visitor, email)
    answer = visitor.post("/account/closed", data={"current": "a wrong password 1"})
    assert answer.headers["location"] == "/account/closing"
    assert refusal(answer)["errors"] == {"current": "This is not your password."}
    assert open_sessions(app, email) == 1


def test_whoever_closes_their_account_is_gone_at_once(app: RunningApp, visitor: httpx.Client) -> None:
    email = somebody(app)
    token = log_in(visitor, email).cookies["mhms"]
    with tab(app, token) as elsewhere:
        elsewhere.visit("/account")
        answer = visitor.post("/account/closed", data={"current": builders.PASSWORD})
        assert answer.headers["location"] == "/login?said=closed"
        assert elsewhere.is_closed()
    gone = [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie") if "Max-Age=0" in cookie]
    assert gone == ["mhms", "mhms_device"]
    assert refusal(log_in(visitor, email))["errors"] == {"password": WRONG}
    assert sign_up(visitor, email=email).headers["location"] == "/patient"


def test_nobody_closes_an_account_without_being_logged_in(visitor: httpx.Client) -> None:
    answer = visitor.post("/account/closed", data={"current": builders.PASSWORD})
    assert answer.headers["location"] == "/login?next=%2Faccount%2Fclosing"


def test_a_browser_is_known_by_a_cookie_of_a_year_that_scripts_cannot_read(
    app: RunningApp, visitor: httpx.Client
) -> None:
    email = somebody(app)
    cookies = log_in(visitor, email).headers.get_list("set-cookie")
    (device,) = [cookie for cookie in cookies if cookie.startswith("mhms_device=")]
    assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={365 * 24 * 3600}"} <= set(device.split("; "))
    visitor.headers["User-Agent"] = "Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0"
    log_in(visitor, email)
    with app.database() as session:
        user = session.exec(select(User).where(User.email == email)).one()
        (known,) = session.exec(select(KnownDevice).where(KnownDevice.user_id == user.id)).all()
        told = select(OutboxMessage).where(
            OutboxMessage.recipient_email == email, OutboxMessage.kind == "SIGN_IN_NEW_DEVICE"
        )
        assert known.device == "Firefox on Windows"
        assert session.exec(told).all() == []


def test_behind_tls_the_browsers_cookie_belongs_to_this_host(visitor_behind_tls: httpx.Client) -> None:
    typed = {"email": "tls.device@example.com", "role": "patient", "full_name": "New Person"}
    answer = visitor_behind_tls.post("/signup/account", data={**typed, "password": "violet harbour lantern 9"})
    (device,) = [cookie for cookie in answer.headers.get_list("set-cookie") if "mhms_device=" in cookie]
    assert device.startswith("__Host-mhms_device=")
    assert "Secure" in device.split("; ")
