"""What may be typed about departments, profiles and a sign-up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhms_app.directory import rules


def test_text_is_trimmed_and_composed_and_keeps_its_lines() -> None:
    assert rules.tidy_text("  Heart\u0000 rhythm \r\n\tand\u202e pressure\n\n") == "Heart rhythm\nand pressure"
    assert rules.tidy_text("Cafe\u0301") == "Café"


@given(st.text())
def test_tidy_text_is_tidy_and_stays_so(text: str) -> None:
    once = rules.tidy_text(text)
    assert rules.tidy_text(once) == once
    assert "\x00" not in once
    assert all(c == "\n" or c.isprintable() or c.isspace() for c in once)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "K"}),
        ("name", {"name": "42"}),
        ("name", {"name": "x" * 81}),
        ("description", {"description": "x" * 301}),
        ("location", {"location": "x" * 121}),
    ],
)
def test_a_department_needs_a_name_and_short_words(field: str, words: dict[str, str]) -> None:
    usual = {"name": "Cardiology", "description": "Hearts.", "location": "Building B"}
    assert rules.why_not_a_department(**usual) is None
    found = rules.why_not_a_department(**{**usual, **words})
    assert found is not None
    assert found.field == field


@pytest.mark.parametrize(("field", "length"), [("title", 80), ("bio", 600), ("languages", 120)])
def test_a_profile_has_limits(field: str, length: int) -> None:
    usual = {"title": "", "bio": "", "languages": ""}
    assert rules.why_not_a_profile(**{**usual, field: "x" * length}) is None
    found = rules.why_not_a_profile(**{**usual, field: "x" * (length + 1)})
    assert found is not None
    assert found.field == field
    assert str(length) in found.sentence


def test_a_sign_up_form_shows_all_its_errors_together() -> None:
    assert set(rules.signup_problems(full_name=" ", role="admin", department_id="")) == {"full_name", "role"}
    assert set(rules.signup_problems(full_name="", role="doctor", department_id="")) == {"full_name", "department"}
    assert rules.signup_problems(full_name="Jo Moreau", role="patient", department_id="") == {}
    assert rules.signup_problems(full_name="Dr. Jo Moreau", role="doctor", department_id="7") == {}


@pytest.mark.parametrize("typed", ["", "x", "-1", "1.5", "٣", "1 OR 1=1", "9" * 10, "²"])
def test_a_department_is_chosen_by_its_number(typed: str) -> None:
    assert "department" in rules.signup_problems(full_name="Dr. Jo Moreau", role="doctor", department_id=typed)


@pytest.mark.parametrize("role", ["admin", "ADMIN", "Doctor", "", "patient "])
def test_nobody_signs_up_with_another_role(role: str) -> None:
    assert "role" in rules.signup_problems(full_name="Jo Moreau", role=role, department_id="")
