"""Who waits for which times, and how long an offer stands. Standard library only; ``now`` is a parameter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mhms_app.availability.rules import Times, part_of, weekday_bits
from mhms_app.booking.rules import Policy, is_night, overlaps
from mhms_app.errors import ClinicError

MOST_ENTRIES = 5
PARTS = ("any", "morning", "afternoon")
LONG = timedelta(days=60)
_SHARE, _TURNS = 10, 6
_FURTHEST = timedelta(days=366)
_DAY = timedelta(days=1)
_AWAKE = time(8)


class TooManyWaits(ClinicError):
    """The patient waits for as many times as one may."""

    sentence = f"You wait for {MOST_ENTRIES} times already. Stop waiting for one of them first."


class OfferOver(ClinicError):
    """The offer was taken, declined, let pass or taken back."""

    sentence = "This offer is over."


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody waits for, with what keeps them from taking a time.

    Attributes:
        patient_id: a patient may have several wishes, and is offered one time at a time.
        weekdays: as ``availability.rules.weekday_bits``.
        busy: when they have appointments, aware UTC.
        before: only earlier times help them, because they have an appointment then; None when they have none.
        passed: the slots that they let pass.
    """

    patient_id: int
    weekdays: int
    part: str
    earliest: date
    busy: tuple[Times, ...] = ()
    before: datetime | None = None
    passed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Free:
    """A slot that could be offered; times are aware UTC."""

    id: int
    starts_at: datetime
    ends_at: datetime


def kept_for(left: timedelta, policy: Policy) -> timedelta | None:
    """How long a slot is kept for the person to whom it is offered; None when it is too near to be offered.

    A tenth of the time that is left until it can last be booked, within the limits of the policy. It is too near
    when fewer than six people could be asked, one after the other.
    """
    if left < _TURNS * policy.offer_shortest:
        return None
    return max(policy.offer_shortest, min(policy.offer_longest, left / _SHARE))


def kept_until(now: datetime, closes_at: datetime, *, zone: ZoneInfo, policy: Policy) -> datetime | None:
    """Until when a slot is kept for the person to whom it is offered now; None when it is too near to be offered.

    Nobody is passed over while they sleep: unless the slot closes within a day, the clinic's night does not count.

    Args:
        closes_at: when it can last be booked; aware UTC, as ``now``.
    """
    span = kept_for(closes_at - now, policy)
    if span is None:
        return None
    local = (now + span).astimezone(zone)
    if not is_night(local) or closes_at - now < _DAY:
        return now + span
    day = local.date() if local.time() < _AWAKE else local.date() + _DAY
    return datetime.combine(day, _AWAKE, zone).astimezone(now.tzinfo) + span


def match(wishes: Iterable[Wish], free: Sequence[Free], *, zone: ZoneInfo) -> tuple[int, ...]:
    """The slots that should be offered, in this order: for each wish the soonest that is left and fits.

    Args:
        wishes: those who wait longest first.
        free: in order of time.
    """
    days = {slot.id: slot.starts_at.astimezone(zone) for slot in free}
    fitting: dict[tuple[int, str], list[Free]] = {}  # by the kind of wish: most people ask for the same
    given: dict[int, int] = {}  # the slot by the patient
    taken: set[int] = set()
    for wish in wishes:
        if wish.patient_id in given:
            continue
        kind = wish.weekdays, wish.part
        if kind not in fitting:
            fitting[kind] = [slot for slot in free if _is_asked_for(wish, days[slot.id])]
        left = fitting[kind] = [slot for slot in fitting[kind] if slot.id not in taken]
        if slot := next((slot for slot in left if _suits(wish, slot, days[slot.id].date())), None):
            given[wish.patient_id] = slot.id
            taken.add(slot.id)
    return tuple(given.values())


def problems(weekdays: Collection[int], part: str, earliest: date, *, today: date) -> dict[str, str]:
    """What is wrong with the times that somebody wants to wait for: a sentence by field."""
    return dict(_problems(weekdays, part, earliest, today))


def _problems(weekdays: Collection[int], part: str, earliest: date, today: date) -> Iterator[tuple[str, str]]:
    if not weekdays or not all(0 <= day <= 6 for day in weekdays):
        yield "weekdays", "Please choose at least one day."
    if part not in PARTS:
        yield "part", "Please choose a part of the day."
    if not today <= earliest <= today + _FURTHEST:
        yield "earliest", "Please choose a day from today on, within a year."


def _is_asked_for(wish: Wish, local: datetime) -> bool:
    return bool(wish.weekdays & weekday_bits({local.weekday()})) and wish.part in ("any", part_of(local))


def _suits(wish: Wish, slot: Free, day: date) -> bool:
    is_earlier = wish.before is None or slot.starts_at < wish.before
    is_free = slot.id not in wish.passed and not overlaps(wish.busy, slot.starts_at, slot.ends_at)
    return is_earlier and is_free and wish.earliest <= day
