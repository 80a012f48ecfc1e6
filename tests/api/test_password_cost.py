"""When the setting rises, a password is hashed anew as soon as somebody types it to log in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import col, select

from mhms_app import db
from mhms_app.accounts import passwords, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import User
from mhms_app.accounts.sessions import Browser
from mhms_app.api import session as login
from tests import builders

EMAIL = "jo@example.com"


def stored() -> str:
    with db.transaction(read_only=True) as session:
        return session.exec(select(col(User.password_hash)).where(User.email == EMAIL)).one()


@pytest.fixture
def jo(database: str, configure: Callable[[str, str], None]) -> str:
    """Somebody whose password was hashed when the cost was lower; returns that hash."""
    with db.transaction() as session:
        builders.patient(session, email=EMAIL)
    throttle.reset()
    configure("MHMS_BCRYPT_COST", "5")
    return stored()


def log_in(password: str) -> None:
    login._log_in(EMAIL, password, Browser(address="192.0.2.1"), "")


def test_a_login_raises_the_cost_once(jo: str) -> None:
    assert jo.startswith("$2b$04$")
    log_in(builders.PASSWORD)
    raised = stored()
    assert raised.startswith("$2b$05$")
    assert passwords.verify(builders.PASSWORD, raised)
    log_in(builders.PASSWORD)
    assert stored() == raised


def test_a_wrong_password_changes_nothing(jo: str) -> None:
    with pytest.raises(accounts.WrongCredentials):
        log_in("not the password")
    assert stored() == jo
