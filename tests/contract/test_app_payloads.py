"""What the app writes into its outbox is what the Lambda reads: by its contract, and by the real handler over HTTP."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import httpx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlmodel import col

from email_lambda import handler, messages
from mhms_app import db
from mhms_app.accounts import rules as names
from mhms_app.accounts.service import tidy_email
from mhms_app.booking import reminders
from mhms_app.booking import service as booking
from mhms_app.errors import Invalid
from mhms_app.notifications import service
from mhms_app.notifications.dispatcher import dispatch_once
from mhms_app.notifications.models import Delivery, OutboxMessage
from mhms_app.notifications.rules import Outcome, Verdict
from mhms_app.notifications.senders import LambdaSender
from mhms_app.notifications.service import AppointmentFacts, DayEntry, Message
from mhms_app.settings import settings
from tests import builders
from tests.conftest import NOW
from tests.databases import ROOT
from tests.notifications.outbox import rows, states


def confirmation(**changes: str) -> Message:
    """A booking confirmation as the booking service asks for it."""
    fields = {
        "reference": "MH-4K7D2Q",
        "email": "jo@klinik-süd.example",
        "name": "Zoë =?utf-8?q?Moreau?=",
        "doctor": "Dr. Amira Haddad",
        "department": "Cardiology",
        "location": "",
    }
    return service.booking_confirmation(**{**fields, **changes}, starts_at=NOW, ends_at=NOW + timedelta(minutes=20))


def facts(**changes: str) -> AppointmentFacts:
    """An appointment that was changed once."""
    fields = {
        "reference": "MH-4K7D2Q",
        "email": "jo@example.com",
        "name": "Jo Moreau",
        "doctor": "Dr. Amira Haddad",
        "department": "Cardiology",
        "location": "",
    }
    return AppointmentFacts(**{**fields, **changes}, starts_at=NOW, ends_at=NOW + timedelta(minutes=20), sequence=1)


def about_an_appointment(facts: AppointmentFacts, *, why: str = "") -> list[Message]:
    """Every message that a booked appointment may lead to."""
    before = NOW - timedelta(days=2)
    return [
        service.booking_moved(facts, old_starts_at=before, old_ends_at=before + timedelta(minutes=20)),
        service.booking_cancelled(facts, cancelled_by="clinic", why=why, doctor_id=7),
        service.appointment_reminder(facts, before="7d"),
    ]


def offer() -> Message:
    return service.waitlist_offer(
        offer_id=5,
        email="jo@example.com",
        name="Jo Moreau",
        doctor="Dr. Amira Haddad",
        department="Cardiology",
        location="Room 12",
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=20),
        kept_until=NOW - timedelta(hours=4),
        path="/offer/token",
    )


def summary() -> Message:
    people = [DayEntry(NOW, NOW + timedelta(minutes=20), "JM")]
    return service.doctor_day_summary(
        doctor_id=7, email="haddad@example.com", name="Dr. Amira Haddad", day=NOW.date(), appointments=people
    )


def write_every_kind() -> None:
    """Commit one message of every sort that the service builds."""
    with db.transaction() as session:
        for user_id, role in enumerate(("patient", "doctor")):
            service.signup_welcome(
                session,
                user_id=user_id,
                email=f"{role}@example.com",
                name=f"A {role}",
                role=role,
                awaiting_approval=role == "doctor",
            )
        service.account_password(
            session, email="jo@example.com", name="Jo", temporary_password="ab2c-de3f-gh4j", good_for="3 days"
        )
        service.account_closed(session, email="gone@example.com", name="Gone")
        service.sign_in_new_device(
            session, email="ada@example.com", name="Ada", device="Firefox on Windows", address="203.0.113.7"
        )
        kim = {"email": "kim@example.com", "name": "Kim"}
        link = {"path": "/link/token", "good_for": "30 minutes"}
        service.email_confirm(session, **kim, **link, welcome=True)
        service.email_change(session, **kim, **link, side="new", new_email="kim@example.com")
        service.email_changed(session, **kim, by="owner")
        service.password_reset(session, **kim, **link)
        service.password_changed(session, **kim)
        service.acted_for_you(session, **kim, reason="Asked for help by phone.")
        for action in get_args(service.AccountAction):
            service.account_action(session, **kim, action=action)
        for change in get_args(service.FactorChange):
            service.second_factor_changed(session, email="lee@example.com", name="Lee", change=change)
        for message in (confirmation(), *about_an_appointment(facts()), offer(), summary()):
            service.enqueue(session, message)


def on_the_wire(message: Message) -> httpx.Request:
    """The request that the sender makes of a message."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"status": "sent"})

    sender = LambdaSender(httpx.Client(transport=httpx.MockTransport(answer)))
    assert sender.send(message) == Outcome(Verdict.SENT)
    return requests[0]


def as_message(row: OutboxMessage) -> Message:
    return Message(row.kind, row.recipient_email, row.recipient_name, row.payload, row.idempotency_key)


def test_every_kind_is_built_and_read(database: str) -> None:
    write_every_kind()
    read = [messages.parse(on_the_wire(as_message(row)).content) for row in rows().values()]
    assert {type(message) for message in read} == set(get_args(messages.Message))


def test_the_lambda_believes_the_signature() -> None:
    request = on_the_wire(confirmation())
    secret = settings().email_secret.encode()
    assert handler.signature_fault(request.headers, request.content, secret, now=time.time()) is None
    assert handler.signature_fault(request.headers, request.content + b" ", secret, now=time.time()) == "wrong"


def test_instants_arrive_as_the_same_instants() -> None:
    read = messages.parse(on_the_wire(confirmation()).content)
    assert isinstance(read, messages.BookingConfirmation)
    assert (read.data.starts_at, read.data.ends_at) == (NOW, NOW + timedelta(minutes=20))
    assert read.data.time_zone == settings().time_zone


