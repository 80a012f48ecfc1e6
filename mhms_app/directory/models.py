"""Departments and the doctors who work in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime

CANCEL_REASONS = "I am ill\nI am better\nSomething came up\nI found another appointment"


class Department(SQLModel, table=True):
    """A department and its policy. A closed one stays for the records and is offered to nobody."""

    __tablename__ = "department"
    __table_args__ = (CheckConstraint("horizon_weeks BETWEEN 1 AND 52", name="horizon_within_a_year"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    name_key: str = Field(max_length=80, unique=True, description="case-folded name")
    description: str = Field(default="", max_length=300)
    location: str = Field(default="", max_length=120, description="building and floor, as said to a patient")
    active: bool = True
    horizon_weeks: int = Field(default=8, description="how far ahead working hours become slots")
    notice_minutes: int = Field(default=0, description="how long before its start a slot can last be booked")
    ahead_days: int = Field(default=366, description="how far ahead patients book")
    change_hours: int = Field(default=24, description="how long before the start patients can last cancel or move")
    most_active: int = Field(default=10, description="upcoming appointments that a patient may have")
    most_missed: int = Field(default=3, description="after so many missed ones online booking pauses")
    missed_days: int = Field(default=180, description="within so many days")
    hold_minutes: int = Field(default=5, description="how long a slot is kept for who fills in the form")
    offer_longest_minutes: int = Field(
        default=120, sa_column_kwargs={"server_default": "120"}, description="an offer of the waiting list at most"
    )
    offer_shortest_minutes: int = Field(
        default=10, sa_column_kwargs={"server_default": "10"}, description="and at least"
    )
    reminder_hours: str = Field(default="168, 24", max_length=60, description="before the appointment")
    cancel_reasons: str = Field(default=CANCEL_REASONS, max_length=500, description="one a line")


class Doctor(SQLModel, table=True):
    """A user who is seen by patients once ``approved_at`` is set."""

    __tablename__ = "doctor"
    __table_args__ = (Index("ix_doctor_department", "department_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="user_account.id", unique=True)
    department_id: int = Field(foreign_key="department.id")
    title: str = Field(default="", max_length=80, description="such as Consultant cardiologist")
    title_key: str = Field(default="", max_length=80, description="case-folded title, for searching")
    bio: str = Field(default="", max_length=600)
    languages: str = Field(default="", max_length=120)
    approved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
