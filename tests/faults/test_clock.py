"""The machine's clock is set back a minute: what was done stays done, and what was promised holds."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.booking import holds
from mhms_app.booking.rules import SlotHeld
from tests import builders
from tests.race.cast import attempt, book, cast, count

BACK = timedelta(minutes=1)


def test_whoever_is_inside_stays_and_books_once(database: str, now: datetime) -> None:
    people = cast(patients=2, slots=2)
    wanted = attempt(people.patients[0], people.slots[0])
    first = book(wanted)
    db.clock.freeze(now - BACK)
    assert book(wanted).reference == first.reference
    assert book(attempt(people.patients[1], people.slots[0])).refusal == "SlotTaken"
    assert book(attempt(people.patients[1], people.slots[1])).reference
    assert count("SELECT count(*) FROM appointment") == 2


def test_a_hold_is_still_its_owners(session: Session, now: datetime) -> None:
    doctor = builders.doctor(session)
    slot = builders.key(builders.slot(session, doctor, now + timedelta(days=2)))
    owner, other = (builders.actor(session, builders.patient(session)) for _ in range(2))
    holds.hold(session, owner, slot_id=slot)
    db.clock.freeze(now - BACK)
    with pytest.raises(SlotHeld):
        holds.hold(session, other, slot_id=slot)
    assert holds.hold(session, owner, slot_id=slot).slot_id == slot


def test_the_trail_stays_whole(database: str, now: datetime) -> None:
    for at in (now, now - BACK, now + BACK):
        db.clock.freeze(at)
        with db.transaction() as session:
            audit.record(session, actor_id=None, action="test.done")
        chain.seal_all(thorough=True)
    with db.transaction(read_only=True) as session:
        found = chain.verify(session)
    assert (found.problem, found.unsealed) == ("", 0)
