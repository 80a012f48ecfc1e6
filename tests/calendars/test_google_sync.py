"""A doctor's Google calendar is kept in step, over HTTP with something that speaks Google's API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.accounts.models import User
from mhms_app.actor import Actor
from mhms_app.availability import finding, hours
from mhms_app.availability import service as availability
from mhms_app.availability.models import BusyTime, Slot
from mhms_app.availability.rules import Plan
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import changes, holds, matching, waiting
from mhms_app.booking import service as booking
from mhms_app.booking.rules import SlotWithdrawn
from mhms_app.booking.statement import book_at_once
from mhms_app.calendars import google as service
from mhms_app.calendars import google_client, google_rules, google_sync, google_turn
from mhms_app.calendars.google_client import Tokens
from mhms_app.calendars.google_rules import Trouble
from mhms_app.calendars.models import GoogleConnection, GoogleEvent
from mhms_app.calendars.rules import Shows
from mhms_app.directory.models import Doctor
from mhms_app.personal import closing
from mhms_app.sealed import new_key, unseal
from mhms_app.settings import settings
from tests import builders
from tests.calendars.conftest import MAIN, connect
from tests.calendars.google_stand_in import KEY, Answer, Google

HOUR = timedelta(hours=1)


@pytest.fixture
def patient(database: str, now: datetime) -> Actor:
    with db.transaction() as session:
        return builders.actor(session, builders.patient(session, name="Jo Moreau"))


def slot_of(doctor: Doctor, starts_at: datetime, *, state: str = "open") -> int:
    with db.transaction() as session:
        return builders.key(builders.slot(session, doctor, starts_at, state=state))


def book(patient: Actor, slot_id: int) -> str:
    with db.transaction() as session:
        return booking.book(session, patient, slot_id=slot_id, reason="Palpitations", key=str(uuid4())).reference


def cancel(patient: Actor, reference: str) -> None:
    with db.transaction() as session:
        changes.cancel(session, patient, reference=reference, choice="I am ill", note="")


def turn(*, later: timedelta = google_rules.EVERY) -> Trouble:
    """Let one turn take place when it is due."""
    db.clock.freeze(db.clock.now() + later)
    claim = google_sync.claim_due()
    assert claim is not None
    return google_sync.sync(claim)


def row() -> GoogleConnection:
    with db.transaction(read_only=True) as session:
        return session.scalars(select(GoogleConnection)).one()


def is_busy(slot_id: int) -> bool:
    with db.transaction(read_only=True) as session:
        return session.get_one(Slot, slot_id).busy


def wait(patient: Actor, doctor: Doctor, *, weekdays: Iterable[int] = range(7)) -> None:
    with db.transaction() as session:
        wanted = {"weekdays": set(weekdays), "part": "any", "earliest": db.clock.today()}
        waiting.join(session, patient, doctor_id=builders.key(doctor), **wanted)


def offered_to(slot_id: int) -> int | None:
    """To whom the waiting list offers a slot."""
    with db.transaction(read_only=True) as session:
        slot = session.get_one(Slot, slot_id)
    return slot.held_by if slot.offered else None


def timed(starts_at: datetime, ends_at: datetime) -> dict[str, Any]:
    return {"start": {"dateTime": starts_at.isoformat()}, "end": {"dateTime": ends_at.isoformat()}}


def titles(events: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(event["summary"] for event in events)


def test_appointments_are_written_moved_and_removed(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    first, second = (slot_of(doctor, now + timedelta(days=day)) for day in (2, 3))
    reference = book(patient, first)
    assert turn() is Trouble.NONE
    (event,) = google.standing(MAIN).values()
    assert event["summary"] == "Busy"
    assert datetime.fromisoformat(event["start"]["dateTime"]) == now + timedelta(days=2)
    assert "Moreau" not in str(event)
    assert "Palpitations" not in str(event)
    with db.transaction() as session:
        changes.move(session, patient, reference=reference, slot_id=second)
    turn()
    (moved,) = google.standing(MAIN).values()
    assert moved["id"] == event["id"]
    assert datetime.fromisoformat(moved["start"]["dateTime"]) == now + timedelta(days=3)
    cancel(patient, reference)
    turn()
    assert google.standing(MAIN) == {}
    assert row().synced_at == db.clock.now()


def test_what_is_in_step_is_asked_for_and_not_written_again(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    book(patient, slot_of(doctor, now + timedelta(days=2)))
    turn()
    google.requests.clear()
    turn()
    assert google.requests == [f"GET /calendars/{MAIN.replace('@', '%40')}/events"]


def test_an_appointment_that_goes_to_another_doctor_leaves_the_calendar(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    reference = book(patient, slot_of(doctor, now + timedelta(days=2)))
    turn()
    with db.transaction() as session:
        colleague = builders.doctor(session, name="Dr. Lea Brandt")
        colleague.department_id = doctor.department_id
        wanted = builders.key(builders.slot(session, colleague, now + timedelta(days=3)))
        changes.move(session, patient, reference=reference, slot_id=wanted)
    turn()
    assert google.standing(MAIN) == {}
    with db.transaction() as session:  # and it comes back, to a key that Google has seen before
        back = builders.key(builders.slot(session, doctor, now + timedelta(days=4)))
        changes.move(session, patient, reference=reference, slot_id=back)
    turn()
    assert len(google.standing(MAIN)) == 1


def test_initials_are_written_where_the_doctor_wants_them(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    book(patient, slot_of(doctor, now + timedelta(days=2)))
    turn()
    with db.transaction() as session:
        service.choose(session, connected, calendar=None, shows=Shows.INITIALS)
    turn()
    (event,) = google.standing(MAIN).values()
    assert event["summary"] == "JM"
    assert event["visibility"] == "private"
    assert event["source"]["url"].startswith("http")


def test_a_crash_after_writing_writes_nothing_twice_and_leaves_nothing_behind(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    kept, gone = (book(patient, slot_of(doctor, now + timedelta(days=day))) for day in (2, 3))
    db.clock.freeze(now + google_rules.EVERY)
    claim = google_sync.claim_due()
    assert claim
    google_turn.write(claim, google_client.Client(Tokens("refresh-0", "access-0")), google_turn.Patience(None))
    with db.transaction() as session:  # as if it had died before it wrote down what it did
        session.execute(update(GoogleEvent).values(sequence=-1))
    cancel(patient, gone)
    assert google_sync.claim_due() is None
    assert turn(later=google_sync.LEASE) is Trouble.NONE
    assert [event["id"] for event in google.standing(MAIN).values()] == [google_rules.event_id(uid(kept))]
    assert google.requests.count(f"POST /calendars/{MAIN.replace('@', '%40')}/events") == 3


def uid(reference: str) -> str:
    return f"{reference.lower()}@localhost"


def test_a_worker_that_lost_its_lease_writes_nothing_down(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    late = google_sync.claim_due()
    assert late
    db.clock.freeze(now + google_sync.LEASE)
    assert google_sync.claim_due()
    taken = slot_of(doctor, now + timedelta(days=2))
    google.event(MAIN, "lunch", **timed(now, now + timedelta(days=5)))
    google_sync.sync(late)
    assert not is_busy(taken)
    assert row().synced_at is None


def test_busy_times_close_slots_and_open_them_again(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    inside, beside = slot_of(doctor, at), slot_of(doctor, at + HOUR)
    google.event(MAIN, "lunch", **timed(at - HOUR, at + timedelta(minutes=1)))
    turn()
    assert (is_busy(inside), is_busy(beside)) == (True, False)
    with db.transaction() as session:
        week = finding.bookable_week(session, patient, doctor_id=builders.key(doctor), week=at.date(), slot_id=inside)
        assert [slot.id for slot in week.free] == [beside]
        assert week.asked and week.asked.state == "busy"
        (card,) = finding.next_available(session, patient, after=now, limit=3)
        assert (card.next_slot_id, card.free_this_week) == (beside, 1)
        with pytest.raises(SlotWithdrawn):
            booking.book(session, patient, slot_id=inside, reason="", key=str(uuid4()))
    google.event(MAIN, "lunch", **timed(at + HOUR, at + 2 * HOUR))
    turn()
    assert (is_busy(inside), is_busy(beside)) == (False, True)
    google.cancel(MAIN, "lunch")
    turn()
    assert (is_busy(inside), is_busy(beside)) == (False, False)


def test_the_statement_that_books_at_once_respects_busy_times(
    database: str, google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:

    at = now + timedelta(days=2)
    slot_id = slot_of(doctor, at)
    with db.transaction() as session:
        token = sessions.open_session(session, user_id=builders.patient(session).user_id)
    google.event(MAIN, "lunch", **timed(at, at + HOUR))
    turn()
    assert book_at_once(token, "", slot_id=slot_id, reason="", key=str(uuid4())) is None
    google.cancel(MAIN, "lunch")
    turn()
    booked = book_at_once(token, "", slot_id=slot_id, reason="", key=str(uuid4()))
    assert (booked is not None) is database.startswith("postgresql")


@pytest.mark.parametrize(
    "fields",
    [
        {"transparency": "transparent"},
        {"attendees": [{"self": True, "responseStatus": "declined"}]},
        {"status": "cancelled"},
    ],
)
def test_what_keeps_nobody_busy_closes_nothing(
    google: Google, connected: Actor, doctor: Doctor, now: datetime, fields: dict[str, Any]
) -> None:
    at = now + timedelta(days=2)
    slot_id = slot_of(doctor, at)
    google.event(MAIN, "lunch", **timed(at, at + HOUR), **fields)
    turn()
    assert not is_busy(slot_id)


def test_our_own_events_close_nothing_and_those_of_another_clinic_do(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    reference = book(patient, slot_of(doctor, at))
    turn()
    google.event(MAIN, google_rules.event_id("mh-other1@other.example"), **timed(at + HOUR, at + 2 * HOUR))
    elsewhere = slot_of(doctor, at + HOUR)
    cancel(patient, reference)
    db.clock.freeze(db.clock.now() + google_rules.EVERY)
    claim = google_sync.claim_due()
    assert claim
    google_turn.read(claim, google_client.Client(Tokens("refresh-0", "access-0")), google_turn.Patience(None))
    with db.transaction(read_only=True) as session:
        assert session.scalars(select(col(BusyTime.event_id))).all() == [
            google_rules.event_id("mh-other1@other.example")
        ]
    assert is_busy(elsewhere)


def test_a_whole_day_is_busy_from_midnight_to_midnight_in_the_clinic(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    midnight = datetime(2026, 11, 26, tzinfo=settings().zone)
    before, first = slot_of(doctor, midnight - timedelta(minutes=20)), slot_of(doctor, midnight)
    last = slot_of(doctor, midnight + timedelta(hours=23, minutes=40))
    after = slot_of(doctor, midnight + timedelta(hours=24))
    google.event(MAIN, "trip", start={"date": "2026-11-26"}, end={"date": "2026-11-27"})
    turn()
    assert [is_busy(key) for key in (before, first, last, after)] == [False, True, True, False]


def test_whoever_has_a_slot_keeps_it_and_nobody_has_it_after_them(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    booked, held = slot_of(doctor, at), slot_of(doctor, at + HOUR)
    reference = book(patient, booked)
    with db.transaction() as session:
        holds.hold(session, patient, slot_id=held)
    facts: list[object] = []
    google.event(MAIN, "trip", **timed(at, at + 3 * HOUR))
    stop = db.listen(facts.append)
    turn(later=timedelta(minutes=1))
    assert book(patient, held)
    cancel(patient, reference)
    stop()
    assert not [fact for fact in facts if isinstance(fact, SlotsChanged) and (fact.freed or fact.came)]
    with db.transaction() as session:
        assert session.get_one(Slot, booked).state == "open"
        with pytest.raises(SlotWithdrawn):
            booking.book(session, patient, slot_id=booked, reason="", key=str(uuid4()))


def test_a_hold_that_ends_in_a_busy_time_frees_nothing(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    held = slot_of(doctor, at)
    with db.transaction() as session:
        holds.hold(session, patient, slot_id=held)
        other = builders.actor(session, builders.patient(session, name="Ada Kern"))
    google.event(MAIN, "trip", **timed(at, at + HOUR))
    turn(later=timedelta(minutes=1))
    db.clock.freeze(now + timedelta(minutes=30))
    with db.transaction() as session, pytest.raises(SlotWithdrawn):  # over, and nobody has opened it yet
        booking.book(session, other, slot_id=held, reason="", key=str(uuid4()))
    facts: list[object] = []
    stop = db.listen(facts.append)
    with db.transaction() as session:
        assert holds.open_expired(session) == 1
    stop()
    assert [fact.freed for fact in facts if isinstance(fact, SlotsChanged)] == [()]


def test_slots_that_are_published_into_a_busy_time_are_closed(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    day = now.date() + timedelta(days=2)
    at = datetime(day.year, day.month, day.day, 9, tzinfo=settings().zone)
    google.event(MAIN, "trip", **timed(at, at + HOUR))
    turn()
    plan = Plan(day, day, at.time(), (at + 2 * HOUR).time(), HOUR)
    with db.transaction() as session:
        availability.publish(session, connected, plan=plan)
        builders.hours(session, doctor)
    with db.transaction() as session:
        hours.extend_horizon(session, doctor_id=builders.key(doctor))
    with db.transaction(read_only=True) as session:
        slots = session.scalars(select(Slot).order_by(col(Slot.starts_at))).all()
    assert len(slots) > 10
    assert [slot.starts_at for slot in slots if slot.busy] == [at]


def test_what_was_closed_comes_back_to_everybody_who_looks(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    slot_id = slot_of(doctor, at)
    google.event(MAIN, "trip", **timed(at, at + HOUR))
    facts: list[object] = []
    stop = db.listen(facts.append)
    turn()
    google.cancel(MAIN, "trip")
    turn()
    stop()
    key = builders.key(doctor)
    assert facts[:2] == [SlotsChanged(key, gone=(slot_id,), came=False), SlotsChanged(key, gone=(), came=True)]


def test_a_time_that_comes_back_is_offered_to_who_waits_for_it(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    slot_id = slot_of(doctor, at)
    google.event(MAIN, "trip", **timed(at, at + HOUR))
    turn()
    wait(patient, doctor)
    google.cancel(MAIN, "trip")
    turn()
    assert offered_to(slot_id) == patient.patient_id


def test_so_are_more_than_one_turn_offers(
    google: Google,
    connected: Actor,
    doctor: Doctor,
    patient: Actor,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(google_turn, "AT_ONCE", 1)
    at = now + timedelta(days=2)
    slot_of(doctor, at)
    monday = slot_of(doctor, now + timedelta(days=7))
    google.event(MAIN, "trip", **timed(at, at + timedelta(days=7)))
    turn()
    wait(patient, doctor, weekdays={0})
    google.cancel(MAIN, "trip")
    turn()
    matching.tend()
    assert offered_to(monday) == patient.patient_id


def test_many_pages_are_read_and_later_only_what_changed(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    google.page_size = 3
    at = now + timedelta(days=2)
    for number in range(10):
        google.event(MAIN, f"e{number}", **timed(at + number * HOUR, at + (number + 1) * HOUR))
    assert turn() is Trouble.NONE
    assert len(google.requests) == 4
    google.requests.clear()
    for number in range(4):
        google.cancel(MAIN, f"e{number}")
    turn()
    assert len(google.requests) == 2
    with db.transaction(read_only=True) as session:
        assert sorted(session.scalars(select(col(BusyTime.event_id)))) == [f"e{number}" for number in range(4, 10)]


def test_a_calendar_without_end_is_given_up(
    google: Google, connected: Actor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_rules, "MOST_PAGES", 2)
    google.page_size = 1
    for number in range(3):
        google.event(MAIN, f"e{number}", **timed(now + HOUR, now + 2 * HOUR))
    assert turn() is Trouble.TOO_MUCH
    assert len(google.requests) == 2


def test_a_forgotten_sync_token_leads_to_reading_everything_anew(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    before, since = slot_of(doctor, at), slot_of(doctor, at + HOUR)
    google.event(MAIN, "gone", **timed(at, at + HOUR))
    turn()
    del google.calendars[MAIN]["gone"]  # so long ago that Google tells of it no more
    google.event(MAIN, "here", **timed(at + HOUR, at + 2 * HOUR))
    google.oldest_sync_token = 10_000
    assert turn() is Trouble.NONE
    assert (is_busy(before), is_busy(since)) == (False, True)
    google.oldest_sync_token = 0
    google.requests.clear()
    turn()
    assert len(google.requests) == 1


def test_everything_is_read_anew_once_a_week(google: Google, connected: Actor, doctor: Doctor, now: datetime) -> None:
    far = slot_of(doctor, now + google_rules.AHEAD + timedelta(days=3))
    google.event(MAIN, "trip", **timed(now + google_rules.AHEAD + timedelta(days=2), now + timedelta(days=420)))
    turn()
    assert not is_busy(far)
    turn(later=google_rules.AFRESH)
    assert is_busy(far)


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (Answer(403, "rateLimitExceeded"), Trouble.SLOW_DOWN),
        (Answer(403, "userRateLimitExceeded"), Trouble.SLOW_DOWN),
        (Answer(429, "rateLimitExceeded"), Trouble.SLOW_DOWN),
        (Answer(500, "backendError"), Trouble.OUTAGE),
        (Answer(503), Trouble.OUTAGE),
    ],
)
def test_what_passes_is_tried_again_later_and_later(
    google: Google, connected: Actor, now: datetime, answer: Answer, trouble: Trouble
) -> None:
    pauses = []
    for failures in (1, 2, 3):
        google.fail("GET /calendars", answer)
        assert turn(later=timedelta(days=1)) is trouble
        assert (row().trouble, row().failures) == (trouble.value, failures)
        pauses.append(row().next_sync_at - db.clock.now())
    minute = timedelta(minutes=1)
    assert all(minute * 2**n / 2 <= pause <= minute * 2**n for n, pause in enumerate(pauses))
    with db.transaction(read_only=True) as session:
        assert not google_sync.make_due({session.scalars(select(col(GoogleConnection.doctor_id))).one()})
    assert turn(later=timedelta(days=1)) is Trouble.NONE
    assert (row().trouble, row().failures) == ("", 0)


@pytest.mark.parametrize("status", [403, 429])
def test_google_says_how_long_to_wait(google: Google, connected: Actor, now: datetime, status: int) -> None:
    google.fail("GET /calendars", Answer(status, "rateLimitExceeded", {"Retry-After": "7200"}))
    turn()
    assert row().next_sync_at == db.clock.now() + timedelta(hours=2)
    db.clock.freeze(db.clock.now() + timedelta(minutes=119))
    assert google_sync.claim_due() is None


def test_what_was_written_before_an_error_is_not_written_again(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    for day in (2, 3, 4):
        book(patient, slot_of(doctor, now + timedelta(days=day)))
    posts = []
    original = google.change

    def second_fails(method: str, calendar: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        posts.append(body.get("id"))
        return (503, {}) if len(posts) == 2 else original(method, calendar, key, body)

    google.change = second_fails  # type: ignore[method-assign]
    assert turn() is Trouble.OUTAGE
    assert len(google.standing(MAIN)) == 1
    assert turn() is Trouble.NONE
    assert len(google.standing(MAIN)) == 3
    assert posts.count(posts[0]) == 1


def test_a_silent_google_is_not_waited_for(
    google: Google, connected: Actor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_client, "TIMEOUT", 0.2)
    google.fail("GET", Answer(200, delay=1.0), times=4)
    assert turn() is Trouble.OUTAGE


def test_nobody_there_is_an_outage(
    google: Google, connected: Actor, now: datetime, configure: Callable[[str, str], None]
) -> None:
    configure("MHMS_GOOGLE_URL", "http://127.0.0.1:9")
    assert turn() is Trouble.OUTAGE


def test_an_access_token_is_renewed_and_sealed_with_the_newest_key(
    google: Google, connected: Actor, now: datetime, configure: Callable[[str, str], None]
) -> None:
    old, newest = row().sealed_tokens, new_key()
    assert "refresh-0" not in old
    google.access_tokens.clear()
    configure("MHMS_ENCRYPTION_KEYS", f"{newest},{KEY}")
    assert turn() is Trouble.NONE
    configure("MHMS_ENCRYPTION_KEYS", newest)
    renewed = Tokens.from_json(unseal(row().sealed_tokens))
    assert (renewed.refresh, renewed.access in google.access_tokens) == ("refresh-0", True)
    assert renewed.expires_at
    assert turn() is Trouble.NONE


@pytest.mark.parametrize("how", ["withdrawn", "key"])
def test_without_access_nothing_is_tried_until_the_doctor_connects_again(
    google: Google, connected: Actor, now: datetime, how: str, configure: Callable[[str, str], None]
) -> None:
    if how == "withdrawn":
        google.access_tokens.clear()
        google.refresh_tokens.clear()
    else:
        configure("MHMS_ENCRYPTION_KEYS", new_key())
    assert turn() is Trouble.RECONNECT
    assert row().next_sync_at is None
    db.clock.freeze(now + timedelta(days=9))
    assert google_sync.claim_due() is None
    google.refresh_tokens.add("refresh-new")
    with db.transaction() as session:
        service.keep(session, connected, tokens=Tokens("refresh-new"))
    assert turn() is Trouble.NONE


@pytest.mark.parametrize("answer", [Answer(404, "notFound"), Answer(403, "forbidden")])
def test_a_calendar_that_is_gone_waits_for_another_choice(
    google: Google, connected: Actor, now: datetime, answer: Answer
) -> None:
    google.fail("GET /calendars", answer)
    assert turn() is Trouble.CALENDAR
    assert row().next_sync_at is None
    with db.transaction() as session:
        connect(session, connected, calendar="clinic@group")
    assert turn() is Trouble.NONE


def test_another_calendar_takes_over_what_the_first_had(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    book(patient, slot_of(doctor, at))
    closed = slot_of(doctor, at + HOUR)
    google.event(MAIN, "lunch", **timed(at + HOUR, at + 2 * HOUR))
    turn()
    with db.transaction() as session:
        connect(session, connected, calendar="clinic@group")
    turn()
    assert list(google.standing(MAIN)) == ["lunch"]
    assert titles(google.standing("clinic@group").values()) == ["Busy"]
    assert not is_busy(closed)


def test_a_former_calendar_that_cannot_be_reached_holds_nothing_up(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    book(patient, slot_of(doctor, now + timedelta(days=2)))
    turn()
    with db.transaction() as session:
        connect(session, connected, calendar="clinic@group")
    google.fail("DELETE", Answer(403, "forbidden"))
    assert turn() is Trouble.NONE
    assert len(google.standing("clinic@group")) == 1
    google.requests.clear()
    turn()
    assert len(google.requests) == 1


def test_an_event_that_cannot_be_written_keeps_no_busy_time_away(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    at = now + timedelta(days=2)
    book(patient, slot_of(doctor, at))
    closed = slot_of(doctor, at + HOUR)
    google.event(MAIN, "lunch", **timed(at + HOUR, at + 2 * HOUR))
    google.fail("POST", Answer(400, "badRequest"))
    assert turn() is Trouble.OUTAGE
    assert is_busy(closed)


@pytest.mark.parametrize("remove", [True, False])
def test_disconnecting_gives_the_access_back_and_opens_slots(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime, remove: bool
) -> None:
    at = now + timedelta(days=2)
    book(patient, slot_of(doctor, at))
    closed = slot_of(doctor, at + HOUR)
    google.event(MAIN, "lunch", **timed(at + HOUR, at + 2 * HOUR))
    turn()
    with db.transaction() as session:
        rita = builders.actor(session, builders.patient(session, name="Rita Berg"))
    wait(rita, doctor)
    with db.transaction() as session:
        service.disconnect(session, connected, remove=remove)
    assert not is_busy(closed)
    matching.tend()
    assert offered_to(closed) == rita.patient_id
    turn()
    assert titles(e for e in google.standing(MAIN).values() if "summary" in e) == ([] if remove else ["Busy"])
    assert google.revoked == ["refresh-0"]
    with db.transaction(read_only=True) as session:
        assert service.connection(session, connected) is None
        assert session.scalars(select(GoogleConnection)).all() == []


def test_disconnecting_ends_even_if_google_never_answers(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime
) -> None:
    book(patient, slot_of(doctor, now + timedelta(days=20)))
    turn()
    with db.transaction() as session:
        service.disconnect(session, connected, remove=True)
    google.fail("DELETE", Answer(503), times=10)
    google.fail("POST /revoke", Answer(503), times=10)
    for _ in range(google_sync.LEAVING_TRIES):
        turn(later=timedelta(days=1))
    with db.transaction(read_only=True) as session:
        assert session.scalars(select(GoogleConnection)).all() == []


def test_a_doctor_whose_account_is_closed_is_left_alone(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    with db.transaction() as session:
        session.execute(update(User).where(col(User.id) == doctor.user_id).values(active=False))
    assert google_sync.claim_due() is None


def test_the_access_is_given_back_when_the_account_is_closed(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    turn()
    with db.transaction() as session:
        closing.close(session, connected, known_hash=builders.password_hash())
    turn()
    assert google.revoked == ["refresh-0"]
    with db.transaction(read_only=True) as session:
        assert session.scalars(select(GoogleConnection)).all() == []


@pytest.mark.parametrize("change", [{"active": False}, {"role": "patient"}])
def test_disconnecting_is_seen_through_whatever_becomes_of_the_account(
    google: Google, connected: Actor, doctor: Doctor, patient: Actor, now: datetime, change: dict[str, Any]
) -> None:
    book(patient, slot_of(doctor, now + timedelta(days=2)))
    turn()
    with db.transaction() as session:
        service.disconnect(session, connected, remove=True)
        session.execute(update(User).where(col(User.id) == doctor.user_id).values(**change))
    turn()
    assert google.standing(MAIN) == {}
    assert google.revoked == ["refresh-0"]
    with db.transaction(read_only=True) as session:
        assert session.scalars(select(GoogleConnection)).all() == []


def test_a_change_makes_the_calendar_due_at_once(
    google: Google, connected: Actor, doctor: Doctor, now: datetime
) -> None:
    turn()
    db.clock.freeze(db.clock.now() + timedelta(seconds=1))
    assert google_sync.claim_due() is None
    assert google_sync.make_due({builders.key(doctor)})
    assert not google_sync.make_due({builders.key(doctor) + 1})
    assert google_sync.claim_due()


def test_one_worker_at_a_time(google: Google, connected: Actor, now: datetime) -> None:
    claims = []
    barrier = threading.Barrier(4)

    def claim() -> None:
        barrier.wait()
        claims.append(google_sync.claim_due())

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1


def test_without_credentials_no_slot_stays_closed(
    google: Google,
    connected: Actor,
    doctor: Doctor,
    patient: Actor,
    now: datetime,
    configure: Callable[[str, str], None],
) -> None:
    at = now + timedelta(days=2)
    slot_id = slot_of(doctor, at)
    google.event(MAIN, "trip", **timed(at, at + HOUR))
    turn()
    wait(patient, doctor)
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        configure(f"MHMS_GOOGLE_{name}", "")
    with db.transaction() as session:
        assert service.connection(session, connected) is None
        service.forget_unused(session)
    assert not is_busy(slot_id)
    matching.tend()
    assert offered_to(slot_id) == patient.patient_id
