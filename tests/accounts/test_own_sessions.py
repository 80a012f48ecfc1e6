"""One's own sessions: all that stand, this one first; ended one by one or all but this one; and the sign-ins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts import acting, devices, entrance, own_sessions, sessions
from mhms_app.accounts.models import User
from mhms_app.accounts.rules import IDLE
from mhms_app.accounts.sessions import Browser, SessionsEnded, hash_token, resolve
from mhms_app.actor import Actor, Role
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.service import Origin
from mhms_app.errors import LoginRequired, NotAsSomebodyElse, NotFound
from tests import builders

LAPTOP = Browser("Firefox on Windows", "203.0.113.7")
PHONE = Browser("Safari on iPhone", "2001:db8::7")


def log_in(session: Session, user: User, browser: Browser) -> tuple[Actor, entrance.Entered]:
    audit.come_from(session, Origin(browser.address))
    entered = entrance.enter(session, user_id=builders.key(user), browser=browser)
    session.flush()
    actor = resolve(session, entered.token, address=browser.address)
    assert actor is not None
    return actor, entered


@pytest.fixture
def heard() -> Iterator[list[object]]:
    """What was announced."""
    facts: list[object] = []
    stop = db.listen(facts.append)
    yield facts
    stop()


def test_every_session_that_stands_is_shown_with_this_one_first(session: Session, now: datetime) -> None:
    user = builders.user(session)
    log_in(session, builders.user(session), LAPTOP)
    db.clock.freeze(now - timedelta(hours=2))
    log_in(session, user, Browser("Forgotten"))  # nobody has used it for an hour
    db.clock.freeze(now - timedelta(minutes=30))
    phone, _ = log_in(session, user, PHONE)
    db.clock.freeze(now)
    laptop, _ = log_in(session, user, LAPTOP)
    shown = own_sessions.look(session, phone).open
    assert [(each.device, each.address, each.since, each.is_here) for each in shown] == [
        ("Safari on iPhone", "2001:db8::7", now - timedelta(minutes=30), True),
        ("Firefox on Windows", "203.0.113.7", now, False),
    ]
    assert [each.is_here for each in own_sessions.look(session, laptop).open] == [True, False]
    assert timedelta(hours=1) == IDLE


def test_ending_another_session_ends_it_and_forgets_its_device(
    session: Session, now: datetime, heard: list[object]
) -> None:
    user = builders.user(session)
    phone, on_phone = log_in(session, user, PHONE)
    laptop, on_laptop = log_in(session, user, LAPTOP)
    session.commit()
    with db.transaction() as writing:
        own_sessions.end(writing, laptop, session_id=phone.session_id)
    with db.transaction(read_only=True) as reading:
        assert resolve(reading, on_phone.token) is None
        assert resolve(reading, on_laptop.token) is not None
        known = [
            devices.known(reading, email_key=user.email_key, device_token=entered.device_token)
            for entered in (on_phone, on_laptop)
        ]
    assert known == [False, True]
    assert [fact for fact in heard if isinstance(fact, SessionsEnded)] == [
        SessionsEnded(frozenset({hash_token(on_phone.token)}))
    ]


def test_ending_all_others_leaves_this_one(session: Session, now: datetime) -> None:
    user = builders.user(session)
    tokens = [log_in(session, user, browser)[1] for browser in (PHONE, Browser("Chrome on Linux"))]
    laptop, here = log_in(session, user, LAPTOP)
    assert own_sessions.end_others(session, laptop) == 2
    assert [resolve(session, each.token) for each in tokens] == [None, None]
    assert resolve(session, here.token) is not None
    assert devices.known(session, email_key=user.email_key, device_token=here.device_token)
    assert not devices.known(session, email_key=user.email_key, device_token=tokens[0].device_token)
    assert own_sessions.end_others(session, laptop) == 0
    ended = session.exec(select(AuditEntry).where(AuditEntry.action == "session.end")).all()
    assert [(entry.actor_id, entry.object_id) for entry in ended] == [(user.id, user.id)] * 2


def test_nobody_ends_what_is_not_theirs_nor_this_one_nor_one_that_is_over(session: Session, now: datetime) -> None:
    laptop, _ = log_in(session, builders.user(session), LAPTOP)
    strangers, strange = log_in(session, builders.user(session), PHONE)
    for session_id in (strangers.session_id, laptop.session_id, 2_000_000):
        with pytest.raises(NotFound):
            own_sessions.end(session, laptop, session_id=session_id)
    assert resolve(session, strange.token) is not None
    with pytest.raises(LoginRequired):
        own_sessions.look(session, None)


def test_an_administrator_who_acts_as_somebody_is_seen_and_ends_nothing(session: Session, now: datetime) -> None:
    user = builders.user(session)
    person, _ = log_in(session, user, PHONE)
    admin, _ = log_in(session, builders.user(session, role=Role.ADMIN), LAPTOP)
    begun = acting.begin(
        session, admin, user_id=builders.key(user), reason="They asked for it by phone.", browser=LAPTOP
    )
    assert [each.is_clinics for each in own_sessions.look(session, person).open] == [False, True]
    office = resolve(session, begun.token)
    with pytest.raises(NotAsSomebodyElse):
        own_sessions.end_others(session, office)
    with pytest.raises(NotAsSomebodyElse):
        own_sessions.end(session, office, session_id=person.session_id)


def test_sign_ins_are_the_last_twenty_and_refused_ones_too(session: Session, now: datetime) -> None:
    user = builders.user(session)
    for minute in range(25):
        db.clock.freeze(now + timedelta(minutes=minute))
        audit.come_from(session, Origin("198.51.100.1"))
        audit.record(session, actor_id=None, action="session.refuse", object_type="user", object_id=builders.key(user))
    session.flush()
    laptop, _ = log_in(session, user, LAPTOP)
    log_in(session, builders.user(session), PHONE)
    found = own_sessions.look(session, laptop).sign_ins
    assert len(found) == 20
    assert (found[0].device, found[0].address, found[0].succeeded) == ("Firefox on Windows", "203.0.113.7", True)
    assert {(each.device, each.address, each.succeeded) for each in found[1:]} == {("", "198.51.100.1", False)}


def test_where_no_session_ends_nobody_is_told(session: Session, now: datetime, heard: list[object]) -> None:
    user = builders.user(session)
    session.commit()
    with db.transaction() as writing:
        sessions.close_all(writing, user_id=builders.key(user))
    assert heard == []
