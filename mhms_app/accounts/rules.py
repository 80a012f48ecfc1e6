"""Decisions about people and their sessions. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

PASSWORD_LENGTH = range(12, 129)
IDLE = timedelta(minutes=60)
ABSOLUTE = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SessionView:
    """A login session as read from the database; instants are aware UTC."""

    last_seen_at: datetime
    idle_until: datetime
    expires_at: datetime
    revoked_at: datetime | None
    user_active: bool


def session_is_open(view: SessionView, *, now: datetime) -> bool:
    """Say whether the session still stands for its user (OWASP ASVS 5.0, 7.3)."""
    return view.user_active and view.revoked_at is None and now < view.idle_until and now < view.expires_at


def touch_is_due(view: SessionView, *, now: datetime) -> bool:
    """Say whether use of the session should be written down again: at most once a minute."""
    return now - view.last_seen_at >= TOUCH_EVERY


def tidy_name(text: str) -> str:
    """Put a typed name into one form: composed characters, single spaces, no control characters."""
    composed = unicodedata.normalize("NFC", text)
    printable = "".join(" " if unicodedata.category(c).startswith("Z") else c for c in composed)
    return " ".join("".join(c for c in printable if not unicodedata.category(c).startswith("C")).split())


def name_problem(name: str) -> str:
    """Say in a sentence what is wrong with a tidied full name, or ``""``."""
    if len(name) < 2:
        return "Please enter your full name."
    if len(name) > 120:
        return "Please shorten the name to 120 characters."
    if not any(c.isalpha() for c in name):
        return "A name needs letters."
    return ""


def password_length_problem(password: str) -> str:
    """Say in a sentence what is wrong with the length of a password, or ``""`` (ASVS 6.2.1, 6.2.9)."""
    if len(password) < PASSWORD_LENGTH.start:
        return f"Use at least {PASSWORD_LENGTH.start} characters; a sentence is easiest to remember."
    if len(password) >= PASSWORD_LENGTH.stop:
        return f"Use at most {PASSWORD_LENGTH.stop - 1} characters."
    return ""


def search_key(text: str) -> str:
    """The form in which names are searched and sorted: case-folded, compatibility-composed."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def initials(name: str) -> str:
    """Two letters for an avatar: first and last word of the name, titles such as ``Dr.`` left out."""
    words = [word for word in name.split() if not word.endswith(".") or len(word) <= 2]
    letters = [word[0].upper() for word in words or name.split()]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters)
