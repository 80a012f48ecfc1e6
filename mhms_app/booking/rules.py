"""Who may book what, and why not. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from mhms_app.errors import ClinicError, Invalid

REASON_LENGTH = 500
_REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that is misheard or misread


class NotBookable(ClinicError):
    """This patient cannot have this slot; its children say why."""


class SlotTaken(NotBookable):
    """Somebody else was faster."""

    sentence = "This time has just been taken."


class SlotWithdrawn(NotBookable):
    """The doctor no longer offers this time."""

    sentence = "This time is no longer offered. Please choose another."


class SlotPast(NotBookable):
    """The time has begun or is over."""

    sentence = "This time has passed. Please choose a later one."


class DoctorUnavailable(NotBookable):
    """The doctor cannot be booked now: not approved, gone, or the department is closed."""

    sentence = "This doctor cannot be booked at the moment. Please choose another."


class PatientBusy(NotBookable):
    """The patient has another appointment at that time."""

    sentence = "You already have an appointment at that time."


class TooManyAppointments(NotBookable):
    """The patient has as many upcoming appointments as the policy allows."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a clinic allows its patients.

    Attributes:
        most_active: upcoming appointments that a patient may have at once.
    """

    most_active: int = 10


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot as read under its lock, with what is known of its doctor; times are aware UTC."""

    state: str
    starts_at: datetime
    ends_at: datetime
    doctor_visible: bool


@dataclass(frozen=True, slots=True)
class PatientView:
    """A patient's appointments that are still to come, as pairs of aware UTC instants."""

    active: tuple[tuple[datetime, datetime], ...] = field(default=())


def why_not_bookable(slot: SlotView, patient: PatientView, *, now: datetime, policy: Policy) -> ClinicError | None:
    """Say why this patient may not book this slot now, or None if they may.

    Args:
        slot: the slot as read under its lock.
        patient: the patient with their active appointments.
        now: aware UTC.
        policy: what the clinic allows.
    """
    if slot.state == "withdrawn":
        return SlotWithdrawn()
    if slot.starts_at <= now:
        return SlotPast()
    if not slot.doctor_visible:
        return DoctorUnavailable()
    if slot.state != "open":
        return SlotTaken()
    if overlaps(patient.active, slot.starts_at, slot.ends_at):
        return PatientBusy()
    upcoming = sum(1 for _, ends_at in patient.active if ends_at > now)
    if upcoming >= policy.most_active:
        return TooManyAppointments(
            f"You have {upcoming} upcoming appointments, which is the most that can be booked online. "
            "Please call us for another."
        )
    return None


def overlaps(times: Iterable[tuple[datetime, datetime]], starts_at: datetime, ends_at: datetime) -> bool:
    """Say whether any of the half-open intervals shares a moment with ``[starts_at, ends_at)``."""
    return any(start < ends_at and starts_at < end for start, end in times)


def tidy_reason(text: str) -> str:
    """Return the reason as it is stored: composed lines without control characters.

    Raises:
        Invalid: it is longer than 500 characters.
    """
    reason = "".join(c for c in text.replace("\r\n", "\n") if c == "\n" or c.isprintable()).strip()
    if len(reason) > REASON_LENGTH:
        raise Invalid(f"Please shorten this to {REASON_LENGTH} characters; it has {len(reason)}.", field="reason")
    return reason


def new_reference() -> str:
    """Make up the reference of an appointment, such as MH-4K7D2Q: about 30 random bits."""
    return "MH-" + "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(6))
