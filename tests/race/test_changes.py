"""Two changes of the same thing at the same moment: one legal outcome each, and nobody sees a deadlock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts.models import Patient
from mhms_app.actor import Actor
from mhms_app.availability.models import Slot
from mhms_app.booking import changes, holds, service
from mhms_app.booking.models import Appointment
from mhms_app.directory.models import Doctor
from mhms_app.errors import ClinicError
from tests import builders
from tests.race.cast import NEVER

ROUNDS = 8
HOUR = timedelta(hours=1)
Act = Callable[[Session], object]

NEVER_NOW = {
    name: query
    for name, query in NEVER.items()
    if name not in ("a message or an audit entry without its booking", "a doctor with two patients at once")
}


@pytest.fixture
def doctor(session: Session) -> Doctor:
    found = builders.doctor(session)
    session.commit()
    return found


@pytest.fixture(autouse=True)
def nothing_impossible(session: Session) -> Iterator[None]:
    """Afterwards nothing is true that must never be."""
    yield
    session.rollback()
    found = {name: session.execute(text(query)).all() for name, query in NEVER_NOW.items()}
    assert not {name: rows for name, rows in found.items() if rows}


def at_once(*acts: Act) -> list[str]:
    """Let everybody act at the same moment, each in a transaction; the names of the refusals, ``""`` for none."""
    barrier = Barrier(len(acts))

    def run(act: Act) -> str:
        barrier.wait()
        try:
            with db.transaction() as session:
                act(session)
        except ClinicError as refusal:
            return type(refusal).__name__
        return ""

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def slots(session: Session, doctor: Doctor, first: datetime, number: int) -> list[int]:
    made = [builders.key(builders.slot(session, doctor, first + n * HOUR)) for n in range(number)]
    session.commit()
    return made


def somebody(session: Session) -> Actor:
    actor = builders.actor(session, builders.patient(session))
    session.commit()
    return actor


def booked(session: Session, actor: Actor, slot_id: int) -> str:
    done = service.book(session, actor, slot_id=slot_id, reason="", key=str(uuid4()))
    session.commit()
    return done.reference


def where(session: Session, reference: str) -> int:
    session.rollback()
    return session.exec(select(Appointment.slot_id).where(Appointment.reference == reference)).one()


def state(session: Session, slot_id: int) -> str:
    session.rollback()
    return session.exec(select(Slot.state).where(Slot.id == slot_id)).one()


def mover(actor: Actor, reference: str, slot_id: int) -> Act:
    return lambda session: changes.move(session, actor, reference=reference, slot_id=slot_id)


def booker(actor: Actor, slot_id: int) -> Act:
    return lambda session: service.book(session, actor, slot_id=slot_id, reason="", key=str(uuid4()))


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_two_who_move_into_each_others_time_both_stay(
    session: Session, doctor: Doctor, now: datetime, round_: int
) -> None:
    mine, theirs = slots(session, doctor, now + 48 * HOUR, 2)
    jo, rita = somebody(session), somebody(session)
    of_jo, of_rita = booked(session, jo, mine), booked(session, rita, theirs)
    assert at_once(mover(jo, of_jo, theirs), mover(rita, of_rita, mine)) == ["SlotTaken", "SlotTaken"]
    assert (where(session, of_jo), where(session, of_rita)) == (mine, theirs)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_of_two_who_move_and_one_who_books_one_gets_the_time(
    session: Session, doctor: Doctor, now: datetime, round_: int
) -> None:
    first, second, wanted = slots(session, doctor, now + 48 * HOUR, 3)
    jo, rita, third = somebody(session), somebody(session), somebody(session)
    of_jo, of_rita = booked(session, jo, first), booked(session, rita, second)
    told = at_once(mover(jo, of_jo, wanted), mover(rita, of_rita, wanted), booker(third, wanted))
    assert sorted(told) == ["", "SlotTaken", "SlotTaken"]
    assert state(session, wanted) == "booked"
    assert [state(session, first), state(session, second)] == [
        "open" if where(session, of_jo) == wanted else "booked",
        "open" if where(session, of_rita) == wanted else "booked",
    ]


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_one_appointment_moved_twice_is_at_one_place(
    session: Session, doctor: Doctor, now: datetime, round_: int
) -> None:
    old, one, other = slots(session, doctor, now + 48 * HOUR, 3)
    jo = somebody(session)
    reference = booked(session, jo, old)
    assert at_once(mover(jo, reference, one), mover(jo, reference, other)) == ["", ""]
    assert sorted(state(session, slot_id) for slot_id in (old, one, other)) == ["booked", "open", "open"]
    assert state(session, where(session, reference)) == "booked"


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_cancelling_while_being_checked_in(session: Session, doctor: Doctor, now: datetime, round_: int) -> None:
    (slot_id,) = slots(session, doctor, now + 48 * HOUR, 1)
    jo, at_desk = somebody(session), builders.actor(session, doctor)
    reference = booked(session, jo, slot_id)
    db.clock.freeze(now + 47 * HOUR)
    key = session.exec(select(Appointment.id).where(Appointment.reference == reference)).one() or 0
    session.commit()
    told = at_once(
        lambda session: changes.cancel(session, at_desk, reference=reference, choice="", note="Ill"),
        lambda session: changes.set_status(session, at_desk, appointment_id=key, status="checked_in"),
    )
    assert told in (["", "IllegalMove"], ["AlreadyBegun", ""])
    assert state(session, slot_id) == ("open" if told[0] == "" else "booked")


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_hold_that_ends_while_it_is_confirmed(session: Session, doctor: Doctor, now: datetime, round_: int) -> None:
    (slot_id,) = slots(session, doctor, now + 48 * HOUR, 1)
    jo, rita = somebody(session), somebody(session)
    holds.hold(session, jo, slot_id=slot_id)
    session.commit()
    db.clock.freeze(now + timedelta(minutes=5))
    told = at_once(booker(jo, slot_id), booker(rita, slot_id), holds.open_expired)
    assert sorted(told[:2]) == ["", "SlotTaken"]
    assert (told[2], state(session, slot_id)) == ("", "booked")


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_two_who_hold_at_once(session: Session, doctor: Doctor, now: datetime, round_: int) -> None:
    slot_id, other = slots(session, doctor, now + 48 * HOUR, 2)
    jo: Patient = builders.patient(session)
    first, second, rita = (builders.actor(session, jo), builders.actor(session, jo), somebody(session))
    session.commit()
    told = at_once(
        lambda session: holds.hold(session, rita, slot_id=slot_id),
        lambda session: holds.hold(session, first, slot_id=slot_id),
        lambda session: holds.hold(session, second, slot_id=other),
    )
    assert told[2] == ""
    assert set(told[:2]) <= {"", "SlotHeld"}
    held = dict(session.execute(text("SELECT held_by, id FROM slot WHERE state = 'held'")).all())  # type: ignore[arg-type]
    assert set(held) <= {jo.id, rita.patient_id}  # one each at most: the keys are the holders
    assert jo.id in held
