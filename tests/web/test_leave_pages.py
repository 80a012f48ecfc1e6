"""What the pages of a leave, of the worklist and of a move say, without a browser."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mhms_app.booking.leave import Affected, Choice, LeaveRow
from mhms_app.booking.leave_rules import Fate
from mhms_app.booking.proposals import Proposal
from mhms_app.booking.worklist import DeskRow
from mhms_app.errors import InvalidForm
from mhms_app.web.admin import worklist
from mhms_app.web.components import changing, leave_steps
from mhms_app.web.components.leave_steps import Days

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # 09:00 in Berlin
DAY, MINUTES = timedelta(days=1), timedelta(minutes=20)


def proposal(slot_id: int, at: datetime, doctor: str = "Dr. Karl Wessel") -> Proposal:
    return Proposal(slot_id, 7, doctor, at, at + MINUTES)


def affected(key: int, to: Proposal | None = None) -> Affected:
    return Affected(key, "MH-4K7D2Q", "Jo Moreau", NOW + DAY, NOW + DAY + MINUTES, to)


def test_what_can_move_moves_and_the_rest_is_left_for_the_desk() -> None:
    movable = leave_steps.line_of(affected(1, proposal(5, NOW + 8 * DAY)), NOW)
    stuck = leave_steps.line_of(affected(2), NOW)
    assert (movable.when, movable.proposal, movable.doctor, movable.fate) == (
        "Tomorrow 09:00", "Tue 1 Dec, 09:00", "Dr. Karl Wessel", "move",
    )  # fmt: skip
    assert (stuck.proposal, stuck.fate) == ("", "desk")
    assert leave_steps._with(stuck, "move").fate == "desk"
    assert leave_steps._with(stuck, "cancel").fate == "cancel"


def test_choices_name_the_proposed_slot_only_where_it_is_taken() -> None:
    found = (affected(1, proposal(5, NOW + 8 * DAY)), affected(2, proposal(6, NOW + 9 * DAY)))
    moves, other = (leave_steps.line_of(row, NOW) for row in found)
    assert leave_steps.choices_of([moves, leave_steps._with(other, "cancel")], found) == {
        1: Choice(Fate.MOVE, 5),
        2: Choice(Fate.CANCEL),
    }


def test_sums_and_outcomes_in_words() -> None:
    lines = [leave_steps.line_of(affected(key, proposal(key, NOW + 8 * DAY)), NOW) for key in range(3)]
    assert leave_steps.sums_of([*lines[:2], leave_steps._with(lines[2], "desk")]) == "2 move, 1 waits for the desk."
    assert leave_steps.sums_of([]) == ""
    row = LeaveRow(4, date(2026, 11, 23), date(2026, 11, 27), left=2, outcomes={"desk": 1, "moved": 3})
    taken = leave_steps.taken_of(row)
    assert (taken.title, taken.text) == (
        "23 – 27 November",
        "3 moved, 1 left for the desk, 2 still to be seen to.",
    )
    assert (taken.done, taken.total) == (4, 6)
    assert leave_steps.outcome_of(LeaveRow(4, row.first, row.last)) == "No appointments were booked."


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [(Days(first="", last="2026-11-24"), {"first"}), (Days(first="soon", last="٣"), {"first", "last"})],
)
def test_days_that_are_none(typed: Days, wrong: set[str]) -> None:
    with pytest.raises(InvalidForm) as refused:
        leave_steps.read_days(typed)
    assert set(refused.value.errors) == wrong


def test_free_times_stand_under_their_day_and_doctor() -> None:
    found = [
        proposal(1, NOW),
        proposal(2, NOW, "Dr. Amira Haddad"),
        proposal(3, NOW + MINUTES),
        proposal(4, NOW + DAY),
    ]
    shown = [(day.heading, [(time.slot, time.clock) for time in day.times]) for day in changing._by_day(found, NOW)]
    assert shown == [
        ("Mon 23 Nov, Dr. Amira Haddad", [("2", "09:00")]),
        ("Mon 23 Nov, Dr. Karl Wessel", [("1", "09:00"), ("3", "09:20")]),
        ("Tue 24 Nov, Dr. Karl Wessel", [("4", "09:00")]),
    ]


@pytest.mark.parametrize(
    ("first", "since", "why", "said"),
    [
        (date(2026, 11, 23), NOW - timedelta(hours=3), "On leave 23 – 27 November", "for 3 h"),
        (None, NOW - DAY, "No longer a doctor here", "since yesterday"),
        (None, None, "No longer a doctor here", ""),
    ],
)
def test_why_an_appointment_is_on_the_list(first: date | None, since: datetime | None, why: str, said: str) -> None:
    last = date(2026, 11, 27) if first else None
    row = DeskRow(
        1, "MH-4K7D2Q", "Jo Moreau", "", "jo@example.com", "Dr. A", "Cardiology", NOW, NOW + MINUTES, first, last, since
    )
    line = worklist.line_of(row, NOW)
    assert (line.when, line.why, line.since) == ("Mon 23 Nov, 09:00 – 09:20", why, said)
