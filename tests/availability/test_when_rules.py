"""Which instants somebody's hours are, and why there is nothing in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mhms_app.availability.when_rules import Facts, Nothing, When, Why, spans, why_nothing

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = date(2026, 11, 23)


def in_words(when: When, first: date, days: int) -> list[str]:
    found = spans(when, first, first + (days - 1) * DAY, zone=BERLIN)
    return [f"{since.astimezone(BERLIN):%a %H:%M}-{until.astimezone(BERLIN):%a %H:%M}" for since, until in found]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (When(), ["Mon 00:00-Tue 00:00", "Tue 00:00-Wed 00:00"]),
        (When(part="morning"), ["Mon 00:00-Mon 12:00", "Tue 00:00-Tue 12:00"]),
        (When(part="afternoon", weekdays=frozenset({1})), ["Tue 12:00-Wed 00:00"]),
        (When(day=MONDAY + DAY), ["Tue 00:00-Wed 00:00"]),
        (When(day=MONDAY + DAY, weekdays=frozenset({0})), []),
        (When(day=MONDAY + 2 * DAY), []),
    ],
)
def test_hours_are_those_of_the_clinics_clock(when: When, said: list[str]) -> None:
    assert in_words(when, MONDAY, 2) == said


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 10, 25), 13), (date(2026, 3, 29), 11)])
def test_a_morning_is_longer_or_shorter_when_the_clocks_change(day: date, hours: int) -> None:
    ((since, until),) = spans(When(part="morning"), day, day, zone=BERLIN)
    assert until - since == hours * HOUR


@pytest.mark.parametrize(
    ("facts", "when", "nothing"),
    [
        (Facts(0, None, None, None), When(), Nothing(Why.NOBODY)),
        (Facts(1, None, None, None), When(), Nothing(Why.UNPUBLISHED)),
        (Facts(1, NOW + DAY, None, None), When(day=MONDAY + 2 * DAY), Nothing(Why.UNPUBLISHED, NOW + DAY)),
        (Facts(1, NOW + DAY, None, None), When(day=MONDAY + DAY), Nothing(Why.TAKEN, NOW + DAY)),
        (Facts(1, NOW + DAY, None, None), When(), Nothing(Why.TAKEN, NOW + DAY)),
        (Facts(1, NOW + DAY, NOW + 2 * HOUR, None), When(), Nothing(Why.NOTICE, NOW + 2 * HOUR)),
        (Facts(1, NOW + 90 * DAY, NOW + 90 * DAY, None), When(), Nothing(Why.AHEAD, NOW + 90 * DAY)),
        (Facts(1, NOW + DAY, NOW + DAY, NOW + DAY), When(part="morning"), Nothing(Why.ELSEWHEN, NOW + DAY)),
    ],
)
def test_there_is_always_a_reason(facts: Facts, when: When, nothing: Nothing) -> None:
    assert why_nothing(facts, when, now=NOW, notice=2 * HOUR, zone=BERLIN) == nothing
