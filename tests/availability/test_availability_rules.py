"""Cutting a day into slots, in every zone and on both edges of daylight saving time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mhms_app.availability import rules
from mhms_app.availability.rules import Plan, Times
from mhms_app.errors import Invalid

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY, SUNDAY = date(2026, 11, 23), date(2026, 11, 29)
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ZONES = sorted(available_timezones())


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def labels(slots: tuple[Times, ...], zone: ZoneInfo = BERLIN) -> list[str]:
    """What a clock on the wall shows: ``09:00-09:20``."""
    return [f"{start.astimezone(zone):%H:%M}-{end.astimezone(zone):%H:%M}" for start, end in slots]


@cache
def change_days(name: str) -> tuple[date, ...]:
    """The days of 2026 and 2027 on which this zone's clocks change, by the clock before the change."""
    zone, days = ZoneInfo(name), []
    for day in (date(2026, 1, 1) + timedelta(days=n) for n in range(2 * 365)):
        before, after = (datetime.combine(at, time(), zone).utcoffset() for at in (day, day + rules.DAY))
        if before != after:
            days.append(day)
    return tuple(days)


CHANGING = [name for name in ZONES if change_days(name)]


# --- an ordinary day ---


def test_a_morning_is_cut_into_slots_of_one_length() -> None:
    assert labels(rules.cut(MONDAY, time(9), time(10, 10), length=minutes(20), zone=BERLIN)) == [
        "09:00-09:20",
        "09:20-09:40",
        "09:40-10:00",
    ]


def test_a_pause_comes_after_each_slot_and_not_after_the_last() -> None:
    slots = rules.cut(MONDAY, time(9), time(10, 5), length=minutes(20), pause=minutes(10), zone=BERLIN)
    assert labels(slots) == ["09:00-09:20", "09:30-09:50"]
    assert labels(rules.cut(MONDAY, time(9), time(9, 50), length=minutes(20), pause=minutes(10), zone=BERLIN)) == [
        "09:00-09:20",
        "09:30-09:50",
    ]


def test_slots_go_on_at_the_end_of_a_break() -> None:
    slots = rules.cut(
        MONDAY,
        time(9),
        time(13),
        length=minutes(50),
        breaks=((time(12), time(12, 10)), (time(10), time(10, 30))),
        zone=BERLIN,
    )
    assert labels(slots) == ["09:00-09:50", "10:30-11:20", "12:10-13:00"]


def test_a_slot_may_end_when_a_break_begins() -> None:
    slots = rules.cut(MONDAY, time(9), time(11), length=minutes(30), breaks=((time(9, 30), time(10)),), zone=BERLIN)
    assert labels(slots) == ["09:00-09:30", "10:00-10:30", "10:30-11:00"]


def test_wall_clock_times_become_instants_of_that_day() -> None:
    winter, summer = date(2026, 1, 12), date(2026, 7, 13)
    assert rules.cut(winter, time(9), time(9, 20), length=minutes(20), zone=BERLIN)[0][0].hour == 8
    assert rules.cut(summer, time(9), time(9, 20), length=minutes(20), zone=BERLIN)[0][0].hour == 7


# --- the two edges, by hand ---


def test_in_spring_no_slot_starts_ends_or_lies_in_the_missing_hour() -> None:
    slots = rules.cut(date(2026, 3, 29), time(1, 20), time(4), length=minutes(20), zone=BERLIN)
    assert labels(slots) == ["01:20-01:40", "03:00-03:20", "03:20-03:40", "03:40-04:00"]


def test_in_autumn_the_hour_that_comes_twice_is_offered_once() -> None:
    slots = rules.cut(date(2026, 10, 25), time(1, 30), time(3, 30), length=minutes(30), zone=BERLIN)
    assert labels(slots) == ["01:30-02:00", "02:00-02:30", "03:00-03:30"]  # 02:30 would end at the second 02:00
    assert slots[1][0] == datetime(2026, 10, 25, 0, 0, tzinfo=UTC), "the first 02:00, still in summer time"


