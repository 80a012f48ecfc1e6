"""The second step of a login, on both engines: what opens a session, and everything that does not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts import login_step, passkeys, second_factor, sessions
from mhms_app.accounts.login_step import Begun, Passed, StepOver, WrongCode
from mhms_app.accounts.models import LoginSession, LoginStep, RecoveryCode, Totp, User
from mhms_app.accounts.passkeys import PasskeyRefused
from mhms_app.accounts.sessions import Browser
from mhms_app.audit.models import AuditEntry
from mhms_app.errors import ClinicError
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.accounts.authenticator import Authenticator
from tests.accounts.second_factors import a_passkey, an_app, code_of, passkeys_of, recovery_codes

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def user(now: datetime) -> User:
    with db.transaction() as session:
        return builders.user(session, name="Jo Moreau")


def begin(user: User | None) -> str:
    with db.transaction() as session:
        return login_step.begin(session, user=user).token


def enter(token: str, code: str) -> Passed | WrongCode | StepOver:
    with db.transaction() as session:
        return login_step.enter_code(session, token=token, code=code, browser=Browser(), earlier="")


def ask(token: str) -> str:
    with db.transaction() as session:
        return login_step.ask_passkey(session, token=token)


def use(token: str, answer: str) -> Passed | ClinicError:
    with db.transaction() as session:
        return login_step.enter_passkey(session, token=token, answer=answer, browser=Browser(), earlier="")


def open_sessions(user: User) -> int:
    with db.transaction(read_only=True) as session:
        found = select(LoginSession).where(LoginSession.user_id == user.id, col(LoginSession.revoked_at).is_(None))
        return len(session.exec(found).all())


def actions() -> list[str]:
    with db.transaction(read_only=True) as session:
        return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.id))))


@pytest.fixture
def app(user: User) -> str:
    """The secret of the user's authenticator app."""
    with db.transaction() as session:
        return an_app(session, user)


@pytest.fixture
def device(user: User) -> Iterator[Authenticator]:
    """The user's passkey; the session in which it was made is over."""
    with db.transaction() as session:
        device = a_passkey(session, user)
        sessions.close_all(session, user_id=builders.key(user))
    yield device


def test_whoever_has_no_second_factor_is_in_at_once(user: User) -> None:
    with db.transaction() as session:
        step = login_step.after_password(session, user_id=builders.key(user), browser=Browser(), earlier="")
    assert not isinstance(step, Begun)
    assert open_sessions(user) == 1


def test_whoever_has_one_gets_a_step_that_is_no_session_and_is_stored_as_a_hash(user: User, app: str) -> None:
    with db.transaction() as session:
        step = login_step.after_password(session, user_id=builders.key(user), browser=Browser(), earlier="")
        assert isinstance(step, Begun)
        assert sessions.resolve(session, step.token) is None
        assert step.token not in str(session.exec(select(LoginStep)).one())
    assert open_sessions(user) == 0


def test_a_code_opens_a_session_with_a_token_of_its_own(user: User, app: str) -> None:
    token = begin(user)
    passed = enter(token, code_of(app))
    assert isinstance(passed, Passed)
    assert (passed.codes_left, open_sessions(user)) == (None, 1)
    assert passed.entered.token != token
    with pytest.raises(StepOver):
        enter(token, code_of(app, steps=1))


@pytest.mark.parametrize("typed", ["{} {}", " {}-{} ", "{}{}"])
def test_a_code_is_read_however_it_is_typed(user: User, app: str, typed: str) -> None:
    code = code_of(app)
    assert isinstance(enter(begin(user), typed.format(code[:3], code[3:])), Passed)


def test_a_code_is_good_once_and_so_are_those_before_it(user: User, app: str) -> None:
    assert isinstance(enter(begin(user), code_of(app)), Passed)
    assert isinstance(enter(begin(user), code_of(app)), WrongCode)
    assert isinstance(enter(begin(user), code_of(app, steps=-1)), WrongCode)
    assert isinstance(enter(begin(user), code_of(app, steps=1)), Passed)


def test_two_logins_with_one_code_at_once_open_one_session(user: User, app: str) -> None:
    tokens, code = [begin(user) for _ in range(4)], code_of(app)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda token: enter(token, code), tokens))
    assert sum(isinstance(outcome, Passed) for outcome in outcomes) == 1
    assert open_sessions(user) == 1


