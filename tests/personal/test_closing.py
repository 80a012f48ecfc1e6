"""Whoever closes their account leaves nothing personal behind, in any table; what the clinic has done stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, select

from mhms_app import db
from mhms_app.accounts import entrance, factors, links, own, passwords
from mhms_app.accounts import service as accounts
from mhms_app.accounts.link_rules import Purpose
from mhms_app.accounts.models import KnownDevice, LoginSession, Patient, RecoveryCode, User
from mhms_app.accounts.own_password import WrongPassword
from mhms_app.accounts.service import AccountClosed, LastAdministrator
from mhms_app.accounts.sessions import Browser, resolve
from mhms_app.actor import Role
from mhms_app.audit.models import AuditEntry
from mhms_app.availability.models import Slot
from mhms_app.booking import changes, holds, waiting
from mhms_app.booking import service as booking
from mhms_app.booking.models import Appointment, DeskNote, Leave, Waiting, WaitingOffer
from mhms_app.calendars import service as calendars
from mhms_app.calendars.models import CalendarFeed, GoogleConnection
from mhms_app.directory.models import Doctor
from mhms_app.notifications.dispatcher import dispatch_once
from mhms_app.notifications.models import Delivery, OutboxMessage
from mhms_app.notifications.rules import Outcome, Verdict
from mhms_app.notifications.service import Message
from mhms_app.personal import closing
from tests import builders

MARKS = ("canary", "Quillon", "+49 30 555 0199", "203.0.113.99", "Lisbon")
BROWSER = Browser("Firefox on Canary", "203.0.113.99")
ON_RECORD = {("audit_entry", "address")}  # append-only, and kept as long as the trail is


class Sender:
    """Takes every message, or none."""

    def __init__(self, verdict: Verdict = Verdict.SENT) -> None:
        self.verdict, self.sent = verdict, list[Message]()

    def send(self, message: Message) -> Outcome:
        self.sent.append(message)
        return Outcome(self.verdict, "canary@example.org has no mailbox" if self.verdict is Verdict.DEAD else "")


def left(session: Session) -> set[tuple[str, str]]:
    """Where a mark of the person still stands."""
    session.expire_all()
    found = {
        (table.name, column)
        for table in SQLModel.metadata.sorted_tables
        for row in session.execute(select(table)).mappings()
        for column, value in row.items()
        if any(mark.casefold() in str(value).casefold() for mark in MARKS)
    }
    session.rollback()
    return found - ON_RECORD


def of_canary(session: Session, user: User) -> str:
    """Mark an account wherever an account can be, and log in; returns the session's token."""
    user.phone, user.time_zone, user.email_confirmed_at = MARKS[2], "Europe/Lisbon", db.clock.now()
    token = entrance.enter(session, user_id=builders.key(user), browser=BROWSER).token
    entrance.enter(session, user_id=builders.key(user), browser=Browser("Canary", "203.0.113.99"))
    factors.new_recovery_codes(session, builders.key(user))
    links.issue(session, user, Purpose.RESET_PASSWORD, sent_to="canary@example.org")
    session.flush()
    return token


def close(session: Session, token: str) -> None:
    actor = resolve(session, token, address="203.0.113.99")
    assert actor is not None
    closing.close(session, actor, known_hash=session.get_one(User, actor.user_id).password_hash)
    session.commit()


@pytest.fixture
def doctor(session: Session, now: datetime) -> Doctor:
    return builders.doctor(session, name="Dr. Amira Haddad")


@pytest.fixture
def patient(session: Session, doctor: Doctor, now: datetime) -> Patient:
    return builders.patient(session, name="Quillon Canarybird", email="canary@example.org")