def test_every_message_has_a_key_of_its_own_that_a_repeat_shares() -> None:
    keys = [message.key for message in (*about_an_appointment(facts()), offer(), summary())]
    assert keys == [
        "moved-MH-4K7D2Q-1",
        "cancelled-MH-4K7D2Q",
        "reminder-MH-4K7D2Q-1-7d",
        "offer-5",
        f"summary-7-{NOW.date()}",
    ]


def test_a_link_leads_to_what_can_be_done_next() -> None:
    links = [message.data["action_url"].removeprefix(settings().base_url) for message in about_an_appointment(facts())]
    assert links == ["/patient", "/doctors/7", "/patient"]
    assert offer().data["action_url"] == f"{settings().base_url}/offer/token"


def test_every_change_speaks_of_the_same_calendar_entry() -> None:
    moved, cancelled, _ = about_an_appointment(facts())
    assert moved.data["uid"] == cancelled.data["uid"] == confirmation().data["uid"]
    assert moved.data["sequence"] > confirmation().data["sequence"]


@given(st.text(max_size=130), st.text(max_size=60))
@example("=?utf-8?q?=0a?= x", "Dr. \u202eA")
def test_every_name_that_an_account_may_have_is_read(typed: str, other: str) -> None:
    name, department = names.tidy_name(typed), names.tidy_name(other)
    assume(not names.name_problem(name) and not names.name_problem(department))
    messages.parse(on_the_wire(confirmation(name=name, doctor=name, department=department)).content)
    for message in about_an_appointment(facts(name=name, doctor=name, department=department), why=department):
        messages.parse(on_the_wire(message).content)


@given(st.emails())
@example("jo@klinik-süd.example")
@example("O'Brien+clinic@example.co.uk")
def test_every_address_that_an_account_may_have_is_read(typed: str) -> None:
    try:
        address = tidy_email(typed)
    except Invalid:
        assume(False)
    messages.parse(on_the_wire(confirmation(email=address)).content)


def test_a_change_to_an_international_address_is_read(database: str) -> None:
    with db.transaction() as session:
        service.email_change(
            session,
            email="jo@example.com",
            name="Jo",
            side="old",
            new_email="jo.new@klinik-süd.example",
            path="/link/token",
            good_for="30 minutes",
        )
    (row,) = rows().values()
    read = messages.parse(on_the_wire(as_message(row)).content)
    assert isinstance(read, messages.EmailChange)
    assert read.data.new_email == "jo.new@xn--klinik-sd-x9a.example"


@pytest.fixture
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder into which a real local Lambda writes; the settings point to it."""
    command = [sys.executable, "-m", "email_lambda.local", "--port", "0", "--mail-dir", str(tmp_path)]
    environ = {**os.environ, "MHMS_EMAIL_SECRET": settings().email_secret}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            monkeypatch.setenv("MHMS_EMAIL_URL", json.loads(process.stdout.readline())["url"])
            settings.cache_clear()
            yield tmp_path
        finally:
            process.terminate()
            monkeypatch.undo()
            settings.cache_clear()


def test_a_real_lambda_sends_every_kind_once(database: str, mail: Path) -> None:
    write_every_kind()
    kinds = len(rows())
    assert dispatch_once() == kinds
    assert set(states().values()) == {Delivery.SENT}
    written = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in mail.glob("*.eml")]
    recipients = Counter(str(letter["To"].addresses[0].addr_spec) for letter in written)
    once = ("doctor", "patient", "haddad", "ada", "gone")
    assert recipients == {
        **{f"{name}@example.com": 1 for name in once},
        **{"jo@example.com": 5, "kim@example.com": 10, "lee@example.com": 7, "jo@xn--klinik-sd-x9a.example": 1},
    }

    with db.transaction() as session:  # as after a crash between sending and writing it down
        unmarked = {"state": Delivery.SENDING.value, "next_attempt_at": db.clock.now()}
        session.execute(update(OutboxMessage).where(col(OutboxMessage.kind).not_in(service.FORGOTTEN)).values(unmarked))
    assert dispatch_once() == kinds - len(service.FORGOTTEN)
    assert set(states().values()) == {Delivery.SENT}
    assert len(list(mail.glob("*.eml"))) == kinds


def test_f24_after_hours_of_downtime_every_reminder_arrives_once(database: str, mail: Path, now: datetime) -> None:
    with db.transaction() as session:
        patient = builders.patient(session, email="ada@example.com")
        slot = builders.slot(session, builders.doctor(session), now + timedelta(days=3))
    assert reminders.remind_all() == 0  # from now on people are reminded
    with db.transaction() as session:
        wanted = {"slot_id": builders.key(slot), "reason": ""}
        booking.book(session, builders.actor(session, patient), **wanted, key="once")
    dispatch_once()
    db.clock.freeze(now + timedelta(days=2, hours=6))
    with ThreadPoolExecutor(4) as workers:
        assert sum(workers.map(lambda _: reminders.remind_all(), range(4))) == 1
    dispatch_once()
    letters = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in mail.glob("*.eml")]
    subjects = sorted(str(letter["Subject"]) for letter in letters)
    assert [subject.partition(":")[0] for subject in subjects] == ["Confirmed", "Reminder"]


def test_a_real_lambda_refuses_for_good_what_breaks_the_contract(database: str, mail: Path) -> None:
    with db.transaction() as session:
        service.enqueue(session, Message("UNKNOWN_KIND", "jo@example.com", "Jo", {}, "key"))
    dispatch_once()
    assert states() == {"key": Delivery.DEAD}
    assert rows()["key"].last_error == "422 invalid kind: union_tag_invalid"