def test_a_slot_that_would_last_over_a_change_is_left_out() -> None:
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        assert rules.cut(day, time(1, 30), time(4), length=minutes(120), zone=BERLIN) == ()


def test_a_half_hour_change_is_no_exception() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    slots = rules.cut(date(2026, 10, 4), time(1, 30), time(3), length=minutes(15), zone=zone)
    assert labels(slots, zone) == ["01:30-01:45", "02:30-02:45", "02:45-03:00"]


def test_a_day_that_never_was_has_no_slots() -> None:
    zone = ZoneInfo("Pacific/Apia")
    assert rules.cut(date(2011, 12, 30), time(9), time(12), length=minutes(30), zone=zone) == ()


# --- every zone ---

clock_times = st.integers(0, 24 * 60 - 1).map(lambda minute: time(*divmod(minute, 60)))
lengths = st.integers(5, 480).map(minutes)
pauses = st.integers(0, 60).map(minutes)
breaks = st.lists(st.tuples(clock_times, clock_times).filter(lambda b: b[0] < b[1]), max_size=3).map(tuple)


@st.composite
def days_near_a_change(draw: st.DrawFn) -> tuple[str, date]:
    name = draw(st.sampled_from(CHANGING))
    return name, draw(st.sampled_from(change_days(name))) + draw(st.integers(-1, 1)) * rules.DAY


def check(name: str, day: date, start: time, end: time, length: timedelta, pause: timedelta, rests: tuple) -> None:
    zone = ZoneInfo(name)
    slots = rules.cut(day, start, end, length=length, pause=pause, breaks=rests, zone=zone)
    local = [tuple(at.astimezone(zone).replace(tzinfo=None) for at in slot) for slot in slots]
    for (starts_at, ends_at), (begin, finish) in zip(slots, local, strict=True):
        assert starts_at.utcoffset() == timedelta(), "an instant in UTC"
        assert ends_at - starts_at == length, "exactly as long as planned"
        assert finish - begin == length, "and it reads so on the wall"
        assert datetime.combine(day, start) <= begin, "within the hours"
        assert finish <= datetime.combine(day, end), "within the hours"
        assert not starts_at.astimezone(zone).fold, "never in the second occurrence of an hour"
        for since, until in rests:
            assert finish <= datetime.combine(day, since) or datetime.combine(day, until) <= begin, "not in a break"
    for (_, before), (after, _) in pairwise(slots):
        assert before <= after, "in order, and none twice"
    for (_, before), (after, _) in pairwise(local):
        assert before + pause <= after, "apart on the wall; the missing hour may shorten a pause or a break"
    planned = rules.cut(day, start, end, length=length, pause=pause, breaks=rests, zone=ZoneInfo("UTC"))
    ordinary = [slot for slot in planned if len({*offsets(slot[0], zone), *offsets(slot[1], zone)}) == 1]
    assert {begin for begin, _ in local} >= {begin.replace(tzinfo=None) for begin, _ in ordinary}, (
        "nothing else is left out"
    )


def offsets(label: datetime, zone: ZoneInfo) -> set[timedelta | None]:
    """The offsets that this time on the wall may have: one, unless it is missing or comes twice."""
    return {label.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}


@pytest.mark.parametrize("name", ZONES)
def test_every_zone_keeps_its_slots_exact_around_each_change(name: str) -> None:
    for change in change_days(name) or (MONDAY,):
        for day in (change - rules.DAY, change, change + rules.DAY):
            check(name, day, time(0), time(23, 59), minutes(25), minutes(5), ((time(12), time(12, 30)),))


