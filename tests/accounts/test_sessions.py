"""A session stands for its user until the first of its ends, on both engines."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts import acting, rules, sessions
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import LoginSession, User
from mhms_app.accounts.service import Actor, Role
from mhms_app.accounts.sessions import Browser
from tests import builders

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def patient(session: Session, now: datetime) -> User:
    return session.get_one(User, builders.patient(session).user_id)


@pytest.fixture
def admin(session: Session) -> Actor:
    return builders.actor(session, builders.user(session, role=Role.ADMIN))


def open_for(session: Session, user: User) -> str:
    token = sessions.open_session(session, user_id=builders.key(user))
    session.flush()
    return token


def test_a_token_stands_for_its_user(session: Session, patient: User) -> None:
    token = open_for(session, patient)
    actor = sessions.resolve(session, token)
    assert actor is not None
    assert (actor.user_id, actor.role, actor.name, actor.email) == (
        patient.id,
        Role.PATIENT,
        "Jo Moreau",
        patient.email,
    )
    assert actor.patient_id is not None


def test_tokens_are_random_and_only_their_hash_is_stored(session: Session, patient: User) -> None:
    tokens = {open_for(session, patient) for _ in range(5)}
    assert len(tokens) == 5
    stored = set(session.exec(select(LoginSession.token_hash)))
    assert stored == {sessions.hash_token(token) for token in tokens}
    assert all(len(token) >= 43 for token in tokens)  # 256 bits in base64


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "x" * 100_000, "' OR 1=1 --"])
def test_anything_else_stands_for_nobody(session: Session, patient: User, token: str) -> None:
    open_for(session, patient)
    assert sessions.resolve(session, token) is None


def test_a_session_ends_when_nothing_happens_for_an_hour(session: Session, patient: User, now: datetime) -> None:
    token = open_for(session, patient)
    db.clock.freeze(now + rules.IDLE - MOMENT)
    assert sessions.resolve(session, token) is not None
    db.clock.freeze(now + rules.IDLE)
    assert sessions.resolve(session, token) is None


def test_use_keeps_a_session_open_but_never_beyond_twelve_hours(session: Session, patient: User, now: datetime) -> None:
    token = open_for(session, patient)
    instant, end = now, now + rules.ABSOLUTE
    while instant < end:
        db.clock.freeze(instant)
        actor = sessions.resolve(session, token)
        assert actor is not None
        sessions.touch(session, session_id=actor.session_id)
        session.expire_all()
        instant += timedelta(minutes=50)
    db.clock.freeze(end - MOMENT)
    assert sessions.resolve(session, token) is not None
    db.clock.freeze(end)
    assert sessions.resolve(session, token) is None


def test_of_many_sessions_those_that_are_over_are_found(
    session: Session, patient: User, admin: Actor, now: datetime
) -> None:
    def act(by: Actor) -> str:
        begun = acting.begin(session, by, user_id=builders.key(patient), reason="Asked by phone.", browser=Browser())
        return begun.token

    locked, demoted = builders.user(session), builders.user(session, role=Role.ADMIN)
    ends = {open_for(session, patient): {end: now} for end in ("revoked_at", "idle_until", "expires_at")}
    stand = [open_for(session, patient), act(admin)]
    over = [*ends, open_for(session, locked), act(builders.actor(session, demoted))]
    asked = frozenset(map(sessions.hash_token, [*stand, *over]))
    assert sessions.over(session, asked) == frozenset()
    for token, values in ends.items():
        theirs = col(LoginSession.token_hash) == sessions.hash_token(token)
        session.execute(update(LoginSession).where(theirs).values(**values))
    locked.active, demoted.role = False, Role.DOCTOR.value
    session.flush()
    session.expire_all()
    unknown = sessions.hash_token("unknown")
    assert sessions.over(session, asked | {unknown}) == {unknown, *map(sessions.hash_token, over)}
    assert [token for token in (*stand, *over) if sessions.resolve(session, token)] == stand


def test_closing_a_session_ends_this_one_only(session: Session, patient: User) -> None:
    here, elsewhere = open_for(session, patient), open_for(session, patient)
    sessions.close(session, token=here)
    session.expire_all()
    assert sessions.resolve(session, here) is None
    assert sessions.resolve(session, elsewhere) is not None
    sessions.close(session, token="unknown")


def test_closing_an_account_ends_its_sessions_and_opening_it_again_does_not_revive_them(
    session: Session, patient: User, admin: Actor
) -> None:
    token = open_for(session, patient)
    accounts.set_active(session, admin, user_id=builders.key(patient), active=False)
    session.expire_all()
    assert sessions.resolve(session, token) is None
    accounts.set_active(session, admin, user_id=builders.key(patient), active=True)
    session.expire_all()
    assert sessions.resolve(session, token) is None
    assert sessions.resolve(session, open_for(session, patient)) is not None


def test_another_role_ends_the_sessions(session: Session, patient: User) -> None:
    token = open_for(session, patient)
    accounts.change_role(session, builders.key(patient), Role.PATIENT)  # no change
    assert sessions.resolve(session, token) is not None
    accounts.change_role(session, builders.key(patient), Role.ADMIN)
    session.expire_all()
    assert sessions.resolve(session, token) is None
    actor = sessions.resolve(session, open_for(session, patient))
    assert actor is not None
    assert (actor.role, actor.patient_id) == (Role.ADMIN, None)


def test_a_temporary_password_ends_the_sessions(session: Session, patient: User, admin: Actor) -> None:
    token = open_for(session, patient)
    accounts.give_temporary_password(
        session, admin, user_id=builders.key(patient), password="abcd-efgh", password_hash="$2b$04$new"
    )
    session.expire_all()
    assert sessions.resolve(session, token) is None
    found = accounts.find_credentials(session, email=patient.email)
    assert found is not None
    assert found.password_hash == "$2b$04$new"


def test_other_peoples_sessions_go_on(session: Session, patient: User, admin: Actor) -> None:
    other = session.get_one(User, builders.patient(session).user_id)
    token = open_for(session, other)
    accounts.set_active(session, admin, user_id=builders.key(patient), active=False)
    session.expire_all()
    assert sessions.resolve(session, token) is not None
