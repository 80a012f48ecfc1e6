"""What the doctor's pages say and where they draw it; without a browser."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from mhms_app.availability import rules
from mhms_app.availability.service import Preview
from mhms_app.booking.agenda import Entry
from mhms_app.errors import Invalid, InvalidForm
from mhms_app.web.doctor import day, pieces, plan, week

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=BERLIN)


def at(hour: int, minute: int = 0, *, on: date = TODAY) -> datetime:
    """A time on Berlin's wall clock, as an instant."""
    return datetime.combine(on, time(hour, minute), BERLIN).astimezone(UTC)


def entry(
    starts_at: datetime,
    *,
    patient: str = "",
    status: str = "booked",
    state: str = "",
    reason: str = "",
    minutes: int = 20,
    key: int = 1,
) -> Entry:
    """A slot; with a patient it is booked."""
    taken = state or ("booked" if patient else "open")
    ends_at = starts_at + timedelta(minutes=minutes)
    return Entry(key, starts_at, ends_at, taken, patient, reason, status if patient else "")


# The day --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "No slots on this day."),
        ([entry(at(11))], "No appointments, 1 free slot."),
        ([entry(at(9), patient="Renata Nowak", status="completed"), entry(at(8))], "1 appointment."),
        (
            [entry(at(9), patient="Renata Nowak"), entry(at(10), patient="Tobias Brandt"), entry(at(11))],
            "2 appointments, 1 free slot. Next: T. Brandt at 10:00.",
        ),
        (
            [entry(at(9, 20), patient="Chie Sato", status="checked_in"), entry(at(10), patient="Tobias Brandt")],
            "2 appointments. C. Sato is waiting.",
        ),
    ],
)
def test_a_day_in_one_line(entries: list[Entry], said: str) -> None:
    assert day.lead(entries, now=NOW, is_today=True) == said


def test_another_day_has_no_next_patient() -> None:
    entries = [entry(at(10, on=TODAY + timedelta(days=1)), patient="Tobias Brandt")]
    assert day.lead(entries, now=NOW, is_today=False) == "1 appointment."


def test_what_is_still_to_come_is_not_unused() -> None:
    tomorrow = TODAY + timedelta(days=1)
    entries = [entry(at(9, on=tomorrow), state="held"), entry(at(10, on=tomorrow), state="busy")]
    assert day.lead(entries, now=NOW, is_today=False) == "No appointments."


def test_a_day_that_is_over_says_what_was_not_used() -> None:
    entries = [entry(at(9, on=date(2026, 11, 23)), patient="Tobias Brandt"), entry(at(10, on=date(2026, 11, 23)))]
    assert day.lead(entries, now=NOW, is_today=False) == "1 appointment, 1 unused slot."


def test_the_bars_of_a_week_and_no_weekend_without_slots() -> None:
    monday = date(2026, 11, 23)
    entries = [entry(at(9, on=monday), patient="A B"), entry(at(10, on=monday), patient="C D"), entry(at(9))]
    bars = day.weekdays(entries)
    assert [(bar.name, bar.share, bar.words) for bar in bars[:2]] == [
        ("Mon", 100, "2 of 2 booked"),
        ("Tue", 0, "0 of 1 booked"),
    ]
    assert [bar.shown for bar in bars] == [True] * 5 + [False] * 2
    assert day.weekdays([entry(at(9, on=date(2026, 11, 29)))])[6].shown


def test_unused_slots_name_their_weekday_when_most_share_it() -> None:
    friday = date(2026, 11, 20)
    assert day.unused(()) == "Every slot of the last four weeks was booked."
    assert day.unused((at(9),)) == "1 free slot passed unbooked in the last four weeks."
    mostly = (at(15, on=friday), at(16, on=friday), at(9))
    assert day.unused(mostly) == "3 free slots passed unbooked in the last four weeks, mostly on Fridays."


@pytest.mark.parametrize(("name", "said"), [("Anneke de Vries", "A. de Vries"), ("Plato", "Plato")])
def test_a_short_name(name: str, said: str) -> None:
    assert pieces.short_name(name) == said


@pytest.mark.parametrize("typed", ["", "tomorrow", "2026-02-30", "0001-01-01", "9999-12-31", "2000-01-01"])
def test_an_address_without_a_day_of_the_calendar_means_today(typed: str) -> None:
    assert pieces.day_shown(typed, today=TODAY) == TODAY


