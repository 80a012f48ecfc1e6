"""Looking for a time: the next ones across a department with any doctor, at hours that suit; and why there are none.

Days are cut out on the clinic's clock before the database is asked: for each doctor and each day that fits, one short
walk along the index over open slots finds the first. However many slots there are, few are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypedDict

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    String,
    and_,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    not_,
    select,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor
from mhms_app.availability import finding, when_rules
from mhms_app.availability.models import Slot
from mhms_app.availability.rules import DAY, MINUTE, Times
from mhms_app.availability.slots import IS_FREE, OPEN, STATES
from mhms_app.availability.when_rules import ANY_TIME, Facts, Nothing, When
from mhms_app.db import Page, UTCDateTime
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.directory.departments import DepartmentRow
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.service import DoctorCard, DoctorRow, Rows
from mhms_app.settings import settings

_STAGES = (1, 7, 28)  # days that are looked at first: most people find something in them
_SOONEST = 6
_KINDS: dict[str, Any] = {"department_id": Integer(), "since": UTCDateTime(), "until": UTCDateTime()}
_AS_STORED = "%Y-%m-%d %H:%M:%S.%f"  # an instant in UTC, in SQLite
_near = aliased(Slot)
_IS_FREE = and_(col(_near.state) == OPEN, not_(col(_near.busy)))


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
class _Window:
    """What is looked at in a department: from an instant until before another."""

    department_id: int
    since: datetime
    until: datetime


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
    dialect = session.get_bind().dialect.name
    for windows in _stages(session, department_id, when):
        values = _values(dialect, windows) | {"most": limit - len(found)}
        found += [NextTime(*row) for row in session.execute(_nearest(dialect), values)]
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
    dialect = session.get_bind().dialect.name
    for windows in _stages(session, department_id, when):
        rest = [key for key in order if key not in first]
        if not rest:
            break
        earliest = session.execute(_earliest(dialect), _values(dialect, windows) | {"doctors": rest})
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
    bounds = _bounds(session, department_id)
    if not bounds:
        return Nothing(when_rules.Why.NOBODY)
    mine = directory.visible_doctors(search=search, department_id=department_id)
    if doctor_id is not None:
        mine = mine.where(col(Doctor.id) == doctor_id)
    now, dialect = db.clock.now(), session.get_bind().dialect.name
    table = _windows_of(dialect)
    to_come = col(_near.starts_at) > now
    bookable = _slots_of_doctor(_IS_FREE, col(_near.starts_at) > table.c.since, col(_near.starts_at) < table.c.until)
    found = session.execute(
        mine.join(table, table.c.department_id == col(Doctor.department_id)).with_only_columns(
            func.count(),
            func.max(_last(_slots_of_doctor(to_come, col(_near.state) != STATES["withdrawn"]))),
            func.min(_first(_slots_of_doctor(to_come, _IS_FREE))),
            func.min(_first(bookable.correlate(Doctor, table))),
        ),
        _values(dialect, bounds),
    ).one()
    facts, notice = Facts(*found), max(bound.since for bound in bounds) - now
    return when_rules.why_nothing(facts, when, now=now, notice=notice, zone=settings().zone)


def _bounds(session: Session, department_id: int | None) -> list[_Window]:
    """Between which instants each open department takes bookings now."""
    now = db.clock.now()
    wanted = select(col(Department.id), col(Department.notice_minutes), col(Department.ahead_days))
    wanted = wanted.where(col(Department.active))
    if department_id is not None:
        wanted = wanted.where(col(Department.id) == department_id)
    return [
        _Window(key or 0, now + notice * MINUTE, now + ahead * DAY + timedelta.resolution)
        for key, notice, ahead in session.execute(wanted)
    ]


def _stages(session: Session, department_id: int | None, when: When) -> Iterator[list[_Window]]:
    """The windows to be looked at, the near ones first; where nothing is published any more they end."""
    bounds = _bounds(session, department_id)
    if not bounds:
        return
    zone, today = settings().zone, db.clock.today()
    end = max(bound.until for bound in bounds).astimezone(zone).date()
    begin = today
    for stage in (*_STAGES, None):
        if stage is None:
            end = min(end, _last_open_day(session, department_id))
        last = end if stage is None else min(end, today + stage * DAY)
        windows = _windows(bounds, when_rules.spans(when, begin, last, zone=zone))
        begin = last + DAY
        if windows:
            yield windows


def _windows(bounds: Iterable[_Window], spans: Iterable[Times]) -> list[_Window]:
    """These spans in each department, as far as it takes bookings then."""
    return [
        _Window(bound.department_id, max(begin - timedelta.resolution, bound.since), min(over, bound.until))
        for bound in bounds
        for begin, over in spans
        if begin < bound.until and over > bound.since
    ]


def _last_open_day(session: Session, department_id: int | None) -> date:
    """The day of the clinic with the last free slot, or today."""
    last = _last(_slots_of_doctor(_IS_FREE, col(_near.starts_at) > db.clock.now()))
    doctors = directory.visible_doctors(department_id=department_id)
    found = session.scalar(doctors.with_only_columns(func.max(last)))
    return max(found or db.clock.now(), db.clock.now()).astimezone(settings().zone).date()


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
    table = _windows_of(dialect)
    free = _slots_of_doctor(_IS_FREE, col(_near.starts_at) > table.c.since, col(_near.starts_at) < table.c.until)
    visible = directory.visible_doctors().join(table, table.c.department_id == col(Doctor.department_id))
    starts_at = _first(free.correlate(Doctor, table)).label("starts_at")
    return visible.with_only_columns(col(Doctor.id).label("doctor_id"), starts_at)


def _slots_of_doctor(*conditions: ColumnElement[bool]) -> Select[Any]:
    mine: Select[Any] = select(col(_near.starts_at)).where(col(_near.doctor_id) == col(Doctor.id), *conditions)
    return mine.correlate(Doctor)


def _first(slots: Select[Any]) -> ScalarSelect[Any]:
    return slots.order_by(col(_near.starts_at)).limit(1).scalar_subquery()


def _last(slots: Select[Any]) -> ScalarSelect[Any]:
    return slots.order_by(col(_near.starts_at).desc()).limit(1).scalar_subquery()


@cache
def _windows_of(dialect: str) -> FromClause:
    """The windows as rows that a statement can be joined with; ``_values`` holds what they are.

    They are parameters, so that it is compiled once for any windows; SQLAlchemy's own VALUES is compiled every time.
    """
    if dialect == "postgresql":
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in _KINDS.items()]
        table = func.unnest(*arrays).table_valued(*(column(name, kind) for name, kind in _KINDS.items()))
        return table.render_derived(name="windows")
    row = func.json_each(bindparam("windows", type_=String())).table_valued("value")
    parts = [func.json_extract(row.c.value, f"$[{number}]", type_=kind) for number, kind in enumerate(_KINDS.values())]
    return select(*(part.label(name) for part, name in zip(parts, _KINDS, strict=True))).subquery("windows")


def _values(dialect: str, windows: Iterable[_Window]) -> dict[str, Any]:
    """The parameters of ``_windows_of``."""
    rows = [(window.department_id, window.since, window.until) for window in windows]
    if dialect == "postgresql":
        return {name: list(values) for name, values in zip(_KINDS, zip(*rows, strict=True), strict=True)}
    spans = [(key, *(format(at.astimezone(UTC), _AS_STORED) for at in instants)) for key, *instants in rows]
    return {"windows": json.dumps(spans)}
