"""A browser is known after its first login; a new one is told to the owner of the account, once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts import devices, entrance
from mhms_app.accounts.device_rules import describe
from mhms_app.accounts.models import KnownDevice, LoginSession, User
from mhms_app.accounts.sessions import Browser, hash_token
from mhms_app.notifications.models import OutboxMessage
from tests import builders

LAPTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36{}"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (LAPTOP, "Firefox on Windows"),
        (IPHONE, "Safari on iPhone"),
        (IPHONE.replace("Version/18.0", "CriOS/142.0"), "Chrome on iPhone"),
        (CHROME.format("X11; Linux x86_64", ""), "Chrome on Linux"),
        (CHROME.format("Linux; Android 15; Pixel 9", ""), "Chrome on Android"),
        (CHROME.format("Macintosh; Intel Mac OS X 10_15_7", " Edg/142.0"), "Edge on Mac"),
        (CHROME.format("Windows NT 10.0; Win64; x64", " OPR/127.0"), "Opera on Windows"),
        (CHROME.format("X11; CrOS x86_64 14541.0.0", ""), "Chrome on ChromeOS"),
        ("curl/8.5.0", "An unknown device"),
        ("Something (Windows NT 10.0)", "A browser on Windows"),
        ("", "An unknown device"),
        ("\r\nSet-Cookie: x\x00<script>", "An unknown device"),
    ],
)
def test_a_browser_is_called_what_people_call_it(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words


def log_in(session: Session, user: User, *, device_token: str = "", device: str = "Firefox on Windows") -> str:
    """Log in with a browser and return the token by which it is known afterwards."""
    browser = Browser(device, "203.0.113.7", device_token)
    token = entrance.enter(session, user_id=builders.key(user), browser=browser).device_token
    session.flush()
    return token


def told(session: Session) -> list[dict[str, str]]:
    return [message.payload for message in session.exec(select(OutboxMessage).order_by(OutboxMessage.id)).all()]  # type: ignore[arg-type]


def test_the_first_browser_of_an_account_is_no_news_and_every_other_is_once(session: Session, now: datetime) -> None:
    user = builders.user(session)
    laptop = log_in(session, user)
    assert told(session) == []
    phone = log_in(session, user, device="Safari on iPhone")
    for token in (laptop, phone, laptop):
        assert log_in(session, user, device_token=token) == token
    (mail,) = told(session)
    assert (mail["device"], mail["address"], mail["at"]) == ("Safari on iPhone", "203.0.113.7", now.isoformat())
    assert mail["action_url"].endswith("/account/sessions")


def test_what_a_browser_keeps_is_stored_nowhere(session: Session) -> None:
    token = log_in(session, builders.user(session))
    (stored,) = session.exec(select(KnownDevice)).all()
    assert len(token) == 43  # 256 bits
    assert token not in str(stored.model_dump())


def test_a_browser_of_a_family_is_known_to_each_account_by_itself(session: Session) -> None:
    first, second = builders.user(session), builders.user(session)
    token = log_in(session, first)
    assert devices.known(session, email_key=first.email_key, device_token=token)
    assert not devices.known(session, email_key=second.email_key, device_token=token)
    assert log_in(session, second, device_token=token) == token
    assert devices.known(session, email_key=second.email_key, device_token=token)
    assert not devices.known(session, email_key=first.email_key, device_token="")
    assert not devices.known(session, email_key="nobody@example.com", device_token=token)


def test_a_token_that_somebody_else_chose_makes_no_browser_known(session: Session) -> None:
    user = builders.user(session)
    log_in(session, user)
    log_in(session, user, device_token="chosen by somebody")
    assert len(told(session)) == 1


def test_a_forgotten_browser_is_told_of_again(session: Session, now: datetime) -> None:
    user = builders.user(session)
    token = log_in(session, user)
    devices.forget(session, user_id=builders.key(user))
    assert not devices.known(session, email_key=user.email_key, device_token=token)
    session.expire_all()
    db.clock.freeze(now + timedelta(days=1))
    assert log_in(session, user, device_token=token) == token
    assert devices.known(session, email_key=user.email_key, device_token=token)
    assert len(told(session)) == 1


def test_a_session_knows_on_which_browser_it_is(session: Session) -> None:
    user = builders.user(session)
    browser = Browser("Firefox on Windows", "203.0.113.7")
    entered = entrance.enter(session, user_id=builders.key(user), browser=browser)
    login = session.exec(select(LoginSession).where(LoginSession.token_hash == hash_token(entered.token))).one()
    device = session.get_one(KnownDevice, login.device_id)
    assert (device.user_id, device.device) == (user.id, "Firefox on Windows")