def test_an_address_names_a_day() -> None:
    assert pieces.day_shown("2027-01-04", today=TODAY) == date(2027, 1, 4)


# The week -------------------------------------------------------------------------------------------


def lanes(*entries: Entry, monday: date = date(2026, 11, 23), asked: set[int] | None = None) -> list[week.Lane]:
    return week.lay_out(entries, (), monday=monday, now=NOW, hours=(8, 18), asked=asked or set())


def test_a_block_says_what_the_slot_is_and_stands_at_its_hour() -> None:
    (tuesday,) = [
        lane
        for lane in lanes(
            entry(at(8)),
            entry(at(8, 30), patient="Renata Nowak", status="completed"),
            entry(at(9), patient="Paula Fischer", status="no_show"),
            entry(at(9, 20), patient="Chie Sato", status="checked_in"),
            entry(at(10)),
            entry(at(10, 20), state="held"),
            entry(at(10, 40), state="busy"),
        )
        if lane.blocks
    ]
    assert [(block.since, block.kind, block.text) for block in tuesday.blocks] == [
        (0, "past", "08:00 unused"),
        (30, "past", "08:30 seen"),
        (60, "past", "09:00 no-show"),
        (80, "booked", "09:20 C. Sato"),
        (120, "open", "10:00 free"),
        (140, "held", "10:20 being booked"),
        (160, "busy", "10:40 busy elsewhere"),
    ]
    assert tuesday.blocks[4].label == "10:00 – 10:20, free, Tuesday, 24 November"
    assert (tuesday.free, tuesday.label, tuesday.today) == ("1", "Tuesday, 24 November, 1 free", True)


def test_a_weekend_day_is_shown_when_it_has_something_or_is_asked_about() -> None:
    sunday = entry(at(9, on=date(2026, 11, 29)))
    assert [lane.shown for lane in lanes()] == [True] * 5 + [False] * 2
    assert [lane.shown for lane in lanes(sunday, asked={5})] == [True] * 7


@pytest.mark.parametrize("monday", [date(2026, 10, 19), date(2027, 3, 22)])
def test_in_weeks_in_which_the_clocks_change_blocks_stand_by_the_clock_on_the_wall(monday: date) -> None:
    days = [entry(at(9, on=monday + timedelta(days=n))) for n in range(7)]
    placed = [block.since for lane in lanes(*days, monday=monday) for block in lane.blocks]
    assert placed == [60] * 7


# Two days on which the clocks change, with what that is about, in several zones.
CHANGES = [
    ("Europe/Berlin", date(2027, 3, 28), week.OddTime(120, 60, True)),
    ("Europe/Berlin", date(2026, 10, 25), week.OddTime(120, 60, False)),
    ("America/New_York", date(2027, 3, 14), week.OddTime(120, 60, True)),
    ("America/New_York", date(2026, 11, 1), week.OddTime(60, 60, False)),
    ("Australia/Lord_Howe", date(2026, 10, 4), week.OddTime(120, 30, True)),
    ("Australia/Lord_Howe", date(2027, 4, 4), week.OddTime(90, 30, False)),
    ("Pacific/Apia", date(2011, 12, 30), week.OddTime(0, 24 * 60, True)),
    ("Asia/Kathmandu", date(2026, 10, 25), None),
]


@pytest.mark.parametrize(("zone", "on", "odd"), CHANGES)
def test_what_the_change_of_the_clocks_leaves_out_or_repeats(
    monkeypatch: pytest.MonkeyPatch, zone: str, on: date, odd: week.OddTime | None
) -> None:
    monkeypatch.setattr(week, "settings", lambda: SimpleNamespace(zone=ZoneInfo(zone)))
    assert week.odd_time(on) == odd
    assert week.odd_time(on + timedelta(days=7)) is None


