"""What the finder says of hours, of the next times, and of why there are none; without a browser."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from pydantic import ValidationError

from mhms_app import routes
from mhms_app.availability.rules import EVERY_DAY
from mhms_app.availability.soonest import NextTime
from mhms_app.availability.when_rules import Nothing, When, Why
from mhms_app.booking.unserved import UnservedRow
from mhms_app.web.components.nothing_free import Reason, reason_of
from mhms_app.web.components.unserved import Waiter, waiter_of
from mhms_app.web.gate import policy_of
from mhms_app.web.public import doctors

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (When(), "Any time"),
        (When(part="morning"), "Mornings"),
        (When(weekdays=frozenset({1, 4}), part="afternoon"), "Tue, Fri, afternoons"),
        (When(day=MONDAY, part="morning"), "Today, mornings"),
        (When(day=MONDAY + 3 * DAY), "Thu 26 Nov"),
        (When(weekdays=EVERY_DAY), "Any time"),
    ],
)
def test_hours_in_words(when: When, said: str) -> None:
    assert doctors._hours_of(when, MONDAY) == said


@pytest.mark.parametrize(
    ("digits", "weekdays"), [("", []), ("15", [0, 4]), ("7717", [0, 6]), ("089x²٣", []), ("9" * 30 + "1", [])]
)
def test_weekdays_of_an_address(digits: str, weekdays: list[int]) -> None:
    assert doctors.weekdays_of(digits) == weekdays


def test_a_next_time_leads_to_its_booking(now: datetime) -> None:
    time = NextTime(12, 7, "Dr. Amira Haddad", "Cardiology", now + DAY, now + DAY)
    assert doctors._soon(time, now) == doctors.Soon(
        "Tomorrow 09:00", "Dr. Amira Haddad", "Cardiology", "/doctors/7?slot=12"
    )


def test_an_address_keeps_what_is_asked_for() -> None:
    assert routes.doctors(department="3", part="morning", weekdays="15") == (
        "/doctors?department=3&part=morning&weekdays=15"
    )
    assert routes.waiting(department="3", part="morning") == "/patient/waiting?department=3&part=morning"
    assert routes.waiting(doctor_id=7) == "/patient/waiting?doctor=7"


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_has_a_sentence(why: Why, now: datetime) -> None:
    said = reason_of(Nothing(why, now + DAY), now=now)
    assert said.title
    assert said.text.endswith(".")
    if why is not Why.NOBODY:
        assert "omorrow" in said.text


def test_reasons_without_a_day(now: datetime) -> None:
    assert "published" in reason_of(Nothing(Why.UNPUBLISHED), now=now).text
    assert reason_of(None, now=now) == Reason()


@pytest.mark.parametrize(
    ("handler", "wrong"), [("choose_part", {"part": "night"}), ("choose_weekday", {"weekday": 7, "is_on": True})]
)
def test_the_filters_take_what_the_page_can_send(handler: str, wrong: dict[str, object]) -> None:
    policy = policy_of(doctors.Directory.event_handlers[handler].fn)
    assert policy is not None
    with pytest.raises(ValidationError):
        policy.schema.model_validate(wrong)


@pytest.mark.parametrize(
    ("is_gone", "doctor", "whom", "why"),
    [
        (
            True,
            "Dr. Amira Haddad",
            "Dr. Amira Haddad · Cardiology",
            "Nobody there can be booked; has waited for 3 days",
        ),
        (False, "", "Any doctor · Cardiology", "Has waited for 3 days"),
    ],
)
def test_whom_to_call_and_why(now: datetime, is_gone: bool, doctor: str, whom: str, why: str) -> None:
    row = UnservedRow(4, "Jo Moreau", "", "jo@example.com", doctor, "Cardiology", now - 3 * DAY, is_gone=is_gone)
    assert waiter_of(row, now) == Waiter(4, "Jo Moreau", "jo@example.com", whom, why)
