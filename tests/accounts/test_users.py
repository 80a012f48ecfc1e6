"""Accounts: one for each address, and never none to administer; on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import Session, col, func, select

from mhms_app import db
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import User
from mhms_app.accounts.service import Actor, EmailTaken, LastAdministrator, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from tests import builders


@pytest.fixture
def admin(session: Session) -> Actor:
    return builders.actor(session, builders.user(session, role=Role.ADMIN, name="Ada Admin"))


def add(session: Session, email: str = "jo@example.com", **changes: str) -> User:
    fields = {"full_name": "Jo Moreau", "password_hash": "$2b$04$", **changes}
    return accounts.add_user(session, email=email, role=Role.PATIENT, **fields)


def at_once(*calls: Callable[[], object]) -> list[BaseException | None]:
    """Run the calls at the same time; returns what each raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> BaseException | None:
        start.wait(30)
        try:
            call()
        except BaseException as error:
            return error
        return None

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("jo@example.com", "JO@EXAMPLE.COM"),
        ("Jo@Example.com", " jo@example.com "),
        ("jo@klinik-süd.example", "JO@KLINIK-SU\u0308D.example"),
    ],
)
def test_an_address_is_taken_regardless_of_case(session: Session, first: str, second: str) -> None:
    kept = add(session, first)
    with pytest.raises(EmailTaken) as refusal:
        add(session, second)
    assert refusal.value.field == "email"
    assert session.exec(select(User.id)).all() == [kept.id]  # and the transaction goes on
    found = accounts.find_credentials(session, email=second)
    assert found is not None
    assert found.user_id == kept.id


def test_an_address_taken_at_the_same_moment_is_refused_by_name(database: str) -> None:
    def sign_up(email: str) -> None:
        with db.transaction() as session:
            add(session, email)

    for number in range(5):
        raised = at_once(*(lambda e=e: sign_up(e) for e in (f"jo{number}@example.com", f"JO{number}@example.com")))
        assert {type(error) for error in raised} == {type(None), EmailTaken}
    with db.transaction(read_only=True) as session:
        assert session.exec(select(func.count()).select_from(User)).one() == 5


