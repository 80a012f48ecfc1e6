"""What changes about an account while a login checks its password, which takes long; on both engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import col, func, select

from mhms_app import db
from mhms_app.accounts import login_step, own_password, passwords, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.entrance import Entered
from mhms_app.accounts.login_step import Begun, Passed
from mhms_app.accounts.models import LoginSession, LoginStep, User
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Role
from mhms_app.api import session as login
from mhms_app.audit.models import AuditEntry
from tests import builders
from tests.accounts.links import token_to
from tests.accounts.second_factors import an_app, code_of

EMAIL = "jo@example.com"
NEW = "amber kettle bridge 44"
HERE = Browser(address="192.0.2.1")
Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def jo(database: str) -> User:
    throttle.reset()
    with db.transaction() as session:
        return session.get_one(User, builders.patient(session, email=EMAIL).user_id)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Have something happen once while a password is checked."""
    real = passwords.verify

    def happens(what: Callable[[], object]) -> None:
        def verify(password: str, password_hash: str | None) -> bool:
            monkeypatch.setattr(passwords, "verify", real)
            fits = real(password, password_hash)
            what()
            return fits

        monkeypatch.setattr(passwords, "verify", verify)

    return happens


def log_in(password: str = builders.PASSWORD) -> Entered | Begun:
    return login._log_in(EMAIL, password, HERE, "")


def stored() -> User:
    with db.transaction(read_only=True) as session:
        return session.exec(select(User).where(User.email == EMAIL)).one()


def open_ways_in() -> int:
    """How many sessions stand, and how many logins wait for their second step."""
    with db.transaction(read_only=True) as session:
        stand = select(func.count()).select_from(LoginSession).where(col(LoginSession.revoked_at).is_(None))
        return session.exec(stand).one() + session.exec(select(func.count()).select_from(LoginStep)).one()


def reset() -> None:
    with db.transaction() as session:
        own_password.ask_reset(session, email=EMAIL)
    with db.transaction() as session:
        token, made = token_to(EMAIL, "PASSWORD_RESET"), passwords.hash_password(NEW)
        own_password.reset(session, token=token, password_hash=made, browser=Browser())


def change() -> None:
    with db.transaction() as session:
        jo = session.exec(select(User).where(User.email == EMAIL)).one()
        made = passwords.hash_password(NEW)
        known, actor = jo.password_hash, builders.actor(session, jo)
        own_password.change(session, actor, known_hash=known, password_hash=made, browser=Browser())


def as_administrator(what: Callable[..., object], **arguments: object) -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        what(session, admin, user_id=stored().id, **arguments)


def give_temporary() -> None:
    as_administrator(accounts.give_temporary_password, password=NEW, password_hash=passwords.hash_password(NEW))


def lock_out() -> None:
    as_administrator(accounts.set_active, active=False)


@pytest.mark.parametrize("second_factor", [False, True])
@pytest.mark.parametrize("happens", [reset, change, give_temporary, lock_out])
def test_a_login_with_the_old_password_is_refused(
    jo: User, meanwhile: Meanwhile, happens: Callable[[], None], second_factor: bool
) -> None:
    if second_factor:
        with db.transaction() as session:
            an_app(session, jo)
    after: list[int] = []
    meanwhile(lambda: (happens(), after.append(open_ways_in())))
    with pytest.raises(accounts.WrongCredentials):
        log_in()
    assert [open_ways_in()] == after
    with db.transaction(read_only=True) as session:
        last = session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc())).first()
    assert last is not None
    assert (last.action, last.object_id) == ("session.refuse", jo.id)


def test_raising_the_cost_does_not_bring_the_old_password_back(
    jo: User, meanwhile: Meanwhile, configure: Callable[[str, str], None]
) -> None:
    configure("MHMS_BCRYPT_COST", "5")
    meanwhile(reset)
    with pytest.raises(accounts.WrongCredentials):
        log_in()
    assert passwords.verify(NEW, stored().password_hash)
    assert isinstance(log_in(NEW), Entered)


def test_a_temporary_password_that_ends_meanwhile_opens_nothing(jo: User, meanwhile: Meanwhile) -> None:
    give_temporary()
    before = open_ways_in()

    def end() -> None:
        with db.transaction() as session:
            session.get_one(User, jo.id).password_ends_at = db.clock.now()

    meanwhile(end)
    with pytest.raises(accounts.TemporaryPasswordOver):
        log_in(NEW)
    assert open_ways_in() == before


@pytest.mark.parametrize("second_factor", [False, True])
def test_two_logins_at_once_both_succeed_though_one_raises_the_cost(
    jo: User, meanwhile: Meanwhile, configure: Callable[[str, str], None], second_factor: bool
) -> None:
    if second_factor:
        with db.transaction() as session:
            an_app(session, jo)
    configure("MHMS_BCRYPT_COST", "5")
    raised: list[str] = []
    meanwhile(lambda: (log_in(), raised.append(stored().password_hash)))
    log_in()
    assert [stored().password_hash] == raised
    assert raised[0].startswith("$2b$05$")
    assert open_ways_in() == 2


def test_a_login_that_raises_the_cost_goes_on_to_its_second_step(
    jo: User, configure: Callable[[str, str], None]
) -> None:
    configure("MHMS_BCRYPT_COST", "5")
    with db.transaction() as session:
        secret = an_app(session, jo)
    begun = log_in()
    assert isinstance(begun, Begun)
    assert stored().password_hash.startswith("$2b$05$")
    with db.transaction() as session:
        passed = login_step.enter_code(session, token=begun.token, code=code_of(secret), browser=HERE, earlier="")
    assert isinstance(passed, Passed)