@pytest.fixture
def token(session: Session, doctor: Doctor, patient: Patient, now: datetime) -> str:
    """A patient with a past, two appointments to come (one within the notice of 24 hours), and more."""
    token = of_canary(session, session.get_one(User, patient.user_id))
    actor = resolve(session, token)
    times = [now + timedelta(hours=hours) for hours in (2, 72, 96, 120)]
    slots = [builders.slot(session, doctor, at) for at in times]
    references = [
        booking.book(session, actor, slot_id=builders.key(slot), reason="canary cough", key=f"{number}").reference
        for number, slot in enumerate(slots[:3])
    ]
    changes.cancel(session, actor, reference=references[2], choice="I am ill", note="the canary is ill")
    holds.hold(session, actor, slot_id=builders.key(slots[3]))
    tomorrow = (now + timedelta(days=1)).date()
    waiting.join(session, actor, doctor_id=builders.key(doctor), weekdays=(0,), part="any", earliest=tomorrow)
    calendars.create_feed(session, actor, shows="own")
    over = builders.slot(session, doctor, now - timedelta(days=2), state="booked")
    row = builders.added(session, past(over, doctor, patient))
    note = DeskNote(appointment_id=row.id or 0, slot_id=row.slot_id, note="Canarybird called.", done_by=1, done_at=now)
    builders.added(session, note)
    session.commit()
    return token


def past(slot: Slot, doctor: Doctor, patient: Patient) -> Appointment:
    return Appointment(
        reference="MH-PASTXX",
        slot_id=builders.key(slot),
        patient_id=builders.key(patient),
        doctor_id=builders.key(doctor),
        department_id=doctor.department_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        status="completed",
        reason="canary",
        idempotency_key="past",
        created_at=slot.starts_at - timedelta(days=1),
    )


def test_what_will_happen_is_said_before(session: Session, token: str) -> None:
    outlook = closing.look(session, resolve(session, token))
    assert (outlook.cancelled, outlook.waits, outlook.refusal) == (2, 1, None)


def test_nothing_personal_is_left_once_the_last_messages_are_sent(session: Session, token: str) -> None:
    assert len(left(session)) > 10
    close(session, token)
    assert {table for table, _ in left(session)} == {"outbox_message"}
    sender = Sender()
    dispatch_once(sender)
    kinds = [message.kind for message in sender.sent if message.email == "canary@example.org"]
    assert kinds.count("BOOKING_CANCELLED") == 3
    assert kinds.count("ACCOUNT_CLOSED") == 1
    assert left(session) == set()


def test_nor_is_it_when_the_last_messages_cannot_be_sent(session: Session, token: str) -> None:
    close(session, token)
    dispatch_once(Sender(Verdict.DEAD))
    assert left(session) == set()


def test_what_was_sent_before_is_blanked_at_once(session: Session, token: str) -> None:
    dispatch_once(Sender())
    close(session, token)
    states = {
        message.state: message.payload
        for message in session.exec(select(OutboxMessage).where(OutboxMessage.recipient_email == "")).all()
    }
    assert states == {Delivery.SENT.value: {}}


def test_appointments_to_come_are_cancelled_and_their_times_are_free(
    session: Session, token: str, patient: Patient
) -> None:
    close(session, token)
    session.expire_all()
    appointments = session.exec(select(Appointment).where(Appointment.patient_id == patient.id)).all()
    assert sorted(each.status for each in appointments) == ["cancelled", "cancelled", "cancelled", "completed"]
    assert all(each.reason == each.cancel_reason == "" for each in appointments)
    slots = session.exec(select(Slot).order_by(Slot.id)).all()  # type: ignore[arg-type]
    assert [slot.state for slot in slots] == ["open", "open", "open", "open", "booked"]
    assert session.exec(select(Waiting.ended_why)).all() == ["left"]


def test_a_freed_time_goes_to_who_waits_for_it(session: Session, token: str, doctor: Doctor, now: datetime) -> None:
    other = builders.patient(session, name="Wai Ting")
    waiting.join(
        session,
        builders.actor(session, other),
        doctor_id=builders.key(doctor),
        weekdays=tuple(range(7)),
        part="any",
        earliest=(now + timedelta(days=2)).date(),
    )
    session.commit()
    close(session, token)
    assert session.exec(select(WaitingOffer.patient_id)).all() == [other.id]


def test_nobody_is_logged_in_any_more_and_nobody_gets_in(session: Session, token: str, patient: Patient) -> None:
    close(session, token)
    session.expire_all()
    assert resolve(session, token) is None
    for table in (KnownDevice, RecoveryCode, CalendarFeed):
        assert session.exec(select(table)).all() == []
    assert all(login.revoked_at for login in session.exec(select(LoginSession)).all())
    assert accounts.find_credentials(session, email="canary@example.org") is None
    user = session.get_one(User, patient.user_id)
    assert (user.full_name, user.active, user.password_hash) == (closing.NAME, False, "")
    assert not passwords.verify("", user.password_hash)


