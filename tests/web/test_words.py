from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mhms_app.web import words

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # Monday, 09:00 in Berlin


def at(day: int, hour: int, minute: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    """A time on Berlin's wall clock."""
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        (at(23, 14, 20), "Today 14:20"),
        (at(24, 9), "Tomorrow 09:00"),
        (at(22, 9), "Yesterday 09:00"),
        (at(25, 8, 5), "Wed 25 Nov, 08:05"),
        (at(4, 8, month=1, year=2027), "Mon 4 Jan 2027, 08:00"),
    ],
)
def test_a_moment_is_said_as_people_say_it(instant: datetime, said: str) -> None:
    assert words.moment(instant, now=NOW, zone=BERLIN) == said


def test_today_is_the_clinics_today_and_not_that_of_utc() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)  # 00:30 on the 24th in Berlin
    assert words.moment(late, now=late - timedelta(minutes=5), zone=BERLIN) == "Today 00:30"
    assert words.moment(late, now=NOW, zone=BERLIN) == "Tomorrow 00:30"


def test_a_stretch_of_time_names_its_day_once() -> None:
    assert words.span(at(26, 10), at(26, 10, 20), now=NOW, zone=BERLIN) == "Thu 26 Nov, 10:00 – 10:20"


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 11, 23), date(2026, 11, 27), "23 – 27 November"),
        (date(2026, 11, 30), date(2026, 12, 4), "30 November – 4 December"),
        (date(2026, 12, 28), date(2027, 1, 1), "28 December 2026 – 1 January 2027"),
        (date(2026, 12, 1), date(2026, 12, 1), "1 December"),
    ],
)
def test_days_are_said_without_repeating_what_is_the_same(first: date, last: date, said: str) -> None:
    assert words.days_between(first, last) == said


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berlin", "Berlin time (CET)"),
        ("America/New_York", "New York time (EST)"),
        ("America/Sao_Paulo", "Sao Paulo time (UTC-03)"),
        ("UTC", "UTC"),
    ],
)
def test_a_zone_has_a_name_that_people_know(zone: str, said: str) -> None:
    assert words.zone_name(NOW, zone=ZoneInfo(zone)) == said


def test_a_zone_is_named_as_it_is_at_that_time_of_the_year() -> None:
    assert words.zone_name(at(1, 9, month=7), zone=BERLIN) == "Berlin time (CEST)"


def test_days_are_named_in_full_and_in_short() -> None:
    assert words.long_day(date(2026, 11, 26)) == "Thursday, 26 November"
    assert words.weekday(date(2026, 11, 26)) == "Thu"
    assert words.monday_of(date(2026, 11, 29)) == date(2026, 11, 23)


def test_numbers_bring_their_noun() -> None:
    assert words.count(1, "slot") == "1 slot"
    assert words.count(0, "slot") == "0 slots"
    assert words.count(2, "person", "people") == "2 people"
    assert words.count(1180, "slot") == "1\N{NARROW NO-BREAK SPACE}180 slots"


@pytest.mark.parametrize(
    ("hours", "said"), [(0, "for 0 s"), (3, "for 3 h"), (30, "since yesterday"), (50, "for 2 days")]
)
def test_how_long_something_lasts(hours: int, said: str) -> None:
    assert words.how_long(NOW - timedelta(hours=hours), now=NOW) == said


@pytest.mark.parametrize("days", [-1, 0, 1, 3])
def test_a_moment_within_a_sentence_begins_small_unless_it_is_a_name(days: int) -> None:
    instant = NOW + timedelta(days=days)
    within, alone = words.moment_within(instant, now=NOW), words.moment(instant, now=NOW)
    assert within == (alone if days == 3 else alone.lower())


@pytest.mark.parametrize(
    ("instant", "zone", "said"),
    [
        ("2026-11-26T09:00Z", "Europe/Lisbon", "09:00 – 09:20, Lisbon time (WET)"),
        ("2026-11-26T09:00Z", "", ""),
        ("2026-11-26T09:00Z", "Europe/Paris", ""),  # another name for the same clock
        ("2026-11-26T23:30Z", "Asia/Tokyo", "08:30 – 08:50, Tokyo time (JST)"),  # the 27th in Berlin too
        ("2026-11-26T22:30Z", "Asia/Tokyo", "Fri 27 Nov, 07:30 – 07:50, Tokyo time (JST)"),
        ("2026-11-26T09:00Z", "America/Sao_Paulo", "06:00 – 06:20, Sao Paulo time (UTC-03)"),
        # Tunis has no summer time: it agrees with Berlin in winter, and no longer once Berlin's clocks have changed.
        ("2027-03-28T00:30Z", "Africa/Tunis", ""),
        ("2027-03-28T01:00Z", "Africa/Tunis", "02:00 – 02:20, Tunis time (CET)"),
        ("2027-03-28T00:50Z", "Africa/Tunis", "01:50 – 02:10, Tunis time (CET)"),  # Berlin's clock jumps meanwhile
        # London and Berlin change at the same instant, New York three weeks before.
        ("2027-03-20T14:00Z", "America/New_York", "10:00 – 10:20, New York time (EDT)"),
        ("2027-03-10T14:00Z", "America/New_York", "09:00 – 09:20, New York time (EST)"),
    ],
)
def test_a_time_elsewhere_is_said_when_the_clocks_differ(instant: str, zone: str, said: str) -> None:
    start = datetime.fromisoformat(instant)
    assert words.elsewhere(start, start + timedelta(minutes=20), zone=zone) == said
