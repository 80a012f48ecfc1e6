"""Decisions about departments, doctors' profiles and signing up. Standard library only."""

from __future__ import annotations

import unicodedata

from mhms_app.accounts.rules import name_problem, tidy_name
from mhms_app.errors import Invalid

SIGN_UP_ROLES = ("patient", "doctor")


def tidy_text(text: str) -> str:
    """Put typed text into one form: composed, trimmed, line breaks kept, other control characters dropped."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    kept = ("".join(c for c in line if not unicodedata.category(c).startswith("C")).rstrip() for line in lines)
    return "\n".join(kept).strip()


def why_not_a_department(*, name: str, description: str, location: str) -> Invalid | None:
    """Say what is wrong with the tidied words about a department, or None."""
    if len(name) < 2 or not any(c.isalpha() for c in name):
        return Invalid("Please enter the department's name.", field="name")
    return (
        _too_long(name, 80, "name")
        or _too_long(description, 300, "description")
        or _too_long(location, 120, "location")
    )


def why_not_a_profile(*, title: str, bio: str, languages: str) -> Invalid | None:
    """Say what is wrong with the tidied words of a doctor's profile, or None."""
    return _too_long(title, 80, "title") or _too_long(bio, 600, "bio") or _too_long(languages, 120, "languages")


def why_not_a_phone(phone: str) -> Invalid | None:
    """Say what is wrong with a tidied phone number, or None."""
    return _too_long(phone, 40, "phone")


def signup_problems(*, full_name: str, role: str, department_id: str) -> dict[str, str]:
    """Say what is wrong with a typed sign-up form: a sentence by field, empty when all is well.

    Nobody becomes an administrator by signing up. Whether the department exists is the database's to say.

    Args:
        full_name: as typed.
        role: ``patient`` or ``doctor``.
        department_id: digits; it counts only for a doctor.
    """
    problems = {}
    if problem := name_problem(tidy_name(full_name)):
        problems["full_name"] = problem
    if role not in SIGN_UP_ROLES:
        problems["role"] = "Please choose whether you are a patient or a doctor."
    if role == "doctor" and not (department_id.isascii() and department_id.isdigit() and len(department_id) < 10):
        problems["department"] = "Please choose your department."
    return problems


def _too_long(text: str, most: int, field: str) -> Invalid | None:
    return Invalid(f"Please shorten this to {most} characters.", field=field) if len(text) > most else None
