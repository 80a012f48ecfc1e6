"""A time that becomes free goes to the first who waits for it, then to everybody.

It is held for that patient like any held slot, so nobody else can have it, and the message about it is written in
the transaction that freed it. Who comes first is one query on the index of those who wait in the department.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Row, Select, exists, func, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db, routes
from mhms_app.accounts.models import Patient, User
from mhms_app.accounts.service import hash_token
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import weekday_bits
from mhms_app.availability.slots import SlotRow, SlotsChanged
from mhms_app.booking import rules, waiting_rules
from mhms_app.booking.models import ACTIVE, Appointment, Outcome, Status, Waiting, WaitingOffer
from mhms_app.booking.rules import PatientView, SlotView
from mhms_app.notifications import service as notifications
from mhms_app.settings import settings

if TYPE_CHECKING:
    from mhms_app.booking.service import SlotFacts

# Spelled out, so that SQLite too answers from the partial indexes.
IS_OPEN = col(WaitingOffer.outcome) == literal_column("'open'")


def pass_on(session: Session, slot: SlotFacts, *, but: int | None = None) -> None:
    """Offer a slot that has just become open to who waits for it, or show everybody that it is free.

    Args:
        but: the patient who has given it back.
    """
    if not _offer(session, slot, but):
        row = SlotRow(slot.id, slot.doctor_id, slot.starts_at, slot.ends_at, SlotState.OPEN.value)
        db.announce(session, SlotsChanged(slot.doctor_id, gone=(), came=False, freed=(row,)))


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


def _offer(session: Session, slot: SlotFacts, but: int | None) -> bool:
    """Offer an open slot to the first who waits for it; says whether there is somebody."""
    now = db.clock.now()
    view = SlotView(SlotState.OPEN.value, slot.starts_at, slot.ends_at, slot.doctor_visible)
    span = waiting_rules.kept_for(slot.starts_at - slot.policy.notice - now)
    if span is None or rules.why_not_movable(view, PatientView(), now=now, policy=slot.policy):
        return False
    first = _first(slot, but)
    while found := session.execute(first).first():
        try:
            with session.begin_nested():
                _hold(session, slot, found, span)
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
    now, local = db.clock.now(), slot.starts_at.astimezone(settings().zone)
    theirs = col(Appointment.patient_id) == col(Waiting.patient_id)
    active = col(Appointment.status).in_(ACTIVE)
    busy = exists().where(
        theirs, active, col(Appointment.starts_at) < slot.ends_at, col(Appointment.ends_at) > slot.starts_at
    )
    upcoming = select(func.count()).where(theirs, active, col(Appointment.ends_at) > now).scalar_subquery()
    missed = (
        select(func.count())
        .where(
            theirs,
            col(Appointment.status) == Status.NO_SHOW.value,
            col(Appointment.department_id) == slot.department_id,
            col(Appointment.starts_at) > now - slot.policy.missed_within,
        )
        .scalar_subquery()
    )
    to_them = col(WaitingOffer.patient_id) == col(Waiting.patient_id)
    return (
        select(col(Waiting.id), col(Waiting.patient_id), col(User.email), col(User.full_name))
        .join(Patient, col(Patient.id) == col(Waiting.patient_id))
        .join(User, col(User.id) == col(Patient.user_id))
        .where(
            col(Waiting.department_id) == slot.department_id,
            col(Waiting.ended_at).is_(None),
            or_(col(Waiting.doctor_id).is_(None), col(Waiting.doctor_id) == slot.doctor_id),
            col(Waiting.weekdays).op("&")(weekday_bits({local.weekday()})) != 0,
            col(Waiting.part).in_(("any", waiting_rules.part_of(local))),
            col(Waiting.earliest) <= local.date(),
            col(Waiting.patient_id).is_distinct_from(but),
            col(User.active),
            ~exists().where(to_them, IS_OPEN),
            ~exists().where(to_them, col(WaitingOffer.slot_id) == slot.id),  # they let it pass
            ~busy,
            upcoming < slot.policy.most_active,
            missed < slot.policy.most_missed,
        )
        .order_by(col(Waiting.created_at), col(Waiting.id))
        .limit(1)
        .with_for_update(of=Waiting, key_share=True, skip_locked=True)
    )


def _hold(session: Session, slot: SlotFacts, found: Row[int | None, int, str, str], span: timedelta) -> None:
    """Hold the slot for the one who was found, and write to them."""
    waiting_id, patient_id, email, name = found
    now, token = db.clock.now(), secrets.token_urlsafe(32)
    until = now + span
    offer = WaitingOffer(
        waiting_id=waiting_id or 0,
        patient_id=patient_id,
        slot_id=slot.id,
        token_hash=hash_token(token),
        offered_at=now,
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