def test_the_address_can_sign_up_again_and_finds_nothing(session: Session, token: str) -> None:
    close(session, token)
    fresh = builders.patient(session, name="Quillon Canarybird", email="canary@example.org")
    assert calendars.list_feeds(session, builders.actor(session, fresh)) == ()
    assert session.exec(select(Appointment).where(Appointment.patient_id == fresh.id)).all() == []


def test_no_administrator_opens_it_again(session: Session, token: str, patient: Patient) -> None:
    close(session, token)
    admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
    changes_: tuple[Any, ...] = (
        lambda: accounts.set_active(session, admin, user_id=patient.user_id, active=True),
        lambda: accounts.give_temporary_password(
            session, admin, user_id=patient.user_id, password="x", password_hash="x"
        ),
        lambda: accounts.edit_user(
            session, admin, user_id=patient.user_id, email="a@example.com", full_name="Jo Moreau", phone=""
        ),
        lambda: accounts.change_role(session, patient.user_id, Role.ADMIN),
    )
    for change in changes_:
        with pytest.raises(AccountClosed):
            change()


def test_it_is_on_record_that_somebody_left(session: Session, token: str, patient: Patient) -> None:
    close(session, token)
    entry = session.exec(select(AuditEntry).where(AuditEntry.action == "account.close")).one()
    assert (entry.actor_id, entry.object_id, entry.detail) == (patient.user_id, patient.user_id, "")


def test_a_password_that_was_changed_meanwhile_closes_nothing(session: Session, token: str) -> None:
    with pytest.raises(WrongPassword):
        closing.close(session, resolve(session, token), known_hash="another")


def test_a_doctor_leaves_once_nobody_is_expected_and_takes_everything_along(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session, name="Dr. Quillon Canary")
    doctor.title, doctor.bio, doctor.languages = "Canary", "Treats canaries.", "Canary"
    day = now.date()
    of_them = {"doctor_id": builders.key(doctor), "created_by": doctor.user_id, "created_at": now}
    builders.added(session, Leave(first_day=day, last_day=day, message="The canary is ill.", **of_them))
    connected = GoogleConnection(
        doctor_id=builders.key(doctor),
        sealed_tokens="sealed canary",
        calendar_id="canary@example.org",
        calendar_name="Quillon",
        created_at=now,
    )
    builders.added(session, connected)
    token = of_canary(session, session.get_one(User, doctor.user_id))
    slot = builders.slot(session, doctor, now + timedelta(days=3))
    visitor = builders.actor(session, builders.patient(session))
    made = booking.book(session, visitor, slot_id=builders.key(slot), reason="", key="one")
    session.commit()
    with pytest.raises(closing.PatientsExpected, match="A patient is still booked with you"):
        close(session, token)
    session.rollback()
    assert closing.look(session, resolve(session, token)).refusal
    changes.cancel(session, resolve(session, token), reference=made.reference, choice="", note="I am leaving.")
    session.commit()
    close(session, token)
    dispatch_once(Sender())
    for message in session.exec(select(OutboxMessage)).all():
        message.payload = {}  # what patients were told of their doctor is theirs
    session.commit()
    assert left(session) == set()
    session.expire_all()
    assert session.get_one(Doctor, doctor.id).approved_at is None


def test_the_last_administrator_stays(session: Session, now: datetime) -> None:
    first = builders.user(session, role=Role.ADMIN)
    token = of_canary(session, first)
    session.commit()
    with pytest.raises(LastAdministrator):
        close(session, token)
    session.rollback()
    builders.user(session, role=Role.ADMIN)
    session.commit()
    close(session, token)
    assert not session.get_one(User, first.id).active


def test_reminders_come_only_to_those_who_want_them(session: Session, token: str, patient: Patient) -> None:
    own.remind(session, resolve(session, token), wanted=False)
    assert not own.look(session, resolve(session, token)).reminded
    own.remind(session, resolve(session, token), wanted=True)
    assert own.look(session, resolve(session, token)).reminded
