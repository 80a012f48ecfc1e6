"""A time that becomes free goes to the first who waits for it, then to everybody.

It is held for that patient like any held slot, so nobody else can have it, and the message about it is written in
the transaction that freed it. Who comes first is one query on the index of those who wait in the department.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, literal_column, not_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db, routes
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.sessions import hash_token
from mhms_app.availability import hours
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import part_of, weekday_bits
from mhms_app.availability.slots import SlotRow, SlotsChanged
from mhms_app.booking import rules, waiting_rules
from mhms_app.booking.models import ACTIVE, Appointment, Outcome, Status, Waiting, WaitingOffer
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.rules import PatientView, Policy, SlotView
from mhms_app.notifications import service as notifications
from mhms_app.settings import settings

if TYPE_CHECKING:
    from mhms_app.booking.service import SlotFacts

# Spelled out, so that SQLite too answers from the partial indexes.
IS_OPEN = col(WaitingOffer.outcome) == literal_column("'open'")
_IS_ACTIVE = col(Appointment.status).in_(ACTIVE)


def pass_on(session: Session, slot: SlotFacts, *, but: int | None = None) -> None:
    """Offer a slot that has just become open to who waits for it, or show everybody that it is free.

    The hours take it back instead if they no longer ask for it.

    Args:
        but: the patient who has given it back.
    """
    if slot.from_hours and not hours.asks_for(session, slot.doctor_id, (slot.starts_at, slot.ends_at)):
        hours.take_back(session, [slot.id])
        db.announce(session, SlotsChanged(slot.doctor_id, gone=(slot.id,), came=False))
    elif not _offer(session, slot, but):
        row = SlotRow(slot.id, slot.doctor_id, slot.starts_at, slot.ends_at, SlotState.OPEN.value)
        freed = () if slot.busy else (row,)
        db.announce(session, SlotsChanged(slot.doctor_id, gone=(), came=False, freed=freed))


def settle(session: Session, *, slot_id: int, patient_id: int | None) -> None:
    """End the open offer of a slot that this patient takes; if it was theirs, they wait no more."""
    offer = session.scalars(select(WaitingOffer).where(col(WaitingOffer.slot_id) == slot_id, IS_OPEN)).first()
    if offer is None:
        return
    offer.outcome = Outcome.TAKEN.value if offer.patient_id == patient_id else Outcome.EXPIRED.value
    session.add(offer)
    if offer.outcome == Outcome.TAKEN:
        session.execute(
            update(Waiting)
            .where(col(Waiting.id) == offer.waiting_id, col(Waiting.ended_at).is_(None))
            .values(ended_at=db.clock.now(), ended_why="booked")
        )


def recall(session: Session, *, doctor_id: int) -> None:
    """End the open offers of a doctor's slots that are no longer held: they were taken back.

    Those to whom they were made keep their place.
    """
    gone = exists().where(
        col(Slot.id) == col(WaitingOffer.slot_id), col(Slot.doctor_id) == doctor_id, not_(col(Slot.offered))
    )
    session.execute(
        update(WaitingOffer)
        .where(IS_OPEN, gone)
        .values(outcome=Outcome.EXPIRED.value)
        .execution_options(synchronize_session=False)
    )


def would_do(now: datetime) -> ColumnElement[bool]:
    """The appointments to come that are what an entry of the waiting list asks for: an earlier time replaces them.

    The day from which on somebody waits is compared as it begins in UTC.
    """
    return and_(
        col(Appointment.patient_id) == col(Waiting.patient_id),
        _IS_ACTIVE,
        col(Appointment.starts_at) > now,
        col(Appointment.starts_at) >= col(Waiting.earliest),
        or_(
            and_(col(Waiting.doctor_id).is_(None), col(Appointment.department_id) == col(Waiting.department_id)),
            col(Appointment.doctor_id) == col(Waiting.doctor_id),
        ),
    )


def waiting_for(department_id: int, doctor_id: int, *, policy: Policy) -> ColumnElement[bool]:
    """Those in the waiting list who could be offered some time with a doctor; joined with ``User``.

    Somebody who has an appointment that an earlier time would replace gets no further one by it, so that how many
    they have, or have missed, does not matter. One that they can no longer move is not replaced.
    """
    now = db.clock.now()
    theirs = col(Appointment.patient_id) == col(Waiting.patient_id)
    upcoming = select(func.count()).where(theirs, _IS_ACTIVE, col(Appointment.ends_at) > now).scalar_subquery()
    missed = (
        select(func.count())
        .where(
            theirs,
            col(Appointment.status) == Status.NO_SHOW.value,
            col(Appointment.department_id) == department_id,
            col(Appointment.starts_at) > now - policy.missed_within,
        )
        .scalar_subquery()
    )
    fixed = col(Appointment.starts_at) <= now + policy.change_until
    return and_(
        col(Waiting.department_id) == department_id,
        col(Waiting.ended_at).is_(None),
        or_(col(Waiting.doctor_id).is_(None), col(Waiting.doctor_id) == doctor_id),
        col(User.active),
        col(User.email_confirmed_at).is_not(None),
        ~exists().where(col(WaitingOffer.patient_id) == col(Waiting.patient_id), IS_OPEN),
        ~exists().where(would_do(now), fixed),
        or_(exists().where(would_do(now)), and_(upcoming < policy.most_active, missed < policy.most_missed)),
    )


def _offer(session: Session, slot: SlotFacts, but: int | None) -> bool:
    """Offer an open slot to the first who waits for it; says whether there is somebody."""
    now = db.clock.now()
    view = SlotView(SlotState.OPEN.value, slot.starts_at, slot.ends_at, slot.doctor_visible, busy=slot.busy)
    closes_at = slot.starts_at - slot.policy.notice
    until = waiting_rules.kept_until(now, closes_at, zone=settings().zone, policy=slot.policy)
    if until is None or rules.why_not_movable(view, PatientView(), now=now, policy=slot.policy):
        return False
    first = _first(slot, but)
    while found := session.execute(first).first():
        try:
            with session.begin_nested():
                _hold(session, slot, found, until)
        except IntegrityError as error:  # another slot was offered to them in this moment
            if db.violated(error) != "uq_waiting_offer_patient":
                raise
        else:
            return True
    return False


def _first(slot: SlotFacts, but: int | None) -> Select[int | None, int, str, str]:
    """The one who waits longest among those who want this slot and may book it.

    One whose entry is locked is being offered another slot, or is just leaving.
    """
    local = slot.starts_at.astimezone(settings().zone)
    theirs = col(Appointment.patient_id) == col(Waiting.patient_id)
    busy = exists().where(
        theirs, _IS_ACTIVE, col(Appointment.starts_at) < slot.ends_at, col(Appointment.ends_at) > slot.starts_at
    )
    passed = exists().where(
        col(WaitingOffer.patient_id) == col(Waiting.patient_id), col(WaitingOffer.slot_id) == slot.id
    )
    is_no_earlier = exists().where(would_do(db.clock.now()), col(Appointment.starts_at) <= slot.starts_at)
    return (
        select(col(Waiting.id), col(Waiting.patient_id), col(User.email), col(User.full_name))
        .join(Patient, col(Patient.id) == col(Waiting.patient_id))
        .join(User, col(User.id) == col(Patient.user_id))
        .where(
            waiting_for(slot.department_id, slot.doctor_id, policy=slot.policy),
            col(Waiting.weekdays).op("&")(weekday_bits({local.weekday()})) != 0,
            col(Waiting.part).in_(("any", part_of(local))),
            col(Waiting.earliest) <= local.date(),
            col(Waiting.patient_id).is_distinct_from(but),
            ~passed,
            ~busy,
            ~is_no_earlier,
        )
        .order_by(col(Waiting.created_at), col(Waiting.id))
        .limit(1)
        .with_for_update(of=Waiting, key_share=True, skip_locked=True)
    )


def _hold(session: Session, slot: SlotFacts, found: Row[int | None, int, str, str], until: datetime) -> None:
    """Hold the slot for the one who was found, and write to them."""
    waiting_id, patient_id, email, name = found
    token = secrets.token_urlsafe(32)
    offer = WaitingOffer(
        waiting_id=waiting_id or 0,
        patient_id=patient_id,
        slot_id=slot.id,
        token_hash=hash_token(token),
        offered_at=db.clock.now(),
        until=until,
    )
    session.add(offer)
    session.flush()
    session.execute(
        update(Slot)
        .where(col(Slot.id) == slot.id, col(Slot.state) == SlotState.OPEN.value)
        .values(state=SlotState.HELD.value, held_by=patient_id, held_until=until, offered=True)
        .execution_options(synchronize_session=False)
    )
    message = notifications.waitlist_offer(
        offer_id=offer.id or 0,
        email=email,
        name=name,
        doctor=slot.doctor,
        department=slot.department,
        location=slot.location,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        kept_until=until,
        path=routes.offer(token),
    )
    notifications.enqueue(session, message)
    db.announce(session, SlotsChanged(slot.doctor_id, gone=(slot.id,), came=False))
    db.announce(session, PatientChanged(patient_id))
