"""What can become of the appointments of a leave, and which free slot each is offered instead.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TypeAlias

from mhms_app.booking.rules import overlaps
from mhms_app.errors import Invalid

LONGEST = timedelta(days=366)
Times: TypeAlias = tuple[tuple[datetime, datetime], ...]


class Fate(StrEnum):
    """What is chosen for an appointment."""

    MOVE = "move"
    CANCEL = "cancel"
    DESK = "desk"


class Outcome(StrEnum):
    """What became of it. Gone: it had been cancelled or moved meanwhile."""

    MOVED = "moved"
    CANCELLED = "cancelled"
    DESK = "desk"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A free slot; times are aware UTC."""

    id: int
    doctor_id: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Displaced:
    """An appointment that cannot stay where it is.

    Attributes:
        busy: when its patient has other appointments, as pairs of aware UTC instants.
    """

    id: int
    patient_id: int
    starts_at: datetime
    ends_at: datetime
    busy: Times = ()


def propose(
    displaced: Iterable[Displaced], own: Sequence[Candidate], others: Sequence[Candidate]
) -> dict[int, Candidate]:
    """A slot for each appointment, by its key; those for which there is none are missing.

    No two get the same slot, none a shorter one than it has, and none one that overlaps with another appointment or
    another proposal of its patient. Who comes first by time chooses first.

    Args:
        own: what the same doctor has free, in order of time: the first that fits is taken.
        others: what other doctors have free: only without one of these, the nearest in time is taken.
    """
    given: dict[int, Candidate] = {}
    taken: set[int] = set()
    promised: dict[int, list[tuple[datetime, datetime]]] = {}
    for each in sorted(displaced, key=lambda one: (one.starts_at, one.id)):
        busy = (*each.busy, *promised.get(each.patient_id, ()))
        slot = next(_fitting(each, own, taken, busy), None)
        slot = slot or min(_fitting(each, others, taken, busy), key=partial(_distance, each), default=None)
        if slot:
            given[each.id] = slot
            taken.add(slot.id)
            promised.setdefault(each.patient_id, []).append((slot.starts_at, slot.ends_at))
    return given


def _fitting(each: Displaced, slots: Iterable[Candidate], taken: Collection[int], busy: Times) -> Iterator[Candidate]:
    return (
        slot
        for slot in slots
        if slot.id not in taken
        and slot.ends_at - slot.starts_at >= each.ends_at - each.starts_at
        and not overlaps(busy, slot.starts_at, slot.ends_at)
    )


def _distance(each: Displaced, slot: Candidate) -> tuple[timedelta, int]:
    return abs(slot.starts_at - each.starts_at), slot.id


def why_not_a_leave(first: date, last: date, *, today: date) -> Invalid | None:
    """Say why nobody can be on leave from the first to the last of these clinic days, or None if they can."""
    return next(_wrong(first, last, today), None)


def _wrong(first: date, last: date, today: date) -> Iterator[Invalid]:
    if first < today:
        yield Invalid("This day is over. Choose today or a later day.", field="first")
    if last < first:
        yield Invalid("The last day must not be before the first.", field="last")
    if last - first > LONGEST or first - today > 5 * LONGEST:
        yield Invalid("A leave is at most a year long, and begins within five years.", field="last")
