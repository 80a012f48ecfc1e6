"""How long an offer stands, and which times can be waited for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mhms_app.availability.rules import weekday_bits, weekdays_in
from mhms_app.booking import waiting_rules

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
    assert waiting_rules.kept_for(left) == kept


@pytest.mark.parametrize("days", [(), (0,), (6,), (0, 2, 4), tuple(range(7))])
def test_a_set_of_weekdays_is_one_number_and_back(days: tuple[int, ...]) -> None:
    assert weekdays_in(weekday_bits(days)) == days


def test_the_afternoon_begins_at_noon() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert [waiting_rules.part_of(local) for local in (noon - MINUTE, noon)] == ["morning", "afternoon"]


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
