"""What an error of Google means, how long to wait, and which events keep somebody busy."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhms_app.calendars import google_rules as rules
from mhms_app.calendars.google_rules import Trouble

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("status", "reason", "trouble"),
    [
        (401, "authError", Trouble.RECONNECT),
        (403, "insufficientPermissions", Trouble.RECONNECT),
        (403, "rateLimitExceeded", Trouble.SLOW_DOWN),
        (403, "quotaExceeded", Trouble.SLOW_DOWN),
        (429, "", Trouble.SLOW_DOWN),
        (403, "forbidden", Trouble.CALENDAR),
        (404, "notFound", Trouble.CALENDAR),
        (403, "accessNotConfigured", Trouble.OUTAGE),
        (400, "badRequest", Trouble.OUTAGE),
        (409, "duplicate", Trouble.OUTAGE),
        (500, "backendError", Trouble.OUTAGE),
        (503, "", Trouble.OUTAGE),
    ],
)
def test_what_an_error_means(status: int, reason: str, trouble: Trouble) -> None:
    assert rules.meaning(status, reason) is trouble


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_bound_and_are_never_short(failures: int, chance: float) -> None:
    pause = rules.pause_after(failures, chance=chance)
    assert rules.FIRST_PAUSE / 2 <= pause <= rules.LONGEST_PAUSE
    assert rules.pause_after(failures + 1, chance=chance) >= pause
    assert rules.pause_after(failures, chance=chance, asked=timedelta(days=1)) == timedelta(days=1)


@given(st.from_regex(r"mh-[a-z0-9]{6}@[a-z0-9.-]{1,60}", fullmatch=True))
def test_a_key_is_one_that_google_takes_and_that_we_know_again(uid: str) -> None:
    key = rules.event_id(uid)
    assert re.fullmatch(r"[a-v0-9]{5,1024}", key)
    assert rules.is_ours(key, uid.partition("@")[2])
    assert not rules.is_ours(key, "another.example")


@pytest.mark.parametrize("key", ["", "lunch", "_60q30c1g60o30e1i60o4ac1g60rj8gpl88rj2c1h84s34h9g", "été"])
def test_other_keys_are_not_ours(key: str) -> None:
    assert not rules.is_ours(key, "clinic.example")


def at(text: str) -> dict[str, str]:
    return {"dateTime": text}


TIMED = {"start": at("2026-11-24T10:00:00+01:00"), "end": at("2026-11-24T11:00:00+01:00")}


@pytest.mark.parametrize(
    ("event", "hours"),
    [
        (TIMED, (9, 10)),
        ({**TIMED, "status": "tentative"}, (9, 10)),
        ({**TIMED, "attendees": [{"self": True, "responseStatus": "accepted"}]}, (9, 10)),
        ({**TIMED, "attendees": [{"responseStatus": "declined"}]}, (9, 10)),
        ({"start": at("2026-11-24T09:00:00Z"), "end": at("2026-11-24T10:00:00Z")}, (9, 10)),
        (
            {
                "start": {"dateTime": "2026-11-24T10:00:00", "timeZone": "Europe/Berlin"},
                "end": {"dateTime": "2026-11-24T11:00:00", "timeZone": "Europe/Berlin"},
            },
            (9, 10),
        ),
    ],
)
def test_from_when_until_when_an_event_keeps_its_owner_busy(event: dict[str, Any], hours: tuple[int, int]) -> None:
    first, last = hours
    day = datetime(2026, 11, 24, tzinfo=UTC)
    assert rules.busy_times(event, zone=BERLIN) == (day + timedelta(hours=first), day + timedelta(hours=last))


@pytest.mark.parametrize(
    "event",
    [
        {**TIMED, "status": "cancelled"},
        {**TIMED, "transparency": "transparent"},
        {**TIMED, "attendees": [{"self": True, "responseStatus": "declined"}]},
        {**TIMED, "end": TIMED["start"]},
        {"id": "gone", "status": "cancelled"},
        {},
    ],
)
def test_what_keeps_nobody_busy(event: dict[str, Any]) -> None:
    assert rules.busy_times(event, zone=BERLIN) is None


def test_whole_days_follow_the_clocks_of_the_clinic() -> None:
    shift = {"start": {"date": "2026-10-25"}, "end": {"date": "2026-10-26"}}
    found = rules.busy_times(shift, zone=BERLIN)
    assert found
    assert found[1] - found[0] == timedelta(hours=25)
