"""Writing the audit trail."""

from __future__ import annotations

from sqlmodel import Session

from mhms_app.audit.models import AuditEntry
from mhms_app.db import clock


def record(
    session: Session,
    *,
    actor_id: int | None,
    action: str,
    object_type: str = "",
    object_id: int | None = None,
    detail: str = "",
) -> None:
    """Append one fact to the trail, in the caller's transaction.

    Args:
        actor_id: the user who acted, or None for the system or somebody who is not logged in.
        action: what happened, ``object.verb``, such as ``appointment.book``.
        detail: what changed, without personal data.
    """
    session.add(
        AuditEntry(
            at=clock.now(),
            actor_id=actor_id,
            action=action,
            object_type=object_type,
            object_id=object_id,
            detail=detail[:300],
        )
    )