def test_a_missing_hour_is_a_band_in_the_lane_and_a_sentence_above_the_week() -> None:
    monday, sunday = date(2027, 3, 22), date(2027, 3, 28)
    night = entry(at(1, 30, on=sunday), minutes=120)  # until half past four on the wall
    *days, last = week.lay_out([night], (), monday=monday, now=NOW, hours=(1, 18), asked=set())
    assert [(block.since, block.minutes, block.kind) for block in last.blocks] == [(60, 60, "odd"), (30, 180, "open")]
    assert not any(lane.blocks for lane in days)
    assert week.odd_in_words([monday, sunday]) == "On Sunday the clocks go forward: 02:00 – 03:00 does not exist."
    assert week.odd_in_words([monday]) == ""


def test_an_hour_that_comes_twice_is_drawn_once_and_its_second_half_beside_the_first() -> None:
    monday, sunday = date(2026, 10, 19), date(2026, 10, 25)
    first = at(2, 30, on=sunday)
    *_, last = week.lay_out(
        [entry(first), entry(first + timedelta(hours=1))],
        (),
        monday=monday,
        now=at(0, on=monday),
        hours=(1, 5),
        asked=set(),
    )
    assert [(block.since, block.minutes, block.kind, block.text) for block in last.blocks] == [
        (60, 60, "odd", "02:00 – 03:00 comes twice"),
        (90, 20, "open", "02:30 free"),
        (90, 20, "open again", "02:30 free"),
    ]
    assert last.blocks[2].label.endswith("Sunday, 25 October, CET")
    assert week.odd_in_words([sunday]) == "On Sunday the clocks go back: 02:00 – 03:00 comes twice."


def test_a_booked_block_says_who_comes_and_why() -> None:
    (block,) = [
        block for lane in lanes(entry(at(11), patient="Chie Sato", reason="Back pain")) for block in lane.blocks
    ]
    assert (block.text, block.reason) == ("11:00 C. Sato", "Back pain")
    assert block.label == "11:00 – 11:20, Chie Sato, Back pain, Tuesday, 24 November"


@pytest.mark.parametrize(
    ("now", "line"),
    [(at(8), (0, 600)), (at(9, 30), (90, 510)), (at(17, 59), (599, 1)), (at(7, 59), (0, 0)), (at(18), (0, 0))],
)
def test_the_line_of_the_present_stands_at_its_minute_while_its_hour_is_drawn(
    now: datetime, line: tuple[int, int]
) -> None:
    assert week.now_line(now, hours=(8, 18)) == line


@pytest.mark.parametrize(
    ("times", "hours"),
    [
        ([], (8, 18)),
        ([(at(9), at(12))], (8, 18)),
        ([(at(6, 30), at(7)), (at(20), at(20, 15))], (6, 21)),
        ([(at(22), at(0, on=TODAY + timedelta(days=1)))], (8, 24)),
    ],
)
def test_the_grid_has_the_hours_that_the_slots_need(
    times: list[tuple[datetime, datetime]], hours: tuple[int, int]
) -> None:
    assert week.span_of_hours(times) == hours


def test_the_grid_is_high_enough_for_its_shortest_slot() -> None:
    assert week.shortest_of([entry(at(9), minutes=40), entry(at(10), minutes=10)]) == 10
    assert week.shortest_of([]) == week.shortest_of([entry(at(9), minutes=120)]) == 30


def test_chosen_slots_are_listed_by_day() -> None:
    free = {1: at(9), 2: at(10), 3: at(11), 4: at(9, on=date(2026, 11, 25))}
    found = week.picked_by_day([1, 3, 4], free)
    assert [(one.name, one.times, one.offer) for one in found] == [
        ("Tue 24 Nov", "09:00, 11:00", "All 3 of this day"),
        ("Wed 25 Nov", "09:00", ""),
    ]


def test_of_many_chosen_slots_the_number_is_said() -> None:
    free = {minute: at(9, minute) for minute in range(0, 40, 5)}
    assert week.picked_by_day(list(free), free)[0].times == "8 slots from 09:00 to 09:35"


# The form -------------------------------------------------------------------------------------------


def test_the_form_means_the_week_shown_unless_it_is_repeated() -> None:
    monday = date(2026, 11, 23)
    once = plan.read_range(plan.UNTOUCHED, monday=monday, weekdays=[2, 4], lunch=False)
    assert (once.first_day, once.last_day) == (monday, date(2026, 11, 29))
    assert (once.weekdays, once.breaks) == (frozenset({2, 4}), ())
    typed = {**plan.UNTOUCHED, "last_day": "2026-12-18"}
    again = plan.read_range(typed, monday=monday, weekdays=[2], lunch=True)
    assert (again.last_day, again.breaks) == (date(2026, 12, 18), ((time(12, 30), time(13, 15)),))


