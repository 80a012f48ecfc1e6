"""How often browsers were kept from doing what the content policy forbids, by directive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from mhms_app.audit.models import PolicyViolation
from mhms_app.db import clock

_Insert = postgresql.Insert | sqlite.Insert
_INSERT: dict[str, Callable[[type[PolicyViolation]], _Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """How often a directive was broken, and when last (aware UTC)."""

    directive: str
    times: int
    last_at: datetime

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.directive} {self.times} times, the last at {self.last_at:%Y-%m-%d %H:%M} UTC"


def count(session: Session, found: Mapping[str, int]) -> None:
    """Add to the counts; the caller names known directives only, so there are never many rows.

    Args:
        found: how often each directive was broken.
    """
    insert, now = _INSERT[session.get_bind().dialect.name], clock.now()
    for directive, times in sorted(found.items()):  # in one order, so that no two wait for each other
        row = insert(PolicyViolation).values(directive=directive, times=times, last_at=now)
        more = {"times": col(PolicyViolation.times) + times, "last_at": now}
        session.execute(row.on_conflict_do_update(index_elements=["directive"], set_=more))


def counts(session: Session) -> tuple[Seen, ...]:
    """Every directive that was ever broken, the most frequent first."""
    rows = session.exec(select(PolicyViolation).order_by(col(PolicyViolation.times).desc(), PolicyViolation.directive))
    return tuple(Seen(row.directive, row.times, row.last_at) for row in rows)
