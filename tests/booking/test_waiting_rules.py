"""How long an offer stands, and which times can be waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mhms_app.availability.rules import part_of, weekday_bits, weekdays_in
from mhms_app.booking import waiting_rules
from mhms_app.booking.rules import Policy
from mhms_app.booking.waiting_rules import Free, Wish

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 23)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (30 * DAY, 2 * HOUR),
        (20 * HOUR, 2 * HOUR),
        (10 * HOUR, HOUR),
        (2 * HOUR, 12 * MINUTE),
        (HOUR, 10 * MINUTE),
        (HOUR - MINUTE, None),
        (-DAY, None),
    ],
)
def test_an_offer_stands_shorter_the_nearer_its_time_is(left: timedelta, kept: timedelta | None) -> None:
    assert waiting_rules.kept_for(left, Policy()) == kept


def test_a_department_says_how_long_an_offer_stands() -> None:
    policy = Policy(offer_longest=HOUR, offer_shortest=20 * MINUTE)
    assert [waiting_rules.kept_for(left, policy) for left in (30 * DAY, 5 * HOUR, 2 * HOUR, HOUR)] == [
        HOUR, 30 * MINUTE, 20 * MINUTE, None
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "left", "until"),
    [
        ("2026-11-23 09:00", 3 * DAY, "2026-11-23 11:00"),
        ("2026-11-23 19:00", 3 * DAY, "2026-11-24 10:00"),
        ("2026-11-24 03:00", 3 * DAY, "2026-11-24 10:00"),
        ("2026-11-24 07:00", 3 * DAY, "2026-11-24 09:00"),
        ("2026-11-23 22:00", 10 * HOUR, "2026-11-23 23:00"),  # there is no time to sleep
        ("2026-10-24 23:00", 3 * DAY, "2026-10-25 10:00"),  # the clocks go back in this night
        ("2026-11-23 22:00", MINUTE, None),
    ],
)
def test_the_night_does_not_count(now: str, left: timedelta, until: str | None) -> None:
    begin = datetime.fromisoformat(now).replace(tzinfo=BERLIN).astimezone(UTC)
    found = waiting_rules.kept_until(begin, begin + left, zone=BERLIN, policy=Policy())
    assert (found and f"{found.astimezone(BERLIN):%Y-%m-%d %H:%M}") == until


def at(day: int, hour: int, *, key: int) -> Free:
    """A slot of an hour on a day of December 2026, of which the first is a Tuesday."""
    starts_at = datetime(2026, 12, day, hour, tzinfo=BERLIN).astimezone(UTC)
    return Free(key, starts_at, starts_at + HOUR)


def wish(patient_id: int, **changes: Any) -> Wish:
    return replace(Wish(patient_id, 127, "any", TODAY), **changes)


SLOTS = (at(1, 9, key=1), at(1, 14, key=2), at(2, 9, key=3), at(8, 9, key=4))


@pytest.mark.parametrize(
    ("wishes", "given"),
    [
        ([], ()),
        ([wish(7), wish(8), wish(9)], (1, 2, 3)),
        ([wish(7), wish(7, part="afternoon"), wish(8)], (1, 2)),  # one time a person
        ([wish(7, part="afternoon"), wish(8)], (2, 1)),
        ([wish(7, weekdays=0b100), wish(8, weekdays=0b100)], (3,)),
        ([wish(7, earliest=date(2026, 12, 2)), wish(8)], (3, 1)),
        ([wish(7, busy=((SLOTS[0].starts_at, SLOTS[0].ends_at),))], (2,)),
        ([wish(7, passed=frozenset({1, 2}))], (3,)),
        ([wish(7, before=SLOTS[0].starts_at)], ()),
        ([wish(7, before=SLOTS[1].starts_at), wish(8, before=SLOTS[1].starts_at)], (1,)),
    ],
)
def test_who_waits_longest_gets_the_soonest_that_fits(wishes: list[Wish], given: tuple[int, ...]) -> None:
    assert waiting_rules.match(wishes, SLOTS, zone=BERLIN) == given


@pytest.mark.parametrize("days", [(), (0,), (6,), (0, 2, 4), tuple(range(7))])
def test_a_set_of_weekdays_is_one_number_and_back(days: tuple[int, ...]) -> None:
    assert weekdays_in(weekday_bits(days)) == days


def test_the_afternoon_begins_at_noon() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert [part_of(local) for local in (noon - MINUTE, noon)] == ["morning", "afternoon"]


@pytest.mark.parametrize(
    ("weekdays", "part", "earliest", "wrong"),
    [
        ({0}, "any", TODAY, set()),
        (set(), "morning", TODAY, {"weekdays"}),
        ({7}, "afternoon", TODAY, {"weekdays"}),
        ({0}, "night", TODAY - DAY, {"part", "earliest"}),
        ({0}, "any", TODAY + 367 * DAY, {"earliest"}),
    ],
)
def test_what_is_wrong_stands_beside_its_field(weekdays: set[int], part: str, earliest: date, wrong: set[str]) -> None:
    assert set(waiting_rules.problems(weekdays, part, earliest, today=TODAY)) == wrong