@settings(max_examples=400, deadline=None)
@given(days_near_a_change(), clock_times, clock_times, lengths, pauses, breaks)
@example(("Europe/Berlin", date(2026, 3, 29)), time(0), time(23, 59), minutes(20), minutes(0), ())
@example(("Africa/Casablanca", date(2026, 3, 22)), time(0), time(3, 7), minutes(5), minutes(9), ())
@example(("America/Santiago", date(2026, 9, 6)), time(0), time(23, 59), minutes(20), minutes(0), ())
def test_slots_are_exact_in_order_and_read_as_planned(
    where: tuple[str, date], start: time, end: time, length: timedelta, pause: timedelta, rests: tuple
) -> None:
    check(*where, start, end, length, pause, rests)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ZONES), st.dates(date(2000, 1, 3), date(2100, 12, 31)), lengths)
def test_any_day_of_the_century_in_any_zone(name: str, day: date, length: timedelta) -> None:
    check(name, day, time(0), time(23, 59), length, minutes(0), ())


@settings(max_examples=200, deadline=None)
@given(days_near_a_change())
def test_days_follow_each_other_without_gap_or_overlap(where: tuple[str, date]) -> None:
    zone = ZoneInfo(where[0])
    first, second = (rules.span(day, 1, zone=zone) for day in (where[1], where[1] + rules.DAY))
    assert first[1] == second[0]
    assert rules.span(where[1], 7, zone=zone)[0] == first[0]
    for start, _ in rules.cut(where[1], time(0), time(23, 59), length=minutes(20), zone=zone):
        assert first[0] <= start < first[1]


# --- repeating, weeks, overlaps ---


def test_weekdays_repeat_over_weeks() -> None:
    days = rules.repeat(date(2026, 11, 24), date(2026, 12, 8), frozenset({0, 1}))
    assert days == (date(2026, 11, 24), date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 7), date(2026, 12, 8))
    assert rules.repeat(SUNDAY, MONDAY, rules.EVERY_DAY) == ()


@given(st.dates(date(1900, 1, 8), date(2200, 1, 1)))
def test_the_week_of_a_day_begins_on_the_monday_at_or_before_it(day: date) -> None:
    monday = rules.week_of(day)
    assert monday.isocalendar()[:2] == day.isocalendar()[:2]
    assert monday.weekday() == 0


def test_a_date_beyond_any_calendar_is_refused_in_a_sentence() -> None:
    for day in (date.min, date.max, date(1999, 12, 31)):
        with pytest.raises(Invalid, match="this century"):
            rules.span(day, 7, zone=BERLIN)


instants = st.integers(0, 2000).map(lambda minute: NOW + minutes(minute))
slot_lists = st.lists(st.tuples(instants, st.integers(1, 120).map(minutes)).map(lambda p: (p[0], p[0] + p[1])))


def without_overlaps(slots: list[Times]) -> tuple[Times, ...]:
    kept: list[Times] = []
    for slot in sorted(slots):
        if not kept or kept[-1][1] <= slot[0]:
            kept.append(slot)
    return tuple(kept)


@given(slot_lists, slot_lists.map(without_overlaps))
def test_new_slots_are_split_by_whether_they_overlap_an_existing_one(
    new: list[Times], existing: tuple[Times, ...]
) -> None:
    fresh, skipped = rules.split_overlaps(tuple(new), existing)
    assert sorted(fresh + skipped) == sorted(new)
    for start, end in fresh:
        assert not any(a < end and start < b for a, b in existing)
    for start, end in skipped:
        assert any(a < end and start < b for a, b in existing)


def test_slots_that_touch_do_not_overlap() -> None:
    mine = ((NOW, NOW + minutes(20)),)
    touching = ((NOW - minutes(20), NOW), (NOW + minutes(20), NOW + minutes(40)))
    assert rules.split_overlaps(touching, mine) == (touching, ())


# --- what may be published, and what withdrawn ---


def plan(**changes: object) -> Plan:
    usual = {
        "first_day": MONDAY,
        "last_day": SUNDAY,
        "start": time(9),
        "end": time(12),
        "length": minutes(30),
        "weekdays": frozenset(range(5)),
    }
    return Plan(**{**usual, **changes})  # type: ignore[arg-type]


