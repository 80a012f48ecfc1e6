"""What mailed links are for, and for how long they are good. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class Purpose(StrEnum):
    """What somebody can do who has a link."""

    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - to choose a password after forgetting one
    CHANGE_OLD = "change_email_old"  # to leave this address
    CHANGE_NEW = "change_email_new"  # to take this address


CONFIRMING = (Purpose.CONFIRM_EMAIL, Purpose.CHANGE_OLD, Purpose.CHANGE_NEW)
CHANGING = (Purpose.CHANGE_OLD, Purpose.CHANGE_NEW)

GOOD_FOR = {
    Purpose.CONFIRM_EMAIL: timedelta(days=3),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.CHANGE_OLD: timedelta(hours=24),
    Purpose.CHANGE_NEW: timedelta(hours=24),
}
TEMPORARY_PASSWORD = timedelta(hours=72)


def in_words(span: timedelta) -> str:
    """Say a span as people do: ``30 minutes``, ``24 hours``, ``3 days``."""
    hours, rest = divmod(span, timedelta(hours=1))
    if rest:
        return f"{span // timedelta(minutes=1)} minutes"
    return f"{hours} hours" if hours <= 24 else f"{hours // 24} days"


def password_is_over(*, is_temporary: bool, ends_at: datetime | None, now: datetime) -> bool:
    """Say whether a temporary password was not used in time; instants are aware UTC."""
    return is_temporary and ends_at is not None and ends_at <= now
