"""What the waiting list and its offers say, and what their forms accept; without a browser."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from mhms_app.booking.waiting import Entry, Offer
from mhms_app.web.gate import Role, policy_of
from mhms_app.web.patient import waiting
from mhms_app.web.public import offer

FORM = {"who": "doctor", "part": "any", "earliest": "2026-11-23", "day_0": "on"}


@pytest.mark.parametrize(
    ("entry", "whom", "times"),
    [
        (
            Entry(1, "Dr. Amira Haddad", "Cardiology", (0, 1, 2, 3, 4), "morning", date(2026, 12, 1)),
            "Dr. Amira Haddad · Cardiology",
            "Mon – Fri, mornings, from 1 Dec 2026",
        ),
        (
            Entry(2, "", "Cardiology", (5,), "any", date(2027, 1, 4)),
            "Any doctor · Cardiology",
            "Sat, any time of day, from 4 Jan 2027",
        ),
        (
            Entry(3, "Dr. Amira Haddad", "Cardiology", (5,), "any", date(2027, 1, 4), is_gone=True),
            "Dr. Amira Haddad · Cardiology",
            "Nobody can be booked there at the moment. You keep your place, and we call you.",
        ),
    ],
)
def test_what_somebody_waits_for_in_words(entry: Entry, whom: str, times: str) -> None:
    assert waiting._entry(entry) == waiting.Entry(entry.id, whom, times)


def test_an_offer_in_words(now: datetime) -> None:
    starts_at = now + timedelta(days=2)
    shown = offer._shown(
        Offer(
            7, "Dr. Amira Haddad", "Cardiology", "Building B", starts_at, starts_at + timedelta(minutes=20),
            now + timedelta(hours=2), is_open=True, is_mine=False,
        )
    )  # fmt: skip
    assert (shown.when, shown.until) == ("Wed 25 Nov, 09:00 – 09:20", "today 11:00")
    assert (shown.is_open, shown.is_mine, shown.doctor_path) == (True, False, "/doctors/7")
    assert shown.about.endswith("Building B")
    assert shown.instead_of == ""


def test_an_offer_says_which_appointment_moves(now: datetime) -> None:
    starts_at = now + timedelta(days=2)
    found = Offer(
        7, "Dr. Amira Haddad", "Cardiology", "", starts_at, starts_at + timedelta(minutes=20), now,
        is_open=True, is_mine=True, instead_of=now + timedelta(days=9),
    )  # fmt: skip
    assert offer._shown(found).instead_of == "Wed 2 Dec, 09:00"


@pytest.mark.parametrize(
    "wrong", [{"day_7": "on"}, {"day_0": "yes"}, {"who": "everybody"}, {"part": "night"}, {"earliest": "x" * 11}]
)
def test_the_form_takes_what_the_page_can_send_and_nothing_else(wrong: dict[str, Any]) -> None:
    policy = policy_of(waiting.Waiting.event_handlers["join"].fn)
    assert policy is not None
    assert policy.who is Role.PATIENT
    policy.schema.model_validate({"form": FORM})
    with pytest.raises(ValidationError):
        policy.schema.model_validate({"form": {**FORM, **wrong}})


@pytest.mark.parametrize(("name", "role"), [("load", None), ("take", Role.PATIENT), ("decline", Role.PATIENT)])
def test_everybody_sees_an_offer_and_patients_answer_it(name: str, role: Role | None) -> None:
    policy = policy_of(offer.Offer.event_handlers[name].fn)
    assert policy is not None
    assert policy.who is role
