"""What keeps the trail by itself, in every worker; several workers may do so at once."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlmodel import Session

from mhms_app import db, pulse
from mhms_app.audit import chain
from mhms_app.audit.chain import Verified
from mhms_app.oversight import checks, retention

log = logging.getLogger(__name__)

SEAL_EVERY, HOUR = 5.0, 3600.0  # seconds
VERIFY_EVERY = timedelta(days=1)


async def seal() -> None:
    """Seal new entries every few seconds, until cancelled."""
    trouble = "the audit trail cannot be sealed (%s)"
    await pulse.keep_doing("seals", chain.seal_all, every=SEAL_EVERY, log=log, trouble=trouble)


async def keep() -> None:
    """Once an hour do what the trail and the settings ask for, until cancelled."""
    trouble = "what is no longer kept cannot be removed (%s)"
    await pulse.keep_doing("tidying", every_hour, every=HOUR, log=log, trouble=trouble)


def every_hour() -> None:
    """Remove what is no longer kept, seal what came very late, say where the chain ends, verify it once a day."""
    retention.tidy()
    chain.seal_all(thorough=True)
    with db.transaction(read_only=True) as session:
        log.info("the audit trail ends at %s", chain.head(session))
        if db.alone(session, "verifying") and _is_due(checks.last_check(session)):
            _verify(session)


def _is_due(last: checks.Check | None) -> bool:
    return last is None or last.at <= db.clock.now() - VERIFY_EVERY


def verify() -> Verified:
    """Verify the whole chain and write down what that came to."""
    with db.transaction(read_only=True) as session:
        return _verify(session)


def _verify(session: Session) -> Verified:
    found = chain.verify(session)
    if found.problem:
        log.error("the audit trail is not whole: %s", found.problem)
    with db.transaction() as writing:  # before the other one ends, and another worker may begin
        checks.note(writing, None, found=found)
    return found
