"""The machine's clock is set back a minute: what was done stays done, and what was promised holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.accounts import factors, sessions
from mhms_app.audit import chain
from mhms_app.audit import service as audit
from mhms_app.booking import holds, reminders, service
from mhms_app.booking.rules import SlotHeld
from mhms_app.settings import settings
from tests import builders
from tests.accounts.second_factors import an_app, code_of
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


def test_a_session_stays_open_and_one_that_was_ended_stays_ended(session: Session, now: datetime) -> None:
    user = builders.user(session)
    inside, left = (sessions.open_session(session, user_id=builders.key(user)) for _ in range(2))
    sessions.close(session, token=left)
    db.clock.freeze(now - BACK)
    assert sessions.resolve(session, left) is None
    actor = sessions.resolve(session, inside)
    assert actor is not None
    sessions.touch(session, session_id=actor.session_id)
    db.clock.freeze(now)
    assert sessions.resolve(session, inside) is not None


def test_a_code_of_an_app_is_never_good_twice(session: Session, now: datetime) -> None:
    user = builders.user(session)
    secret = an_app(session, user)
    used = code_of(secret)
    assert factors.use_code(session, user_id=builders.key(user), code=used)
    for back in (BACK / 2, BACK):
        db.clock.freeze(now - back)
        for code in (used, code_of(secret)):
            assert factors.use_code(session, user_id=builders.key(user), code=code) is None
    db.clock.freeze(now + BACK / 2)
    assert factors.use_code(session, user_id=builders.key(user), code=code_of(secret))


def test_reminders_go_on_and_nobody_is_reminded_twice(session: Session, now: datetime) -> None:
    """Also where the clock of one machine is behind that of another."""
    noon = now.astimezone(settings().zone).replace(hour=12)
    db.clock.freeze(noon)
    doctor = builders.doctor(session)
    session.commit()
    reminders.remind_all()
    for minutes in (0, 2):
        slot = builders.slot(session, doctor, noon + timedelta(days=8, minutes=20 * minutes))
        patient = builders.actor(session, builders.patient(session))
        service.book(session, patient, slot_id=builders.key(slot), reason="", key=str(uuid4()))
    session.commit()
    due = noon + timedelta(days=1)
    written = []
    for at in (due, due - BACK, due, due + timedelta(minutes=40)):
        db.clock.freeze(at)
        written.append(reminders.remind_all())
    assert written == [1, 0, 0, 1]
