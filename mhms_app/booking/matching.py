"""Slots that were published go through the waiting list once, before long; then they are everybody's.

Publishing leaves a note of what is new (``FreshSlots``). A task looks at it right after the commit: a few statements
for a doctor, however many slots are new, find those that somebody wants; each of them is then offered in a
transaction of its own, like a slot that was freed. What an interruption leaves is done by whoever looks next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.availability.models import FreshSlots, Slot, SlotState
from mhms_app.availability.slots import IS_FREE
from mhms_app.booking import offers, waiting, waiting_rules
from mhms_app.booking.models import ACTIVE, Appointment, Waiting, WaitingOffer
from mhms_app.booking.policies import policy_of
from mhms_app.booking.service import slot_under_lock
from mhms_app.booking.waiting_rules import Free, Wish
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.settings import settings

_AT_ONCE = 500  # patients in one statement


@dataclass(frozen=True, slots=True)
class News:
    """A doctor's new slots.

    Attributes:
        first_id, last_id: between which keys they are; 0 while patients cannot find the doctor.
        wanted: the slots that somebody waits for.
    """

    doctor_id: int
    first_id: int
    last_id: int
    wanted: tuple[int, ...]


def tend() -> int:
    """Offer what was published, and end the entries of closed accounts; returns how many slots or entries that were."""
    return offer_published() + end_closed()


def end_closed() -> int:
    """End the entries of patients whose accounts were closed; returns how many."""
    with db.transaction(read_only=True) as session:
        closed = waiting.closed_accounts(session)
    for entry_id in closed:
        with db.transaction() as session:
            waiting.end(session, entry_id=entry_id)
    return len(closed)


def offer_published() -> int:
    """Offer what was published to those who wait; returns how many slots somebody waited for."""
    theirs = directory.visible_doctors().join(FreshSlots, col(FreshSlots.doctor_id) == col(Doctor.id))
    noted = theirs.with_only_columns(col(FreshSlots.doctor_id)).order_by(col(FreshSlots.last_id))
    with db.transaction(read_only=True) as session:
        doctors = session.scalars(noted).all()
    done = 0
    for doctor_id in doctors:
        with db.transaction(read_only=True) as session:
            news = look(session, doctor_id=doctor_id)
        for slot_id in news.wanted:
            with db.transaction() as session:
                offer(session, slot_id=slot_id)
        with db.transaction() as session:
            forget(session, news)
        done += len(news.wanted)
    return done


def look(session: Session, *, doctor_id: int) -> News:
    """What is new of a doctor, and which of it should be offered, those first for whom people wait longest."""
    fresh = session.get(FreshSlots, doctor_id)
    visible = directory.visible_doctors().where(col(Doctor.id) == doctor_id).with_only_columns(Department)
    department = session.scalars(visible).first()
    if fresh is None or department is None:
        return News(doctor_id, 0, 0, ())
    policy, now = policy_of(department), db.clock.now()
    entries = session.scalars(
        select(Waiting)
        .join(Patient, col(Patient.id) == col(Waiting.patient_id))
        .join(User, col(User.id) == col(Patient.user_id))
        .where(offers.waiting_for(department.id or 0, doctor_id, policy=policy))
        .order_by(col(Waiting.created_at), col(Waiting.id))
    ).all()
    if not entries:
        return News(doctor_id, fresh.first_id, fresh.last_id, ())
    free = session.execute(
        select(col(Slot.id), col(Slot.starts_at), col(Slot.ends_at))
        .where(
            col(Slot.doctor_id) == doctor_id,
            IS_FREE,
            col(Slot.id) >= fresh.first_id,
            col(Slot.starts_at) > now + policy.notice,
            col(Slot.starts_at) <= now + policy.ahead,
        )
        .order_by(col(Slot.starts_at))
    )
    slots = [Free(*row) for row in free]
    wanted = waiting_rules.match(_wishes(session, entries), slots, zone=settings().zone)
    return News(doctor_id, fresh.first_id, fresh.last_id, wanted)


def offer(session: Session, *, slot_id: int) -> None:
    """Offer a slot that is still open; to whom, is decided under its lock."""
    slot = slot_under_lock(session, slot_id)
    if slot.state == SlotState.OPEN:
        offers.pass_on(session, slot)


def forget(session: Session, news: News) -> None:
    """Note that these slots went through the list, unless there are more meanwhile."""
    same = (col(FreshSlots.first_id) == news.first_id, col(FreshSlots.last_id) == news.last_id)
    session.execute(delete(FreshSlots).where(col(FreshSlots.doctor_id) == news.doctor_id, *same))


def _wishes(session: Session, entries: Sequence[Waiting]) -> Iterable[Wish]:
    """What each of them waits for; a person is offered one time, and so has one wish fulfilled."""
    patients = sorted({entry.patient_id for entry in entries})
    booked: dict[int, list[Appointment]] = {}
    passed: dict[int, set[int]] = {}
    for first in range(0, len(patients), _AT_ONCE):
        some = patients[first : first + _AT_ONCE]
        appointments = select(Appointment).where(
            col(Appointment.patient_id).in_(some),
            col(Appointment.status).in_(ACTIVE),
            col(Appointment.ends_at) > db.clock.now(),
        )
        for row in session.scalars(appointments):
            booked.setdefault(row.patient_id, []).append(row)
        former = select(col(WaitingOffer.patient_id), col(WaitingOffer.slot_id))
        for patient_id, slot_id in session.execute(former.where(col(WaitingOffer.patient_id).in_(some))):
            passed.setdefault(patient_id, set()).add(slot_id)
    for entry in entries:
        mine = booked.get(entry.patient_id, [])
        yield Wish(
            entry.patient_id,
            entry.weekdays,
            entry.part,
            entry.earliest,
            busy=tuple((row.starts_at, row.ends_at) for row in mine),
            before=min((row.starts_at for row in mine if _would_do(row, entry)), default=None),
            passed=frozenset(passed.get(entry.patient_id, ())),
        )


def _would_do(row: Appointment, entry: Waiting) -> bool:
    """As ``offers.would_do``."""
    same = row.doctor_id == entry.doctor_id or (entry.doctor_id is None and row.department_id == entry.department_id)
    return same and row.starts_at > db.clock.now() and row.starts_at.date() >= entry.earliest
