"""What an administrator can do to somebody's access: audited, told, and never to themself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import Session, col, select

from mhms_app.accounts import powers, sessions
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import User
from mhms_app.accounts.powers import NotYourself
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Actor, Role
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.audit.service import Origin
from mhms_app.errors import LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders

pytestmark = pytest.mark.usefixtures("now")

Power = Callable[..., object]
POWERS: dict[str, tuple[Power, str, str]] = {
    "new password": (powers.ask_for_new_password, "user.force_password", "new_password_asked"),
    "sessions": (powers.end_sessions, "session.end_all", "sessions_ended"),
    "lock": (
        lambda s, a, user_id: accounts.set_active(s, a, user_id=user_id, active=False),
        "user.deactivate",
        "locked",
    ),
}


class Office:
    """An administrator, and a patient who is logged in."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        builders.user(session, role=Role.ADMIN)
        self.patient = builders.patient(session)
        self.token = sessions.open_session(
            session, user_id=self.patient.user_id, browser=Browser("Firefox on Windows", "203.0.113.5")
        )
        session.flush()


@pytest.fixture
def office(session: Session) -> Office:
    return Office(session)


@pytest.mark.parametrize("name", POWERS)
def test_it_ends_the_persons_sessions_is_audited_and_told(office: Office, name: str) -> None:
    power, action, told = POWERS[name]
    power(office.session, office.admin, user_id=office.patient.user_id)
    office.session.flush()
    assert sessions.resolve(office.session, office.token) is None
    last = office.session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc())).first()
    assert last is not None
    assert (last.action, last.actor_id, last.object_id) == (action, office.admin.user_id, office.patient.user_id)
    (message,) = office.session.exec(select(OutboxMessage)).all()
    user = office.session.get_one(User, office.patient.user_id)
    assert (message.kind, message.recipient_email, message.payload["action"]) == ("ACCOUNT_ACTION", user.email, told)


@pytest.mark.parametrize("name", ["new password", "sessions"])
def test_nobody_does_it_to_themself_and_only_administrators_do_it(office: Office, name: str) -> None:
    power, *_ = POWERS[name]
    session = office.session
    with pytest.raises(NotYourself):
        power(session, office.admin, user_id=office.admin.user_id)
    with pytest.raises(NotFound):
        power(session, office.admin, user_id=999_999)
    with pytest.raises(NotAllowed):
        power(session, builders.actor(session, office.patient), user_id=office.admin.user_id)
    with pytest.raises(LoginRequired):
        power(session, None, user_id=office.patient.user_id)
    assert sessions.resolve(session, office.token) is not None


def test_a_new_password_is_the_first_thing_after_the_next_login(office: Office) -> None:
    powers.ask_for_new_password(office.session, office.admin, user_id=office.patient.user_id)
    assert powers.access(office.session, office.admin, user_id=office.patient.user_id).must_choose


def look(office: Office, who: Actor | None) -> powers.Access:
    return powers.access(office.session, who, user_id=office.patient.user_id)


def test_sessions_and_sign_ins_are_seen_with_device_and_place(office: Office) -> None:
    audit.come_from(office.session, Origin("198.51.100.9"))
    audit.record(
        office.session, actor_id=None, action="session.refuse", object_type="user", object_id=office.patient.user_id
    )
    office.session.flush()
    seen = look(office, office.admin)
    (standing,) = seen.sessions
    assert (standing.device, standing.address, standing.is_here) == ("Firefox on Windows", "203.0.113.5", False)
    refused, entered = seen.sign_ins
    assert (refused.succeeded, refused.address) == (False, "198.51.100.9")
    assert (entered.succeeded, entered.device) == (True, "Firefox on Windows")
    assert not seen.has_second_factor


def test_only_administrators_see_them(office: Office) -> None:
    with pytest.raises(NotAllowed):
        look(office, builders.actor(office.session, office.patient))
    with pytest.raises(LoginRequired):
        look(office, None)
