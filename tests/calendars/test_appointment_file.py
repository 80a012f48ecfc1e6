"""An appointment as a calendar file: whose, when and under which name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from icalendar import Calendar
from sqlmodel import Session, select

from mhms_app import routes
from mhms_app.accounts import cookies, sessions
from mhms_app.accounts.models import Patient
from mhms_app.api.app import make_api
from mhms_app.booking import service as booking
from mhms_app.calendars import service
from mhms_app.directory.models import Doctor
from mhms_app.errors import LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders


@pytest.fixture
def jo(session: Session, now: datetime) -> Patient:
    return builders.patient(session, name="Jo Moreau")


@pytest.fixture
def doctor(session: Session, now: datetime) -> Doctor:
    return builders.doctor(session)


def booked(session: Session, jo: Patient, doctor: Doctor, starts_at: datetime, *, reason: str = "") -> str:
    slot = builders.slot(session, doctor, starts_at)
    appointment = booking.book(
        session, builders.actor(session, jo), slot_id=builders.key(slot), reason=reason, key=str(uuid4())
    )
    return appointment.reference


def event_in(content: bytes) -> dict[str, object]:
    [event] = Calendar.from_ical(content).walk("VEVENT")
    return {name: getattr(value, "dt", value) for name, value in event.items()}


def test_the_entry_is_named_like_the_invitation_and_holds_the_instants(
    session: Session, jo: Patient, doctor: Doctor, now: datetime
) -> None:
    starts_at = now + timedelta(days=1)
    reference = booked(session, jo, doctor, starts_at)
    content = service.appointment_file(session, builders.actor(session, jo), reference=reference)
    event = event_in(content)
    message = session.exec(select(OutboxMessage)).one()
    assert event["UID"] == message.payload["uid"]
    assert (event["DTSTART"], event["DTEND"]) == (starts_at, starts_at + timedelta(minutes=20))
    assert event["SUMMARY"] == "Appointment with Dr. Amira Haddad"
    assert b"METHOD" not in content
    assert all(line.endswith(b"\r\n") for line in content.splitlines(keepends=True))


@pytest.mark.parametrize(
    "starts_at", [datetime(2027, 3, 28, 0, 50, tzinfo=UTC), datetime(2027, 10, 31, 0, 50, tzinfo=UTC)]
)
def test_times_are_right_while_the_clocks_change(
    session: Session, jo: Patient, doctor: Doctor, starts_at: datetime
) -> None:
    reference = booked(session, jo, doctor, starts_at)
    event = event_in(service.appointment_file(session, builders.actor(session, jo), reference=reference))
    assert (event["DTSTART"], event["DTEND"]) == (starts_at, starts_at + timedelta(minutes=20))


def test_what_the_patient_wrote_to_the_doctor_stays_out_of_calendars(
    session: Session, jo: Patient, doctor: Doctor, now: datetime
) -> None:
    reference = booked(session, jo, doctor, now + timedelta(days=1), reason="Palpitations")
    assert b"Palpitations" not in service.appointment_file(session, builders.actor(session, jo), reference=reference)


def test_nobody_else_gets_it(session: Session, jo: Patient, doctor: Doctor, now: datetime) -> None:
    reference = booked(session, jo, doctor, now + timedelta(days=1))
    other = builders.actor(session, builders.patient(session, name="Rita Berg"))
    with pytest.raises(NotFound):
        service.appointment_file(session, other, reference=reference)
    with pytest.raises(NotAllowed):
        service.appointment_file(session, builders.actor(session, doctor), reference=reference)
    with pytest.raises(LoginRequired):
        service.appointment_file(session, None, reference=reference)


def test_over_http_anybody_else_finds_nothing(session: Session, jo: Patient, doctor: Doctor, now: datetime) -> None:
    reference = booked(session, jo, doctor, now + timedelta(days=1))
    other = builders.patient(session, name="Rita Berg")
    tokens = {
        name: sessions.open_session(session, user_id=row.user_id)
        for name, row in {"jo": jo, "other": other, "doctor": doctor}.items()
    }
    session.commit()

    async def ask(path: str, cookie: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=make_api())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            return await web.get(path, headers={"cookie": cookie})

    def get(who: str, which: str = reference) -> tuple[int, str]:
        cookie = f"{cookies.session_cookie()}={tokens.get(who, '')}"
        answer = asyncio.run(ask(routes.calendar_file(which), cookie))
        return answer.status_code, answer.headers.get("content-type", "") + answer.headers.get("location", "")

    assert get("jo") == (200, "text/calendar; charset=utf-8")
    assert get("other") == get("doctor") == get("jo", "MH-222222") == (404, "text/plain; charset=utf-8")
    status, location = get("nobody")
    assert (status, routes.login_then(routes.booked(reference)) in location) == (303, True)
