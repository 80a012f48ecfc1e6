"""Decisions about people and their sessions. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

PASSWORD_LENGTH = range(12, 129)
IDLE = timedelta(minutes=60)
ABSOLUTE = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
_WITH_PORT = re.compile(r"\[([^]]*)\](?::\d+)?|([\d.]+):\d+", re.ASCII)


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
    printable = "".join(c for c in " ".join(text.split()) if not unicodedata.category(c).startswith("C"))
    return " ".join(unicodedata.normalize("NFC", printable).split())


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
    length = len(unicodedata.normalize("NFC", password))
    if length < PASSWORD_LENGTH.start:
        return f"Use at least {PASSWORD_LENGTH.start} characters; a sentence is easiest to remember."
    if length >= PASSWORD_LENGTH.stop:
        return f"Use at most {PASSWORD_LENGTH.stop - 1} characters."
    return ""


def search_key(text: str) -> str:
    """The form in which names are searched and sorted: tidied, case-folded, compatibility-composed."""
    return tidy_name(unicodedata.normalize("NFKC", tidy_name(text)).casefold())


def initials(name: str) -> str:
    """Two letters for an avatar: first and last word of the name, titles such as ``Dr.`` left out."""
    words = name.split()
    letters = [next((c for c in word if c.isalpha()), "") for word in words if not word.endswith(".") or len(word) <= 2]
    found = [letter.upper()[0] for letter in letters if letter] or [word.upper()[0] for word in words]
    return "".join(found[:1] + found[-1:] if len(found) > 1 else found)


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that a single IPv6 host chooses from (RFC 6177).

    Whatever is no address is ``""``.
    """
    found = _ip(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((int(found), 64), strict=False))
    return str(found or "")


def tidy_address(text: str) -> str:
    """The one form of a network address, also of one with its port (``[::1]:80``); else ``""``."""
    match = _WITH_PORT.fullmatch(text.strip())
    return str(_ip(match[1] or match[2] or "" if match else text.strip()) or "")


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])  # without the name of the interface
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
