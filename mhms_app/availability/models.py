"""Slots: the times at which a doctor can be seen."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
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
    ``slot_no_overlap`` (PostgreSQL) or triggers of the same name (SQLite).
    """

    __tablename__ = "slot"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'held', 'booked', 'withdrawn')", name="state_known"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
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
