"""Spans of time in which departments take bookings, and how a statement is joined with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, FromClause, Integer, String, bindparam, column, func, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.availability.rules import DAY, MINUTE, Times
from mhms_app.db import UTCDateTime
from mhms_app.directory.models import Department
from mhms_app.directory.service import Rows

_KINDS: dict[str, Any] = {"department_id": Integer(), "since": UTCDateTime(), "until": UTCDateTime()}
_AS_STORED = "%Y-%m-%d %H:%M:%S.%f"  # an instant in UTC, in SQLite


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at in a department: what starts after an instant and before another."""

    department_id: int
    since: datetime
    until: datetime


def bounds(session: Session, department_id: int | None) -> list[Window]:
    """Between which instants each open department takes bookings now; None means all of them."""
    now = db.clock.now()
    wanted = select(col(Department.id), col(Department.notice_minutes), col(Department.ahead_days))
    wanted = wanted.where(col(Department.active))
    if department_id is not None:
        wanted = wanted.where(col(Department.id) == department_id)
    return [
        Window(key or 0, now + notice * MINUTE, now + ahead * DAY + timedelta.resolution)
        for key, notice, ahead in session.execute(wanted)
    ]


def within(bounds: Iterable[Window], spans: Iterable[Times]) -> list[Window]:
    """These spans in each department, as far as it takes bookings then."""
    return [
        Window(bound.department_id, max(begin - timedelta.resolution, bound.since), min(over, bound.until))
        for bound in bounds
        for begin, over in spans
        if begin < bound.until and over > bound.since
    ]


@cache
def table(dialect: str) -> FromClause:
    """The windows as rows that a statement can be joined with; ``ask`` says what they are.

    They are parameters, so that it is compiled once for any windows; SQLAlchemy's own VALUES is compiled every time.
    """
    if dialect == "postgresql":
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in _KINDS.items()]
        rows = func.unnest(*arrays).table_valued(*(column(name, kind) for name, kind in _KINDS.items()))
        return rows.render_derived(name="windows")
    row = func.json_each(bindparam("windows", type_=String())).table_valued("value")
    parts = [func.json_extract(row.c.value, f"$[{number}]", type_=kind) for number, kind in enumerate(_KINDS.values())]
    return select(*(part.label(name) for part, name in zip(parts, _KINDS, strict=True))).subquery("windows")


def ask(session: Session, statement: Callable[[str], Rows], windows: Iterable[Window], **values: Any) -> Sequence[Any]:
    """The rows that a statement over ``table`` finds for these windows, with further values."""
    dialect = session.get_bind().dialect.name
    return session.execute(statement(dialect), _values(dialect, windows) | values).all()


def _values(dialect: str, windows: Iterable[Window]) -> dict[str, Any]:
    """The parameters of ``table``."""
    rows = [(window.department_id, window.since, window.until) for window in windows]
    if dialect == "postgresql":
        return {name: list(values) for name, values in zip(_KINDS, zip(*rows, strict=True), strict=True)}
    spans = [(key, *(format(at.astimezone(UTC), _AS_STORED) for at in instants)) for key, *instants in rows]
    return {"windows": json.dumps(spans)}
