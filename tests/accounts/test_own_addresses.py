"""Addresses are confirmed by whoever has the mailbox, and changed by whoever has both; on both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from mhms_app import db
from mhms_app.accounts import addresses, entrance, link_rules, links, sessions, throttle
from mhms_app.accounts import service as accounts
from mhms_app.accounts.addresses import Address
from mhms_app.accounts.link_rules import Purpose
from mhms_app.accounts.links import LinkOver
from mhms_app.accounts.models import AccountLink, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.directory import people
from mhms_app.directory import service as directory
from mhms_app.errors import Invalid, LoginRequired, NotAsSomebodyElse, TooManyAttempts
from tests import builders
from tests.accounts.links import at_once, mailed, token_to

OLD, NEW = "jo@example.com", "jo.new@example.com"


@pytest.fixture(autouse=True)
def nobody_has_tried() -> None:
    throttle.reset()


@pytest.fixture
def verifying(configure: Callable[[str, str], None]) -> None:
    """The clinic asks for confirmed addresses."""
    configure("MHMS_VERIFY_EMAIL", "1")


@pytest.fixture
def jo(database: str, now: datetime) -> Actor:
    """A patient with a confirmed address, who is logged in."""
    with db.transaction() as session:
        return builders.actor(session, builders.patient(session, email=OLD))


def sign_up(email: str = OLD, role: str = "patient") -> Actor:
    """Somebody who has just signed up, and is logged in."""
    with db.transaction() as session:
        within = builders.key(builders.department(session)) if role == "doctor" else None
        made = people.sign_up(
            session,
            email=email,
            full_name="Jo Moreau",
            password_hash=builders.password_hash(),
            role=role,
            department_id=within,
            auto_approve=True,
            then="/doctors/7?slot=9",
        )
        return builders.actor(session, session.get_one(User, made.user_id))


def confirm(token: str, actor: Actor | None = None) -> str:
    with db.transaction() as session:
        return addresses.confirm(session, actor, token=token)


def look(actor: Actor) -> Address:
    with db.transaction(read_only=True) as session:
        return addresses.look(session, actor)


def ask(actor: Actor, email: str = NEW) -> Address:
    with db.transaction() as session:
        known = builders.password_hash()
        return addresses.ask_change(session, actor, email=email, current_hash=known)


def user_of(actor: Actor) -> User:
    with db.transaction(read_only=True) as session:
        return session.get_one(User, actor.user_id)


def is_open(token: str) -> bool:
    with db.transaction(read_only=True) as session:
        return sessions.resolve(session, token) is not None


def another_session(actor: Actor) -> str:
    with db.transaction() as session:
        return sessions.open_session(session, user_id=actor.user_id)


# Confirming -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database", "now")
def test_where_nobody_asks_an_address_counts_as_confirmed() -> None:
    assert look(sign_up()).is_confirmed
    assert [message.kind for message in mailed()] == ["SIGNUP_WELCOME"]


@pytest.mark.usefixtures("database", "now", "verifying")
def test_a_sign_up_mails_one_message_with_the_link_and_the_way_back() -> None:
    jo = sign_up()
    (message,) = mailed()
    assert (message.kind, message.payload["welcome"], message.payload["good_for"]) == ("EMAIL_CONFIRM", True, "3 days")
    assert message.payload["action_url"].endswith("?next=%2Fdoctors%2F7%3Fslot%3D9")
    assert not look(jo).is_confirmed
    assert confirm(token_to(OLD, "EMAIL_CONFIRM")) == "confirmed"
    assert look(jo).is_confirmed


@pytest.mark.usefixtures("database", "now", "verifying")
def test_looking_at_a_link_uses_nothing_up() -> None:
    jo = sign_up()
    for _ in range(3):
        with db.transaction(read_only=True) as session:
            offered = addresses.offered(session, None, token=token_to(OLD, "EMAIL_CONFIRM"))
        assert (offered.purpose, offered.email) == (Purpose.CONFIRM_EMAIL, OLD)
    assert not look(jo).is_confirmed


@pytest.mark.usefixtures("database", "verifying")
def test_a_link_is_256_random_bits_of_which_only_the_hash_is_stored(now: datetime) -> None:
    sign_up()
    token = token_to(OLD, "EMAIL_CONFIRM")
    assert len(token) == 43
    with db.transaction(read_only=True) as session:
        stored = session.exec(select(AccountLink)).one()
    assert stored.token_hash == sessions.hash_token(token)
    assert token not in str(stored.model_dump())
    assert stored.expires_at == now + timedelta(days=3)


@pytest.mark.usefixtures("database", "verifying")
@pytest.mark.parametrize("token", ["", "x", "\ud800", "x" * 10_000])
def test_whatever_is_no_link_does_nothing(now: datetime, token: str) -> None:
    sign_up()
    with pytest.raises(LinkOver):
        confirm(token)


@pytest.mark.usefixtures("database", "verifying")
def test_a_link_ends_with_its_time(now: datetime) -> None:
    sign_up()
    db.clock.freeze(now + timedelta(days=3))
    with pytest.raises(LinkOver):
        confirm(token_to(OLD, "EMAIL_CONFIRM"))


@pytest.mark.usefixtures("database", "now", "verifying")
def test_a_newer_link_ends_the_one_before() -> None:
    jo = sign_up()
    first = token_to(OLD, "EMAIL_CONFIRM")
    with db.transaction() as session:
        assert addresses.send_again(session, jo, then="//evil.example") == OLD
    second = token_to(OLD, "EMAIL_CONFIRM")
    assert "next" not in mailed("EMAIL_CONFIRM")[-1].payload["action_url"]
    with pytest.raises(LinkOver):
        confirm(first)
    assert confirm(second) == "confirmed"
    with pytest.raises(LinkOver):
        confirm(second)


@pytest.mark.usefixtures("database", "now", "verifying")
def test_two_who_use_a_link_at_once_use_it_once() -> None:
    for number in range(5):
        sign_up(f"jo{number}@example.com")
        token = token_to(f"jo{number}@example.com", "EMAIL_CONFIRM")
        outcomes = at_once(*[lambda t=token: confirm(t)] * 4)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LinkOver"] * 3 + ["str"]


@pytest.mark.usefixtures("database", "now", "verifying")
def test_the_link_of_a_closed_account_does_nothing() -> None:
    jo = sign_up()
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        accounts.set_active(session, admin, user_id=jo.user_id, active=False)
    with pytest.raises(LinkOver):
        confirm(token_to(OLD, "EMAIL_CONFIRM"))


@pytest.mark.usefixtures("database", "now", "verifying")
def test_asking_for_links_again_and_again_is_slowed_down() -> None:
    jo = sign_up()
    with pytest.raises(TooManyAttempts):
        for _ in range(10):
            with db.transaction() as session:
                addresses.send_again(session, jo)
    assert len(mailed("EMAIL_CONFIRM")) < 8


def test_who_has_confirmed_is_sent_nothing_more(jo: Actor) -> None:
    with db.transaction() as session:
        addresses.send_again(session, jo)
    assert mailed() == []


@pytest.mark.usefixtures("database", "now", "verifying")
def test_a_doctor_is_hidden_until_they_confirm() -> None:
    sign_up(role="doctor")

    def found() -> int:
        with db.transaction(read_only=True) as session:
            return directory.search_doctors(session, None).total

    assert found() == 0
    confirm(token_to(OLD, "EMAIL_CONFIRM"))
    assert found() == 1


@pytest.mark.usefixtures("database", "now", "verifying")
def test_a_temporary_password_that_opens_the_account_confirms_its_address() -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        row = people.create_user(
            session,
            admin,
            email=OLD,
            full_name="Jo Moreau",
            phone="",
            role="patient",
            department_id=None,
            password="abcd-efgh",
            password_hash=builders.password_hash(),
        )
    with db.transaction(read_only=True) as session:
        assert session.get_one(User, row.id).email_confirmed_at is None
    with db.transaction() as session:
        accounts.confirm_by_password(session, user_id=row.id)
    with db.transaction(read_only=True) as session:
        assert session.get_one(User, row.id).email_confirmed_at is not None


@pytest.mark.usefixtures("database", "now", "verifying")
def test_a_password_that_was_not_mailed_confirms_nothing() -> None:
    jo = sign_up()
    with db.transaction() as session:
        session.get_one(User, jo.user_id).password_is_temporary = True  # an administrator asks for another
    with db.transaction() as session:
        accounts.confirm_by_password(session, user_id=jo.user_id)
    assert not look(jo).is_confirmed


# Changing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [OLD, NEW])
def test_an_address_changes_when_both_mailboxes_have_agreed(jo: Actor, first: str) -> None:
    elsewhere = another_session(jo)
    ask(jo)
    second = NEW if first == OLD else OLD
    tokens = {email: token_to(email, "EMAIL_CHANGE") for email in (OLD, NEW)}
    assert confirm(tokens[first]) == "half"
    under_way = look(jo).change
    assert under_way is not None
    assert (under_way.email, under_way.left, under_way.taken) == (NEW, first == OLD, first == NEW)
    assert user_of(jo).email == OLD
    assert confirm(tokens[second], jo) == "changed"
    user = user_of(jo)
    assert (user.email, user.email_key) == (NEW, NEW)
    assert look(jo).change is None
    assert not is_open(elsewhere)
    with db.transaction(read_only=True) as session:
        assert accounts.find_credentials(session, email=OLD) is None
    assert {message.recipient_email for message in mailed("EMAIL_CHANGED")} == {OLD, NEW}


def test_the_session_in_which_it_happens_goes_on_and_no_other(database: str, now: datetime) -> None:
    with db.transaction() as session:
        user = session.get_one(User, builders.patient(session, email=OLD).user_id)
        here = entrance.enter(session, user_id=builders.key(user), browser=Browser()).token
        actor = sessions.resolve(session, here)
    assert actor is not None
    elsewhere = another_session(actor)
    ask(actor)
    confirm(token_to(OLD, "EMAIL_CHANGE"), actor)
    confirm(token_to(NEW, "EMAIL_CHANGE"), actor)
    assert (is_open(here), is_open(elsewhere)) == (True, False)


def test_one_mailbox_alone_changes_nothing_and_a_day_ends_it(jo: Actor, now: datetime) -> None:
    ask(jo)
    confirm(token_to(NEW, "EMAIL_CHANGE"))
    with pytest.raises(LinkOver):
        confirm(token_to(NEW, "EMAIL_CHANGE"))
    db.clock.freeze(now + timedelta(hours=24))
    with pytest.raises(LinkOver):
        confirm(token_to(OLD, "EMAIL_CHANGE"))
    assert user_of(jo).email == OLD
    assert look(jo).change is None


def test_both_at_once_change_it_once(jo: Actor) -> None:
    ask(jo)
    tokens = [token_to(email, "EMAIL_CHANGE") for email in (OLD, NEW)]
    assert sorted(map(str, at_once(*(lambda t=token: confirm(t) for token in tokens)))) == ["changed", "half"]
    assert user_of(jo).email == NEW


def test_a_change_that_is_taken_back_or_asked_for_anew_ends_its_links(jo: Actor) -> None:
    ask(jo)
    taken_back = token_to(NEW, "EMAIL_CHANGE")
    with db.transaction() as session:
        assert addresses.take_back(session, jo).change is None
    ask(jo, "third@example.com")
    ask(jo)
    replaced = token_to("third@example.com", "EMAIL_CHANGE")
    for token in (taken_back, replaced):
        with pytest.raises(LinkOver):
            confirm(token)


def test_a_taken_address_is_answered_like_a_free_one_and_its_owner_is_told(jo: Actor) -> None:
    with db.transaction() as session:
        builders.patient(session, name="Kim Other", email=NEW)
    taken, free = ask(jo), ask(jo, "free@example.com")
    assert taken.change is not None
    assert free.change is not None
    assert (taken.change.left, taken.change.taken, taken.change.until) == (
        free.change.left,
        free.change.taken,
        free.change.until,
    )
    (told,) = mailed(to=NEW)
    assert (told.kind, told.payload["side"], told.recipient_name) == ("EMAIL_CHANGE", "taken", "Kim Other")
    assert told.payload["action_url"].endswith("/login")


def test_an_address_that_was_taken_meanwhile_is_said_at_the_end(jo: Actor) -> None:
    ask(jo)
    with db.transaction() as session:
        builders.patient(session, name="Kim Other", email=NEW)
    confirm(token_to(OLD, "EMAIL_CHANGE"))
    assert confirm(token_to(NEW, "EMAIL_CHANGE")) == "taken"
    assert user_of(jo).email == OLD
    assert look(jo).change is None
    assert mailed("EMAIL_CHANGED") == []


@pytest.mark.usefixtures("database", "now", "verifying")
def test_an_address_that_was_never_confirmed_need_not_agree_and_is_told_nothing() -> None:
    jo = sign_up("typo@example.com")
    ask(jo)
    assert mailed("EMAIL_CHANGE", to="typo@example.com") == []
    assert confirm(token_to(NEW, "EMAIL_CHANGE")) == "changed"
    found = look(jo)
    assert (found.email, found.is_confirmed) == (NEW, True)
    assert [message.recipient_email for message in mailed("EMAIL_CHANGED")] == [NEW]
    with pytest.raises(LinkOver):
        confirm(token_to("typo@example.com", "EMAIL_CONFIRM"))


def test_what_cannot_be_asked_for(jo: Actor) -> None:
    for email in (OLD.upper(), "nowhere", ""):
        with pytest.raises(Invalid) as refusal:
            ask(jo, email)
        assert refusal.value.field == "email"
    with pytest.raises(WrongPassword), db.transaction() as session:
        addresses.ask_change(session, jo, email=NEW, current_hash="another")
    with pytest.raises(LoginRequired), db.transaction() as session:
        addresses.ask_change(session, None, email=NEW, current_hash=builders.password_hash())
    assert mailed() == []


def test_whoever_acts_as_somebody_else_leaves_their_address_alone(jo: Actor) -> None:
    acting = Actor(jo.user_id, jo.session_id, jo.role, jo.name, jo.email, jo.patient_id, acted_by=99)
    for attempt in (
        lambda session: addresses.ask_change(session, acting, email=NEW, current_hash=builders.password_hash()),
        lambda session: addresses.take_back(session, acting),
        lambda session: addresses.send_again(session, acting),
    ):
        with pytest.raises(NotAsSomebodyElse), db.transaction() as session:
            attempt(session)


# By an administrator --------------------------------------------------------------------------------


def edit(actor: Actor, email: str) -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        accounts.edit_user(session, admin, user_id=actor.user_id, email=email, full_name="Jo Moreau", phone="")


@pytest.mark.usefixtures("verifying")
def test_an_address_that_an_administrator_enters_has_to_be_confirmed(jo: Actor) -> None:
    ask(jo, "third@example.com")
    edit(jo, NEW)
    found = look(jo)
    assert (found.email, found.is_confirmed, found.change) == (NEW, False, None)
    assert [(m.kind, m.recipient_email) for m in mailed()[2:]] == [("EMAIL_CHANGED", OLD), ("EMAIL_CONFIRM", NEW)]
    assert mailed("EMAIL_CHANGED")[0].payload["by"] == "clinic"
    assert confirm(token_to(NEW, "EMAIL_CONFIRM")) == "confirmed"


def test_where_nobody_asks_it_is_only_told(jo: Actor) -> None:
    edit(jo, NEW)
    assert look(jo).is_confirmed
    assert [(m.kind, m.recipient_email) for m in mailed()] == [("EMAIL_CHANGED", OLD)]


@pytest.mark.usefixtures("verifying")
def test_another_case_is_the_same_address(jo: Actor) -> None:
    edit(jo, OLD.upper())
    assert look(jo).is_confirmed
    assert mailed() == []


def test_a_temporary_password_that_went_to_another_address_ends(jo: Actor) -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        accounts.give_temporary_password(
            session, admin, user_id=jo.user_id, password="abcd-efgh", password_hash=builders.password_hash()
        )
    edit(jo, NEW)
    with db.transaction(read_only=True) as session:
        found = accounts.find_credentials(session, email=NEW)
    assert found is not None
    assert found.is_over


def test_every_step_is_in_the_audit_trail_without_an_address(jo: Actor) -> None:
    ask(jo)
    confirm(token_to(OLD, "EMAIL_CHANGE"), jo)
    confirm(token_to(NEW, "EMAIL_CHANGE"))
    with db.transaction(read_only=True) as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.object_id == jo.user_id)).all()
    assert [entry.action for entry in entries if entry.action.startswith("address.")] == [
        "address.ask",
        "address.agree",
        "address.agree",
        "address.change",
    ]
    assert not any("@" in entry.detail for entry in entries)


def test_spans_are_said_as_people_say_them() -> None:
    said = {purpose: link_rules.in_words(span) for purpose, span in link_rules.GOOD_FOR.items()}
    assert list(said.values()) == ["3 days", "30 minutes", "24 hours", "24 hours"]
    assert link_rules.in_words(link_rules.TEMPORARY_PASSWORD) == "3 days"


def test_ending_links_ends_those_of_one_person(jo: Actor) -> None:
    with db.transaction() as session:
        other = builders.user(session)
        builders.link(session, other)
        links.end(session, session.get_one(User, jo.user_id))
        assert len(session.exec(select(AccountLink)).all()) == 1
