"""Private calendar addresses: whose, what is in them, and what programs that read them are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from icalendar import Calendar, Event
from sqlalchemy import update
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role
from mhms_app.api.app import make_api
from mhms_app.audit.models import AuditEntry
from mhms_app.booking import service as booking
from mhms_app.booking.models import Appointment, Status
from mhms_app.calendars import rules, service
from mhms_app.calendars.models import CalendarFeed
from mhms_app.directory.models import Doctor
from mhms_app.errors import Conflict, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.service import calendar_uid
from tests import builders
from tests.ical_js import reader as ical_js


@pytest.fixture
def jo(session: Session, now: datetime) -> Patient:
    return builders.patient(session, name="Jo Moreau")


@pytest.fixture
def doctor(session: Session, now: datetime) -> Doctor:
    return builders.doctor(session)


@pytest.fixture
def patient(session: Session, jo: Patient) -> Actor:
    return builders.actor(session, jo)


@pytest.fixture
def haddad(session: Session, doctor: Doctor) -> Actor:
    return builders.actor(session, doctor)


@pytest.fixture(scope="module")
def by_ical_js(tmp_path_factory: pytest.TempPathFactory) -> ical_js.Read:
    return ical_js.install(tmp_path_factory.mktemp("reader"))


def booked(session: Session, patient: Actor, doctor: Doctor, starts_at: datetime) -> str:
    slot = builders.slot(session, doctor, starts_at)
    key = str(uuid4())
    return booking.book(session, patient, slot_id=builders.key(slot), reason="Palpitations", key=key).reference


def set_to(session: Session, reference: str, **values: object) -> None:
    session.execute(update(Appointment).where(col(Appointment.reference) == reference).values(values))


def token_of(path: str) -> str:
    return path.removeprefix("/calendar/").removesuffix(".ics")


def events(content: bytes) -> Iterator[Event]:
    return iter(Calendar.from_ical(content).walk("VEVENT"))


def read(session: Session, path: str) -> bytes:
    return service.read_feed(session, token=token_of(path))


def test_a_patient_reads_their_own_appointments(
    session: Session, patient: Actor, doctor: Doctor, now: datetime
) -> None:
    reference = booked(session, patient, doctor, now + timedelta(days=1))
    other = builders.actor(session, builders.patient(session, name="Rita Berg"))
    booked(session, other, doctor, now + timedelta(days=2))
    content = read(session, service.create_feed(session, patient, shows="own"))
    [event] = events(content)
    assert event["UID"] == calendar_uid(reference)
    assert event["SUMMARY"] == "Appointment with Dr. Amira Haddad"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (
        now + timedelta(days=1),
        now + timedelta(days=1, minutes=20),
    )
    assert event["STATUS"] == "CONFIRMED"
    assert b"Palpitations" not in content
    calendar = Calendar.from_ical(content)
    assert (calendar["METHOD"], calendar["X-WR-CALNAME"]) == ("PUBLISH", calendar["NAME"])
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in content
    assert all(line.endswith(b"\r\n") and len(line) <= 77 for line in content.splitlines(keepends=True))


def test_a_second_reader_finds_the_same(
    session: Session, patient: Actor, doctor: Doctor, now: datetime, by_ical_js: ical_js.Read
) -> None:
    starts = [now + timedelta(days=day) for day in (1, 150, 300)]  # winter, summer, autumn
    references = [booked(session, patient, doctor, starts_at) for starts_at in starts]
    [found] = by_ical_js([read(session, service.create_feed(session, patient, shows="own"))])
    assert {event["method"] for event in found} == {"PUBLISH"}
    assert [(event["uid"], event["starts_at"], event["ends_at"]) for event in found] == [
        (calendar_uid(reference), starts_at, starts_at + timedelta(minutes=20))
        for reference, starts_at in zip(references, starts, strict=True)
    ]


def test_a_doctor_chooses_what_the_calendar_shows(
    session: Session, patient: Actor, haddad: Actor, doctor: Doctor, now: datetime
) -> None:
    reference = booked(session, patient, doctor, now + timedelta(days=1))
    for shows, summary in (("busy", "Busy"), ("initials", "JM")):
        content = read(session, service.create_feed(session, haddad, shows=shows))
        [event] = events(content)
        assert (event["UID"], event["SUMMARY"]) == (calendar_uid(reference), summary)
        for private in (b"Moreau", b"Jo ", b"Palpitations"):
            assert private not in content.replace(b"\r\n ", b"")


def test_the_window_is_thirty_days_back_and_a_year_ahead(
    session: Session, patient: Actor, doctor: Doctor, now: datetime
) -> None:
    inside = [-rules.PAST, timedelta(0), rules.COMING - timedelta(hours=1)]
    outside = [-rules.PAST - timedelta(hours=1), rules.COMING]
    wanted = set()
    for number, ahead in enumerate((*inside, *outside)):
        reference = booked(session, patient, doctor, now + timedelta(days=number + 1))
        starts_at = now + ahead
        set_to(session, reference, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=20))
        if ahead in inside:
            wanted.add(calendar_uid(reference))
    content = read(session, service.create_feed(session, patient, shows="own"))
    assert {str(event["UID"]) for event in events(content)} == wanted


def test_a_cancelled_appointment_is_not_in_it_and_a_moved_one_has_its_sequence(
    session: Session, patient: Actor, doctor: Doctor, now: datetime
) -> None:
    kept, gone = (booked(session, patient, doctor, now + timedelta(days=day)) for day in (1, 2))
    set_to(session, kept, sequence=3)
    set_to(session, gone, status=Status.CANCELLED.value)
    [event] = events(read(session, service.create_feed(session, patient, shows="own")))
    assert (event["UID"], event["SEQUENCE"]) == (calendar_uid(kept), 3)


def test_the_token_is_stored_nowhere_and_is_long(session: Session, patient: Actor) -> None:
    token = token_of(service.create_feed(session, patient, shows="own"))
    feed = session.exec(select(CalendarFeed)).one()
    assert len(token) == 43  # 256 bits
    assert token not in str(feed.model_dump())
    assert token not in str([entry.model_dump() for entry in session.exec(select(AuditEntry))])


def test_a_revoked_address_answers_like_one_that_never_was(session: Session, patient: Actor, now: datetime) -> None:
    path = service.create_feed(session, patient, shows="own")
    [row] = service.list_feeds(session, patient)
    assert (row.shows, row.created_at) == ("own", now)
    service.revoke_feed(session, patient, feed_id=row.id)
    assert service.list_feeds(session, patient) == ()
    for token in (token_of(path), "unknown", ""):
        with pytest.raises(NotFound):
            service.read_feed(session, token=token)
    with pytest.raises(NotFound):
        service.revoke_feed(session, patient, feed_id=row.id)
    trail = [entry.action for entry in session.exec(select(AuditEntry)) if entry.object_type == "feed"]
    assert trail == ["feed.create", "feed.revoke"]


def test_nobody_sees_or_revokes_the_address_of_another(session: Session, patient: Actor, haddad: Actor) -> None:
    service.create_feed(session, patient, shows="own")
    [row] = service.list_feeds(session, patient)
    assert service.list_feeds(session, haddad) == ()
    with pytest.raises(NotFound):
        service.revoke_feed(session, haddad, feed_id=row.id)
    assert service.list_feeds(session, patient) == (row,)


def test_each_role_has_its_own_calendars(session: Session, patient: Actor, haddad: Actor) -> None:
    admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
    for actor, shows in ((patient, "busy"), (patient, "initials"), (haddad, "own"), (admin, "own"), (admin, "busy")):
        with pytest.raises(NotAllowed):
            service.create_feed(session, actor, shows=shows)
    with pytest.raises(LoginRequired):
        service.create_feed(session, None, shows="own")
    with pytest.raises(LoginRequired):
        service.list_feeds(session, None)


def test_a_person_has_a_handful_of_addresses(session: Session, patient: Actor) -> None:
    for _ in range(rules.MOST_FEEDS):
        service.create_feed(session, patient, shows="own")
    with pytest.raises(Conflict):
        service.create_feed(session, patient, shows="own")
    service.revoke_feed(session, patient, feed_id=service.list_feeds(session, patient)[0].id)
    service.create_feed(session, patient, shows="own")


@pytest.mark.parametrize("change", [{"active": False}, {"role": Role.PATIENT.value}])
def test_whoever_may_no_longer_read_a_calendar_finds_its_address_dead(
    session: Session, haddad: Actor, change: dict[str, object]
) -> None:
    path = service.create_feed(session, haddad, shows="initials")
    read(session, path)
    session.execute(update(User).where(col(User.id) == haddad.user_id).values(change))
    with pytest.raises(NotFound):
        read(session, path)


def get(path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=make_api())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            return await web.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(ask())


def test_a_program_that_has_it_already_is_told_so(
    session: Session, patient: Actor, doctor: Doctor, now: datetime
) -> None:
    reference = booked(session, patient, doctor, now + timedelta(days=1))
    path = service.create_feed(session, patient, shows="own")
    session.commit()
    first = get(path)
    tag = first.headers["etag"]
    assert (first.status_code, first.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert first.headers["cache-control"] == "private, max-age=900"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = get(path, if_none_match=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    set_to(session, reference, sequence=1)
    session.commit()
    changed = get(path, if_none_match=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_it_stays_the_same_while_time_passes(
    session: Session, patient: Actor, doctor: Doctor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked(session, patient, doctor, now + timedelta(days=1))
    path = service.create_feed(session, patient, shows="own")
    before = read(session, path)
    monkeypatch.setattr(db.clock, "now", lambda: now + timedelta(hours=5))
    assert read(session, path) == before


def test_unknown_and_revoked_have_one_answer(session: Session, patient: Actor) -> None:
    path = service.create_feed(session, patient, shows="own")
    service.revoke_feed(session, patient, feed_id=service.list_feeds(session, patient)[0].id)
    session.commit()
    answers = [get(path), get("/calendar/unknown.ics"), get("/calendar/%00.ics"), get("/calendar/%f0%9f%92%a9.ics")]
    seen = {(answer.status_code, answer.content, str(sorted(answer.headers.items()))) for answer in answers}
    assert len(seen) == 1
    assert (answers[0].status_code, answers[0].headers["cache-control"]) == (404, "no-store")


def test_the_link_to_google_says_when_in_utc(now: datetime) -> None:
    link = rules.google_link(
        title="Appointment with Dr. Ünal & Co",
        starts_at=now,
        ends_at=now + timedelta(minutes=20),
        details="Reference MH-4K7D2Q\nhttps://clinic.example",
        location="Linden Clinic, 2nd floor",
    )
    asked = httpx.URL(link)
    assert (asked.host, asked.path) == ("calendar.google.com", "/calendar/render")
    assert dict(asked.params) == {
        "action": "TEMPLATE",
        "text": "Appointment with Dr. Ünal & Co",
        "dates": f"{now:%Y%m%dT%H%M%SZ}/{now + timedelta(minutes=20):%Y%m%dT%H%M%SZ}",
        "details": "Reference MH-4K7D2Q\nhttps://clinic.example",
        "location": "Linden Clinic, 2nd floor",
    }
