"""Choosing one's own password: by a link, instead of a temporary one, or another one; on both engines."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import func, select

from mhms_app import db
from mhms_app.accounts import addresses, devices, entrance, link_rules, own_password, passwords, sessions, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.links import LinkOver
from mhms_app.accounts.models import AccountLink, LoginSession, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Duty, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.booking import service as booking
from mhms_app.errors import DutyFirst, LoginRequired, NotAsSomebodyElse, TooManyAttempts
from tests import builders
from tests.accounts.links import at_once, mailed, token_to

EMAIL = "jo@example.com"


@pytest.fixture(autouse=True)
def nobody_has_tried() -> None:
    throttle.reset()


@pytest.fixture
def jo(database: str, now: datetime) -> User:
    with db.transaction() as session:
        return session.get_one(User, builders.patient(session, email=EMAIL).user_id)


def enter(user: User) -> str:
    with db.transaction() as session:
        return entrance.enter(session, user_id=builders.key(user), browser=Browser()).token


def actor_of(token: str) -> Actor | None:
    with db.transaction(read_only=True) as session:
        return sessions.resolve(session, token)


def ask(email: str = EMAIL) -> None:
    with db.transaction() as session:
        own_password.ask_reset(session, email=email)


def reset(token: str, password_hash: str = "$2b$04$new") -> str:
    with db.transaction() as session:
        return own_password.reset(session, token=token, password_hash=password_hash, browser=Browser())


def change(token: str, *, known_hash: str = "", password_hash: str = "$2b$04$new") -> str:
    with db.transaction() as session:
        actor = sessions.resolve(session, token)
        known_hash = known_hash or builders.password_hash()
        entered = own_password.change(
            session, actor, known_hash=known_hash, password_hash=password_hash, browser=Browser()
        )
        return entered.token


def read(user: User) -> User:
    with db.transaction(read_only=True) as session:
        return session.get_one(User, builders.key(user))


def give_temporary(user: User, password: str = "abcd-efgh-jkmn-pqrs") -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        accounts.give_temporary_password(
            session,
            admin,
            user_id=builders.key(user),
            password=password,
            password_hash=passwords.hash_password(password),
        )


# Forgotten ------------------------------------------------------------------------------------------


def test_a_link_sets_the_password_ends_every_session_and_tells_the_owner(jo: User) -> None:
    here, elsewhere = enter(jo), enter(jo)
    ask(" JO@Example.com ")
    reset(token_to(EMAIL, "PASSWORD_RESET"))
    assert read(jo).password_hash == "$2b$04$new"
    assert actor_of(here) is None
    assert actor_of(elsewhere) is None
    assert [message.kind for message in mailed(to=EMAIL)][-2:] == ["PASSWORD_RESET", "PASSWORD_CHANGED"]


def test_whoever_has_set_a_password_with_a_link_is_known_and_can_log_in_during_an_attack(jo: User) -> None:
    enter(jo)
    ask()
    device_token = reset(token_to(EMAIL, "PASSWORD_RESET"))
    with db.transaction(read_only=True) as session:
        assert devices.known(session, email_key=EMAIL, device_token=device_token)
        assert not devices.known(session, email_key="other@example.com", device_token=device_token)
    assert not mailed("SIGN_IN_NEW_DEVICE", to=EMAIL)  # one message tells them already


def test_a_link_is_good_once_for_half_an_hour_and_until_the_next(jo: User, now: datetime) -> None:
    ask()
    first = token_to(EMAIL, "PASSWORD_RESET")
    ask()
    second = token_to(EMAIL, "PASSWORD_RESET")
    with pytest.raises(LinkOver):
        reset(first)
    db.clock.freeze(now + timedelta(minutes=30))
    with pytest.raises(LinkOver):
        reset(second)
    db.clock.freeze(now + timedelta(minutes=29))
    reset(second)
    with pytest.raises(LinkOver):
        reset(second, "$2b$04$other")
    assert read(jo).password_hash == "$2b$04$new"


def test_of_many_who_use_a_link_at_once_one_sets_the_password(jo: User) -> None:
    for _ in range(5):
        ask()
        token = token_to(EMAIL, "PASSWORD_RESET")
        outcomes = at_once(*(lambda n=n, t=token: reset(t, f"$2b$04$by-{n}") for n in range(4)))
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LinkOver"] * 3 + ["str"]
        assert read(jo).password_hash == f"$2b$04$by-{[type(outcome) is str for outcome in outcomes].index(True)}"


def test_an_address_without_an_open_account_is_written_down_and_sent_nothing(jo: User) -> None:
    with db.transaction() as session:
        builders.user(session, email="closed@example.com", active=False)
    for email in ("nobody@example.com", "closed@example.com", "no address", "\0", ""):
        ask(email)
    assert mailed() == []
    with db.transaction(read_only=True) as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.action == "password.forget")).all()
        assert session.exec(select(func.count()).select_from(AccountLink)).one() == 0
    assert [(entry.actor_id, entry.object_id) for entry in entries] == [(None, None)] * 5


def test_the_link_of_an_account_that_was_closed_meanwhile_does_nothing(jo: User) -> None:
    ask()
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        accounts.set_active(session, admin, user_id=builders.key(jo), active=False)
    with pytest.raises(LinkOver):
        reset(token_to(EMAIL, "PASSWORD_RESET"))


def test_a_link_to_confirm_an_address_sets_no_password_and_the_other_way_round(jo: User) -> None:
    with db.transaction() as session:
        jo = session.get_one(User, jo.id)
        jo.email_confirmed_at = None
        actor = builders.actor(session, jo)
        addresses.send_again(session, actor)
    ask()
    with pytest.raises(LinkOver):
        reset(token_to(EMAIL, "EMAIL_CONFIRM"))
    with pytest.raises(LinkOver), db.transaction() as session:
        addresses.confirm(session, None, token=token_to(EMAIL, "PASSWORD_RESET"))


def test_whoever_got_the_link_has_confirmed_the_address(jo: User) -> None:
    with db.transaction() as session:
        session.get_one(User, jo.id).email_confirmed_at = None
    ask()
    reset(token_to(EMAIL, "PASSWORD_RESET"))
    assert read(jo).email_confirmed_at is not None


def test_a_reset_ends_a_change_of_address_that_somebody_else_may_have_begun(jo: User) -> None:
    actor = actor_of(enter(jo))
    with db.transaction() as session:
        addresses.ask_change(session, actor, email="evil@example.com", current_hash=builders.password_hash())
    ask()
    reset(token_to(EMAIL, "PASSWORD_RESET"))
    with pytest.raises(LinkOver), db.transaction() as session:
        addresses.confirm(session, None, token=token_to("evil@example.com", "EMAIL_CHANGE"))


def test_a_link_does_nothing_to_whoever_is_logged_in(jo: User) -> None:
    with db.transaction() as session:
        kim = session.get_one(User, builders.patient(session, name="Kim", email="kim@example.com").user_id)
    kims = enter(kim)
    ask()
    with db.transaction(read_only=True) as session:
        owner = own_password.resetting(
            session, sessions.resolve(session, kims), token=token_to(EMAIL, "PASSWORD_RESET")
        )
    assert owner.email == EMAIL
    reset(token_to(EMAIL, "PASSWORD_RESET"))
    assert read(kim).password_hash == kim.password_hash
    assert actor_of(kims) is not None


def test_the_hash_is_in_no_text_of_its_owner(jo: User) -> None:
    with db.transaction(read_only=True) as session:
        owner = own_password.own(session, actor_of(enter(jo)))
    assert owner.password_hash not in f"{owner} {owner!r}"


# Changing -------------------------------------------------------------------------------------------


def test_a_changed_password_begins_a_new_session_and_ends_all_others(jo: User) -> None:
    here, elsewhere = enter(jo), enter(jo)
    ask()
    new = change(here)
    assert read(jo).password_hash == "$2b$04$new"
    assert [actor_of(token) is not None for token in (here, elsewhere, new)] == [False, False, True]
    assert len(mailed("PASSWORD_CHANGED", to=EMAIL)) == 1
    with pytest.raises(LinkOver):
        reset(token_to(EMAIL, "PASSWORD_RESET"))


def test_of_two_changes_at_once_one_is_made(jo: User) -> None:
    tokens = [enter(jo), enter(jo)]
    outcomes = at_once(*(lambda t=t, n=n: change(t, password_hash=f"$2b$04$by-{n}") for n, t in enumerate(tokens)))
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes} <= {str, WrongPassword, LoginRequired}
    with db.transaction(read_only=True) as session:
        is_open = LoginSession.revoked_at.is_(None)
        assert session.exec(select(func.count()).select_from(LoginSession).where(is_open)).one() == 1


def test_typing_the_password_again_is_slowed_down_like_a_login(jo: User) -> None:
    with db.transaction(read_only=True) as session:
        owner = own_password.own(session, actor_of(enter(jo)))
    own_password.prove(owner, password=builders.PASSWORD, address="203.0.113.7")
    raised = []
    for _ in range(12):
        with pytest.raises((WrongPassword, TooManyAttempts)) as refusal:
            own_password.prove(owner, password="wrong", address="203.0.113.7")
        raised.append(refusal.type)
    assert raised[0] is WrongPassword
    assert raised[-1] is TooManyAttempts
    own_password.prove(owner, password=builders.PASSWORD, address="198.51.100.7")


def test_nobody_changes_the_password_of_somebody_else(jo: User) -> None:
    actor = actor_of(enter(jo))
    assert actor is not None
    acting = Actor(actor.user_id, actor.session_id, actor.role, actor.name, actor.email, None, acted_by=99)
    for who, refused in ((None, LoginRequired), (acting, NotAsSomebodyElse)):
        with pytest.raises(refused), db.transaction() as session:
            own_password.own(session, who)
        with pytest.raises(refused), db.transaction() as session:
            own_password.change(
                session,
                who,
                known_hash=builders.password_hash(),
                password_hash="$2b$04$new",
                browser=Browser(),
            )
    assert read(jo).password_hash == builders.password_hash()


# Temporary ------------------------------------------------------------------------------------------


def test_a_temporary_password_opens_nothing_but_the_choice_of_another(jo: User) -> None:
    give_temporary(jo)
    token = enter(jo)
    actor = actor_of(token)
    assert actor is not None
    assert actor.must_do is Duty.PASSWORD
    with pytest.raises(DutyFirst), db.transaction() as session:
        booking.book(session, actor, slot_id=1, reason="", key="1")
    with db.transaction(read_only=True) as session:
        assert own_password.own(session, actor).must_choose
    chosen = change(token, known_hash=read(jo).password_hash)
    free = actor_of(chosen)
    assert free is not None
    assert free.must_do is None
    user = read(jo)
    assert (user.password_is_temporary, user.password_ends_at) == (False, None)


def test_a_temporary_password_ends_when_it_is_not_used_in_time(jo: User, now: datetime) -> None:
    give_temporary(jo)

    def is_over() -> bool:
        with db.transaction(read_only=True) as session:
            found = accounts.find_credentials(session, email=EMAIL)
        assert found is not None
        return found.is_over

    db.clock.freeze(now + timedelta(hours=72) - timedelta(seconds=1))
    assert not is_over()
    db.clock.freeze(now + timedelta(hours=72))
    assert is_over()
    ask()
    reset(token_to(EMAIL, "PASSWORD_RESET"))
    assert not is_over()


def test_the_message_says_for_how_long_it_is_good(jo: User) -> None:
    give_temporary(jo)
    (message,) = mailed("ACCOUNT_PASSWORD")
    assert message.payload["good_for"] == link_rules.in_words(link_rules.TEMPORARY_PASSWORD)


def test_a_temporary_password_ends_the_links_that_were_there(jo: User) -> None:
    ask()
    give_temporary(jo)
    with pytest.raises(LinkOver):
        reset(token_to(EMAIL, "PASSWORD_RESET"))
