"""Who may book what, and why not. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from mhms_app.errors import ClinicError, Invalid

REASON_LENGTH = 500
WHY_LENGTH = 200
EARLIEST_CHECK_IN = timedelta(hours=12)
LATE_AFTER = timedelta(minutes=5)
_MORNING, _EVENING = 8, 20
_SUMMARY_FROM = 6
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


class SlotHeld(NotBookable):
    """Another patient is filling in the form for it."""

    sentence = "Somebody else is booking this time just now. It is free again if they do not confirm."


class TooLate(NotBookable):
    """The time is nearer than the department's notice."""


class TooEarly(NotBookable):
    """The time is further ahead than the department lets patients book."""


class TooManyAppointments(NotBookable):
    """The patient has as many upcoming appointments as the policy allows."""


class BookingPaused(NotBookable):
    """The patient did not come to as many appointments as the policy allows."""


class EmailNotConfirmed(NotBookable):
    """Nobody has shown yet that the patient's address is theirs."""

    sentence = "Please confirm your e-mail address first, with the link that we sent you."


class NotChangeable(ClinicError):
    """This appointment can no longer be changed in this way; its children say why."""


class AlreadyCancelled(NotChangeable):
    """It was cancelled before."""

    sentence = "This appointment is cancelled already."


class AlreadyBegun(NotChangeable):
    """Its time has come, or the patient is there."""

    sentence = "This appointment has begun or is over, so it can no longer be changed."


class WindowClosed(NotChangeable):
    """It is too near for the patient to change it online."""


