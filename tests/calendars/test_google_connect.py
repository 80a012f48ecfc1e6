"""Connecting a Google account: the whole way there and back, and everybody who must not get there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import Session

from mhms_app import db, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.actor import Actor
from mhms_app.api.app import make_api
from mhms_app.calendars import google as service
from mhms_app.calendars import google_client
from mhms_app.calendars.google_client import Tokens
from mhms_app.calendars.models import GoogleConnection, GoogleConsent
from mhms_app.calendars.rules import Shows
from mhms_app.directory.models import Doctor
from mhms_app.errors import Conflict, LoginRequired, NotAllowed, NotFound
from mhms_app.sealed import Unreadable, new_key, seal, unseal
from tests import builders
from tests.calendars.conftest import connect
from tests.calendars.google_stand_in import CLIENT_SECRET, Answer, Google


class Visitor:
    """A browser with a login session."""

    def __init__(self, user_id: int) -> None:
        with db.transaction() as session:
            self.token = sessions.open_session(session, user_id=user_id)
        with db.transaction(read_only=True) as session:
            found = sessions.resolve(session, self.token)
        assert found
        self.actor: Actor = found

    def begin(self) -> str:
        """Ask to be connected, answer Google's question there, and return where the browser is sent back to."""
        with db.transaction() as session:
            address = service.begin(session, self.actor)
        return httpx.get(address).headers["location"]

    def get(self, address: str) -> str:
        """Come back; returns what the page is told, or the status when it is not led to the page."""
        answer = get(address, self.token)
        if answer.status_code != 303:
            return str(answer.status_code)
        target = urlsplit(answer.headers["location"])
        return parse_qs(target.query).get("google", [target.path])[0]


def get(address: str, token: str = "") -> httpx.Response:
    parts = urlsplit(address)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=make_api())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            cookie = {"Cookie": f"{cookies.session_cookie()}={token}"} if token else {}
            return await web.get(f"{parts.path}?{parts.query}", headers=cookie)

    return asyncio.run(ask())


@pytest.fixture
def visitor(google: Google, doctor: Doctor) -> Visitor:
    return Visitor(doctor.user_id)


def stored() -> list[GoogleConnection]:
    with db.transaction(read_only=True) as session:
        return list(session.scalars(select(GoogleConnection)))


def test_a_doctor_connects_and_chooses_one_of_their_calendars(google: Google, visitor: Visitor) -> None:
    back = visitor.begin()
    assert urlsplit(back).path == routes.GOOGLE_CALLBACK
    assert visitor.get(back) == "connected"
    (row,) = stored()
    assert (row.next_sync_at, row.calendar_id) == (None, "")
    with db.transaction(read_only=True) as session:
        tokens = service.access(session, visitor.actor)
    assert tokens.refresh in google.refresh_tokens
    assert [calendar.name for calendar in service.calendars(tokens)] == ["Jo Moreau", "Clinic"]
    with db.transaction() as session:
        service.choose(session, visitor.actor, calendar=service.calendars(tokens)[1], shows=Shows.INITIALS)
    (row,) = stored()
    assert (row.calendar_id, row.calendar_name, row.shows) == ("clinic@group", "Clinic", "initials")
    assert row.next_sync_at == db.clock.now()


def test_the_tokens_are_unreadable_in_the_database_and_in_every_text(
    google: Google, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="mhms_app"):
        back = visitor.begin()
        visitor.get(back)
    (row,) = stored()
    tokens = Tokens.from_json(unseal(row.sealed_tokens))
    for secret in (tokens.refresh, tokens.access, CLIENT_SECRET):
        assert secret not in f"{row.sealed_tokens} {tokens!r} {caplog.text}"


def test_a_state_is_good_once(visitor: Visitor) -> None:
    back = visitor.begin()
    assert [visitor.get(back), visitor.get(back)] == ["connected", "over"]


def test_a_forged_state_connects_nothing(google: Google, visitor: Visitor) -> None:
    back = visitor.begin()
    code = parse_qs(urlsplit(back).query)["code"][0]
    for state in ("", "forged", "x" * 9000):
        assert visitor.get(f"{routes.GOOGLE_CALLBACK}?state={state}&code={code}") == "over"
    assert stored() == []
    assert visitor.get(back) == "connected"  # a guess does not use up the real one


def test_a_state_belongs_to_its_login_session(visitor: Visitor, doctor: Doctor) -> None:
    back = visitor.begin()
    with db.transaction() as session:
        colleague = builders.doctor(session, name="Dr. Lea Brandt")
    assert Visitor(doctor.user_id).get(back) == "over"
    assert Visitor(colleague.user_id).get(back) == "over"
    assert stored() == []


def test_a_state_ends(visitor: Visitor, now: datetime) -> None:
    back = visitor.begin()
    db.clock.freeze(now + timedelta(minutes=15))
    assert visitor.get(back) == "over"


def test_a_second_question_replaces_the_first(visitor: Visitor) -> None:
    first, second = visitor.begin(), visitor.begin()
    assert [visitor.get(first), visitor.get(second)] == ["over", "connected"]
    with db.transaction(read_only=True) as session:
        assert session.scalars(select(GoogleConsent)).all() == []


