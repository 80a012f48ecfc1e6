"""What verifying the chain came to, itself in the trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from mhms_app.actor import Actor
from mhms_app.audit import service as audit
from mhms_app.audit.chain import Verified
from mhms_app.audit.models import AuditEntry

_VERIFY = "audit.verify"
_WHOLE = "whole up to "


@dataclass(frozen=True, slots=True)
class Check:
    """The chain was verified at an instant.

    Attributes:
        problem: the first thing that was wrong, or ``""``.
        position: up to where it was whole.
    """

    at: datetime
    problem: str
    position: int


def note(session: Session, actor: Actor | None, *, found: Verified) -> None:
    """Write down what verifying came to; the caller has authorised it."""
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=_VERIFY,
        object_type="audit",
        object_id=found.head.position,
        detail=found.problem or f"{_WHOLE}{found.head}",
    )


def last_check(session: Session) -> Check | None:
    """The last time that anybody verified the chain."""
    last = session.execute(
        select(col(AuditEntry.at), col(AuditEntry.detail), col(AuditEntry.object_id))
        .where(col(AuditEntry.action) == _VERIFY)
        .order_by(col(AuditEntry.at).desc(), col(AuditEntry.id).desc())
        .limit(1)
    ).first()
    if last is None:
        return None
    return Check(last.at, "" if last.detail.startswith(_WHOLE) else last.detail, last.object_id or 0)