def test_one_step_used_twice_at_once_opens_one_session(user: User, app: str) -> None:
    token = begin(user)

    def attempt(code: str) -> bool:
        try:
            return isinstance(enter(token, code), Passed)
        except StepOver:
            return False

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(attempt, [code_of(app, steps=steps) for steps in (-1, 0, 1)]))
    assert sum(outcomes) == 1
    assert open_sessions(user) == 1


def test_five_wrong_codes_end_a_step_and_lock_nobody_out(user: User, app: str) -> None:
    token = begin(user)
    outcomes = [enter(token, f"{number:06}") for number in range(login_step.TRIES)]
    assert [type(outcome) for outcome in outcomes] == [WrongCode] * 4 + [StepOver]
    with pytest.raises(StepOver):
        enter(token, code_of(app))
    assert actions().count("session.refuse_code") == login_step.TRIES
    assert isinstance(enter(begin(user), code_of(app)), Passed)


def test_a_step_ends_after_ten_minutes(user: User, app: str, now: datetime) -> None:
    token = begin(user)
    db.clock.freeze(now + login_step.GOOD_FOR)
    with pytest.raises(StepOver):
        enter(token, code_of(app))
    db.clock.freeze(now + timedelta(hours=2))
    begin(user)
    with db.transaction(read_only=True) as session:
        assert len(session.exec(select(LoginStep)).all()) == 1


@pytest.mark.parametrize("change", ["active = false", "password_hash = 'another'"])
def test_a_closed_account_and_another_password_make_a_step_worthless(
    user: User, app: str, device: Authenticator, change: str
) -> None:
    token, other = begin(user), begin(user)
    options = ask(other)
    with db.transaction() as session:
        session.connection().exec_driver_sql(f"UPDATE user_account SET {change}")
    with pytest.raises(StepOver):
        enter(token, code_of(app))
    with pytest.raises(StepOver):
        use(other, device.use(options))
    assert open_sessions(user) == 0


@pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "x" * 5000])
def test_a_made_up_step_is_none(user: User, app: str, token: str) -> None:
    begin(user)
    for attempt in (lambda: enter(token, code_of(app)), lambda: use(token, "{}")):
        with pytest.raises(StepOver):
            attempt()


def test_a_recovery_code_is_good_once_and_its_owner_is_told(user: User, app: str) -> None:
    with db.transaction() as session:
        codes = recovery_codes(session, user)
    assert len(set(codes)) == 10
    passed = enter(begin(user), codes[3].lower().replace("-", " "))
    assert isinstance(passed, Passed)
    assert passed.codes_left == 9
    assert isinstance(enter(begin(user), codes[3]), WrongCode)
    with db.transaction(read_only=True) as session:
        told = session.exec(select(OutboxMessage.payload)).all()
        assert [one["change"] for one in told if "change" in one] == ["code_used"]
        stored = str(session.exec(select(RecoveryCode)).all())
    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]


def test_a_recovery_code_used_twice_at_once_opens_one_session(user: User, app: str) -> None:
    with db.transaction() as session:
        code = recovery_codes(session, user)[0]
    tokens = [begin(user) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda token: enter(token, code), tokens))
    assert sum(isinstance(outcome, Passed) for outcome in outcomes) == 1


def test_nobody_uses_the_codes_of_somebody_else(user: User, app: str) -> None:
    with db.transaction() as session:
        other = builders.user(session)
        secret, codes = an_app(session, other), recovery_codes(session, other)
    for code in (code_of(secret), codes[0], "", "x" * 300, "\ud800", "\0"):
        assert isinstance(enter(begin(user), code), WrongCode)


def test_a_secret_that_no_key_opens_fits_no_code(user: User, app: str) -> None:
    with db.transaction() as session:
        session.get_one(Totp, user.id).sealed_secret = "unreadable"
    assert isinstance(enter(begin(user), code_of(app)), WrongCode)


# Passkeys


def test_a_passkey_is_the_second_factor(user: User, device: Authenticator) -> None:
    token = begin(user)
    with db.transaction() as session:
        view = login_step.look(session, None, token=token)
    assert not view.has_app
    assert isinstance(use(token, device.use(view.passkey)), Passed)
    with db.transaction(read_only=True) as session:
        (row,) = passkeys_of(session, user)
    assert (row.sign_count, row.last_used_at) == (1, db.clock.now())


