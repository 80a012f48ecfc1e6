"""Looking up a slot for each doctor of a statement: one short walk along the index over open slots.

However many slots there are, few are read. Joined with its first free slot, a doctor costs more: PostgreSQL may rather
read the whole table.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, not_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from mhms_app.availability.models import Slot
from mhms_app.availability.slots import OPEN
from mhms_app.directory.models import Doctor

SLOT = aliased(Slot)
"""The slot that is walked over: beside ``Slot``, which the statement may be about itself."""
_IS_FREE = and_(col(SLOT.state) == OPEN, not_(col(SLOT.busy)))
_starts_at = col(SLOT.starts_at)


def starts(*conditions: ColumnElement[bool], after: Any, before: Any = None) -> Select[Any]:
    """When slots of the statement's doctor begin, between two instants of any kind that a statement knows."""
    mine = select(_starts_at).where(col(SLOT.doctor_id) == col(Doctor.id), *conditions, _starts_at > after)
    return (mine if before is None else mine.where(_starts_at < before)).correlate(Doctor)


def free(*, after: Any, before: Any = None) -> Select[Any]:
    """When the statement's doctor can be booked, as ``starts``."""
    return starts(_IS_FREE, after=after, before=before)


def first(slots: Select[Any]) -> ScalarSelect[Any]:
    """The first of them, or NULL."""
    return slots.order_by(_starts_at).limit(1).scalar_subquery()


def last(slots: Select[Any]) -> ScalarSelect[Any]:
    """The last of them, or NULL."""
    return slots.order_by(_starts_at.desc()).limit(1).scalar_subquery()
