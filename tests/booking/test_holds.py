"""A slot is a patient's for some minutes: nobody else has it, and nobody has two."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.accounts.models import Patient
from mhms_app.actor import Actor
from mhms_app.availability import finding
from mhms_app.availability.models import Slot
from mhms_app.booking import changes, holds, service
from mhms_app.booking.rules import SlotHeld, SlotTaken
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import LoginRequired, NotAllowed
from tests import builders

DAY, HOLD = timedelta(days=1), timedelta(minutes=5)
MOMENT = timedelta(seconds=1)


@pytest.fixture
def doctor(session: Session) -> Doctor:
    return builders.doctor(session)


@pytest.fixture
def slots(session: Session, doctor: Doctor, now: datetime) -> list[int]:
    """Two free slots."""
    return [builders.key(builders.slot(session, doctor, now + 2 * DAY + n * timedelta(hours=1))) for n in range(2)]


def somebody(session: Session, name: str = "Jo Moreau") -> Actor:
    return builders.actor(session, builders.patient(session, name=name))


def state(session: Session, slot_id: int) -> str:
    session.expire_all()
    return session.get_one(Slot, slot_id).state


def book(session: Session, actor: Actor, slot_id: int) -> int:
    return service.book(session, actor, slot_id=slot_id, reason="", key=str(uuid4())).slot_id


def test_a_held_slot_is_nobody_elses(session: Session, doctor: Doctor, slots: list[int], now: datetime) -> None:
    jo, rita = somebody(session), somebody(session, "Rita Berg")
    held = holds.hold(session, jo, slot_id=slots[0])
    assert (held.slot_id, held.until) == (slots[0], now + HOLD)
    for refused in (lambda: book(session, rita, slots[0]), lambda: holds.hold(session, rita, slot_id=slots[0])):
        with pytest.raises(SlotHeld):
            refused()
    found = finding.bookable_week(session, rita, doctor_id=builders.key(doctor), week=(now + 2 * DAY).date())
    assert [slot.id for slot in found.free] == [slots[1]]
    found = finding.bookable_week(
        session, jo, doctor_id=builders.key(doctor), week=(now + 2 * DAY).date(), slot_id=slots[0]
    )
    assert [(slot.id, slot.state) for slot in found.free] == [(slots[0], "open"), (slots[1], "open")]
    assert found.asked is not None and found.asked.state == "open"
    assert book(session, jo, slots[0]) == slots[0]
    assert state(session, slots[0]) == "booked"


def test_a_person_holds_one_slot_at_a_time(session: Session, slots: list[int]) -> None:
    jo = somebody(session)
    holds.hold(session, jo, slot_id=slots[0])
    holds.hold(session, jo, slot_id=slots[1])
    assert [state(session, slot_id) for slot_id in slots] == ["open", "held"]
    holds.release(session, jo)
    assert state(session, slots[1]) == "open"


def test_a_refused_hold_leaves_the_one_before_until_it_is_let_go(session: Session, slots: list[int]) -> None:
    """The page lets go of it: tests/web/test_doctor_profile.py."""
    jo = somebody(session)
    book(session, somebody(session, "Rita Berg"), slots[1])
    holds.hold(session, jo, slot_id=slots[0])
    session.commit()
    with pytest.raises(SlotTaken), db.transaction() as refused:
        holds.hold(refused, jo, slot_id=slots[1])
    assert [state(session, slot_id) for slot_id in slots] == ["held", "booked"]
    holds.release(session, jo)
    assert [state(session, slot_id) for slot_id in slots] == ["open", "booked"]


def test_a_hold_ends_with_its_time(session: Session, slots: list[int], now: datetime) -> None:
    jo, rita = somebody(session), somebody(session, "Rita Berg")
    holds.hold(session, jo, slot_id=slots[0])
    db.clock.freeze(now + HOLD - MOMENT)
    assert (holds.any_expired(session), holds.open_expired(session)) == (False, 0)
    db.clock.freeze(now + HOLD)
    assert book(session, rita, slots[0]) == slots[0]  # even before anybody has opened it
    holds.hold(session, jo, slot_id=slots[1])
    db.clock.freeze(now + 2 * HOLD + MOMENT)
    assert (holds.any_expired(session), holds.open_expired(session)) == (True, 1)
    assert state(session, slots[1]) == "open"


def test_the_holder_may_still_book_after_the_time_when_nobody_else_has(
    session: Session, slots: list[int], now: datetime
) -> None:
    jo = somebody(session)
    holds.hold(session, jo, slot_id=slots[0])
    db.clock.freeze(now + HOLD + MOMENT)
    assert book(session, jo, slots[0]) == slots[0]


def test_a_screen_that_is_gone_ends_its_own_hold_and_no_later_one(
    session: Session, slots: list[int], now: datetime
) -> None:
    jo = somebody(session)
    first = holds.hold(session, jo, slot_id=slots[0])
    db.clock.freeze(now + MOMENT)
    holds.hold(session, jo, slot_id=slots[0])
    holds.let_go(session, first)
    assert state(session, slots[0]) == "held"
    db.clock.freeze(now)
    holds.let_go(session, holds.hold(session, jo, slot_id=slots[0]))
    assert state(session, slots[0]) == "open"


def test_how_long_is_the_departments(session: Session, doctor: Doctor, slots: list[int], now: datetime) -> None:
    session.get_one(Department, doctor.department_id).hold_minutes = 12
    session.flush()
    assert holds.hold(session, somebody(session), slot_id=slots[0]).until == now + timedelta(minutes=12)


def test_an_appointment_is_moved_to_the_slot_held_for_it(session: Session, slots: list[int]) -> None:
    jo: Patient = builders.patient(session)
    actor = builders.actor(session, jo)
    done = service.book(session, actor, slot_id=slots[0], reason="", key=str(uuid4()))
    holds.hold(session, actor, slot_id=slots[1], moving=done.id)
    changes.move(session, actor, reference=done.reference, slot_id=slots[1])
    assert [state(session, slot_id) for slot_id in slots] == ["open", "booked"]


def test_only_patients_hold(session: Session, doctor: Doctor, slots: list[int]) -> None:
    for stranger, refusal in ((None, LoginRequired), (builders.actor(session, doctor), NotAllowed)):
        with pytest.raises(refusal):
            holds.hold(session, stranger, slot_id=slots[0])
        with pytest.raises(refusal):
            holds.release(session, stranger)
