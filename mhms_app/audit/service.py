"""Writing the audit trail: what was done, in the transaction that does it, and what was looked at, a moment later."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from mhms_app import trace
from mhms_app.audit.models import AuditEntry
from mhms_app.db import clock

_ORIGIN, _NOTED = "origin", "noted"


@dataclass(frozen=True, slots=True)
class Origin:
    """From where something is done.

    Attributes:
        address: the client's network address; ``""`` is the system's own doing.
        session_id: the login session, or None.
        acted_by: the administrator who acts as the person whose session it looks like, or None.
    """

    address: str = ""
    session_id: int | None = None
    acted_by: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody has looked at personal data.

    Attributes:
        detail: what was asked for, such as the kinds of the filters; never names. What else is the same within some
            minutes is the same reading.
        rows: how many there were to see, or None where it is one thing.
    """

    actor_id: int
    action: str
    object_type: str
    object_id: int | None
    detail: str
    rows: int | None
    origin: Origin


def come_from(session: Session, origin: Origin) -> None:
    """Say from where everything is done that is recorded in this transaction from now on."""
    session.info[_ORIGIN] = origin


def origin_of(session: Session) -> Origin:
    """From where everything is done in this transaction, as ``come_from`` said."""
    origin: Origin = session.info.get(_ORIGIN, Origin())
    return origin


def note(
    session: Session,
    *,
    actor_id: int,
    action: str,
    object_type: str = "",
    object_id: int | None = None,
    detail: str = "",
    rows: int | None = None,
) -> None:
    """Note that somebody looks at personal data; whoever ends this transaction hands it to ``readings.keep``."""
    origin = origin_of(session)
    session.info.setdefault(_NOTED, []).append(Reading(actor_id, action, object_type, object_id, detail, rows, origin))


def noted(session: Session) -> list[Reading]:
    """What was noted in this session, once."""
    return list(session.info.pop(_NOTED, ()))


def record(
    session: Session,
    *,
    actor_id: int | None,
    action: str,
    object_type: str = "",
    object_id: int | None = None,
    detail: str = "",
    session_id: int | None = None,
) -> None:
    """Append one fact to the trail, in the caller's transaction; from where it comes was said by ``come_from``.

    It belongs to the event that is under way (``trace.current``).

    Args:
        actor_id: the user who acted, or None for the system or somebody who is not logged in.
        action: what happened, ``object.verb``, such as ``appointment.book``.
        detail: what changed, without personal data.
        session_id: the login session that it is about, where that is not the one in which it is done.
    """
    origin = origin_of(session)
    session.add(
        AuditEntry(
            at=clock.now(),
            actor_id=actor_id,
            action=action,
            object_type=object_type,
            object_id=object_id,
            detail=detail[:300],
            address=origin.address[:45],
            session_id=session_id or origin.session_id,
            acted_by=origin.acted_by,
            event_id=trace.current(),
        )
    )
