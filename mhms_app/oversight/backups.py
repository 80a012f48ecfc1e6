"""When the database was last written to a file by ``cli backup``, which the trail knows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry

_MAKE = "backup.make"


def note(session: Session, *, rows: int, size: int, revision: str) -> None:
    """Write down that a backup was made: how many rows, in how many bytes, of which revision of the tables."""
    detail = f"{rows} rows, {size} bytes, revision {revision}"
    audit.record(session, actor_id=None, action=_MAKE, object_type="backup", detail=detail)


def last(session: Session) -> datetime | None:
    """When the last one was made; None is never."""
    return session.scalar(select(func.max(col(AuditEntry.at))).where(col(AuditEntry.action) == _MAKE))
