"""Everything that is held about somebody comes with them, nothing of anybody else, and no secret."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, select

from mhms_app.accounts import acting, entrance
from mhms_app.accounts.models import KnownDevice, LoginSession, User
from mhms_app.accounts.sessions import Browser, resolve
from mhms_app.actor import Role
from mhms_app.booking import changes, waiting
from mhms_app.booking import service as booking
from mhms_app.calendars import service as calendars
from mhms_app.errors import LoginRequired, NotAsSomebodyElse
from mhms_app.personal.export import VERSION, export
from tests import builders

EXPORTED = {  # each table that knows people, and where it is in the document
    "user_account": "account",
    "patient": "account",
    "login_session": "sessions",
    "acting": "sessions",
    "known_device": "devices",
    "passkey": "passkeys",
    "totp": "account",
    "recovery_code": "account",
    "account_link": "links",
    "calendar_feed": "calendar_addresses",
    "outbox_message": "messages",
    "audit_entry": "sign_ins",
    "appointment": "appointments",
    "appointment_move": "appointment_moves",
    "waiting": "waiting_list",
    "waiting_offer": "offers",
    "slot": "held_times",
    "doctor": "profile",
    "day_summary": "profile",
    "google_connection": "profile",
    "working_hours": "working_hours",
    "hours_exception": "exceptions",
    "leave": "leaves",
    "busy_time": "busy_times",
}
LEFT_OUT = {  # and why the others are not
    "desk_note": "what the office noted about a matter of its own; it may speak of others",
    "leave_item": "what became of an appointment: the appointment says it",
    "fresh_slots": "how far a task has come",
    "google_consent": "a question that is being answered, for minutes",
    "google_event": "a copy of appointments",
    "factor_setup": "a secret that is being agreed on, for minutes",
    "login_step": "a login that is under way, for minutes",
}
KEYS = {"user_id", "patient_id", "doctor_id", "held_by", "actor_id", "recipient_email", "appointment_id"}
KEYS |= {"session_id", "created_by", "done_by"}


def test_every_table_that_knows_people_is_decided_on() -> None:
    known = {
        table.name
        for table in SQLModel.metadata.sorted_tables
        if KEYS & {column.name for column in table.columns} or table.name == "user_account"
    }
    assert known == set(EXPORTED) | set(LEFT_OUT)


@pytest.fixture
def jo(session: Session, now: datetime) -> User:
    """A patient with an appointment, a former time of it, a place on the waiting list, and more."""
    patient = builders.patient(session, name="Jo Moreau", email="jo@example.com")
    doctor = builders.doctor(session, name="Dr. Amira Haddad")
    other = builders.patient(session, name="Quillon Canarybird", email="canary@example.org")
    slots = [builders.slot(session, doctor, now + timedelta(days=day)) for day in (3, 4, 5)]
    user = session.get_one(User, patient.user_id)
    entrance.enter(session, user_id=builders.key(user), browser=Browser("Firefox on Windows", "203.0.113.7"))
    jo = builders.actor(session, patient)
    made = booking.book(session, jo, slot_id=builders.key(slots[0]), reason="A cough.", key="one")
    changes.move(session, jo, reference=made.reference, slot_id=builders.key(slots[1]))
    booking.book(
        session, builders.actor(session, other), slot_id=builders.key(slots[2]), reason="canary-reason", key="two"
    )
    waiting.join(
        session, jo, doctor_id=builders.key(doctor), weekdays=(0, 4), part="any", earliest=(now + timedelta(1)).date()
    )
    calendars.create_feed(session, jo, shows="own")
    session.flush()
    return user


def written(session: Session, user: User) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(export(session, builders.actor(session, user))))
    return found


def test_a_patient_takes_everything_along(session: Session, jo: User, now: datetime) -> None:
    document = written(session, jo)
    assert document["version"] == VERSION
    assert document["complete"] is True
    assert set(document) >= set(EXPORTED.values()) - {
        *("profile", "working_hours", "exceptions", "leaves", "busy_times"),
    }
    assert document["account"]["email"] == "jo@example.com"
    assert document["account"]["reminded"] is True
    (visit,) = document["appointments"]
    assert (visit["doctor"], visit["reason"], visit["status"]) == ("Dr. Amira Haddad", "A cough.", "booked")
    assert visit["starts_at"] == (now + timedelta(days=4)).isoformat()
    assert [move["from_starts_at"] for move in document["appointment_moves"]] == [(now + timedelta(days=3)).isoformat()]
    (wait,) = document["waiting_list"]
    assert (wait["doctor"], wait["weekdays"]) == ("Dr. Amira Haddad", [1, 5])
    assert [message["kind"] for message in document["messages"]] == ["BOOKING_MOVED", "BOOKING_CONFIRMATION"]
    assert document["devices"][0]["device"] == "Firefox on Windows"
    assert {"Firefox on Windows"} <= {each["device"] for each in document["sessions"]}
    assert document["sign_ins"][-1] == {
        "at": now.isoformat(),
        "device": "Firefox on Windows",
        "address": "",
        "succeeded": True,
    }
    assert [feed["shows"] for feed in document["calendar_addresses"]] == ["own"]


def test_nothing_of_anybody_else_and_no_secret_is_in_it(session: Session, jo: User) -> None:
    doctor = session.exec(select(User).where(User.role == Role.DOCTOR.value)).one()
    secrets = [user.password_hash for user in session.exec(select(User)).all()]
    secrets += session.exec(select(LoginSession.token_hash)).all()
    secrets += session.exec(select(KnownDevice.token_hash)).all()
    for owner in (jo, doctor):
        text = json.dumps(written(session, owner))
        assert "Canarybird" not in text
        assert "canary" not in text
        assert not [secret for secret in secrets if secret in text]
    assert "Moreau" not in json.dumps(written(session, doctor))


def test_a_doctor_takes_profile_hours_and_visits_along(session: Session, jo: User, now: datetime) -> None:
    doctor = session.exec(select(User).where(User.role == Role.DOCTOR.value)).one()
    document = written(session, doctor)
    assert document["profile"]["title"] == "Consultant"
    assert [set(visit) for visit in document["visits"]] == [{"starts_at", "ends_at", "status"}] * 2
    assert {"working_hours", "exceptions", "leaves", "busy_times"} <= set(document)
    assert "appointments" not in document


def test_an_export_is_recorded_and_only_ones_own(session: Session, jo: User) -> None:
    with pytest.raises(LoginRequired):
        export(session, None)
    admin = builders.user(session, role=Role.ADMIN)
    token = entrance.enter(session, user_id=builders.key(admin), browser=Browser()).token
    changed = acting.begin(
        session, resolve(session, token), user_id=builders.key(jo), reason="They asked by phone.", browser=Browser()
    )
    with pytest.raises(NotAsSomebodyElse):
        export(session, resolve(session, changed.token))