def test_a_passkey_alone_says_who_it_is(user: User, device: Authenticator) -> None:
    token = begin(None)
    assert isinstance(use(token, device.use(ask(token))), Passed)
    assert open_sessions(user) == 1


def test_a_step_of_nobody_takes_no_code(user: User, app: str) -> None:
    with pytest.raises(StepOver):
        enter(begin(None), code_of(app))


def test_an_answer_is_good_once(user: User, device: Authenticator) -> None:
    token = begin(None)
    answer = device.use(ask(token))
    assert isinstance(use(token, answer), Passed)
    with pytest.raises(StepOver):
        use(token, answer)
    other = begin(None)
    ask(other)
    assert isinstance(use(other, answer), PasskeyRefused)  # the challenge of another step


def test_an_answer_used_twice_at_once_opens_one_session(user: User, device: Authenticator) -> None:
    token = begin(None)
    answer = device.use(ask(token))

    def attempt(_: int) -> bool:
        try:
            return isinstance(use(token, answer), Passed)
        except StepOver:
            return False

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(attempt, range(3))) == 1
    assert open_sessions(user) == 1


def test_a_challenge_is_gone_after_one_answer_whatever_it_was(user: User, device: Authenticator) -> None:
    token = begin(None)
    options = ask(token)
    assert isinstance(use(token, "{}"), PasskeyRefused)
    assert isinstance(use(token, device.use(options)), PasskeyRefused)
    assert isinstance(use(token, device.use(ask(token))), Passed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://clinic.example.evil"},
        {"origin": "http://localhost:3001"},
        {"host": "evil.example"},
        {"verified": False},
        {"user_handle": "b3RoZXI"},
        {"user_handle": ""},
    ],
)
def test_another_site_another_person_and_no_verification_are_refused(
    user: User, device: Authenticator, wrong: dict[str, object]
) -> None:
    for name, value in wrong.items():
        setattr(device, name, value)
    token = begin(None)
    assert isinstance(use(token, device.use(ask(token))), PasskeyRefused)
    assert open_sessions(user) == 0
    assert "session.refuse_passkey" in actions()


def test_somebody_elses_passkey_finishes_no_login_of_mine(user: User, device: Authenticator) -> None:
    with db.transaction() as session:
        mallory = builders.user(session)
        theirs = a_passkey(session, mallory)
    token = begin(user)
    assert isinstance(use(token, theirs.use(ask(token))), PasskeyRefused)
    theirs.credential_id, theirs.user_handle = device.credential_id, device.user_handle
    assert isinstance(use(token, theirs.use(ask(token))), PasskeyRefused)  # named like mine, signed with theirs
    assert open_sessions(user) == 0


def test_a_copy_of_a_passkey_is_noticed(user: User, device: Authenticator) -> None:
    token = begin(None)
    assert isinstance(use(token, device.use(ask(token))), Passed)
    device.count = 0
    token = begin(None)
    assert isinstance(use(token, device.use(ask(token))), PasskeyRefused)
    assert actions()[-1] == "passkey.copied"


def test_an_authenticator_that_does_not_count_is_no_copy(user: User, device: Authenticator) -> None:
    for _ in range(2):
        device.count, token = -1, begin(None)
        assert isinstance(use(token, device.use(ask(token))), Passed)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "5",
        "{}",
        '{"id": 5}',
        '{"id":"a","rawId":"a","type":"public-key","response":{}}',
        "\ud800",
        "\0",
    ],
)
def test_what_is_no_answer_is_refused_in_a_sentence(user: User, device: Authenticator, answer: str) -> None:
    token = begin(user)
    ask(token)
    assert isinstance(use(token, answer), PasskeyRefused)


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("value", ["", "a", "AAAA", "%%%", "é"])
def test_a_broken_answer_is_refused_in_a_sentence(user: User, device: Authenticator, field: str, value: str) -> None:
    token = begin(None)
    assert isinstance(use(token, device.use(ask(token), **{field: value})), PasskeyRefused)


def test_the_question_names_nobody(session: Session, user: User, device: Authenticator) -> None:
    asked = ask(begin(None))
    assert user.email not in asked
    assert "allowCredentials" not in asked or '"allowCredentials": []' in asked
    assert user.email not in device.user_handle
    options = second_factor.begin_passkey(
        session, builders.actor(session, user), known_hash=user.password_hash, name="Laptop"
    )
    assert device.user_handle in options  # all passkeys of a person have the same handle
    assert passkeys.new_user_handle() != passkeys.new_user_handle()
