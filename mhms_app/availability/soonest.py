"""Looking for a time: the next ones across a department with any doctor, at hours that suit; and why there are none.

Days are cut out on the clinic's clock before the database is asked: for each doctor and each day that fits, one short
walk along the index over open slots finds the first. However many slots there are, few are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, TypedDict

from sqlalchemy import ARRAY, FromClause, Integer, ScalarSelect, and_, any_, bindparam, func, literal_column, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor
from mhms_app.availability import finding, walks, when_rules, windows
from mhms_app.availability.models import Slot
from mhms_app.availability.rules import DAY
from mhms_app.availability.slots import IS_FREE, STATES
from mhms_app.availability.when_rules import ANY_TIME, Facts, Nothing, When
from mhms_app.availability.windows import Window
from mhms_app.db import Page
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.directory.departments import DepartmentRow
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.service import DoctorCard, DoctorRow, Rows
from mhms_app.settings import settings

_STAGES = (1, 7, 28)  # days that are looked at first: most people find something in them
_SOONEST = 6


class Asked(TypedDict):
    """Among whom somebody looks: words as in ``directory.visible_doctors``, and a department."""

    search: str
    department_id: int | None


@dataclass(frozen=True, slots=True)
class NextTime:
    """The first time of a doctor on a day; instants are aware UTC."""

    slot_id: int
    doctor_id: int
    doctor: str
    department: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to somebody who looks for a doctor.

    Attributes:
        departments: where one can look.
        soonest: the next times with any doctor; empty when words are looked for.
        cards: the doctors who fit.
        nothing: why there is no time, when there is none.
        elsewhere: when no doctor fits, those who can be seen soonest.
    """

    departments: tuple[DepartmentRow, ...]
    soonest: tuple[NextTime, ...]
    cards: Page[DoctorCard]
    nothing: Nothing | None
    elsewhere: tuple[DoctorCard, ...]


def find_doctors(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    department_id: int | None = None,
    when: When = ANY_TIME,
    page: int = 1,
    size: int = 12,
) -> Found:
    """Answer a search: the next times with any doctor, the doctors who fit, and if there is nothing, why.

    Raises:
        Invalid: the day is too far away.
    """
    asked: Asked = {"search": search, "department_id": department_id}
    cards = (
        fitting_doctors(session, actor, **asked, when=when, page=page, size=size)
        if when.is_narrow
        else finding.doctor_cards(session, actor, **asked, day=when.day, page=page, size=size)
    )
    soonest = () if search else next_times(session, actor, department_id=department_id, when=when, limit=_SOONEST)
    is_there = cards.total if search else soonest
    return Found(
        departments.list_departments(session, actor),
        soonest,
        cards,
        None if is_there else why_nothing(session, actor, **asked, when=when),
        () if cards.total else finding.next_available(session, actor, after=db.clock.now(), limit=3),
    )


def next_times(
    session: Session, actor: Actor | None, *, department_id: int | None = None, when: When, limit: int
) -> tuple[NextTime, ...]:
    """The next times that can be booked with any doctor, by time: of each doctor and day the first.

    Args:
        department_id: None means all of them.
    """
    found: list[NextTime] = []
    for stage in _stages(session, department_id, when):
        found += [NextTime(*row) for row in windows.ask(session, _nearest, stage, most=limit - len(found))]
        if len(found) == limit:
            break
    return tuple(found)


def fitting_doctors(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    department_id: int | None = None,
    when: When,
    page: int = 1,
    size: int = 12,
) -> Page[DoctorCard]:
    """Find doctors by name who have a time then, each with the first that can be booked.

    Args:
        search, department_id: as ``directory.visible_doctors``.
    """
    asked = directory.visible_doctors(search=search, department_id=department_id)
    names = session.execute(asked.with_only_columns(col(Doctor.id)).order_by(col(User.name_key), col(Doctor.id)))
    order = list(names.scalars())
    first: dict[int, datetime] = {}
    for stage in _stages(session, department_id, when):
        rest = [key for key in order if key not in first]
        if not rest:
            break
        earliest = windows.ask(session, _earliest, stage, doctors=rest)
        first |= {doctor_id: starts_at for doctor_id, starts_at in earliest if starts_at}
    fitting = [key for key in order if key in first]
    here = fitting[(page - 1) * size : page * size]
    times, is_mine = {first[key] for key in here}, col(Slot.doctor_id) == col(Doctor.id)
    all_cards = directory.visible_doctors().add_columns(col(Slot.id), col(Slot.starts_at)).join(Slot, is_mine)
    wanted = all_cards.where(IS_FREE, col(Doctor.id).in_(here), col(Slot.starts_at).in_(times))
    cards: dict[int, DoctorCard] = {}
    for *doctor, slot_id, starts_at in session.execute(wanted):
        row = DoctorRow(*doctor)
        if first[row.id] == starts_at:
            cards[row.id] = DoctorCard(row, starts_at, slot_id, free_this_week=0)
    return Page(tuple(cards[key] for key in here if key in cards), len(fitting))


