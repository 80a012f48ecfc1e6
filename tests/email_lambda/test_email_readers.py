"""Invitations as two independent readers see them: icalendar (Python) and ical.js (Node)."""

import json
from datetime import UTC, datetime, timedelta

import icalendar
import pytest

from email_lambda.invite import invitation
from tests.ical_js import reader as ical_js

EDGES = {
    # Zone, and two instants at which its clocks change: forwards and back.
    "Europe/Berlin": ("2027-03-28T01:00", "2027-10-31T01:00"),
    "America/New_York": ("2027-03-14T07:00", "2027-11-07T06:00"),
    "Australia/Lord_Howe": ("2027-10-02T15:30", "2027-04-03T15:00"),
    "Pacific/Apia": ("2010-09-26T11:00", "2011-04-02T14:00"),
    "Asia/Kathmandu": ("2027-03-28T01:00", "2027-10-31T01:00"),
}


def by_icalendar(texts):
    calendars = [icalendar.Calendar.from_ical(text) for text in texts]
    return [[_event(calendar, event) for event in calendar.walk("VEVENT")] for calendar in calendars]


def _event(calendar, event):
    instants = {"stamp": "DTSTAMP", "starts_at": "DTSTART", "ends_at": "DTEND"}
    texts = {name: str(event[name]) for name in ("status", "uid", "summary", "location", "description")}
    times = {name: event[prop].dt.astimezone(UTC) for name, prop in instants.items()}
    return texts | times | {"method": str(calendar["METHOD"]), "sequence": int(event["SEQUENCE"])}


@pytest.fixture(scope="module")
def by_ical_js(tmp_path_factory):
    return ical_js.install(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module", params=["icalendar", "ical.js"])
def read(request, by_ical_js):
    return {"icalendar": by_icalendar, "ical.js": by_ical_js}[request.param]


def ics(message, *, minute=0):
    """What is sent, each message a minute after the one before it."""
    sent_at = datetime(2026, 11, 21, 8, minute, tzinfo=UTC)
    return invitation(message, organizer="no-reply@linden.example", now=sent_at)


def calendar_of(read, texts):
    """A calendar that keeps one entry a UID, that of the highest SEQUENCE, and drops it when it is cancelled."""
    entries = {}
    for (event,) in read(texts):
        known = entries.get(event["uid"])
        if known is None or (event["sequence"], event["stamp"]) > (known["sequence"], known["stamp"]):
            entries[event["uid"]] = event
    return [event for event in entries.values() if event["method"] != "CANCEL"]


@pytest.fixture
def life(message):
    """One appointment as it is booked, moved and cancelled."""
    later = {"starts_at": "2026-12-03T14:00:00Z", "ends_at": "2026-12-03T14:20:00Z"}
    return [
        ics(message("BOOKING_CONFIRMATION")),
        ics(message("BOOKING_MOVED", sequence=1, **later), minute=1),
        ics(message("BOOKING_CANCELLED", sequence=2, **later), minute=2),
    ]


def test_each_change_says_what_it_is(read, life):
    assert [(e["method"], e["status"], e["sequence"], e["uid"]) for (e,) in read(life)] == [
        ("REQUEST", "CONFIRMED", 0, "appointment-17@linden.example"),
        ("REQUEST", "CONFIRMED", 1, "appointment-17@linden.example"),
        ("CANCEL", "CANCELLED", 2, "appointment-17@linden.example"),
    ]


def test_a_moved_appointment_takes_the_place_of_the_old_one(read, life):
    booked, moved, _ = life
    for order in ([booked, moved], [moved, booked], [booked, moved, booked]):
        (entry,) = calendar_of(read, order)
        assert entry["starts_at"] == datetime(2026, 12, 3, 14, tzinfo=UTC)


def test_a_cancelled_appointment_leaves_the_calendar_whatever_arrives_late(read, life):
    booked, moved, cancelled = life
    for order in (life, [cancelled, moved, booked], [booked, cancelled, moved]):
        assert calendar_of(read, order) == []


def test_both_readers_find_the_instant_at_both_edges_of_summer_time(read, message):
    cases = []
    for zone, edges in EDGES.items():
        for edge in (datetime.fromisoformat(f"{text}:00+00:00") for text in edges):
            starts = [edge + timedelta(minutes=minutes) for minutes in (-1440, -70, -35, -10, 0, 10, 35, 70, 1440)]
            cases += [(zone, start, start + timedelta(minutes=20)) for start in starts]
    sent = [
        ics(message(time_zone=zone, starts_at=start.isoformat(), ends_at=end.isoformat())) for zone, start, end in cases
    ]
    found = [(zone, e["starts_at"], e["ends_at"]) for (zone, *_), (e,) in zip(cases, read(sent), strict=True)]
    assert found == cases


@pytest.mark.parametrize(
    "text",
    [
        'Haus B; 2. Stock, links: "Sprechzimmer" \\n \\ 5^n',
        "Ÿ€😀" * 60,
        "x" * 73 + "\\,;" * 20,
        "BEGIN:VEVENT SUMMARY;LANGUAGE=en:x",
    ],
)
def test_text_arrives_as_it_was_written_over_folds_and_escapes(read, message, text):
    written = message(location=text, doctor=text, department=text)
    raw = ics(written)
    [[event]] = read([raw])
    assert event["summary"] == f"Appointment with {text}"
    assert event["location"] == f"Linden Clinic, {text}"
    assert event["description"].split("\n") == [text, "Reference MH-4K7D2Q", "https://linden.example/appointments/17"]
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))


def test_the_lock_names_no_download_address():
    lock = json.loads((ical_js.HERE / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
