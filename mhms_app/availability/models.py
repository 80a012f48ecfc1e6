"""Slots: the times at which a doctor can be seen; and the working hours that ask for them."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, false, text
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime


class SlotState(StrEnum):
    """Where a slot is in its life."""

    OPEN = "open"
    HELD = "held"
    BOOKED = "booked"
    WITHDRAWN = "withdrawn"


class Slot(SQLModel, table=True):
    """One bookable time of one doctor.

    Slots of a doctor that are not withdrawn never overlap: the migration adds the exclusion constraint
    ``slot_no_overlap`` (PostgreSQL) or triggers of the same name (SQLite). A held slot is kept for one
    patient, who has no second one, but for one that the waiting list offers them.
    """

    __tablename__ = "slot"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'held', 'booked', 'withdrawn')", name="state_known"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint(
            "(state = 'held') = (held_by IS NOT NULL) AND (state = 'held') = (held_until IS NOT NULL)",
            name="held_for_somebody",
        ),
        CheckConstraint("state = 'held' OR NOT offered", name="offered_is_held"),
        Index(
            "uq_slot_held_by",
            "held_by",
            unique=True,
            postgresql_where=text("state = 'held' AND NOT offered"),
            sqlite_where=text("state = 'held' AND NOT offered"),
        ),
        Index("ix_slot_doctor_time", "doctor_id", "starts_at"),
        Index(
            "ix_slot_open",
            "doctor_id",
            "starts_at",
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        Index("ix_slot_time", "starts_at", "id", "state"),
        *(
            Index(f"ix_slot_{state}", "starts_at", "id", postgresql_where=text(only), sqlite_where=text(only))
            for state, only in (("held", "state = 'held'"), ("withdrawn", "state = 'withdrawn'"))
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    doctor_id: int = Field(foreign_key="doctor.id")
    starts_at: datetime = Field(sa_type=UTCDateTime)
    ends_at: datetime = Field(sa_type=UTCDateTime)
    state: str = Field(default=SlotState.OPEN.value, max_length=10)
    held_by: int | None = Field(default=None, foreign_key="patient.id", description="who fills in the form for it")
    held_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    offered: bool = Field(
        default=False, sa_column_kwargs={"server_default": false()}, description="the waiting list holds it for them"
    )
    from_hours: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="working hours asked for it, and may take it back; one published by hand stays",
    )
    busy: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="its doctor is busy elsewhere at that time (``BusyTime``): nobody can take it",
    )


class BusyTime(SQLModel, table=True):
    """When a doctor is busy elsewhere, by what keeps them busy: an event of their own calendar."""

    __tablename__ = "busy_time"
    __table_args__ = (CheckConstraint("ends_at > starts_at", name="ends_after_start"),)

    doctor_id: int = Field(foreign_key="doctor.id", primary_key=True)
    event_id: str = Field(max_length=1024, primary_key=True)
    starts_at: datetime = Field(sa_type=UTCDateTime)
    ends_at: datetime = Field(sa_type=UTCDateTime)


class FreshSlots(SQLModel, table=True):
    """The slots of a doctor that were published since the waiting list last looked at them, or opened many at a time.

    Whoever does so writes it, in the same transaction and under the doctor's lock; so the keys of a doctor's slots
    rise in the order of the commits, and none is overlooked. It stays while patients cannot find the doctor.
    """

    __tablename__ = "fresh_slots"

    doctor_id: int = Field(foreign_key="doctor.id", primary_key=True)
    first_id: int = Field(description="the slots from this key on")
    last_id: int = Field(description="the latest of them: there are more when either has changed")


class WorkingHours(SQLModel, table=True):
    """One weekly rule of a doctor, in wall-clock times of the clinic; a doctor may have several a day."""

    __tablename__ = "working_hours"
    __table_args__ = (
        CheckConstraint("weekdays BETWEEN 1 AND 127", name="some_weekday"),
        CheckConstraint('"end" > start', name="end_after_start"),
        CheckConstraint("slot_minutes BETWEEN 5 AND 480", name="slot_length"),
        CheckConstraint("pause_minutes BETWEEN 0 AND 240", name="pause_length"),
        CheckConstraint(
            "(break_start IS NULL AND break_end IS NULL) OR (break_start IS NOT NULL AND break_end > break_start)",
            name="break_whole",
        ),
        CheckConstraint("valid_until >= valid_from", name="valid_until_after_from"),
        Index("ix_working_hours_doctor", "doctor_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    doctor_id: int = Field(foreign_key="doctor.id")
    weekdays: int = Field(description="one bit a day, Monday is the lowest")
    start: time
    end: time
    slot_minutes: int
    pause_minutes: int = Field(default=0, description="between two slots")
    break_start: time | None = None
    break_end: time | None = None
    valid_from: date
    valid_until: date | None = Field(default=None, description="the last day; None means until further notice")


class HoursException(SQLModel, table=True):
    """One day on which the weekly rules do not say it all: off, wholly or for some hours, or extra hours."""

    __tablename__ = "hours_exception"
    __table_args__ = (
        CheckConstraint("kind IN ('off', 'extra')", name="kind_known"),
        CheckConstraint(
            """(start IS NULL AND "end" IS NULL) OR (start IS NOT NULL AND "end" > start)""", name="hours_whole"
        ),
        CheckConstraint(
            "(kind = 'off' AND slot_minutes IS NULL)"
            " OR (kind = 'extra' AND start IS NOT NULL AND slot_minutes BETWEEN 5 AND 480)",
            name="kind_complete",
        ),
        Index("ix_hours_exception_doctor_day", "doctor_id", "day"),
    )

    id: int | None = Field(default=None, primary_key=True)
    doctor_id: int = Field(foreign_key="doctor.id")
    day: date
    kind: str = Field(max_length=5)
    start: time | None = Field(default=None, description="None means the whole day")
    end: time | None = None
    slot_minutes: int | None = None
