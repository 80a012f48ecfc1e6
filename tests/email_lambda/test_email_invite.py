import email
import email.policy
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_lambda.invite import invitation
from email_lambda.messages import Invalid
from email_lambda.render import render

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
ZONES = [
    *("Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "America/St_Johns", "Etc/GMT+5"),
    "UTC",
]


def ics(message):
    return invitation(message, organizer="no-reply@linden.example", now=NOW)


def read(raw):
    calendar = icalendar.Calendar.from_ical(raw)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def instant(calendar, prop):
    """The UTC instant of a DTSTART or DTEND, by nothing but the calendar's own VTIMEZONE (RFC 5545, 3.6.5)."""
    if prop.dt.utcoffset() == timedelta(0) and "TZID" not in prop.params:
        return prop.dt
    local = prop.dt.replace(tzinfo=None)
    (timezone,) = [zone for zone in calendar.walk("VTIMEZONE") if zone["TZID"] == prop.params["TZID"]]
    current = max(
        (rule for rule in timezone.subcomponents if rule["DTSTART"].dt <= local), key=lambda rule: rule["DTSTART"].dt
    )
    return (local - current["TZOFFSETTO"].td).replace(tzinfo=UTC)


def at(moment):
    return moment.isoformat()


def test_the_invitation_has_what_a_request_needs(message):
    raw = ics(message(location="Building B; 2nd floor, left", sequence=3))
    calendar, event = read(raw)
    assert (calendar["METHOD"], calendar["VERSION"], event["STATUS"]) == ("REQUEST", "2.0", "CONFIRMED")
    assert (event["UID"], event["SEQUENCE"]) == ("appointment-17@linden.example", 3)
    assert event["DTSTAMP"].dt == NOW
    assert event["SUMMARY"] == "Appointment with Dr. A. Haddad"
    assert event["LOCATION"] == "Linden Clinic, Building B; 2nd floor, left"
    assert event["CLASS"] == "PRIVATE"
    assert event["ORGANIZER"] == "mailto:no-reply@linden.example"
    assert event["ATTENDEE"] == "mailto:jana@example.org"
    assert event["ATTENDEE"].params["CN"] == "Jana Meier"
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_cancellation_keeps_the_uid(message):
    calendar, event = read(ics(message("BOOKING_CANCELLED", sequence=4)))
    assert (calendar["METHOD"], event["STATUS"]) == ("CANCEL", "CANCELLED")
    assert (event["UID"], event["SEQUENCE"]) == ("appointment-17@linden.example", 4)


def test_the_zone_of_berlin_changes_when_berlin_does(message):
    calendar, _ = read(ics(message()))
    (zone,) = calendar.walk("VTIMEZONE")
    rules = [
        (rule.name, rule["DTSTART"].dt, rule["TZOFFSETFROM"].td, rule["TZOFFSETTO"].td, rule["TZNAME"])
        for rule in zone.subcomponents
    ]
    one, two = timedelta(hours=1), timedelta(hours=2)
    assert rules == [
        ("STANDARD", datetime(2026, 1, 1, 1), one, one, "CET"),  # noqa: DTZ001
        ("DAYLIGHT", datetime(2026, 3, 29, 2), one, two, "CEST"),  # noqa: DTZ001
        ("STANDARD", datetime(2026, 10, 25, 3), two, one, "CET"),  # noqa: DTZ001
    ]


@pytest.mark.parametrize(
    ("utc", "written"),
    [
        ("2026-10-24T08:00:00+00:00", b"DTSTART;TZID=Europe/Berlin:20261024T100000"),
        ("2026-10-25T00:30:00+00:00", b"DTSTART:20261025T003000Z"),
        ("2026-10-25T01:30:00+00:00", b"DTSTART:20261025T013000Z"),
        ("2026-10-25T02:30:00+00:00", b"DTSTART;TZID=Europe/Berlin:20261025T033000"),
        ("2026-10-26T09:00:00+00:00", b"DTSTART;TZID=Europe/Berlin:20261026T100000"),
    ],
)
def test_the_night_when_the_clocks_go_back_has_no_ambiguous_appointment(message, utc, written):
    start = datetime.fromisoformat(utc)
    raw = ics(message(starts_at=utc, ends_at=at(start + timedelta(minutes=20))))
    assert written in raw
    calendar, event = read(raw)
    assert event["DTSTART"].dt.astimezone(UTC) == start
    assert instant(calendar, event["DTSTART"]) == start
    assert instant(calendar, event["DTEND"]) == start + timedelta(minutes=20)


@settings(deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    minutes=st.integers(1, 24 * 60),
)
def test_every_instant_survives_in_every_zone(message, zone, start, minutes):
    start = start.replace(microsecond=0)
    end = start + timedelta(minutes=minutes)
    calendar, event = read(ics(message(starts_at=at(start), ends_at=at(end), time_zone=zone)))
    assert [event[name].dt.astimezone(UTC) for name in ("DTSTART", "DTEND")] == [start, end]
    assert (instant(calendar, event["DTSTART"]), instant(calendar, event["DTEND"])) == (start, end)


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_no_text_adds_a_property(message, text):
    try:
        hostile = message(name=text, doctor=text, department=text, reference=text, location=text, uid=text)
    except Invalid:
        return
    _, event = read(ics(hostile))
    _, plain = read(ics(message()))
    assert sorted(event) == sorted(plain)
    assert event["SUMMARY"] == f"Appointment with {hostile.data.doctor}"
    assert event["UID"] == hostile.data.uid


def test_the_message_carries_it_where_mail_programs_look(message):
    mail = render(message(), from_address="no-reply@linden.example", now=NOW)
    mail = email.message_from_bytes(bytes(mail), policy=email.policy.default)
    alternative, attachment = mail.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    plain, html, calendar = alternative.iter_parts()
    types = [part.get_content_type() for part in (plain, html, calendar)]
    assert types == ["text/plain", "text/html", "text/calendar"]
    assert calendar["Content-Type"].params == {"charset": "utf-8", "method": "REQUEST"}
    assert attachment.get_filename() == "appointment.ics"
    assert calendar.get_content().replace("\r\n", "\n") == attachment.get_content().decode().replace("\r\n", "\n")


@pytest.mark.parametrize("kind", ["ACCOUNT_PASSWORD", "APPOINTMENT_REMINDER", "WAITLIST_OFFER", "DOCTOR_DAY_SUMMARY"])
def test_other_kinds_carry_no_calendar(message, kind):
    mail = render(message(kind), from_address="a@b.example", now=NOW)
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