def test_one_slot_is_a_range_as_long_as_the_slot() -> None:
    one = plan.read_single({**plan.UNTOUCHED, "day": "2026-11-25", "time": "14:40"})
    assert len(rules.slots_of(one, zone=BERLIN)) == 1
    assert (one.start, one.end) == (time(14, 40), time(15))


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"start": ""}, "start"),
        ({"end": "25:00"}, "end"),
        ({"length": "a"}, "length"),
        ({"length": "\u0665"}, "length"),
        ({"pause": "-5"}, "pause"),
        ({"last_day": "soon"}, "last_day"),
        ({"lunch_end": "x"}, "lunch_end"),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(typed: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidForm) as refusal:
        plan.read_range({**plan.UNTOUCHED, **typed}, monday=date(2026, 11, 23), weekdays=[0], lunch=True)
    assert list(refusal.value.errors) == [field]


def test_one_slot_must_end_on_its_day() -> None:
    with pytest.raises(InvalidForm) as refusal:
        plan.read_single({**plan.UNTOUCHED, "day": "2026-11-25", "time": "23:50"})
    assert list(refusal.value.errors) == ["time"]


def test_a_refusal_stands_beside_the_field_of_the_form_that_is_shown() -> None:
    refusal = Invalid("No.", field="first_day")
    assert plan.problems(refusal, single=True) == {"day": "No."}
    assert plan.problems(Invalid("No.", field="breaks"), single=False) == {"lunch_end": "No."}
    assert plan.problems(Invalid("No.", field="length"), single=False) == {"length": "No."}


def test_another_time_is_read_from_its_form() -> None:
    typed = plan.time_typed(7, at(9), at(9, 20))
    form = plan.NewTime(day=typed["day"], start=typed["start"], end=typed["end"])
    assert plan.read_new_time(form) == (TODAY, time(9), time(9, 20))
    with pytest.raises(InvalidForm) as refusal:
        plan.read_new_time({"day": "soon", "start": "9", "end": ""})
    assert set(refusal.value.errors) == {"day", "start", "end"}


def times(*starts: datetime) -> tuple[rules.Times, ...]:
    return tuple((start, start + timedelta(minutes=30)) for start in starts)


@pytest.mark.parametrize(
    ("preview", "said"),
    [
        (Preview(times(at(9)), (), 0), "1 new slot on Tue 24 Nov."),
        (Preview(times(at(9), at(9, on=date(2026, 12, 2))), (), 0), "2 new slots over 2 weeks."),
        (
            Preview(times(at(9)), times(at(10, on=date(2026, 12, 2)), at(10, 30, on=date(2026, 12, 2))), 0),
            "1 new slot on Tue 24 Nov. 2 overlap with slots you already have (Wed 2 Dec, 10:00 and 10:30) "
            "and are left out.",
        ),
        (
            Preview(times(at(9)), times(at(10)), 3),
            "1 new slot on Tue 24 Nov. 1 overlaps with a slot you already have (Tue 24 Nov, 10:00) and is left out. "
            "3 slots would be in the past.",
        ),
        (
            Preview((), times(at(10), at(11), at(12), at(13), at(14)), 0),
            "Nothing new to publish. You already have slots at this time (Tue 24 Nov, 10:00, 11:00, 12:00 and 2 more).",
        ),
    ],
)
def test_a_preview_in_words(preview: Preview, said: str) -> None:
    assert "".join(plan.summary(preview, today=TODAY)) == said


def test_slots_that_follow_one_another_are_drawn_as_one_stretch() -> None:
    fresh = times(at(9), at(9, 30), at(10, 10), at(9, on=date(2026, 11, 25)))
    apart = plan.runs(fresh, pause=timedelta())
    assert [(start, count) for start, _, count in apart] == [
        (at(9), 2),
        (at(10, 10), 1),
        (at(9, on=date(2026, 11, 25)), 1),
    ]
    assert [count for _, _, count in plan.runs(fresh, pause=timedelta(minutes=10))] == [3, 1]
