"""Setting up and removing second factors, on both engines, and everybody who must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts import entrance, factors, second_factor, sessions, throttle
from mhms_app.accounts.login_step import WrongCode
from mhms_app.accounts.models import FactorSetup, Passkey, RecoveryCode, Totp, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.passkeys import PasskeyRefused
from mhms_app.accounts.second_factor import LastFactor, SetupOver
from mhms_app.accounts.sessions import Browser, resolve
from mhms_app.actor import Actor, Duty, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.errors import DutyFirst, Invalid, LoginRequired, NotAllowed, NotAsSomebodyElse, NotFound, TooManyAttempts
from mhms_app.notifications.models import OutboxMessage
from mhms_app.sealed import new_key, unseal
from tests import builders
from tests.accounts.authenticator import Authenticator
from tests.accounts.second_factors import a_passkey, an_app, code_of, passkeys_of, recovery_codes

Configure = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def forgotten(database: str, now: datetime) -> None:
    throttle.reset()


@pytest.fixture
def user(session: Session) -> User:
    return builders.user(session, role=Role.DOCTOR, name="Dr. Amira Haddad")


@pytest.fixture
def actor(session: Session, user: User) -> Actor:
    return builders.actor(session, user)


def changes(session: Session) -> list[str]:
    """What the owner was told of."""
    session.flush()
    return [payload["change"] for payload in session.exec(select(OutboxMessage.payload)) if "change" in payload]


def set_up(session: Session, actor: Actor, user: User) -> tuple[str, tuple[str, ...]]:
    """Set an app up as its owner does; returns its secret and the recovery codes."""
    secret = second_factor.begin_app(session, actor).secret.replace(" ", "")
    codes = second_factor.add_app(session, actor, known_hash=user.password_hash, code=code_of(secret))
    return secret, codes


# An authenticator app


def test_an_app_is_set_up_with_its_code_and_brings_recovery_codes(session: Session, actor: Actor, user: User) -> None:
    assert not factors.has_one(session, actor.user_id)
    secret, codes = set_up(session, actor, user)
    assert (len(codes), {len(code.replace("-", "")) for code in codes}) == (10, {25})
    shown = second_factor.overview(session, actor)
    assert (shown.app_since, shown.codes_left, shown.passkeys) == (db.clock.now(), 10, ())
    assert changes(session) == ["app_on"]
    assert unseal(session.get_one(Totp, actor.user_id).sealed_secret) == secret
    assert secret not in session.get_one(Totp, actor.user_id).sealed_secret
    assert session.exec(select(FactorSetup)).all() == []


def test_the_code_that_set_it_up_is_used_up(session: Session, actor: Actor, user: User) -> None:
    secret, _ = set_up(session, actor, user)
    assert factors.use_code(session, user_id=actor.user_id, code=code_of(secret)) is None
    assert factors.use_code(session, user_id=actor.user_id, code=code_of(secret, steps=1)) is not None


def test_a_wrong_code_and_a_wrong_password_set_nothing_up(session: Session, actor: Actor, user: User) -> None:
    secret = second_factor.begin_app(session, actor).secret.replace(" ", "")
    with pytest.raises(WrongCode):
        second_factor.add_app(session, actor, known_hash=user.password_hash, code="000000")
    with pytest.raises(WrongPassword):
        second_factor.add_app(session, actor, known_hash="another", code=code_of(secret))
    assert not factors.has_one(session, actor.user_id)


def test_what_is_set_up_belongs_to_its_session_and_ends(
    session: Session, actor: Actor, user: User, now: datetime
) -> None:
    secret = second_factor.begin_app(session, actor).secret.replace(" ", "")
    elsewhere = builders.actor(session, user)
    with pytest.raises(SetupOver):
        second_factor.add_app(session, elsewhere, known_hash=user.password_hash, code=code_of(secret))
    db.clock.freeze(now + second_factor.SETUP)
    with pytest.raises(SetupOver):
        second_factor.add_app(session, actor, known_hash=user.password_hash, code=code_of(secret))


def test_another_phone_needs_a_code_of_the_first_or_a_recovery_code(session: Session, actor: Actor, user: User) -> None:
    old, codes = set_up(session, actor, user)
    new = second_factor.begin_app(session, actor).secret.replace(" ", "")
    given = {"known_hash": user.password_hash, "code": code_of(new)}
    for old_code in ("", "000000", code_of(new), code_of(old)):
        with pytest.raises(WrongCode) as refusal:
            second_factor.add_app(session, actor, **given, old_code=old_code)
        assert refusal.value.field == "old_code"
    assert second_factor.add_app(session, actor, **given, old_code=codes[0]) == ()
    assert unseal(session.get_one(Totp, actor.user_id).sealed_secret) == new


def test_an_app_is_removed_with_password_and_code_and_its_recovery_codes_go(
    session: Session, actor: Actor, user: User
) -> None:
    secret, _ = set_up(session, actor, user)
    with pytest.raises(WrongCode):
        second_factor.remove_app(session, actor, known_hash=user.password_hash, code="123456")
    with pytest.raises(WrongPassword):
        second_factor.remove_app(session, actor, known_hash="another", code=code_of(secret, steps=1))
    second_factor.remove_app(session, actor, known_hash=user.password_hash, code=code_of(secret, steps=1))
    assert not factors.has_one(session, actor.user_id)
    assert session.exec(select(RecoveryCode)).all() == []
    assert changes(session) == ["app_on", "app_off"]


def test_guessing_codes_from_an_open_session_is_slowed_down(session: Session, actor: Actor, user: User) -> None:
    an_app(session, user)
    for number in range(5):
        with pytest.raises(WrongCode):
            second_factor.remove_app(session, actor, known_hash=user.password_hash, code=f"{number:06}")
    with pytest.raises(TooManyAttempts):
        second_factor.remove_app(session, actor, known_hash=user.password_hash, code="000006")


def test_new_recovery_codes_end_the_earlier_ones(session: Session, actor: Actor, user: User) -> None:
    _, codes = set_up(session, actor, user)
    new = second_factor.new_codes(session, actor, known_hash=user.password_hash)
    assert not set(new) & set(codes)
    assert factors.use_code(session, user_id=actor.user_id, code=codes[0]) is None
    assert factors.use_code(session, user_id=actor.user_id, code=new[0]) == factors.CodeUsed(9)
    with pytest.raises(WrongPassword):
        second_factor.new_codes(session, actor, known_hash="another")


def test_recovery_codes_alone_are_no_second_factor(session: Session, actor: Actor, user: User) -> None:
    recovery_codes(session, user)
    assert not factors.has_one(session, actor.user_id)
    with pytest.raises(NotFound):
        second_factor.new_codes(session, actor, known_hash=user.password_hash)


# Passkeys


def test_the_first_passkey_brings_recovery_codes_and_the_second_none(
    session: Session, actor: Actor, user: User
) -> None:
    first, second = Authenticator(), Authenticator()
    brought = []
    for device, name in ((first, "  Phone "), (second, "Laptop")):
        options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name=name)
        brought.append(len(second_factor.add_passkey(session, actor, answer=device.make(options))))
    assert brought == [10, 0]
    assert [one.name for one in second_factor.overview(session, actor).passkeys] == ["Phone", "Laptop"]
    assert first.user_handle == second.user_handle
    assert len({one["id"] for one in json.loads(options)["excludeCredentials"]}) == 1
    assert changes(session) == ["passkey_on", "passkey_on"]


@pytest.mark.parametrize("wrong", [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"verified": False}])
def test_a_passkey_made_for_another_site_or_without_verification_is_refused(
    session: Session, actor: Actor, user: User, wrong: dict[str, object]
) -> None:
    options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name="Phone")
    with pytest.raises(PasskeyRefused):
        second_factor.add_passkey(session, actor, answer=Authenticator(**wrong).make(options))
    assert not factors.has_one(session, actor.user_id)


def test_a_question_is_answered_once_and_in_its_own_session(session: Session, actor: Actor, user: User) -> None:
    options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name="Phone")
    elsewhere = builders.actor(session, user)
    with pytest.raises(PasskeyRefused):
        second_factor.add_passkey(session, elsewhere, answer=Authenticator().make(options))
    second_factor.add_passkey(session, actor, answer=Authenticator().make(options))
    with pytest.raises(PasskeyRefused):
        second_factor.add_passkey(session, actor, answer=Authenticator().make(options))
    second_factor.begin_app(session, actor)
    with pytest.raises(PasskeyRefused):  # there is no question now, and an empty one is none
        second_factor.add_passkey(session, actor, answer=Authenticator().make(options))


def test_a_credential_belongs_to_one_account(session: Session, actor: Actor, user: User) -> None:
    stolen = a_passkey(session, builders.user(session)).credential_id
    options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name="Phone")
    with pytest.raises(PasskeyRefused):
        second_factor.add_passkey(session, actor, answer=Authenticator(credential_id=stolen).make(options))


@pytest.mark.parametrize("answer", ["", "null", "{}", "[]", "\ud800", '{"id":"a","rawId":"a","type":"public-key"}'])
def test_what_is_no_passkey_is_refused(session: Session, actor: Actor, user: User, answer: str) -> None:
    second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name="Phone")
    with pytest.raises(PasskeyRefused):
        second_factor.add_passkey(session, actor, answer=answer)


@pytest.mark.parametrize("field", ["clientDataJSON", "attestationObject"])
@pytest.mark.parametrize("value", ["", "a", "AAAA", "%%%", "é", "oA"])
def test_a_broken_passkey_is_refused(session: Session, actor: Actor, user: User, field: str, value: str) -> None:
    options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name="Phone")
    with pytest.raises(PasskeyRefused):
        second_factor.add_passkey(session, actor, answer=Authenticator().make(options, **{field: value}))


@pytest.mark.parametrize("name", ["", "   ", "\0", "x" * 61])
def test_a_passkey_has_a_name(session: Session, actor: Actor, user: User, name: str) -> None:
    with pytest.raises(Invalid):
        second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name=name)


def test_nobody_removes_the_passkey_of_somebody_else(session: Session, actor: Actor, user: User) -> None:
    other = builders.user(session)
    a_passkey(session, other)
    (theirs,) = passkeys_of(session, other)
    for passkey_id in (theirs.id or 0, 999_999):
        with pytest.raises(NotFound):
            second_factor.remove_passkey(session, actor, known_hash=user.password_hash, passkey_id=passkey_id)


# Who needs one


@pytest.mark.parametrize(("role", "needs"), [(Role.PATIENT, False), (Role.DOCTOR, True), (Role.ADMIN, True)])
def test_who_needs_one_has_to_set_it_up_first(session: Session, configure: Configure, role: Role, needs: bool) -> None:
    configure("MHMS_REQUIRE_TWO_FACTOR", "1")
    user = builders.user(session, role=role)
    entered = entrance.enter(session, user_id=builders.key(user), browser=Browser())
    assert entered.must_do == (Duty.SECOND_FACTOR if needs else None)
    an_app(session, user)
    assert entrance.enter(session, user_id=builders.key(user), browser=Browser()).must_do is None


def test_a_temporary_password_comes_first(session: Session, user: User, configure: Configure) -> None:
    configure("MHMS_REQUIRE_TWO_FACTOR", "1")
    user.password_is_temporary = True
    assert entrance.enter(session, user_id=builders.key(user), browser=Browser()).must_do is Duty.PASSWORD


def test_a_duty_ends_with_a_new_session_and_nobody_else_renews_theirs(
    session: Session, user: User, configure: Configure
) -> None:
    configure("MHMS_REQUIRE_TWO_FACTOR", "1")
    first = entrance.enter(session, user_id=builders.key(user), browser=Browser()).token
    actor = resolve(session, first)
    assert actor is not None
    assert second_factor.go_on(session, actor, browser=Browser(), earlier=first) is None
    with pytest.raises(DutyFirst):
        second_factor.reset(session, actor, user_id=1)
    set_up(session, actor, user)
    entered = second_factor.go_on(session, actor, browser=Browser(), earlier=first)
    assert entered is not None
    assert (entered.must_do, resolve(session, first)) == (None, None)
    now_in = resolve(session, entered.token)
    assert now_in is not None
    assert second_factor.go_on(session, now_in, browser=Browser(), earlier=entered.token) is None


def test_a_session_that_is_ended_meanwhile_leaves_no_way_in(session: Session, user: User, configure: Configure) -> None:
    """A new password ends it after its token was looked up, and before what it asks for is done."""
    configure("MHMS_REQUIRE_TWO_FACTOR", "1")
    token = entrance.enter(session, user_id=builders.key(user), browser=Browser()).token
    actor, device = resolve(session, token), Authenticator()
    options = second_factor.begin_passkey(session, actor, known_hash=user.password_hash, name="Phone")
    an_app(session, user)
    sessions.close_all(session, user_id=builders.key(user))
    with pytest.raises(LoginRequired):
        second_factor.add_passkey(session, actor, answer=device.make(options))
    with pytest.raises(LoginRequired):
        second_factor.go_on(session, actor, browser=Browser(), earlier=token)
    assert passkeys_of(session, user) == []


def test_the_last_one_stays_where_the_role_needs_it(
    session: Session, actor: Actor, user: User, configure: Configure
) -> None:
    configure("MHMS_REQUIRE_TWO_FACTOR", "1")
    secret, _ = set_up(session, actor, user)
    a_passkey(session, user)
    (passkey,) = passkeys_of(session, user)
    session.commit()
    second_factor.remove_passkey(session, actor, known_hash=user.password_hash, passkey_id=passkey.id or 0)
    with pytest.raises(LastFactor), session.begin_nested():
        second_factor.remove_app(session, actor, known_hash=user.password_hash, code=code_of(secret, steps=1))
    assert factors.has_one(session, actor.user_id)


def test_the_last_two_cannot_be_removed_at_once(configure: Configure) -> None:
    configure("MHMS_REQUIRE_TWO_FACTOR", "1")
    with db.transaction() as session:
        user = builders.user(session, role=Role.DOCTOR)
        actors = [builders.actor(session, user) for _ in range(2)]
        for name in ("Phone", "Laptop"):
            a_passkey(session, user, name=name)
        keys = [one.id or 0 for one in passkeys_of(session, user)]

    def remove(number: int) -> bool:
        try:
            with db.transaction() as session:
                second_factor.remove_passkey(
                    session, actors[number], known_hash=user.password_hash, passkey_id=keys[number]
                )
        except LastFactor:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, range(2))) == [False, True]


def test_an_administrator_who_acts_as_somebody_changes_none_of_it(session: Session, actor: Actor, user: User) -> None:
    acting = Actor(
        user_id=actor.user_id,
        session_id=actor.session_id,
        role=actor.role,
        name=actor.name,
        email=actor.email,
        patient_id=None,
        acted_by=1,
    )
    known = user.password_hash
    attempts: list[Callable[[], object]] = [
        lambda: second_factor.begin_app(session, acting),
        lambda: second_factor.add_app(session, acting, known_hash=known, code=""),
        lambda: second_factor.remove_app(session, acting, known_hash=known, code=""),
        lambda: second_factor.begin_passkey(session, acting, known_hash=known, name="Phone"),
        lambda: second_factor.add_passkey(session, acting, answer=""),
        lambda: second_factor.remove_passkey(session, acting, known_hash=known, passkey_id=1),
        lambda: second_factor.new_codes(session, acting, known_hash=known),
        lambda: second_factor.go_on(session, acting, browser=Browser(), earlier=""),
    ]
    for attempt in attempts:
        with pytest.raises(NotAsSomebodyElse):
            attempt()


# Whoever has lost everything


def test_an_administrator_takes_a_lost_one_away(session: Session, actor: Actor, user: User) -> None:
    secret, _ = set_up(session, actor, user)
    a_passkey(session, user)
    admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
    second_factor.reset(session, admin, user_id=actor.user_id)
    session.flush()
    for table in (Totp, Passkey, RecoveryCode):
        assert session.exec(select(table)).all() == []
    assert factors.use_code(session, user_id=actor.user_id, code=code_of(secret, steps=1)) is None
    assert changes(session)[-1] == "reset"
    entry = session.exec(select(AuditEntry).where(AuditEntry.action == "second_factor.reset")).one()
    assert (entry.actor_id, entry.object_id) == (admin.user_id, actor.user_id)


def test_nobody_else_and_no_administrator_for_themselves(session: Session, actor: Actor, user: User) -> None:
    admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
    for one, whom in ((actor, admin.user_id), (actor, actor.user_id), (admin, admin.user_id)):
        with pytest.raises(NotAllowed):
            second_factor.reset(session, one, user_id=whom)
    with pytest.raises(NotFound):
        second_factor.reset(session, admin, user_id=999_999)


def test_from_the_command_line_for_the_last_administrator(session: Session) -> None:
    user = builders.user(session, role=Role.ADMIN, email="ada@example.com")
    an_app(session, user)
    second_factor.reset_from_outside(session, email="Ada@Example.com")
    assert not factors.has_one(session, builders.key(user))
    with pytest.raises(NotFound):
        second_factor.reset_from_outside(session, email="nobody@example.com")


# Keys


def test_a_secret_is_sealed_with_the_newest_key_at_its_next_use(
    session: Session, user: User, configure: Configure
) -> None:
    old, new = new_key(), new_key()
    configure("MHMS_ENCRYPTION_KEYS", old)
    secret = an_app(session, user)
    configure("MHMS_ENCRYPTION_KEYS", f"{new},{old}")
    assert factors.use_code(session, user_id=builders.key(user), code=code_of(secret)) is not None
    configure("MHMS_ENCRYPTION_KEYS", new)
    assert factors.use_code(session, user_id=builders.key(user), code=code_of(secret, steps=1)) is not None


def test_everything_can_be_sealed_anew_at_once(
    session: Session, actor: Actor, user: User, configure: Configure
) -> None:
    old, new = new_key(), new_key()
    configure("MHMS_ENCRYPTION_KEYS", old)
    an_app(session, user)
    second_factor.begin_app(session, actor)
    configure("MHMS_ENCRYPTION_KEYS", f"{new},{old}")
    assert factors.reseal(session) == 1
    configure("MHMS_ENCRYPTION_KEYS", new)
    assert unseal(session.get_one(Totp, actor.user_id).sealed_secret)
    assert unseal(session.get_one(FactorSetup, actor.session_id).sealed_secret)
