"""Names, keys and initials hold for any text; sessions for any instant."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mhms_app.accounts import rules
from mhms_app.accounts.rules import SessionView

# Also what a hostile client can send: halves of characters.
text = st.text(st.characters(), max_size=40)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@given(text)
@example("e\u200d\u0301")  # composed only after the joiner between has gone
@example("\u2000 \u0301")
def test_a_tidied_name_is_in_one_form(typed: str) -> None:
    name = rules.tidy_name(typed)
    assert rules.tidy_name(name) == name
    assert unicodedata.is_normalized("NFC", name)
    assert name == " ".join(name.split())
    assert not any(unicodedata.category(c).startswith("C") for c in name)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Jo   Moreau ", "Jo Moreau"),
        ("Jo\tMoreau\n", "Jo Moreau"),
        ("Jo\u00a0Moreau", "Jo Moreau"),
        ("Jo\u2028Moreau", "Jo Moreau"),
        ("Zoe\u0308", "Zoë"),
        ("Jo\x00 \u202eMoreau\ud800", "Jo Moreau"),
        ("Đặng Thị 李小龍 عمر", "Đặng Thị 李小龍 عمر"),
    ],
)
def test_names_as_they_are_typed(typed: str, name: str) -> None:
    assert rules.tidy_name(typed) == name


@pytest.mark.parametrize(
    ("name", "word"), [("", "full name"), ("J", "full name"), ("J" * 121, "shorten"), ("42 17", "letters")]
)
def test_what_is_no_name_is_explained(name: str, word: str) -> None:
    assert word in rules.name_problem(name)


@pytest.mark.parametrize("name", ["Li", "J" * 120, "李明"])
def test_what_is_a_name_is_accepted(name: str) -> None:
    assert rules.name_problem(name) == ""


@given(text)
def test_a_search_key_can_be_stored_and_found_again(typed: str) -> None:
    key = rules.search_key(typed)
    assert key == " ".join(key.split())
    assert not any(unicodedata.category(c).startswith("C") for c in key)
    assert rules.search_key(rules.tidy_name(typed)) == key


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("MOREAU", "Jo Moreau"), ("strasse", "Anna Straße"), ("ｊｏ", "Jo Moreau"), ("zoë", "ZOE\u0308")],
)
def test_a_name_is_found_however_it_is_typed(typed: str, stored: str) -> None:
    assert rules.search_key(typed) in rules.search_key(stored)


@given(text.map(rules.tidy_name))
def test_initials_are_one_or_two_characters(name: str) -> None:
    assert len(rules.initials(name)) in ((1, 2) if name else (0,))


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Jo Moreau", "JM"),
        ("Dr. Amira Haddad", "AH"),
        ("Prof. Dr. Jan van der Berg", "JB"),
        ("J. R. Moreau", "JM"),
        ("Prof. Dr.", "PD"),
        ("Cher", "C"),
        ("ßen Ŋu", "SŊ"),
        ("Gerard 't Hooft (senior)", "GS"),
        ("李小龍", "李"),
    ],
)
def test_initials_as_people_write_them(name: str, initials: str) -> None:
    assert rules.initials(name) == initials


def view(**changes: object) -> SessionView:
    fields = {
        "last_seen_at": NOW,
        "idle_until": NOW + rules.IDLE,
        "expires_at": NOW + rules.ABSOLUTE,
        "revoked_at": None,
        "user_active": True,
    }
    return SessionView(**{**fields, **changes})  # type: ignore[arg-type]


@given(
    st.timedeltas(timedelta(0), timedelta(days=2)),
    st.timedeltas(timedelta(0), timedelta(days=2)),
    st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_a_session_ends_at_the_first_of_its_limits(idle: timedelta, absolute: timedelta, passed: timedelta) -> None:
    limited = view(idle_until=NOW + idle, expires_at=NOW + absolute)
    assert rules.session_is_open(limited, now=NOW + passed) is (passed < min(idle, absolute))


@pytest.mark.parametrize("change", [{"revoked_at": NOW}, {"user_active": False}])
def test_a_revoked_session_and_a_closed_account_are_over(change: dict[str, object]) -> None:
    assert rules.session_is_open(view(), now=NOW)
    assert not rules.session_is_open(view(**change), now=NOW)


def test_use_is_written_down_once_a_minute() -> None:
    assert not rules.touch_is_due(view(), now=NOW + timedelta(seconds=59))
    assert rules.touch_is_due(view(), now=NOW + timedelta(seconds=60))
