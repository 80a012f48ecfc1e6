"""Which slots working hours ask for, and how to get there; without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mhms_app.availability.hours_rules import (
    Change,
    DayOff,
    Existing,
    ExtraHours,
    Hours,
    SpecialDay,
    Timetable,
    reconcile,
    still_free,
    wanted,
    why_not_a_special_day,
    why_not_hours,
)
from mhms_app.availability.rules import Times

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)
SUNDAY = date(2026, 11, 29)
HALF = timedelta(minutes=30)
WORKDAYS = frozenset(range(5))
MORNINGS = Hours(WORKDAYS, time(9), time(12), HALF, date(2026, 1, 1))
NOW = datetime(2026, 11, 23, 9, 15, tzinfo=BERLIN).astimezone(UTC)

# Both edges of a year in zones that change by an hour, by half of one, by a day, and not at all.
EDGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2026, 4, 5)),
    "Pacific/Apia": (date(2011, 12, 30), date(2021, 4, 4)),  # in 2011 this day did not exist
    "Asia/Kathmandu": (date(1986, 1, 1), date(2026, 3, 29)),  # 15 minutes were skipped
}
edges = st.sampled_from([(zone, day) for zone, days in EDGES.items() for day in days])
clocks = st.builds(time, st.integers(0, 23), st.sampled_from(range(0, 60, 5)))
minutes = st.sampled_from((5, 15, 20, 30, 45, 60, 90)).map(lambda n: timedelta(minutes=n))


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    start, end = sorted(draw(st.lists(clocks, min_size=2, max_size=2, unique=True)))
    rest = draw(st.none() | st.lists(clocks, min_size=2, max_size=2, unique=True).map(lambda two: tuple(sorted(two))))
    weekdays = draw(st.frozensets(st.integers(0, 6), min_size=1))
    pause = draw(st.sampled_from((0, 5, 10))) * timedelta(minutes=1)
    return Hours(weekdays, start, end, draw(minutes), date(1980, 1, 1), pause=pause, rest=rest)


def at(day: date, hour: int, minute: int = 0, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.combine(day, time(hour, minute), zone).astimezone(UTC)


def clock_times(slots: tuple[Times, ...], zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{start.astimezone(zone):%a %H:%M}" for start, _ in slots]


def week(*rules: Hours, special: tuple[SpecialDay, ...] = (), holidays: frozenset[date] = frozenset()) -> list[str]:
    return clock_times(wanted(Timetable(rules, special, holidays), MONDAY, SUNDAY, zone=BERLIN))


# What is asked for ----------------------------------------------------------------------------------


@given(edges, st.lists(hours(), min_size=1, max_size=3), st.lists(hours(), max_size=2))
@example(("Pacific/Apia", date(2011, 12, 30)), [Hours(frozenset({4}), time(0), time(23), HALF, date(2000, 1, 1))], [])
def test_wall_clock_times_are_kept_and_no_slot_is_in_a_gap_or_twice_in_a_fold(
    edge: tuple[str, date], rules: list[Hours], extra: list[Hours]
) -> None:
    zone, day = ZoneInfo(edge[0]), edge[1]
    special = tuple(ExtraHours(day, each.start, each.end, each.length) for each in extra)
    slots = wanted(Timetable(tuple(rules), special), day - timedelta(2), day + timedelta(2), zone=zone)
    lengths = {each.length for each in (*rules, *extra)}
    walls = [
        (start.astimezone(zone).replace(tzinfo=None), end.astimezone(zone).replace(tzinfo=None)) for start, end in slots
    ]
    for (start, end), (begin, finish) in zip(slots, walls, strict=True):
        assert end - start in lengths
        assert finish - begin == end - start  # planned times on the wall: nothing lies over a change
        assert begin.replace(tzinfo=zone).astimezone(UTC) == start  # the first occurrence, and it exists
        assert any(
            begin.weekday() in each.weekdays and each.start <= begin.time() and finish.time() <= each.end
            for each in rules
        ) or any(begin.date() == each.day and each.start <= begin.time() for each in special)
    assert all(first[1] <= second[0] for first, second in pairwise(slots))
    assert len({begin for begin, _ in walls}) == len(walls)


@given(hours())
def test_a_week_without_a_change_is_as_the_one_before(rule: Hours) -> None:
    first, second = (
        clock_times(wanted(Timetable((rule,)), monday, monday + timedelta(6), zone=BERLIN))
        for monday in (date(2026, 11, 2), date(2026, 11, 9))
    )
    assert first == second


def test_a_week_of_mornings_with_a_break() -> None:
    rule = Hours(frozenset({0, 3}), time(9), time(12), HALF, MONDAY, rest=(time(10), time(10, 45)))
    day = ["09:00", "09:30", "10:45", "11:15"]
    assert week(rule) == [f"{name} {clock}" for name in ("Mon", "Thu") for clock in day]


def test_a_rule_is_valid_from_its_first_day_to_its_last() -> None:
    rule = Hours(WORKDAYS, time(9), time(9, 30), HALF, date(2026, 11, 24), date(2026, 11, 26))
    assert week(rule) == ["Tue 09:00", "Wed 09:00", "Thu 09:00"]


def test_a_day_off_and_a_public_holiday_leave_no_slot() -> None:
    tuesday, friday = date(2026, 11, 24), date(2026, 11, 27)
    days = {name[:3] for name in week(MORNINGS, special=(DayOff(tuesday),), holidays=frozenset({friday}))}
    assert days == {"Mon", "Wed", "Thu"}


def test_half_a_day_off_leaves_out_what_it_touches_and_moves_nothing() -> None:
    off = DayOff(MONDAY, (time(10, 10), time(11)))
    assert week(MORNINGS, special=(off,))[:4] == ["Mon 09:00", "Mon 09:30", "Mon 11:00", "Mon 11:30"]


def test_extra_hours_are_worked_on_days_off_and_holidays_too() -> None:
    special = (DayOff(MONDAY), ExtraHours(MONDAY, time(18), time(19), HALF))
    assert week(special=special, holidays=frozenset({MONDAY})) == ["Mon 18:00", "Mon 18:30"]


def test_where_two_overlap_the_earlier_one_wins() -> None:
    extra = ExtraHours(MONDAY, time(8, 45), time(9, 45), HALF)
    assert week(MORNINGS, special=(extra,))[:3] == ["Mon 08:45", "Mon 09:15", "Mon 10:00"]


# What changes ---------------------------------------------------------------------------------------


def slot(
    key: int, hour: int, minute: int = 0, state: str = "open", from_hours: bool = True, length: int = 30
) -> Existing:
    starts_at = at(MONDAY, hour, minute)
    return Existing(key, starts_at, starts_at + timedelta(minutes=length), state, from_hours)


def change(*existing: Existing, rule: Hours = MORNINGS) -> Change:
    return reconcile(wanted(Timetable((rule,)), MONDAY, MONDAY, zone=BERLIN), existing, now=NOW)


def test_missing_slots_appear_and_what_has_started_does_not() -> None:
    assert clock_times(change().appear) == ["Mon 09:30", "Mon 10:00", "Mon 10:30", "Mon 11:00", "Mon 11:30"]


def test_open_slots_that_nothing_asks_for_vanish_and_past_ones_stay_for_the_record() -> None:
    found = change(slot(1, 13), slot(2, 9, 10), slot(3, 8), rule=Hours(WORKDAYS, time(10), time(11), HALF, MONDAY))
    assert ([gone.id for gone in found.vanish], clock_times(found.appear)) == ([1], ["Mon 10:00", "Mon 10:30"])


@pytest.mark.parametrize("state", ["booked", "held"])
def test_a_booked_or_held_slot_stays_and_what_overlaps_it_is_left_out(state: str) -> None:
    found = change(slot(1, 10, 15, state))
    assert ([kept.id for kept in found.stay], found.vanish) == ([1], ())
    assert clock_times(found.left_out) == ["Mon 10:00", "Mon 10:30"]
    assert clock_times(found.appear) == ["Mon 09:30", "Mon 11:00", "Mon 11:30"]


def test_a_slot_published_by_hand_never_vanishes() -> None:
    found = change(slot(1, 10, 15, from_hours=False), slot(2, 20, from_hours=False))
    assert (found.vanish, found.stay) == ((), ())
    assert clock_times(found.left_out) == ["Mon 10:00", "Mon 10:30"]


def test_a_slot_withdrawn_by_hand_does_not_come_back_in_another_length_either() -> None:
    gone = slot(1, 10, state="withdrawn")
    assert clock_times(change(gone).left_out) == ["Mon 10:00"]
    longer = Hours(WORKDAYS, time(10), time(12), timedelta(minutes=40), MONDAY)
    assert clock_times(change(gone, rule=longer).left_out) == ["Mon 10:00"]


def test_a_vanishing_slot_makes_room() -> None:
    found = change(slot(1, 9, 45, length=60))
    assert ([gone.id for gone in found.vanish], found.left_out, len(found.appear)) == ([1], (), 5)


def test_a_slot_that_was_taken_before_it_could_vanish_keeps_its_time() -> None:
    found = change(slot(1, 9, 45, length=60))
    assert clock_times(still_free(found.appear, found.vanish)) == ["Mon 11:00", "Mon 11:30"]


states = st.sampled_from(("open", "held", "booked"))
some_slots = st.lists(
    st.tuples(st.integers(0, 47), st.integers(1, 3), states, st.booleans()), max_size=20, unique_by=lambda s: s[0]
)


@given(st.lists(hours(), max_size=2), some_slots)
def test_reconciling_ends_without_overlaps_and_doing_it_again_changes_nothing(
    rules: list[Hours], made: list[tuple[int, int, str, bool]]
) -> None:
    existing: list[Existing] = []
    for key, (half_hours, length, state, from_hours) in enumerate(sorted(made)):
        starts_at = at(MONDAY, 0) + half_hours * HALF
        if not existing or existing[-1].ends_at <= starts_at:
            existing.append(Existing(key, starts_at, starts_at + length * HALF, state, from_hours))
    asked = wanted(Timetable(tuple(rules)), MONDAY, MONDAY, zone=BERLIN)
    found = reconcile(asked, existing, now=NOW)
    assert all(gone.state == "open" and gone.from_hours and gone.starts_at > NOW for gone in found.vanish)
    assert set(found.appear) | set(found.left_out) | {kept.times for kept in found.stay} >= {
        times for times in asked if times[0] > NOW
    }
    after = [each for each in existing if each not in found.vanish]
    after += [Existing(100 + n, *times, "open", True) for n, times in enumerate(found.appear)]
    after.sort(key=lambda each: each.starts_at)
    assert all(first.ends_at <= second.starts_at for first, second in pairwise(after))
    again = reconcile(asked, after, now=NOW)
    assert (again.appear, again.vanish) == ((), ())


# What is refused ------------------------------------------------------------------------------------

AFTERNOONS = Hours(WORKDAYS, time(13), time(17), HALF, MONDAY)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weekdays": frozenset()}, "weekdays"),
        ({"end": time(9)}, "end"),
        ({"length": timedelta(minutes=4)}, "length"),
        ({"length": timedelta(hours=4)}, "length"),
        ({"rest": (time(11), time(10))}, "breaks"),
        ({"valid_until": date(2025, 1, 1)}, "valid_until"),
        ({"valid_until": date(2026, 11, 22)}, "valid_until"),
        ({"valid_from": date(1901, 1, 1)}, "valid_from"),
        ({"start": time(12, 30), "end": time(13, 30)}, "start"),
    ],
)
def test_hours_that_cannot_be(changes: dict[str, object], field: str) -> None:
    rule = Hours(**{**{name: getattr(MORNINGS, name) for name in Hours.__slots__}, **changes})  # type: ignore[arg-type]
    refusal = why_not_hours(rule, others=[AFTERNOONS], today=MONDAY)
    assert refusal is not None and refusal.field == field


def test_hours_of_other_days_or_another_time_of_the_year_do_not_clash() -> None:
    saturday = Hours(frozenset({5}), time(13), time(17), HALF, MONDAY)
    later = Hours(WORKDAYS, time(9), time(12), HALF, date(2027, 1, 1))
    until = Hours(WORKDAYS, time(9), time(12), HALF, MONDAY, date(2026, 12, 31))
    assert why_not_hours(saturday, others=[AFTERNOONS], today=MONDAY) is None
    assert why_not_hours(until, others=[later], today=MONDAY) is None
    assert why_not_hours(MORNINGS, others=[later], today=MONDAY) is not None


@pytest.mark.parametrize(
    ("special", "field"),
    [
        (DayOff(date(2026, 11, 22)), "day"),
        (DayOff(MONDAY, (time(10), time(10))), "end"),
        (DayOff(date(2026, 12, 24)), "day"),
        (ExtraHours(MONDAY, time(10), time(9), HALF), "end"),
        (ExtraHours(MONDAY, time(10), time(11), timedelta(minutes=1)), "length"),
    ],
)
def test_exceptions_that_cannot_be(special: SpecialDay, field: str) -> None:
    refusal = why_not_a_special_day(special, others=[DayOff(date(2026, 12, 24))], today=MONDAY)
    assert refusal is not None and refusal.field == field
    assert why_not_a_special_day(DayOff(MONDAY), others=[], today=MONDAY) is None
