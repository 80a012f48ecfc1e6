"""How long things are kept: what is older than the settings say is removed or blanked, a batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import AccountLink, Acting, FactorSetup, KnownDevice, LoginSession, LoginStep
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.calendars.models import GoogleConsent
from mhms_app.notifications.models import Delivery, OutboxMessage
from mhms_app.settings import settings

BATCH = 1000
UNSEEN = timedelta(days=366)  # a browser forgets its device's cookie after a year

log = logging.getLogger(__name__)


def tidy() -> dict[str, int]:
    """Remove what is no longer kept, and write down how much that was, by its kind.

    Every batch is a transaction of its own; one worker does it at a time.
    """
    now, keep = db.clock.now(), settings()
    sessions_until = now - timedelta(days=keep.keep_sessions_days)
    done = {
        "sessions": _in_batches(_sessions, sessions_until),
        "links": _in_batches(_links, sessions_until),
        "steps": _in_batches(_steps, sessions_until),
        "devices": _in_batches(_devices, sessions_until),
        "messages": _in_batches(_messages, now - timedelta(days=keep.keep_messages_days)),
        "entries": _in_batches(_entries, now - timedelta(days=keep.keep_audit_days)),
    }
    report = ", ".join(f"{number} {kind}" for kind, number in done.items() if number)
    if report:
        log.info("no longer kept: %s", report)
        with db.transaction() as session:
            audit.record(session, actor_id=None, action="retention.tidy", detail=report)
    return done


_Step = Callable[[Session, datetime], int]


def _in_batches(step: _Step, before: datetime) -> int:
    done = 0
    while True:
        with db.transaction() as session:
            number = step(session, before) if db.alone(session, "retention") else 0
        done += number
        if number < BATCH:
            return done


def _sessions(session: Session, before: datetime) -> int:
    """Login sessions that are over, with what belongs to them."""
    over = or_(
        col(LoginSession.expires_at) < before,
        col(LoginSession.idle_until) < before,
        col(LoginSession.revoked_at) < before,
    )
    keys = session.scalars(select(col(LoginSession.id)).where(over).limit(BATCH)).all()
    for table, column in (
        (GoogleConsent, GoogleConsent.session_id),
        (FactorSetup, FactorSetup.session_id),
        (Acting, Acting.session_id),
        (Acting, Acting.admin_session_id),
        (LoginSession, LoginSession.id),
    ):
        session.execute(delete(table).where(col(column).in_(keys)))
    return len(keys)


def _links(session: Session, before: datetime) -> int:
    """Links that are good for nothing any more."""
    keys = session.scalars(select(col(AccountLink.id)).where(col(AccountLink.expires_at) < before).limit(BATCH)).all()
    session.execute(delete(AccountLink).where(col(AccountLink.id).in_(keys)))
    return len(keys)


def _steps(session: Session, before: datetime) -> int:
    """Logins that were begun and never finished."""
    keys = session.scalars(select(col(LoginStep.id)).where(col(LoginStep.expires_at) < before).limit(BATCH)).all()
    session.execute(delete(LoginStep).where(col(LoginStep.id).in_(keys)))
    return len(keys)


def _devices(session: Session, before: datetime) -> int:
    """Devices that were forgotten, and those that nobody has used for so long that they have forgotten us."""
    over = or_(
        col(KnownDevice.forgotten_at) < before, col(KnownDevice.last_seen_at) < min(before, db.clock.now() - UNSEEN)
    )
    keys = session.scalars(select(col(KnownDevice.id)).where(over).limit(BATCH)).all()
    session.execute(delete(KnownDevice).where(col(KnownDevice.id).in_(keys)))
    return len(keys)


def _messages(session: Session, before: datetime) -> int:
    """Messages that were sent or given up: what was written in them, and to whom.

    What kind it was, when, and the key by which it is sent once stay.
    """
    finished = col(OutboxMessage.state).in_((Delivery.SENT.value, Delivery.DEAD.value))
    old = col(OutboxMessage.created_at) < before
    wanted = select(col(OutboxMessage.id)).where(finished, old, col(OutboxMessage.recipient_email) != "")
    keys = session.scalars(wanted.limit(BATCH).with_for_update(skip_locked=True)).all()
    session.execute(
        update(OutboxMessage)
        .where(col(OutboxMessage.id).in_(keys))
        .values(payload={}, recipient_email="", recipient_name="", last_error="")
    )
    return len(keys)


def _entries(session: Session, before: datetime) -> int:
    """Entries of the audit trail, from the front of its chain."""
    return chain.trim(session, before=before, most=BATCH)
