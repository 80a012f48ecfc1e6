"""What the page of working hours says and reads; without a browser."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from mhms_app.availability.hours import Effect, HoursPage, WeekEffect
from mhms_app.availability.hours_rules import DayOff, ExtraHours, Hours, SpecialDay
from mhms_app.errors import Invalid, InvalidForm
from mhms_app.web.doctor import hours, timetable

TODAY = date(2026, 11, 23)
UNTIL = date(2027, 1, 17)
TWENTY = timedelta(minutes=20)
SURGERY = Hours(
    frozenset({0, 1, 3}), time(9), time(17), TWENTY, date(2026, 12, 1), None, timedelta(), (time(12), time(13))
)
AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


def effect(
    *,
    appear: int = 0,
    vanish: int = 0,
    left_out: int = 0,
    stay: int = 0,
    outside: int = 0,
    weeks: tuple[WeekEffect, ...] = (),
) -> Effect:
    came, went, left = (((AT, AT + TWENTY),) * count for count in (appear, vanish, left_out))
    return Effect(came, went, left, stay, outside, weeks, UNTIL)


# Words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weekdays", "said"),
    [
        ({0}, "Mon"),
        ({0, 1}, "Mon, Tue"),
        ({0, 1, 3}, "Mon, Tue, Thu"),
        ({0, 1, 2, 3, 4}, "Mon – Fri"),
        ({4, 5, 6}, "Fri – Sun"),
        (set(range(7)), "Every day"),
    ],
)
def test_days_in_words(weekdays: set[int], said: str) -> None:
    assert timetable.days_of(weekdays) == said


def test_a_rule_in_words() -> None:
    assert timetable.title_of(SURGERY) == "Mon, Tue, Thu 09:00 – 17:00"
    assert timetable.details_of(SURGERY, today=TODAY) == "20 min, break 12:00 – 13:00, from 1 Dec"
    assert timetable.details_of(SURGERY, today=date(2026, 12, 1)) == "20 min, break 12:00 – 13:00"
    plain = Hours(frozenset({5}), time(8), time(9), TWENTY, TODAY, date(2027, 3, 31), timedelta(minutes=5))
    assert timetable.details_of(plain, today=TODAY) == "20 min, 5 min between two, until 31 Mar 2027"


@pytest.mark.parametrize(
    ("special", "said"),
    [
        (DayOff(TODAY), "Day off"),
        (DayOff(TODAY, (time(12), time(17))), "Off 12:00 – 17:00"),
        (ExtraHours(TODAY, time(18), time(20), TWENTY), "Extra hours 18:00 – 20:00, 20 min"),
    ],
)
def test_an_exception_in_words(special: SpecialDay, said: str) -> None:
    assert timetable.special_in_words(special) == said


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (effect(stay=3), "No slot changes until 17 Jan 2027. Later days follow by themselves."),
        (effect(appear=24, vanish=1, stay=1200), "24 slots appear, 1 vanishes, 1\u202f200 stay, until 17 Jan 2027."),
        (effect(vanish=1, stay=1), "1 slot vanishes, 1 stays, until 17 Jan 2027."),
        (
            effect(appear=1, left_out=2, stay=1, outside=1),
            "1 slot appears, 1 stays, until 17 Jan 2027. 2 slots would overlap with slots that are booked, or that you"
            " published or withdrew yourself, and are left out. 1 booked slot outside of these hours stays.",
        ),
    ],
)
def test_what_a_change_does(does: Effect, said: str) -> None:
    assert "".join(timetable.effect_in_words(does, today=TODAY)) == said


def test_weeks_that_change_alike_are_one_line_and_those_that_do_not_change_none() -> None:
    monday = [TODAY + timedelta(weeks=number) for number in range(5)]
    weeks = (
        WeekEffect(monday[0], 2, 0, 4),
        WeekEffect(monday[1], 6, 0, 0),
        WeekEffect(monday[2], 6, 0, 0),
        WeekEffect(monday[3], 0, 0, 6),
        WeekEffect(monday[4], 0, 1, 0),
    )
    assert timetable.weeks_in_words(effect(weeks=weeks)) == [
        ("23 Nov – 29 Nov", "2 appear, 4 stay"),
        ("30 Nov – 13 Dec", "6 appear each week"),
        ("21 Dec – 27 Dec", "1 vanishes"),
    ]


def test_many_different_weeks_are_counted() -> None:
    weeks = tuple(WeekEffect(TODAY + timedelta(weeks=number), number + 1, 0, 0) for number in range(10))
    assert timetable.weeks_in_words(effect(weeks=weeks))[7:] == [
        ("11 Jan – 17 Jan", "8 appear"),
        ("Later", "2 more changes"),
    ]


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (effect(), "No slot had to change."),
        (effect(appear=8), "8 slots published."),
        (effect(vanish=1), "1 slot taken back."),
        (effect(appear=8, vanish=2), "8 slots published, 2 taken back."),
    ],
)
def test_what_a_change_has_done(does: Effect, said: str) -> None:
    assert timetable.done_in_words(does) == said


def test_exceptions_and_public_holidays_are_listed_by_day() -> None:
    page = HoursPage(
        1,
        True,
        {},
        {7: DayOff(date(2027, 1, 4)), 9: DayOff(date(2026, 12, 24))},
        {date(2026, 12, 25): "Christmas Day"},
        UNTIL,
    )
    assert hours.special_lines(page, today=TODAY) == [
        hours.Line(9, "Thu 24 Dec", "Day off"),
        hours.Line(0, "Fri 25 Dec", "Public holiday: Christmas Day"),
        hours.Line(7, "Mon 4 Jan 2027", "Day off"),
    ]


# Forms ----------------------------------------------------------------------------------------------


def test_a_rule_comes_out_of_its_form_as_it_went_in() -> None:
    typed = timetable.typed_as(SURGERY)
    assert timetable.read_hours(typed, weekdays=[0, 1, 3], rest=True, today=TODAY) == SURGERY


def test_hours_without_a_first_day_begin_today() -> None:
    read = timetable.read_hours(timetable.UNTOUCHED, weekdays=[2], rest=False, today=TODAY)
    assert (read.valid_from, read.valid_until, read.rest) == (TODAY, None, None)


def test_what_cannot_be_read_is_said_beside_its_field() -> None:
    typed = timetable.UNTOUCHED | {"start": "nine", "length": "-1", "valid_until": "someday", "break_end": ""}
    with pytest.raises(InvalidForm) as refusal:
        timetable.read_hours(typed, weekdays=[2], rest=True, today=TODAY)
    assert set(refusal.value.errors) == {"start", "length", "valid_until", "break_end"}


def test_the_form_of_a_day() -> None:
    typed = timetable.UNTOUCHED | {"day": "2026-12-24", "start": "18:00", "end": "20:00"}
    day = date(2026, 12, 24)
    assert timetable.read_special(typed, kind="day") == DayOff(day)
    assert timetable.read_special(typed, kind="part") == DayOff(day, (time(18), time(20)))
    assert timetable.read_special(typed, kind="extra") == ExtraHours(day, time(18), time(20), TWENTY)
    with pytest.raises(InvalidForm) as refusal:
        timetable.read_special(typed | {"day": "Christmas"}, kind="day")
    assert set(refusal.value.errors) == {"day"}


def test_a_refusal_about_the_break_stands_beside_its_end() -> None:
    assert timetable.problems(Invalid("Too short.", field="breaks")) == {"break_end": "Too short."}
    assert timetable.problems(Invalid("Too early.", field="start")) == {"start": "Too early."}
