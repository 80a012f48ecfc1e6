"""The outbox as its writers and the administrator see it, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts.service import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.errors import Conflict, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications import outbox, service
from mhms_app.notifications.dispatcher import dispatch_once
from mhms_app.notifications.models import Delivery
from mhms_app.notifications.outbox import PayloadForgotten
from mhms_app.notifications.rules import Outcome, Verdict
from mhms_app.notifications.senders import RecordingSender
from mhms_app.notifications.service import OutboxChanged
from tests import builders
from tests.notifications.outbox import message, rows, write

REFUSED = Outcome(Verdict.DEAD, "422 invalid")


@pytest.fixture
def admin(database: str) -> Actor:
    with db.transaction() as session:
        return builders.actor(session, builders.user(session, role=Role.ADMIN))


@pytest.fixture
def heard(database: str) -> Iterator[list[object]]:
    """What was announced."""
    facts: list[object] = []
    stop = db.listen(facts.append)
    yield facts
    stop()


def send(*script: Outcome) -> list[str]:
    """Send what is due with scripted outcomes; returns the keys that were tried."""
    sender = RecordingSender(script)
    dispatch_once(sender)
    return [message.key for message in sender.messages]


def test_a_message_is_announced_when_it_is_committed(heard: list[object]) -> None:
    with db.transaction() as session:
        service.enqueue(session, message("welcome-1"))
        assert heard == []
    assert heard == [OutboxChanged()]
    assert list(rows()) == ["welcome-1"]


def test_a_rollback_leaves_no_message_and_announces_nothing(heard: list[object]) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        service.enqueue(session, message("welcome-1"))
        session.flush()
        raise ZeroDivisionError
    assert rows() == {}
    assert heard == []
    assert send() == []


def test_a_resend_takes_a_dead_message_up_again_with_its_key(now: datetime, admin: Actor, heard: list[object]) -> None:
    write("welcome-1")
    send(REFUSED)
    heard.clear()
    db.clock.freeze(now + timedelta(days=20))
    with db.transaction() as session:
        row = outbox.resend(session, admin, message_id=rows_id("welcome-1"))
    assert (row.state, row.attempts, row.last_error) == (Delivery.WAITING, 0, "")
    assert row.created_at == row.next_attempt_at == now + timedelta(days=20)
    assert heard == [OutboxChanged()]
    assert send() == ["welcome-1"]
    assert rows()["welcome-1"].state == Delivery.SENT


def test_a_resend_of_a_sent_message_gets_a_new_key_each_time(admin: Actor) -> None:
    write("welcome-1")
    assert send() == ["welcome-1"]
    for expected in ("welcome-1#2", "welcome-1#3"):
        (only,) = rows().values()
        with db.transaction() as session:
            outbox.resend(session, admin, message_id=only.id or 0)
        assert send() == [expected]


def test_a_resend_is_audited_without_personal_data(admin: Actor) -> None:
    write("welcome-1")
    send()
    with db.transaction() as session:
        outbox.resend(session, admin, message_id=rows_id("welcome-1"))
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "message.resend")).one()
    assert (entry.actor_id, entry.object_type, entry.detail) == (admin.user_id, "message", "")


def test_a_message_on_its_way_is_not_sent_again(admin: Actor) -> None:
    write("welcome-1")
    with pytest.raises(Conflict, match="on its way"), db.transaction() as session:
        outbox.resend(session, admin, message_id=rows_id("welcome-1"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("ACCOUNT_PASSWORD", "temporary password"),
        *(
            (kind, "The link in this message")
            for kind in ("WAITLIST_OFFER", "EMAIL_CONFIRM", "EMAIL_CHANGE", "PASSWORD_RESET")
        ),
    ],
)
def test_a_secret_is_forgotten_and_cannot_be_sent_again(admin: Actor, kind: str, said: str) -> None:
    for key in ("sent", "dead"):
        with db.transaction() as session:
            service.enqueue(session, service.Message(kind, "jo@example.com", "Jo", {"secret": "abcd-efgh"}, key))
    send(Outcome(Verdict.SENT), REFUSED)
    assert {row.state for row in rows().values()} == {Delivery.SENT, Delivery.DEAD}
    for finished in rows().values():
        assert finished.payload == {}
        with db.transaction() as session:
            assert not outbox.list_messages(session, admin).rows[0].can_resend
        with pytest.raises(PayloadForgotten, match=said), db.transaction() as session:
            outbox.resend(session, admin, message_id=finished.id or 0)


def test_a_password_is_kept_while_it_is_tried_again(database: str) -> None:
    with db.transaction() as session:
        service.account_password(
            session, email="jo@example.com", name="Jo", temporary_password="abcd-efgh", good_for="3 days"
        )
    send(Outcome(Verdict.RETRY, "timeout"))
    (waiting,) = rows().values()
    assert waiting.payload["temporary_password"] == "abcd-efgh"


def test_an_unknown_message_is_not_found(admin: Actor) -> None:
    with pytest.raises(NotFound), db.transaction() as session:
        outbox.resend(session, admin, message_id=4711)


def test_the_outbox_is_for_administrators(session: Session) -> None:
    patient = builders.actor(session, builders.patient(session))
    doctor = builders.actor(session, builders.doctor(session))
    for actor, refusal in ((None, LoginRequired), (patient, NotAllowed), (doctor, NotAllowed)):
        with pytest.raises(refusal):
            outbox.list_messages(session, actor)
        with pytest.raises(refusal):
            outbox.counts(session, actor)
        with pytest.raises(refusal):
            outbox.resend(session, actor, message_id=1)


def test_messages_are_listed_newest_first_in_pages(admin: Actor) -> None:
    write(*(f"welcome-{n}" for n in range(7)))
    with db.transaction(read_only=True) as session:
        pages = [outbox.list_messages(session, admin, page=n, size=3) for n in (1, 2, 3, 4)]
    ids = [row.id for page in pages for row in page.rows]
    assert ids == sorted((row.id or 0 for row in rows().values()), reverse=True)
    assert [len(page.rows) for page in pages] == [3, 3, 1, 0]
    assert {page.total for page in pages} == {7}


def test_messages_are_found_by_name_and_address(admin: Actor) -> None:
    with db.transaction() as session:
        for key, name in (("a", "Jo Moreau"), ("b", "Zoë Marsh")):
            service.enqueue(session, replace(message(key), name=name, email=f"{key}@example.com"))
        found = {
            search: outbox.list_messages(session, admin, search=search).total
            for search in ("MOREAU", "zoë", "example.com", "100%", "_", "\0", "  ", "nobody")
        }
    assert found == {"MOREAU": 1, "zoë": 1, "example.com": 2, "100%": 0, "_": 0, "\0": 2, "  ": 2, "nobody": 0}


def test_messages_are_filtered_by_state(admin: Actor) -> None:
    write("welcome-1", "welcome-2", "welcome-3")
    send(Outcome(Verdict.SENT), REFUSED, Outcome(Verdict.RETRY, "timeout"))
    with db.transaction(read_only=True) as session:
        for state in (Delivery.SENT, Delivery.DEAD, Delivery.WAITING):
            (row,) = outbox.list_messages(session, admin, state=state).rows
            assert row.state is state
            assert row.can_resend is (state is not Delivery.WAITING)
            assert (row.next_attempt_at is None) is (state is not Delivery.WAITING)
        assert outbox.list_messages(session, admin, state=Delivery.SENDING).total == 0


def test_counts_say_how_the_outbox_stands(now: datetime, admin: Actor) -> None:
    with db.transaction(read_only=True) as session:
        assert outbox.counts(session, admin) == outbox.OutboxCounts(0, 0, 0, None, None)
    write("sent-yesterday", "refused")
    send(Outcome(Verdict.SENT), REFUSED)
    midnight = now.replace(hour=23, minute=0)  # in Berlin, in November
    db.clock.freeze(midnight - timedelta(hours=1))
    write("waits")
    db.clock.freeze(midnight)
    write("sent-today")
    send(Outcome(Verdict.RETRY, "timeout"), Outcome(Verdict.SENT))
    with db.transaction(read_only=True) as session:
        counts = outbox.counts(session, admin)
        assert counts == outbox.OutboxCounts(1, 1, 1, midnight - timedelta(hours=1), midnight)


def rows_id(key: str) -> int:
    return rows()[key].id or 0
