"""What a slot is to the rest of the clinic: a row with its times and state, and the news that some changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, literal_column, not_, select
from sqlmodel import Session, col

from mhms_app.availability.models import FreshSlots, Slot, SlotState
from mhms_app.directory.models import Doctor
from mhms_app.directory.service import Rows
from mhms_app.facts import Topic, shared

# States are written into statements instead of passed as parameters, so that both engines see that a partial
# index over open slots (or held, or withdrawn ones) answers: however many slots there are, few are read.
STATES: dict[str, ColumnElement[str]] = {state.value: literal_column(f"'{state.value}'") for state in SlotState}
OPEN = STATES[SlotState.OPEN]

BUSY = "busy"
"""How an open slot is shown that nobody can take because its doctor is busy elsewhere."""
IS_FREE = and_(col(Slot.state) == OPEN, not_(col(Slot.busy)))
IS_SHOWN_AS: dict[str, ColumnElement[bool]] = {
    **{state: col(Slot.state) == literal for state, literal in STATES.items()},
    SlotState.OPEN.value: IS_FREE,
    BUSY: and_(col(Slot.state) == OPEN, col(Slot.busy)),
}
SHOWN_STATE: ColumnElement[str] = case((IS_SHOWN_AS[BUSY], literal_column("'busy'")), else_=col(Slot.state))


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One slot; times are aware UTC, the state is a ``SlotState`` or ``BUSY``."""

    id: int
    doctor_id: int
    starts_at: datetime
    ends_at: datetime
    state: str


@shared("slots")
@dataclass(frozen=True, slots=True)
class SlotsChanged:
    """Announced after a commit that changed a doctor's slots, or what became of one.

    Attributes:
        gone: the slots that nobody can book any more.
        came: whether new ones can be booked.
        freed: the slots that were taken and can be booked again.
    """

    doctor_id: int
    gone: tuple[int, ...]
    came: bool
    freed: tuple[SlotRow, ...] = ()

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The doctor's own screens and the numbers of the clinic; and, if other times are free now, whoever looks."""
        own = (on_doctor(self.doctor_id), ANY_DOCTOR)
        return (*own, free_times(self.doctor_id), ANY_FREE_TIME) if self.gone or self.came or self.freed else own


ANY_DOCTOR: Topic = ("doctor", 0)
ANY_FREE_TIME: Topic = ("free", 0)


def on_doctor(doctor_id: int) -> Topic:
    """Everything that happens to a doctor's slots."""
    return ("doctor", doctor_id)


def free_times(doctor_id: int) -> Topic:
    """Which of a doctor's slots can be booked."""
    return ("free", doctor_id)


def select_slots(*conditions: ColumnElement[bool]) -> Rows:
    """The columns of a ``SlotRow``, in order of time."""
    columns = (Slot.id, Slot.doctor_id, Slot.starts_at, Slot.ends_at)
    wanted = select(*(col(column) for column in columns), SHOWN_STATE).select_from(Slot)
    return wanted.where(*conditions).order_by(col(Slot.starts_at))


def read_slots(session: Session, wanted: Rows) -> tuple[SlotRow, ...]:
    """The rows of ``select_slots``."""
    return tuple(SlotRow(*row) for row in session.execute(wanted))


def lock_doctor(session: Session, doctor_id: int, *, skip_locked: bool = False) -> bool:
    """Make whoever else adds slots of this doctor wait, and then see what the one before has added.

    The weaker kind of lock (FOR NO KEY UPDATE) lets bookings, whose foreign keys point to the row, go on.

    Args:
        skip_locked: do not wait for another who has the lock; returns whether it could be had.
    """
    row = select(col(Doctor.id)).where(col(Doctor.id) == doctor_id)
    return session.execute(row.with_for_update(key_share=True, skip_locked=skip_locked)).first() is not None


def note_fresh(session: Session, doctor_id: int, keys: Collection[int]) -> None:
    """Note that these slots have yet to go through the waiting list; the caller holds the doctor's lock."""
    news = session.get(FreshSlots, doctor_id, populate_existing=True, with_for_update=True)
    news = news or FreshSlots(doctor_id=doctor_id, first_id=min(keys), last_id=0)
    if max(keys) <= news.last_id:  # whoever is just done with the note must not take it for the one that they read
        news.first_id -= 1
    news.first_id, news.last_id = min(news.first_id, *keys), max(news.last_id, *keys)
    session.add(news)
    session.flush()
