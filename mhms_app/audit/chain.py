"""The chain of seals: nothing that was recorded can be changed, left out or put elsewhere without showing.

Entries are appended by whatever transaction acts, and sealed a moment later in an order of their own. So nobody waits
for anybody else's transaction, and an entry that is committed late is sealed late, but sealed (``docs/adr/0019``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.audit import rules
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry, AuditSeal
from mhms_app.audit.rules import START, Head

BATCH = 1000
SOON = timedelta(minutes=10)
"""Within which every entry is sealed while the application runs."""

TRIM = "audit.trim"
_LATE = 10_000  # entries that may be committed between an entry's number being given and its commit
_SEAL: tuple[Any, ...] = (
    AuditSeal.position,
    AuditSeal.entry_id,
    AuditSeal.previous_hash,
    col(AuditSeal.at).label("sealed_at"),
    col(AuditSeal.hash).label("made"),
    AuditSeal.covers,
)
_ENTRY: tuple[Any, ...] = (
    AuditEntry.id,
    AuditEntry.at,
    AuditEntry.actor_id,
    AuditEntry.action,
    AuditEntry.object_type,
    AuditEntry.object_id,
    AuditEntry.detail,
    AuditEntry.address,
    AuditEntry.session_id,
    AuditEntry.acted_by,
    AuditEntry.event_id,  # the last: seals of the first form end before it
)
_COVERS_EVENT = 2


@dataclass(frozen=True, slots=True)
class Verified:
    """What walking the chain came to.

    Attributes:
        head: how far it is whole.
        problem: the first thing that is wrong, in a sentence, or ``""``.
        unsealed: how many entries wait for their seal.
    """

    head: Head
    problem: str
    unsealed: int


def head(session: Session) -> Head:
    """Where the chain ends now."""
    last = session.execute(
        select(col(AuditSeal.position), col(AuditSeal.hash)).order_by(col(AuditSeal.position).desc()).limit(1)
    ).first()
    return Head(*last) if last else START


def waits_since(session: Session) -> datetime | None:
    """When the first entry was made that has no seal yet; None when all have."""
    first = session.execute(_unsealed(session, thorough=False).limit(1)).first()
    return first.at if first else None


def seal_all(*, thorough: bool = False) -> int:
    """Seal what waits for it, in transactions of its own; says how many entries that were.

    Args:
        thorough: look through all entries, also for those that were committed very late.
    """
    sealed = 0
    while True:
        with db.transaction(read_only=True) as session:
            if not session.execute(_unsealed(session, thorough=thorough).limit(1)).first():
                return sealed
        with db.transaction() as session:
            more = seal_next(session, thorough=thorough)
        sealed += more
        if more < BATCH:
            return sealed


def seal_next(session: Session, *, thorough: bool = False) -> int:
    """Seal the next entries, at most ``BATCH``; none while another worker is at it."""
    if not db.alone(session, "audit_seal"):
        return 0
    last, now, seals = head(session), db.clock.now(), []
    for entry in session.execute(_unsealed(session, thorough=thorough).limit(BATCH)):
        position = last.position + 1
        made = rules.seal(last.hash, position, now, tuple(entry))
        place = {"position": position, "entry_id": entry.id, "at": now, "covers": _COVERS_EVENT}
        seals.append({**place, "previous_hash": last.hash, "hash": made})
        last = Head(position, made)
    if seals:
        session.execute(insert(AuditSeal), seals)
    return len(seals)


def _unsealed(session: Session, *, thorough: bool) -> Select[Any]:
    """The entries without a seal, by number; unless thorough, only where new ones are to be expected."""
    newest = session.scalar(select(func.max(AuditSeal.entry_id))) or 0
    return (
        select(*_ENTRY)
        .outerjoin(AuditSeal, col(AuditSeal.entry_id) == col(AuditEntry.id))
        .where(col(AuditSeal.position).is_(None), col(AuditEntry.id) > (0 if thorough else newest - _LATE))
        .order_by(col(AuditEntry.id))
    )


def verify(session: Session, *, expected: Head | None = None) -> Verified:
    """Walk the whole chain and compare every entry with its seal.

    Args:
        expected: a head that was written down elsewhere; only so is it seen that the end was cut off, or that
            somebody has made the whole chain anew.
    """
    last = _beginning(session)
    problem = "" if expected is None or expected.position > last.position else _compare(last, expected)
    while not problem and (rows := _following(session, last)):
        for row in rows:
            if problem := _wrong_with(row, last):
                break
            last = Head(row.position, row.made)
            if expected is not None and expected.position == last.position and (problem := _compare(last, expected)):
                break
    if not problem and expected is not None and expected.position > last.position:
        problem = f"The chain ends at position {last.position}, before the expected {expected.position}."
    waiting = session.execute(_unsealed(session, thorough=True)).all()
    if not problem:
        forgotten = [entry.id for entry in waiting if entry.at < db.clock.now() - SOON]
        problem = f"Entry {forgotten[0]} has no seal and is not new." if forgotten else ""
    return Verified(last, problem, len(waiting))


def _beginning(session: Session) -> Head:
    """What the first seal follows: nothing, or what was removed last because of its age."""
    trimmed = session.scalar(
        select(col(AuditEntry.detail))
        .where(col(AuditEntry.action) == TRIM)
        .order_by(col(AuditEntry.id).desc())
        .limit(1)
    )
    return rules.head_in(trimmed or "") or START


def _following(session: Session, last: Head) -> Sequence[Row[Any]]:
    """The next seals, each with its entry at the end of the row, or with nulls instead of it."""
    return session.execute(
        select(*_SEAL, *_ENTRY)
        .outerjoin(AuditEntry, col(AuditEntry.id) == col(AuditSeal.entry_id))
        .where(col(AuditSeal.position) > last.position)
        .order_by(col(AuditSeal.position))
        .limit(BATCH)
    ).all()


def _wrong_with(row: Row[Any], last: Head) -> str:
    """What is wrong with a seal and its entry, where the chain was whole up to ``last``; ``""`` when nothing is."""
    entry = tuple(row)[len(_SEAL) :]
    if row.position != last.position + 1:
        return f"Position {last.position + 1} is missing."
    if row.previous_hash != last.hash:
        return f"Position {row.position} does not follow the one before it."
    if row.id is None:
        return f"Entry {row.entry_id} is missing (position {row.position})."
    covered = entry if row.covers == _COVERS_EVENT else entry[:-1]
    if rules.seal(last.hash, row.position, row.sealed_at, covered) != row.made:
        return f"Entry {row.entry_id} is not what was sealed (position {row.position})."
    return ""


def _compare(found: Head, expected: Head) -> str:
    if found.position != expected.position:
        return f"Position {expected.position} is no longer kept: compare with a later one."
    return "" if found.hash == expected.hash else f"Position {found.position} is not what was expected there."


def trim(session: Session, *, before: datetime, most: int = 5 * BATCH) -> int:
    """Remove entries from the front of the chain that were made and sealed before an instant; says how many.

    Where the chain begins then is an entry itself. The last seal always stays.
    """
    if not db.alone(session, "audit_seal"):
        return 0
    first = session.execute(
        select(
            col(AuditSeal.position), col(AuditSeal.hash), col(AuditSeal.entry_id), col(AuditSeal.at), col(AuditEntry.at)
        )
        .join(AuditEntry, col(AuditEntry.id) == col(AuditSeal.entry_id))
        .where(col(AuditSeal.position) < head(session).position)
        .order_by(col(AuditSeal.position))
        .limit(most)
    )
    old = []
    for row in first:
        if max(row[3], row[4]) >= before:
            break
        old.append(row)
    if not old:
        return 0
    begins = Head(old[-1].position, old[-1].hash)
    session.execute(delete(AuditSeal).where(col(AuditSeal.position) <= begins.position))
    session.execute(delete(AuditEntry).where(col(AuditEntry.id).in_([row.entry_id for row in old])))
    audit.record(session, actor_id=None, action=TRIM, object_type="audit", detail=f"{len(old)} up to {begins}")
    return len(old)
