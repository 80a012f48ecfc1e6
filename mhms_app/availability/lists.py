"""Lists of slots, for doctors and administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.availability import rules
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.slots import IS_FREE, IS_SHOWN_AS, SHOWN_STATE, SlotRow, read_slots, select_slots
from mhms_app.db import Page
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import Invalid
from mhms_app.settings import settings


@dataclass(frozen=True, slots=True)
class AdminSlotRow:
    """One line of the administrator's list of slots."""

    id: int
    doctor_id: int
    doctor: str
    department: str
    starts_at: datetime
    ends_at: datetime
    state: str


def week_of_doctor(
    session: Session, actor: Actor | None, *, doctor_id: int | None = None, monday: date
) -> tuple[SlotRow, ...]:
    """The slots of the week that holds ``monday``, past ones too, for the doctor or an administrator."""
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    first, last = rules.span(rules.week_of(monday), 7, zone=settings().zone)
    return read_slots(
        session,
        select_slots(
            col(Slot.doctor_id) == doctor.id,
            col(Slot.starts_at) >= first,
            col(Slot.starts_at) < last,
            col(Slot.state) != SlotState.WITHDRAWN.value,
        ),
    )


def past_unbooked(
    session: Session, actor: Actor | None, *, doctor_id: int | None = None, page: int = 1, size: int = 25
) -> Page[SlotRow]:
    """The slots whose time came without a patient, the latest first, for the doctor or an administrator."""
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    wanted = select_slots(col(Slot.doctor_id) == doctor.id, IS_FREE, col(Slot.starts_at) <= db.clock.now())
    latest_first = wanted.order_by(None).order_by(col(Slot.starts_at).desc())
    rows = read_slots(session, latest_first.offset((page - 1) * size).limit(size))
    return Page(rows, db.count(session, wanted))


def list_slots(
    session: Session,
    actor: Actor | None,
    *,
    doctor_id: int | None = None,
    department_id: int | None = None,
    state: str | None = None,
    first: datetime | None = None,
    last: datetime | None = None,
    page: int = 1,
    size: int = 25,
) -> Page[AdminSlotRow]:
    """List slots by time for an administrator; None filters nothing.

    Raises:
        Invalid: there is no such state.
    """
    require_role(actor, Role.ADMIN)
    conditions: list[ColumnElement[bool]] = []
    if doctor_id is not None:
        conditions.append(col(Slot.doctor_id) == doctor_id)
    if department_id is not None:
        within = select(col(Doctor.id)).where(col(Doctor.department_id) == department_id)
        conditions.append(col(Slot.doctor_id).in_(within))
    if state is not None:
        if state not in IS_SHOWN_AS:
            raise Invalid("Please choose a state from the list.", field="state")
        conditions.append(IS_SHOWN_AS[state])
    if first is not None:
        conditions.append(col(Slot.starts_at) >= first)
    if last is not None:
        conditions.append(col(Slot.starts_at) < last)
    columns = (Slot.id, Slot.doctor_id, User.full_name, Department.name, Slot.starts_at, Slot.ends_at)
    rows = session.execute(
        select(*(col(column) for column in columns), SHOWN_STATE)
        .select_from(Slot)
        .join(Doctor, col(Doctor.id) == col(Slot.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(*conditions)
        .order_by(col(Slot.starts_at), col(Slot.id))
        .offset((page - 1) * size)
        .limit(size)
    )
    total = db.count(session, select(col(Slot.id)).select_from(Slot).where(*conditions))
    return Page(tuple(AdminSlotRow(*row) for row in rows), total)
