"""The two commands about second factors, as somebody types them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from typer.testing import CliRunner

from mhms_app import cli, db
from mhms_app.accounts import factors
from mhms_app.accounts.models import Totp
from mhms_app.actor import Role
from mhms_app.calendars.models import GoogleConnection
from mhms_app.errors import NotFound
from mhms_app.sealed import Unreadable, new_key, seal, unseal
from tests import builders
from tests.accounts.second_factors import an_app

pytestmark = pytest.mark.usefixtures("database")


def run(*command: str) -> str:
    outcome = CliRunner().invoke(cli.app, command, catch_exceptions=True)
    if outcome.exception:
        raise outcome.exception
    return outcome.output


def test_the_last_administrator_is_helped_from_the_command_line() -> None:
    with db.transaction() as session:
        user = builders.user(session, role=Role.ADMIN, email="ada@example.com")
        an_app(session, user)
    assert "ada@example.com" in run("reset-second-factor", "ada@example.com")
    with db.transaction(read_only=True) as session:
        assert not factors.has_one(session, builders.key(user))
    with pytest.raises(NotFound):
        run("reset-second-factor", "nobody@example.com")


def test_after_sealing_everything_anew_the_old_key_can_go(now: datetime, configure: Callable[[str, str], None]) -> None:
    old, new = new_key(), new_key()
    configure("MHMS_ENCRYPTION_KEYS", old)
    with db.transaction() as session:
        doctor = builders.doctor(session)
        user = builders.user(session)
        secret = an_app(session, user)
        tokens = GoogleConnection(doctor_id=builders.key(doctor), sealed_tokens=seal("tokens"), created_at=now)
        builders.added(session, tokens)
    configure("MHMS_ENCRYPTION_KEYS", f"{new},{old}")
    assert "1 authenticator apps and 1 calendars" in run("reseal")
    configure("MHMS_ENCRYPTION_KEYS", new)
    with db.transaction(read_only=True) as session:
        assert unseal(session.get_one(Totp, user.id).sealed_secret) == secret
        assert unseal(session.get_one(GoogleConnection, doctor.id).sealed_tokens) == "tokens"


def test_what_no_key_opens_is_said_and_nothing_is_changed(configure: Callable[[str, str], None]) -> None:
    with db.transaction() as session:
        an_app(session, builders.user(session))
    configure("MHMS_ENCRYPTION_KEYS", new_key())
    with pytest.raises(Unreadable, match="MHMS_ENCRYPTION_KEYS"):
        run("reseal")
