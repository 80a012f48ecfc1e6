"""What is older than the settings say goes; what is younger, and what somebody still needs, stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from mhms_app import db
from mhms_app.accounts import acting, sessions
from mhms_app.accounts.models import AccountLink, Acting, KnownDevice, LoginSession, LoginStep
from mhms_app.accounts.sessions import Browser
from mhms_app.actor import Role
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.calendars.models import GoogleConsent
from mhms_app.notifications import outbox
from mhms_app.notifications import service as notifications
from mhms_app.notifications.models import OutboxMessage
from mhms_app.notifications.outbox import PayloadForgotten
from mhms_app.oversight import checks, retention, tasks
from tests import builders
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("database", "now")

OLD = NOW - timedelta(days=91)


def at(instant: datetime, work: Callable[[], object]) -> None:
    db.clock.freeze(instant)
    work()
    db.clock.freeze(NOW)


def log_in() -> None:
    with db.transaction() as session:
        doctor = builders.doctor(session)
        visit = builders.actor(session, doctor).session_id
        builders.added(session, GoogleConsent(session_id=visit, state_hash="0", sealed_verifier="", expires_at=NOW))


def act() -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        patient = builders.patient(session).user_id
        acting.begin(session, admin, user_id=patient, reason="Asked for help.", browser=Browser())


def test_sessions_that_are_over_for_long_go_with_what_belongs_to_them() -> None:
    at(OLD, log_in)
    at(OLD, act)
    at(NOW, log_in)
    assert retention.tidy()["sessions"] == 3
    with db.transaction(read_only=True) as session:
        (left,) = session.exec(select(LoginSession)).all()
        assert left.created_at == NOW
        assert session.exec(select(Acting)).all() == []
        assert [one.session_id for one in session.exec(select(GoogleConsent))] == [left.id]
    assert retention.tidy() == dict.fromkeys(retention.tidy(), 0)


def test_an_open_session_stays_however_long_ago_it_began() -> None:
    at(OLD, log_in)
    with db.transaction() as session:
        later = {"idle_until": NOW + timedelta(hours=1), "expires_at": NOW + timedelta(hours=1)}
        session.execute(update(LoginSession).values(**later))
    assert retention.tidy()["sessions"] == 0


def write(key: str = "a") -> None:
    with db.transaction() as session:
        notifications.enqueue(session, notifications.Message("PASSWORD_CHANGED", "jo@example.com", "Jo", {"a": 1}, key))


def finish() -> None:
    with db.transaction() as session:
        session.execute(update(OutboxMessage).values(state="sent", sent_at=OLD))


def test_old_messages_keep_neither_text_nor_receiver_and_are_still_sent_once() -> None:
    at(OLD, write)
    finish()
    at(NOW - timedelta(days=29), lambda: write("b"))
    assert retention.tidy()["messages"] == 1
    with db.transaction(read_only=True) as session:
        old, young = session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id))).all()
    assert (old.recipient_email, old.recipient_name, old.payload) == ("", "", {})
    assert (old.kind, old.idempotency_key, old.state) == ("PASSWORD_CHANGED", "a", "sent")
    assert (young.recipient_email, young.payload) == ("jo@example.com", {"a": 1})


def test_a_message_that_is_no_longer_kept_cannot_be_sent_again() -> None:
    at(OLD, write)
    finish()
    retention.tidy()
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        (row,) = outbox.list_messages(session, admin).rows
        assert not row.can_resend
        with pytest.raises(PayloadForgotten):
            outbox.resend(session, admin, message_id=row.id)


def test_a_message_that_was_never_sent_keeps_what_it_says() -> None:
    at(OLD, write)
    assert retention.tidy()["messages"] == 0


def test_links_steps_and_forgotten_devices_go() -> None:
    with db.transaction() as session:
        user = builders.user(session)
        builders.link(session, user)
        builders.added(session, LoginStep(token_hash="a", expires_at=OLD))
        builders.added(session, LoginStep(token_hash="b", expires_at=NOW))
        for token, forgotten in (("a", OLD), ("b", None)):
            builders.added(
                session,
                KnownDevice(
                    user_id=builders.key(user),
                    token_hash=token,
                    device="",
                    first_seen_at=OLD,
                    last_seen_at=OLD,
                    forgotten_at=forgotten,
                ),
            )
        session.execute(update(AccountLink).values(expires_at=OLD))
    done = retention.tidy()
    assert (done["links"], done["steps"], done["devices"]) == (1, 1, 1)
    with db.transaction(read_only=True) as session:
        assert session.exec(select(LoginStep.token_hash)).all() == ["b"]
        assert session.exec(select(KnownDevice.token_hash)).all() == ["b"]


def test_it_says_in_the_trail_what_it_did() -> None:
    at(OLD, write)
    finish()
    retention.tidy()
    retention.tidy()
    with db.transaction(read_only=True) as session:
        assert session.exec(select(AuditEntry.detail).where(AuditEntry.action == "retention.tidy")).all() == [
            "1 messages"
        ]


def test_batches_go_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for key in "abcde":
        at(OLD, lambda key=key: write(key))  # type: ignore[misc]
    finish()
    assert retention.tidy()["messages"] == 5


def test_the_trail_keeps_the_years_that_the_settings_say(configure: Callable[[str, str], None]) -> None:
    def record() -> None:
        with db.transaction() as session:
            audit.record(session, actor_id=None, action="test.old")
        chain.seal_all()

    long_ago = datetime.now(NOW.tzinfo) - timedelta(days=800)
    at(long_ago, record)
    at(NOW, record)
    assert retention.tidy()["entries"] == 0
    configure("MHMS_KEEP_AUDIT_DAYS", "500")
    assert retention.tidy()["entries"] == 1
    chain.seal_all()
    with db.transaction(read_only=True) as session:
        assert not chain.verify(session).problem


def test_once_a_day_the_chain_is_verified_and_what_came_of_it_is_written_down() -> None:
    with db.transaction() as session:
        audit.record(session, actor_id=None, action="test.done")
    chain.seal_all()
    tasks.every_hour()
    tasks.every_hour()
    with db.transaction(read_only=True) as session:
        assert len(session.exec(select(AuditEntry).where(AuditEntry.action == "audit.verify")).all()) == 1
        assert checks.last_check(session) == checks.Check(NOW, "", 1)
        head = chain.head(session)
    db.clock.freeze(NOW + tasks.VERIFY_EVERY)
    tasks.every_hour()
    with db.transaction(read_only=True) as session:
        last = checks.last_check(session)
        assert last is not None
        assert (last.at, last.problem) == (NOW + tasks.VERIFY_EVERY, "")
        assert last.position == head.position == 2  # the first verification was sealed meanwhile


def test_a_chain_that_is_not_whole_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with db.transaction() as session:
        audit.record(session, actor_id=None, action="test.done")
    db.clock.freeze(NOW + timedelta(hours=1))
    assert tasks.verify().problem == "Entry 1 has no seal and is not new."
    assert "the audit trail is not whole: Entry 1 has no seal" in caplog.text
    with db.transaction(read_only=True) as session:
        last = checks.last_check(session)
    assert last is not None
    assert last.problem.startswith("Entry 1")


def test_a_session_of_somebody_who_acted_is_nobodys_afterwards() -> None:
    with db.transaction() as session:
        admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        begun = acting.begin(
            session, admin, user_id=builders.patient(session).user_id, reason="Asked for help.", browser=Browser()
        )
    with db.transaction() as session:
        acting.end(session, token=begun.token)
        assert sessions.resolve(session, begun.token) is None
