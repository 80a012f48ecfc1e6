"""What a department allows its patients: kept with the department, handed to the rules as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import Session, col

from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.booking.models import ReminderMark
from mhms_app.booking.rules import Policy
from mhms_app.directory.models import Department
from mhms_app.errors import Invalid, InvalidForm, NotFound

_HOUR = timedelta(hours=1)
MOST_REASONS, REASON_LENGTH = 8, 60
MOST_REMINDERS = 3


@dataclass(frozen=True, slots=True)
class PolicyForm:
    """A policy as an administrator types it.

    Attributes:
        horizon_weeks: how far ahead working hours become slots.
        reminder_hours: hours before the appointment, such as "168, 24"; nothing means no reminders.
        cancel_reasons: one a line.
    """

    notice_minutes: int
    ahead_days: int
    horizon_weeks: int
    change_hours: int
    most_active: int
    most_missed: int
    missed_days: int
    hold_minutes: int
    offer_longest_minutes: int
    offer_shortest_minutes: int
    reminder_hours: str
    cancel_reasons: str


# The least and the most of each number.
LIMITS = {
    "notice_minutes": (0, 7 * 24 * 60),
    "ahead_days": (1, 366),
    "horizon_weeks": (1, 52),
    "change_hours": (0, 14 * 24),
    "most_active": (1, 50),
    "most_missed": (1, 50),
    "missed_days": (1, 730),
    "hold_minutes": (1, 30),
    "offer_longest_minutes": (5, 24 * 60),
    "offer_shortest_minutes": (5, 4 * 60),
}


def policy_of(department: Department) -> Policy:
    """The policy of a department."""
    return Policy(
        notice=timedelta(minutes=department.notice_minutes),
        ahead=timedelta(days=department.ahead_days),
        change_until=timedelta(hours=department.change_hours),
        most_active=department.most_active,
        most_missed=department.most_missed,
        missed_within=timedelta(days=department.missed_days),
        hold=timedelta(minutes=department.hold_minutes),
        offer_longest=timedelta(minutes=department.offer_longest_minutes),
        offer_shortest=timedelta(minutes=department.offer_shortest_minutes),
        reminders=tuple(hours * _HOUR for hours in _hours(department.reminder_hours)),
        reasons=tuple(department.cancel_reasons.splitlines()),
    )


def read_policy(session: Session, actor: Actor | None, *, department_id: int) -> PolicyForm:
    """A department's policy, for an administrator.

    Raises:
        NotFound: there is no such department.
    """
    require_role(actor, Role.ADMIN)
    department = session.get(Department, department_id)
    if department is None:
        raise NotFound
    return PolicyForm(**{name: getattr(department, name) for name in PolicyForm.__slots__})


def save_policy(session: Session, actor: Actor | None, *, department_id: int, typed: PolicyForm) -> None:
    """Change a department's policy; what is booked already stays as it is.

    A reminder that is taken out and later put back begins anew, without the turns that came in between.

    Raises:
        InvalidForm: a number is out of its limits, or a list cannot be read.
        NotFound: there is no such department.
    """
    admin = require_role(actor, Role.ADMIN)
    if problems := dict(_problems(typed)):
        raise InvalidForm(problems)
    department = session.get(Department, department_id, with_for_update={"key_share": True})
    if department is None:
        raise NotFound
    for name in LIMITS:
        setattr(department, name, getattr(typed, name))
    hours = _hours(typed.reminder_hours)
    # An hour that comes in may have an old mark: of a worker that had read the policy before the hour was taken out.
    stay = set(hours) & set(_hours(department.reminder_hours))
    session.execute(
        delete(ReminderMark).where(
            col(ReminderMark.department_id) == department_id, col(ReminderMark.hours).not_in(stay)
        )
    )
    department.reminder_hours = ", ".join(map(str, hours))
    department.cancel_reasons = "\n".join(_lines(typed.cancel_reasons))
    session.add(department)
    session.flush()
    audit.record(
        session,
        actor_id=admin.user_id,
        action="department.policy",
        object_type="department",
        object_id=department_id,
    )


def _problems(typed: PolicyForm) -> Iterator[tuple[str, str]]:
    for name, (least, most) in LIMITS.items():
        if not least <= getattr(typed, name) <= most:
            yield name, f"Please choose {least} to {most}."
    if typed.offer_shortest_minutes > typed.offer_longest_minutes:
        yield "offer_shortest_minutes", "Please choose at most as many as for the longest."
    try:
        hours = _hours(typed.reminder_hours)
    except Invalid as refusal:
        yield "reminder_hours", refusal.sentence
    else:
        if len(hours) > MOST_REMINDERS:
            yield "reminder_hours", f"Use at most {MOST_REMINDERS} reminders."
    reasons = _lines(typed.cancel_reasons)
    if not 1 <= len(reasons) <= MOST_REASONS or any(len(reason) > REASON_LENGTH for reason in reasons):
        yield "cancel_reasons", f"Use one to {MOST_REASONS} lines of at most {REASON_LENGTH} characters."


def _hours(text: str) -> tuple[int, ...]:
    """The hours in a list such as "168, 24", the longest first."""
    found = {int(part) for part in _parts(text) if part.isascii() and part.isdigit() and len(part) < 5}
    if len(found) != len(_parts(text)) or any(not 1 <= hours <= 24 * 60 for hours in found):
        raise Invalid("Use different numbers of hours with commas between them, such as 168, 24.")
    return tuple(sorted(found, reverse=True))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _lines(text: str) -> list[str]:
    printable = ("".join(c for c in line if c.isprintable()).strip() for line in text.splitlines())
    return [line for line in printable if line]