class IllegalMove(NotChangeable):
    """The table of transitions has no such move."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a department allows its patients.

    Attributes:
        notice: how long before its start a slot can last be booked.
        ahead: how far ahead slots can be booked.
        change_until: how long before the start patients can last cancel or move.
        most_active: upcoming appointments that a patient may have at once.
        most_missed: with so many missed appointments within ``missed_within``, online booking pauses.
        hold: how long a slot is kept for the patient who fills in the form.
        offer_longest, offer_shortest: how long a slot is kept for the patient to whom the waiting list offers it.
        reminders: how long before an appointment its patient is reminded.
        reasons: what patients can choose from when they cancel.
    """

    notice: timedelta = timedelta()
    ahead: timedelta = timedelta(days=366)
    change_until: timedelta = timedelta(hours=24)
    most_active: int = 10
    most_missed: int = 3
    missed_within: timedelta = timedelta(days=180)
    hold: timedelta = timedelta(minutes=5)
    offer_longest: timedelta = timedelta(hours=2)
    offer_shortest: timedelta = timedelta(minutes=10)
    reminders: tuple[timedelta, ...] = (timedelta(days=7), timedelta(days=1))
    reasons: tuple[str, ...] = ("I am ill", "I am better", "Something came up", "I found another appointment")


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot as read under its lock, with what is known of its doctor; times are aware UTC.

    Attributes:
        held_by: the patient for whom a held slot is kept, until ``held_until``.
        busy: the doctor is busy elsewhere; whoever holds the slot may still have it.
    """

    state: str
    starts_at: datetime
    ends_at: datetime
    doctor_visible: bool
    held_by: int | None = None
    held_until: datetime | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class PatientView:
    """A patient's appointments that are still to come, as pairs of aware UTC instants.

    Attributes:
        missed: appointments in this department that the patient has missed within the policy's period.
        confirmed: their e-mail address is known to be theirs.
    """

    active: tuple[tuple[datetime, datetime], ...] = field(default=())
    missed: int = 0
    id: int = 0
    confirmed: bool = True


def why_not_bookable(slot: SlotView, patient: PatientView, *, now: datetime, policy: Policy) -> ClinicError | None:
    """Say why this patient may not book this slot now, or None if they may.

    Args:
        slot: the slot as read under its lock.
        patient: the patient with their active appointments.
        now: aware UTC.
        policy: what the clinic allows.
    """
    upcoming = sum(1 for _, ends_at in patient.active if ends_at > now)
    return next(chain(_slot_refuses(slot, patient, now, policy), _patient_refuses(patient, upcoming, policy)), None)


def why_not_movable(slot: SlotView, patient: PatientView, *, now: datetime, policy: Policy) -> ClinicError | None:
    """Say why a patient may not move an appointment to this slot now, or None if they may.

    As ``why_not_bookable``, but no appointment is added: how many there are does not matter.

    Args:
        patient: the patient with their other active appointments.
    """
    return next(_slot_refuses(slot, patient, now, policy), None)


def _slot_refuses(slot: SlotView, patient: PatientView, now: datetime, policy: Policy) -> Iterator[NotBookable]:
    if slot.state == "withdrawn" or (slot.busy and not (slot.state == "held" and slot.held_by == patient.id)):
        yield SlotWithdrawn()
    if slot.starts_at <= now:
        yield SlotPast()
    if not slot.doctor_visible:
        yield DoctorUnavailable()
    if slot.state == "booked":
        yield SlotTaken()
    if slot.state == "held" and slot.held_by != patient.id and (slot.held_until is None or slot.held_until > now):
        yield SlotHeld()
    if slot.starts_at <= now + policy.notice:
        yield TooLate(f"This department takes bookings until {in_words(policy.notice)} before. Please call us.")
    if slot.starts_at > now + policy.ahead:
        yield TooEarly(f"This department takes bookings at most {in_words(policy.ahead)} ahead.")
    if overlaps(patient.active, slot.starts_at, slot.ends_at):
        yield PatientBusy()


def _patient_refuses(patient: PatientView, upcoming: int, policy: Policy) -> Iterator[NotBookable]:
    if not patient.confirmed:
        yield EmailNotConfirmed()
    if upcoming >= policy.most_active:
        yield TooManyAppointments(
            f"You have {upcoming} upcoming appointments, which is the most that can be booked online. "
            "Please call us for another."
        )
    if refusal := why_paused(patient.missed, policy=policy):
        yield refusal


def why_paused(missed: int, *, policy: Policy) -> BookingPaused | None:
    """Say why a patient who missed so many appointments cannot book online, or None if they can."""
    if missed < policy.most_missed:
        return None
    return BookingPaused(
        f"You missed {missed} appointments here within {in_words(policy.missed_within)}, "
        "so online booking is paused for you. Please call us."
    )


def why_not_changeable(
    status: str, starts_at: datetime, *, now: datetime, policy: Policy, by_staff: bool
) -> NotChangeable | None:
    """Say why an appointment can no longer be cancelled or moved, or None if it can.

    Args:
        by_staff: a doctor or an administrator does it; for them the department's window stays open.
    """
    if status == "cancelled":
        return AlreadyCancelled()
    if status != "booked" or (starts_at <= now and not by_staff):
        return AlreadyBegun()
    if not by_staff and starts_at <= now + policy.change_until:
        return WindowClosed(
            f"Changes online end {in_words(policy.change_until)} before the appointment. "
            "Please call us: somebody else may be glad of the time."
        )
    return None


def limits_passed(was_at: datetime, wanted: datetime, *, now: datetime, policy: Policy) -> tuple[str, ...]:
    """Which limits of the department a patient could not pass, were they to move an appointment themselves.

    Staff may pass them, and say why.

    Args:
        was_at, wanted: when the appointment starts, and when it shall start; aware UTC.
    """
    passed = {
        "the time until which patients change it": was_at <= now + policy.change_until,
        "the notice": wanted <= now + policy.notice,
        "how far ahead patients book": wanted > now + policy.ahead,
    }
    return tuple(limit for limit, is_passed in passed.items() if is_passed)


TRANSITIONS: dict[str, frozenset[str]] = {
    "booked": frozenset({"checked_in", "no_show", "cancelled"}),
    "checked_in": frozenset({"completed", "booked"}),  # back: checked in by mistake
    "no_show": frozenset({"checked_in", "booked"}),  # came after all, or marked by mistake
    "completed": frozenset({"checked_in"}),  # completed by mistake
    "cancelled": frozenset(),
}
"""Every legal move from one status of an appointment to another."""


def why_not_movable_to(status: str, wanted: str, starts_at: datetime, *, now: datetime) -> NotChangeable | None:
    """Say why an appointment cannot get this status now, or None if it can."""
    if wanted not in TRANSITIONS[status]:
        return IllegalMove(f"This appointment is {_SAID[status]}, so it cannot be marked as {_SAID[wanted]}.")
    if wanted == "checked_in" and now < starts_at - EARLIEST_CHECK_IN:
        return IllegalMove("Patients can be checked in from twelve hours before their appointment.")
    if wanted == "no_show" and now <= starts_at:
        return IllegalMove("Nobody is late before the appointment has begun.")
    return None


_SAID = {
    "booked": "booked",
    "checked_in": "checked in",
    "completed": "completed",
    "no_show": "missed",
    "cancelled": "cancelled",
}


def is_night(local: datetime) -> bool:
    """Whether it is a time at which nobody wants to be reminded of anything, by the clinic's clock."""
    return not _MORNING <= local.hour < _EVENING


def is_summary_time(local: datetime) -> bool:
    """Whether a doctor's day is told already, by the clinic's clock: from early in the morning until it is over."""
    return local.hour >= _SUMMARY_FROM


def in_words(span: timedelta) -> str:
    """A policy's span as people say it: "2 hours", "7 days"."""
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        number, rest = divmod(span, unit)
        if number and not rest and (unit < timedelta(days=1) or number > 1):
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "0 minutes"


def overlaps(times: Iterable[tuple[datetime, datetime]], starts_at: datetime, ends_at: datetime) -> bool:
    """Say whether any of the half-open intervals shares a moment with ``[starts_at, ends_at)``."""
    return any(start < ends_at and starts_at < end for start, end in times)


def tidy_reason(text: str, *, most: int = REASON_LENGTH, field: str = "reason") -> str:
    """Return the reason as it is stored: composed lines without control characters.

    Raises:
        Invalid: it is longer than ``most`` characters; said of this ``field``.
    """
    reason = "".join(c for c in text.replace("\r\n", "\n") if c == "\n" or c.isprintable()).strip()
    if len(reason) > most:
        raise Invalid(f"Please shorten this to {most} characters; it has {len(reason)}.", field=field)
    return reason


def new_reference() -> str:
    """Make up the reference of an appointment, such as MH-4K7D2Q: about 30 random bits."""
    return "MH-" + "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(6))