def refusal(**changes: object) -> Invalid | None:
    return rules.why_not_publishable(plan(**changes), now=NOW, zone=BERLIN)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("end", {"end": time(9)}),
        ("end", {"end": time(8, 59)}),
        ("start", {"start": time(9, 0, 30)}),
        ("start", {"end": time(12, tzinfo=UTC)}),
        ("start", {"breaks": ((time(10), time(10, 30, 1)),)}),
        ("length", {"length": minutes(4)}),
        ("length", {"length": minutes(481), "end": time(23)}),
        ("length", {"length": timedelta()}),
        ("length", {"length": minutes(-20)}),
        ("length", {"length": timedelta(minutes=20, seconds=1)}),
        ("length", {"length": minutes(181)}),
        ("pause", {"pause": minutes(-5)}),
        ("pause", {"pause": minutes(241)}),
        ("pause", {"pause": timedelta(seconds=90)}),
        ("breaks", {"breaks": ((time(10), time(10)),)}),
        ("breaks", {"breaks": ((time(10), time(11)),) * 11}),
        ("last_day", {"last_day": MONDAY - rules.DAY}),
        ("first_day", {"first_day": MONDAY - 7 * rules.DAY, "last_day": MONDAY - rules.DAY}),
        ("end", {"last_day": MONDAY, "start": time(8), "end": time(9)}),
        ("last_day", {"last_day": MONDAY + timedelta(days=367)}),
        ("last_day", {"first_day": date.min, "last_day": MONDAY}),
        ("last_day", {"last_day": date.max}),
        ("weekdays", {"weekdays": frozenset()}),
        ("weekdays", {"last_day": MONDAY, "weekdays": frozenset({6})}),
        ("last_day", {"length": minutes(5), "end": time(23), "last_day": MONDAY + timedelta(days=90)}),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_beside_its_field(field: str, changes: dict[str, object]) -> None:
    found = refusal(**changes)
    assert found is not None
    assert found.field == field
    assert found.sentence.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"length": minutes(5)},
        {"length": minutes(480), "end": time(17)},
        {"last_day": MONDAY + timedelta(days=366)},
        {"first_day": MONDAY - 7 * rules.DAY},
        {"last_day": MONDAY, "start": time(8), "end": time(9, 1)},
        {"last_day": MONDAY, "start": time(10), "end": time(10, 30)},
    ],
)
def test_a_sensible_plan_is_accepted(changes: dict[str, object]) -> None:
    assert refusal(**changes) is None


def test_exactly_two_thousand_slots_at_once_are_accepted() -> None:
    hundred = {"length": minutes(5), "start": time(8), "end": time(16, 20), "weekdays": rules.EVERY_DAY}
    assert len(rules.slots_of(plan(**hundred, last_day=MONDAY + timedelta(days=19)), zone=BERLIN)) == 2000
    assert refusal(**hundred, last_day=MONDAY + timedelta(days=19)) is None
    assert refusal(**hundred, last_day=MONDAY + timedelta(days=20)) is not None


def test_one_slot_is_a_plan_too() -> None:
    one = plan(last_day=MONDAY, end=time(9, 30))
    assert labels(rules.slots_of(one, zone=BERLIN)) == ["09:00-09:30"]


@pytest.mark.parametrize(
    ("state", "starts_in", "expected"),
    [
        ("open", 1, None),
        ("open", 0, rules.SlotPast),
        ("open", -1, rules.SlotPast),
        ("booked", 1, rules.SlotBooked),
        ("booked", -1, rules.SlotBooked),
        ("held", 1, rules.SlotHeld),
        ("withdrawn", 1, rules.SlotWithdrawn),
    ],
)
def test_only_an_open_slot_to_come_can_be_withdrawn(state: str, starts_in: int, expected: type | None) -> None:
    found = rules.why_not_withdrawable(state, NOW + minutes(starts_in), now=NOW)
    assert found is None if expected is None else type(found) is expected