def why_nothing(
    session: Session,
    actor: Actor | None,
    *,
    department_id: int | None = None,
    doctor_id: int | None = None,
    search: str = "",
    when: When,
) -> Nothing:
    """Say why nothing can be booked then, as ``when_rules.why_nothing`` decides."""
    bounds = windows.bounds(session, department_id)
    if not bounds:
        return Nothing(when_rules.Why.NOBODY)
    mine = directory.visible_doctors(search=search, department_id=department_id)
    if doctor_id is not None:
        mine = mine.where(col(Doctor.id) == doctor_id)
    now = db.clock.now()
    (found,) = windows.ask(session, lambda dialect: _facts(mine, now, dialect), bounds)
    notice = max(bound.since for bound in bounds) - now
    return when_rules.why_nothing(Facts(*found), when, now=now, notice=notice, zone=settings().zone)


def _stages(session: Session, department_id: int | None, when: When) -> Iterator[list[Window]]:
    """The windows to be looked at, the near ones first; where nothing is published any more they end."""
    bounds = windows.bounds(session, department_id)
    if not bounds:
        return
    zone, today = settings().zone, db.clock.today()
    end = max(bound.until for bound in bounds).astimezone(zone).date()
    begin = today
    for stage in (*_STAGES, None):
        if stage is None:
            end = min(end, _last_open_day(session, department_id))
        last = end if stage is None else min(end, today + stage * DAY)
        found = windows.within(bounds, when_rules.spans(when, begin, last, zone=zone))
        begin = last + DAY
        if found:
            yield found


def _last_open_day(session: Session, department_id: int | None) -> date:
    """The day of the clinic with the last free slot, or today."""
    last = walks.last(walks.free(after=db.clock.now()))
    doctors = directory.visible_doctors(department_id=department_id)
    found = session.scalar(doctors.with_only_columns(func.max(last)))
    return max(found or db.clock.now(), db.clock.now()).astimezone(settings().zone).date()


def _facts(doctors: Rows, now: datetime, dialect: str) -> Rows:
    """The ``Facts`` about these doctors' slots."""
    table = windows.table(dialect)
    return doctors.join(table, table.c.department_id == col(Doctor.department_id)).with_only_columns(
        func.count(),
        func.max(walks.last(walks.starts(col(walks.SLOT.state) != STATES["withdrawn"], after=now))),
        func.min(walks.first(walks.free(after=now))),
        func.min(_first_bookable(table)),
    )


@cache
def _nearest(dialect: str) -> Rows:
    """The first ``most`` times at which any doctor is free, of each doctor and window the first, by time.

    The slots themselves are looked up afterwards: joined within, PostgreSQL may read the whole table for them.
    """
    firsts = _firsts(dialect).add_columns(col(User.full_name).label("doctor"), col(Department.name).label("place"))
    first_come = firsts.order_by(literal_column("starts_at").nulls_last(), col(Doctor.id))
    near = first_come.limit(bindparam("most", type_=Integer())).subquery()
    is_one = and_(col(Slot.doctor_id) == near.c.doctor_id, col(Slot.starts_at) == near.c.starts_at, IS_FREE)
    wanted = select(
        col(Slot.id), col(Slot.doctor_id), near.c.doctor, near.c.place, col(Slot.starts_at), col(Slot.ends_at)
    )
    return wanted.join(near, is_one).order_by(col(Slot.starts_at), col(Slot.doctor_id))


@cache
def _earliest(dialect: str) -> Rows:
    """When each of these ``doctors`` is first free in any of the windows; None who is not."""
    if dialect == "postgresql":  # one parameter, however many they are
        is_wanted = col(Doctor.id) == any_(bindparam("doctors", type_=ARRAY(Integer())))
    else:
        is_wanted = col(Doctor.id).in_(bindparam("doctors", expanding=True))
    firsts = _firsts(dialect).where(is_wanted).subquery()
    return select(firsts.c.doctor_id, func.min(firsts.c.starts_at)).group_by(firsts.c.doctor_id)


def _firsts(dialect: str) -> Rows:
    """When every doctor whom patients can find is first free in each of the windows; None where never."""
    table = windows.table(dialect)
    visible = directory.visible_doctors().join(table, table.c.department_id == col(Doctor.department_id))
    starts_at = _first_bookable(table).label("starts_at")
    return visible.with_only_columns(col(Doctor.id).label("doctor_id"), starts_at)


def _first_bookable(table: FromClause) -> ScalarSelect[Any]:
    """When the statement's doctor is first free in a window, or NULL."""
    free = walks.free(after=table.c.since, before=table.c.until)
    return walks.first(free.correlate(Doctor, table))