def test_a_code_without_its_verifier_is_worth_nothing(google: Google, visitor: Visitor) -> None:
    code = parse_qs(urlsplit(visitor.begin()).query)["code"][0]
    with pytest.raises(google_client.Failed):
        google_client.redeem(code, verifier="v" * 43)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [("declines", "declined"), ("grants", "partial"), ("refuses", "failed"), ("fails", "failed"), ("hangs", "failed")],
)
def test_what_goes_wrong_at_google_is_told_in_one_word(
    google: Google, visitor: Visitor, trouble: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.declines = trouble == "declines"
    if trouble == "grants":
        google.grants = [google_client.SCOPES[0]]
    back = visitor.begin()
    if trouble == "refuses":
        google.token = lambda form: (400, {"error": "invalid_grant"})  # type: ignore[method-assign]
    if trouble == "fails":
        google.fail("POST /token", Answer(500), times=9)
    if trouble == "hangs":
        monkeypatch.setattr(google_client, "TIMEOUT", 0.2)
        google.fail("POST /token", Answer(200, delay=1.0), times=9)
    assert visitor.get(back) == told
    assert stored() == []


def test_others_find_nothing_there(google: Google, visitor: Visitor) -> None:
    back = visitor.begin()
    with db.transaction() as session:
        patient = builders.patient(session)
        admin = builders.user(session, role=builders.Role.ADMIN)
    assert Visitor(patient.user_id).get(back) == "404"
    assert Visitor(builders.key(admin)).get(back) == "404"
    assert get(back).headers["location"].endswith("/login?next=%2Fdoctor%2Fprofile")
    with db.transaction() as session:
        for stranger, refusal in ((builders.actor(session, patient), NotAllowed), (None, LoginRequired)):
            for act in (
                lambda who: service.begin(session, who),
                lambda who: service.connection(session, who),
                lambda who: service.keep(session, who, tokens=Tokens("stolen")),
                lambda who: service.access(session, who),
                lambda who: service.disconnect(session, who, remove=True),
                lambda who: service.choose(session, who, calendar=None, shows=Shows.BUSY),
            ):
                with pytest.raises(refusal):
                    act(stranger)
    assert stored() == []


def test_one_doctor_does_not_reach_the_account_of_another(google: Google, visitor: Visitor, connected: Actor) -> None:
    with db.transaction() as session:
        colleague = builders.actor(session, builders.doctor(session, name="Dr. Lea Brandt"))
        assert service.connection(session, colleague) is None
        for act in (
            lambda: service.access(session, colleague),
            lambda: service.choose(session, colleague, calendar=None, shows=Shows.BUSY),
            lambda: service.disconnect(session, colleague, remove=False),
        ):
            with pytest.raises(NotFound):
                act()


def test_without_credentials_there_is_nothing(
    google: Google, visitor: Visitor, connected: Actor, configure: Callable[[str, str], None]
) -> None:
    back = visitor.begin()
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        configure(f"MHMS_GOOGLE_{name}", "")
    assert visitor.get(back) == "404"
    with db.transaction() as session:
        assert service.connection(session, connected) is None
        for refused in (service.begin, service.access):
            with pytest.raises(NotFound):
                refused(session, connected)


def test_an_account_that_is_being_disconnected_is_not_connected_again(connected: Actor) -> None:
    with db.transaction() as session:
        service.disconnect(session, connected, remove=True)
        with pytest.raises(Conflict):
            service.begin(session, connected)


def test_calendars_are_asked_for_only_with_access(google: Google, session: Session, connected: Actor) -> None:
    google.access_tokens.clear()
    google.refresh_tokens.clear()
    with pytest.raises(service.ReconnectNeeded):
        service.calendars(service.access(session, connected))
    google.fail("GET", Answer(503), times=9)
    with pytest.raises(Conflict):
        service.calendars(Tokens("refresh-0", "access-0"))


def test_connecting_again_keeps_what_was_chosen(connected: Actor) -> None:
    with db.transaction() as session:
        service.keep(session, connected, tokens=Tokens("refresh-1"))
    (row,) = stored()
    assert (row.calendar_id, row.next_sync_at) == ("jo@example.com", db.clock.now())
    with db.transaction() as session:
        connect(session, connected, shows=Shows.INITIALS)
        found = service.connection(session, connected)
    assert found
    assert (found.calendar, found.shows) == ("Jo Moreau", Shows.INITIALS)


def test_what_is_sealed_opens_with_any_of_the_keys_and_with_no_other(
    google: Google, configure: Callable[[str, str], None]
) -> None:
    first, second = new_key(), new_key()
    configure("MHMS_ENCRYPTION_KEYS", first)
    sealed = seal("a secret")
    assert sealed != seal("a secret")
    configure("MHMS_ENCRYPTION_KEYS", f"{second},{first}")
    assert unseal(sealed) == "a secret"
    newer = seal("a secret")
    configure("MHMS_ENCRYPTION_KEYS", second)
    assert unseal(newer) == "a secret"
    for unreadable in (sealed, newer[:-4] + "AAAA", "é", ""):
        with pytest.raises(Unreadable):
            unseal(unreadable)
