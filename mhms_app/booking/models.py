"""Appointments: who sees whom, when."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime

_UNDONE, _FOR_THE_DESK = text("done_at IS NULL"), text("outcome = 'desk'")


class Status(StrEnum):
    """Where an appointment is in its life."""

    BOOKED = "booked"
    CHECKED_IN = "checked_in"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"


ACTIVE = (Status.BOOKED.value, Status.CHECKED_IN.value)
"""The statuses in which an appointment takes up its patient's time."""


class Appointment(SQLModel, table=True):
    """A booked slot. Doctor, department and times are copied: what was agreed stays readable for ever.

    The partial unique index ``uq_appointment_slot_active`` allows one appointment a slot that is not
    cancelled. The migration adds ``appointment_patient_no_overlap``: a patient is never at two places at
    once (exclusion constraint on PostgreSQL, triggers on SQLite).
    """

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint("status IN ('booked', 'checked_in', 'completed', 'no_show', 'cancelled')", name="status_known"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        Index(
            "uq_appointment_slot_active",
            "slot_id",
            unique=True,
            postgresql_where=text("status <> 'cancelled'"),
            sqlite_where=text("status <> 'cancelled'"),
        ),
        Index("uq_appointment_patient_key", "patient_id", "idempotency_key", unique=True),
        Index("ix_appointment_patient_time", "patient_id", "starts_at"),
        Index("ix_appointment_doctor_time", "doctor_id", "starts_at"),
        Index("ix_appointment_department_time", "department_id", "starts_at"),
        Index("ix_appointment_time", "starts_at", "id", "status"),
        Index("ix_appointment_created", "created_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(max_length=12, unique=True, description="what people say on the phone: MH-4K7D2Q")
    slot_id: int = Field(foreign_key="slot.id")
    patient_id: int = Field(foreign_key="patient.id")
    doctor_id: int = Field(foreign_key="doctor.id")
    department_id: int = Field(foreign_key="department.id")
    starts_at: datetime = Field(sa_type=UTCDateTime)
    ends_at: datetime = Field(sa_type=UTCDateTime)
    status: str = Field(default=Status.BOOKED.value, max_length=12)
    reason: str = Field(default="", max_length=500)
    idempotency_key: str = Field(max_length=36)
    sequence: int = Field(default=0, description="RFC 5546 SEQUENCE: rises with each change")
    created_at: datetime = Field(sa_type=UTCDateTime)
    cancelled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    cancelled_by: int | None = Field(default=None, foreign_key="user_account.id")
    cancel_reason: str = Field(default="", max_length=200)


class AppointmentMove(SQLModel, table=True):
    """From where an appointment was moved. Where it went says the next row, or the appointment."""

    __tablename__ = "appointment_move"
    __table_args__ = (Index("ix_appointment_move_appointment", "appointment_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    appointment_id: int = Field(foreign_key="appointment.id")
    moved_at: datetime = Field(sa_type=UTCDateTime)
    moved_by: int = Field(foreign_key="user_account.id")
    slot_id: int = Field(foreign_key="slot.id")
    doctor_id: int = Field(foreign_key="doctor.id")
    starts_at: datetime = Field(sa_type=UTCDateTime)
    ends_at: datetime = Field(sa_type=UTCDateTime)


class ReminderMark(SQLModel, table=True):
    """How far one reminder of a department has come: everybody whose turn it was before ``done_until`` is reminded.

    One row for each department and time ahead. Whoever reminds holds its lock, and moves it in the same
    transaction in which the messages are written.
    """

    __tablename__ = "reminder_mark"

    department_id: int = Field(foreign_key="department.id", primary_key=True)
    hours: int = Field(primary_key=True, description="before the appointment")
    done_until: datetime = Field(sa_type=UTCDateTime)


class DaySummary(SQLModel, table=True):
    """A doctor wants to read each morning who comes; every day up to ``done_until`` is seen to. No row, no summary."""

    __tablename__ = "day_summary"
    __table_args__ = (Index("ix_day_summary_done", "done_until"),)

    doctor_id: int = Field(foreign_key="doctor.id", primary_key=True)
    done_until: date


class Leave(SQLModel, table=True):
    """Days on which a doctor is away; what becomes of each appointment in them says its ``LeaveItem``."""

    __tablename__ = "leave"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="last_after_first"),
        Index("ix_leave_doctor_days", "doctor_id", "last_day"),
    )

    id: int | None = Field(default=None, primary_key=True)
    doctor_id: int = Field(foreign_key="doctor.id")
    first_day: date
    last_day: date
    message: str = Field(default="", max_length=200, description="what those read whose appointments are cancelled")
    created_by: int = Field(foreign_key="user_account.id")
    created_at: datetime = Field(sa_type=UTCDateTime)


class LeaveItem(SQLModel, table=True):
    """What was chosen for one appointment of a leave, and once it is done, what became of it."""

    __tablename__ = "leave_item"
    __table_args__ = (
        CheckConstraint("fate IN ('move', 'cancel', 'desk')", name="fate_known"),
        CheckConstraint(
            "(outcome IS NULL) = (done_at IS NULL)"
            " AND (outcome IS NULL OR outcome IN ('moved', 'cancelled', 'desk', 'gone'))",
            name="outcome_known",
        ),
        Index("uq_leave_item_leave_appointment", "leave_id", "appointment_id", unique=True),
        Index("ix_leave_item_open", "id", postgresql_where=_UNDONE, sqlite_where=_UNDONE),
        Index("ix_leave_item_desk", "appointment_id", postgresql_where=_FOR_THE_DESK, sqlite_where=_FOR_THE_DESK),
    )

    id: int | None = Field(default=None, primary_key=True)
    leave_id: int = Field(foreign_key="leave.id")
    appointment_id: int = Field(foreign_key="appointment.id")
    slot_id: int = Field(foreign_key="slot.id", description="where the appointment was when the leave was taken")
    fate: str = Field(max_length=6)
    proposed_id: int | None = Field(default=None, foreign_key="slot.id", description="where it shall go")
    done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    outcome: str | None = Field(default=None, max_length=9, description="gone: it was no longer there to be changed")


class DeskNote(SQLModel, table=True):
    """A person has seen to an appointment that no rule could help, as long as it stays where it is."""

    __tablename__ = "desk_note"

    appointment_id: int = Field(foreign_key="appointment.id", primary_key=True)
    slot_id: int = Field(foreign_key="slot.id", primary_key=True)
    note: str = Field(default="", max_length=200)
    done_by: int = Field(foreign_key="user_account.id")
    done_at: datetime = Field(sa_type=UTCDateTime)


class Waiting(SQLModel, table=True):
    """What a patient waits for: a time with one doctor, or with anybody of the department."""

    __tablename__ = "waiting"
    __table_args__ = (
        CheckConstraint("weekdays BETWEEN 1 AND 127", name="some_weekday"),
        CheckConstraint("part IN ('any', 'morning', 'afternoon')", name="part_known"),
        CheckConstraint(
            "(ended_at IS NULL AND ended_why = '') OR (ended_at IS NOT NULL AND ended_why IN ('left', 'booked'))",
            name="ended_why",
        ),
        *(
            Index(name, *columns, postgresql_where=text("ended_at IS NULL"), sqlite_where=text("ended_at IS NULL"))
            for name, columns in (
                ("ix_waiting_department_open", ("department_id", "created_at", "id")),
                ("ix_waiting_patient_open", ("patient_id", "id")),
            )
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    department_id: int = Field(foreign_key="department.id")
    doctor_id: int | None = Field(default=None, foreign_key="doctor.id", description="None means any of the department")
    weekdays: int = Field(description="one bit a day, Monday is the lowest")
    part: str = Field(max_length=9)
    earliest: date
    created_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    ended_why: str = Field(default="", max_length=6)


class Outcome(StrEnum):
    """What became of an offer."""

    OPEN = "open"
    TAKEN = "taken"
    EXPIRED = "expired"
    DECLINED = "declined"


class WaitingOffer(SQLModel, table=True):
    """A slot that is held for somebody on the waiting list; the link to it holds a token of 256 bits.

    The partial unique indexes let no slot be offered to two, and nobody be offered two.
    """

    __tablename__ = "waiting_offer"
    __table_args__ = (
        CheckConstraint("outcome IN ('open', 'taken', 'expired', 'declined')", name="outcome_known"),
        Index("ix_waiting_offer_slot", "slot_id", "patient_id"),
        *(
            Index(
                name,
                column,
                unique=name.startswith("uq"),
                postgresql_where=text("outcome = 'open'"),
                sqlite_where=text("outcome = 'open'"),
            )
            for name, column in (
                ("ix_waiting_offer_until", "until"),
                ("uq_waiting_offer_patient", "patient_id"),
                ("uq_waiting_offer_slot", "slot_id"),
            )
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    waiting_id: int = Field(foreign_key="waiting.id")
    patient_id: int = Field(foreign_key="patient.id")
    slot_id: int = Field(foreign_key="slot.id")
    token_hash: str = Field(max_length=64, unique=True, description="SHA-256 of the token, hexadecimal")
    offered_at: datetime = Field(sa_type=UTCDateTime)
    until: datetime = Field(sa_type=UTCDateTime)
    outcome: str = Field(default=Outcome.OPEN.value, max_length=8)
