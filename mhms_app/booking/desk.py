"""How much waits for a person at the desk."""

from __future__ import annotations

from sqlmodel import Session

from mhms_app.actor import Actor, Role, require_role
from mhms_app.booking import unserved, worklist


def to_call(session: Session, actor: Actor | None) -> int:
    """How many patients somebody has to call, for an appointment or because they wait in vain; for administrators."""
    require_role(actor, Role.ADMIN)
    return worklist.count(session) + unserved.count(session)
