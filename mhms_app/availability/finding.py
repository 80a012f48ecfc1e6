"""Use cases around finding a free slot: a doctor's week, and the doctors who can be seen soonest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor
from mhms_app.availability import rules, walks
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.slots import IS_FREE, STATES, SlotRow, read_slots, select_slots
from mhms_app.db import Page, UTCDateTime
from mhms_app.directory import service as directory
from mhms_app.directory.models import Doctor
from mhms_app.directory.service import DoctorCard, DoctorRow, Rows
from mhms_app.settings import settings

WEEK = timedelta(days=7)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)

# Statements are put together once; their values come with each execution.
_AFTER, _BEFORE = bindparam("after", type_=UTCDateTime()), bindparam("before", type_=UTCDateTime())
_FREE = walks.free(after=_AFTER, before=_BEFORE)
_NEXT_FREE_AT = walks.first(_FREE).label("next_free_at")
_NEXT_FREE_ID = walks.first(_FREE.with_only_columns(col(walks.SLOT.id))).label("next_free_id")
_FREE_BY_DOCTOR = (
    select(col(Slot.doctor_id), func.count())
    .where(col(Slot.doctor_id).in_(bindparam("doctors", expanding=True)), IS_FREE)
    .where(col(Slot.starts_at) > _AFTER, col(Slot.starts_at) < _BEFORE)
    .group_by(col(Slot.doctor_id))
)


@dataclass(frozen=True, slots=True)
class BookableWeek:
    """A doctor's week as offered to somebody who looks for a time.

    Attributes:
        monday: the first day of the week.
        free: its slots that can be booked.
        following: the first free slot after this week, else the first of all, or None.
        asked: the slot that was asked for, free or not; None when this doctor has no such slot.
    kept: of the free ones, those that are held for the person who looks.
    """

    doctor: DoctorRow
    monday: date
    free: tuple[SlotRow, ...]
    following: SlotRow | None
    asked: SlotRow | None
    kept: tuple[SlotRow, ...] = ()


def free_slots(
    session: Session, actor: Actor | None, *, doctor_id: int, first: datetime, last: datetime
) -> tuple[SlotRow, ...]:
    """The slots that can be booked from ``first`` until before ``last``, of a doctor whom patients can find."""
    return read_slots(session, _free_of(doctor_id, first).where(col(Slot.starts_at) < last))


def next_free(session: Session, actor: Actor | None, *, doctor_id: int, after: datetime) -> SlotRow | None:
    """The first slot that can be booked at ``after`` or later, of a doctor whom patients can find."""
    return next(iter(read_slots(session, _free_of(doctor_id, after).limit(1))), None)


def bookable_week(
    session: Session, actor: Actor | None, *, doctor_id: int, week: date | None = None, slot_id: int | None = None
) -> BookableWeek:
    """What a doctor offers in one week, past times left out.

    Args:
        week: any day of it; None means the week of the slot asked for, else that of the first free slot.
        slot_id: a slot that somebody has in mind.

    Raises:
        NotFound: there is no such doctor, or this actor may not see them.
        Invalid: the week is too far away.
    """
    doctor, now, zone = directory.get_doctor(session, actor, doctor_id=doctor_id), db.clock.now(), settings().zone
    asked = next(
        iter(read_slots(session, select_slots(col(Slot.id) == slot_id, col(Slot.doctor_id) == doctor.id))), None
    )
    soonest = next_free(session, actor, doctor_id=doctor.id, after=now)
    if week is None:
        shown = asked or soonest
        week = (shown.starts_at if shown else now).astimezone(zone).date()
    monday = rules.week_of(week)
    first, last = rules.span(monday, 7, zone=zone)
    free = free_slots(session, actor, doctor_id=doctor.id, first=first, last=last)
    if kept := _kept(session, actor, doctor_id=doctor.id):
        asked = next((slot for slot in kept if asked and slot.id == asked.id), asked)
        kept = tuple(slot for slot in kept if first <= slot.starts_at < last)
        free = tuple(sorted((*free, *kept), key=lambda slot: slot.starts_at))
    following = next_free(session, actor, doctor_id=doctor.id, after=last) or soonest
    return BookableWeek(doctor, monday, free, following, asked, kept)


def next_available(
    session: Session, actor: Actor | None, *, department_id: int | None = None, after: datetime, limit: int
) -> tuple[DoctorCard, ...]:
    """The doctors who can be seen soonest at ``after`` or later; those without a free slot are left out."""
    found = directory.visible_doctors(department_id=department_id).where(_FREE.exists())
    return _cards(session, found.order_by(_NEXT_FREE_AT, col(Doctor.id)).limit(limit), after)


def doctor_cards(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    department_id: int | None = None,
    day: date | None = None,
    page: int = 1,
    size: int = 12,
) -> Page[DoctorCard]:
    """Find doctors by name, each with the next free slot.

    Args:
        search, department_id: as ``directory.search_doctors``.
        day: only doctors with a free slot on this day of the clinic, the first of which is shown.

    Raises:
        Invalid: the day is too far away.
    """
    first, last = rules.span(day, 1, zone=settings().zone) if day else (db.clock.now(), _FOR_EVER)
    found = directory.visible_doctors(search=search, department_id=department_id)
    if day:
        found = found.where(_FREE.exists())
    ordered = found.order_by(col(User.name_key), col(Doctor.id)).offset((page - 1) * size).limit(size)
    total = db.count(session, found, {"after": _later(first), "before": last} if day else None)
    return Page(_cards(session, ordered, first, last), total)


def _kept(session: Session, actor: Actor | None, *, doctor_id: int) -> tuple[SlotRow, ...]:
    """The slots that are held for the acting patient, which to them are as good as open."""
    if actor is None or actor.patient_id is None:
        return ()
    mine = select_slots(
        col(Slot.state) == STATES[SlotState.HELD],
        col(Slot.held_by) == actor.patient_id,
        col(Slot.doctor_id) == doctor_id,
        col(Slot.starts_at) > db.clock.now(),
    )
    return tuple(replace(slot, state=SlotState.OPEN.value) for slot in read_slots(session, mine))


def _later(than: datetime) -> datetime:
    """What a slot must start after to be bookable at ``than`` or later: one that starts now is no longer."""
    return max(db.clock.now(), than - timedelta.resolution)


def _free_of(doctor_id: int, first: datetime) -> Rows:
    """The free slots of a doctor whom patients can find."""
    visible = directory.visible_doctors().where(col(Doctor.id) == doctor_id)
    return select_slots(
        visible.exists(),
        col(Slot.doctor_id) == doctor_id,
        IS_FREE,
        col(Slot.starts_at) > _later(first),
    )


def _cards(session: Session, doctors: Rows, first: datetime, last: datetime = _FOR_EVER) -> tuple[DoctorCard, ...]:
    """These doctors, each with the first free slot from ``first`` until before ``last``."""
    after = _later(first)
    found = session.execute(doctors.add_columns(_NEXT_FREE_ID, _NEXT_FREE_AT), {"after": after, "before": last})
    rows = [(DoctorRow(*doctor), slot_id, next_free_at) for *doctor, slot_id, next_free_at in found]
    week = {"after": after, "before": max(first, db.clock.now()) + WEEK}
    counted = session.execute(_FREE_BY_DOCTOR, {"doctors": [doctor.id for doctor, _, _ in rows], **week})
    counts: dict[int, int] = dict(counted.all())
    return tuple(
        DoctorCard(doctor, next_free_at, slot_id, counts.get(doctor.id, 0)) for doctor, slot_id, next_free_at in rows
    )