def test_an_edit_cannot_take_anothers_address(session: Session, admin: Actor) -> None:
    add(session, "ada@example.com")
    jo = add(session, "jo@example.com")
    edit = {"user_id": builders.key(jo), "full_name": "Jo Moreau", "phone": ""}
    with pytest.raises(EmailTaken):
        accounts.edit_user(session, admin, email="ADA@example.com", **edit)  # type: ignore[arg-type]
    assert accounts.edit_user(session, admin, email="JO@example.com", **edit).email == "JO@example.com"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("email", {"email": "not an address"}),
        ("email", {"email": "jo@example.com\x00"}),
        ("email", {"email": "jö@example.com"}),  # a mail server may refuse it, so we do at once
        ("email", {"email": "\ud800@example.com"}),
        ("full_name", {"full_name": "\x00"}),
        ("full_name", {"full_name": "x" * 121}),
        ("phone", {"phone": "1" * 41}),
    ],
)
def test_a_wrong_field_is_named(session: Session, admin: Actor, field: str, changes: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refusal:
        add(session, **changes)
    assert refusal.value.field == field
    user = builders.user(session)
    edit = {"email": "jo@example.com", "full_name": "Jo Moreau", "phone": "", **changes}
    with pytest.raises(Invalid) as refusal:
        accounts.edit_user(session, admin, user_id=builders.key(user), **edit)
    assert refusal.value.field == field


@pytest.mark.parametrize("email", ["", "nobody@example.com", "\x00", "\ud800@example.com", "x" * 100_000])
def test_unknown_and_impossible_addresses_have_no_credentials(session: Session, email: str) -> None:
    add(session)
    assert accounts.find_credentials(session, email=email) is None


def test_the_last_active_administrator_stays(session: Session, admin: Actor) -> None:
    builders.user(session, role=Role.ADMIN, active=False)
    with pytest.raises(LastAdministrator):
        accounts.set_active(session, admin, user_id=admin.user_id, active=False)
    with pytest.raises(LastAdministrator):
        accounts.change_role(session, admin.user_id, Role.PATIENT)
    second = builders.key(builders.user(session, role=Role.ADMIN))
    assert not accounts.set_active(session, admin, user_id=admin.user_id, active=False).active
    with pytest.raises(LastAdministrator):
        accounts.change_role(session, second, Role.DOCTOR)


def test_two_administrators_cannot_close_each_others_account_at_once(database: str) -> None:
    with db.transaction() as session:
        admins = [builders.actor(session, builders.user(session, role=Role.ADMIN)) for _ in range(2)]

    def close(actor: Actor, other: Actor) -> None:
        with db.transaction() as session:
            accounts.set_active(session, actor, user_id=other.user_id, active=False)

    def demote(other: Actor) -> None:
        with db.transaction() as session:
            accounts.change_role(session, other.user_id, Role.PATIENT)

    one, two = admins
    pairs = (
        (lambda: close(one, two), lambda: close(two, one)),
        (lambda: demote(one), lambda: demote(two)),
        (lambda: close(one, two), lambda: demote(one)),
    )
    for pair in pairs:
        raised = at_once(*pair)
        assert {type(error) for error in raised} == {type(None), LastAdministrator}
        with db.transaction() as session:
            left = session.exec(select(User.id).where(User.role == Role.ADMIN, col(User.active))).all()
            assert len(left) == 1
            for user in session.exec(select(User)):
                user.role, user.active = Role.ADMIN.value, True
                session.add(user)


def test_a_change_sees_what_others_changed_since_this_session_last_looked(session: Session, admin: Actor) -> None:
    user = builders.user(session)
    session.commit()
    session.get_one(User, user.id)
    session.commit()
    with db.transaction() as other:
        accounts.set_active(other, admin, user_id=builders.key(user), active=False)
    assert accounts.set_active(session, admin, user_id=builders.key(user), active=True).active
    session.commit()
    with db.transaction(read_only=True) as other:
        assert accounts.get_user(other, admin, user_id=builders.key(user)).active


def test_administration_is_for_administrators(session: Session) -> None:
    patient = builders.actor(session, builders.patient(session))
    calls: list[Callable[[Actor | None], object]] = [
        lambda actor: accounts.get_user(session, actor, user_id=1),
        lambda actor: accounts.set_active(session, actor, user_id=1, active=False),
        lambda actor: accounts.edit_user(session, actor, user_id=1, email="a@b.example", full_name="Jo", phone=""),
        lambda actor: accounts.give_temporary_password(session, actor, user_id=1, password="", password_hash=""),
    ]
    for call in calls:
        with pytest.raises(LoginRequired):
            call(None)
        with pytest.raises(NotAllowed):
            call(patient)


def test_an_unknown_user_is_not_found(session: Session, admin: Actor) -> None:
    calls: list[Callable[[], object]] = [
        lambda: accounts.get_user(session, admin, user_id=4711),
        lambda: accounts.set_active(session, admin, user_id=4711, active=True),
        lambda: accounts.change_role(session, 4711, Role.DOCTOR),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_every_change_is_audited_without_personal_data(session: Session, admin: Actor) -> None:
    user = builders.key(builders.user(session))
    accounts.edit_user(session, admin, user_id=user, email="jo@example.com", full_name="Jo Moreau", phone="123")
    accounts.set_active(session, admin, user_id=user, active=False)
    accounts.set_active(session, admin, user_id=user, active=True)
    accounts.give_temporary_password(session, admin, user_id=user, password="abcd-efgh", password_hash="$2b$04$")
    entries = session.exec(select(AuditEntry).where(AuditEntry.object_id == user).order_by(col(AuditEntry.id))).all()
    assert [entry.action for entry in entries] == [
        "user.edit",
        "user.deactivate",
        "user.activate",
        "user.temporary_password",
    ]
    assert {(entry.actor_id, entry.detail) for entry in entries} == {(admin.user_id, "")}


def test_refusals_are_sentences() -> None:
    for refusal in (EmailTaken(), LastAdministrator(), accounts.WrongCredentials()):
        assert isinstance(refusal, ClinicError)
        assert refusal.sentence.endswith(".")
