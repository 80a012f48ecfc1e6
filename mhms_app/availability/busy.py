"""When a doctor is busy elsewhere, and which slots that closes.

``slot.busy`` follows from the doctor's busy times and from nothing else, whatever state the slot is in: a slot that
is booked stays booked and one that is held is left to finish, but when either comes free again nobody can take it.
Whoever changes busy times or adds slots holds the doctor's lock, so the two always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.availability import rules
from mhms_app.availability.models import BusyTime, Slot, SlotState
from mhms_app.availability.rules import Times
from mhms_app.availability.slots import SlotsChanged, lock_doctor, note_fresh

_KEPT = timedelta(days=1)
_AT_ONCE = 500  # keys in one statement


def change(
    session: Session, *, doctor_id: int, events: Mapping[str, Times | None], all_of_them: bool = False
) -> tuple[int, ...]:
    """Note when a doctor is busy, and close or open the slots concerned; returns those that can be booked again.

    Args:
        events: by the key of what keeps the doctor busy: from when until when (aware UTC), or None when it no longer
            does.
        all_of_them: what is not named is over too.
    """
    lock_doctor(session, doctor_id)
    theirs = delete(BusyTime).where(col(BusyTime.doctor_id) == doctor_id)
    over = db.clock.now() - _KEPT
    session.execute(theirs if all_of_them else theirs.where(col(BusyTime.ends_at) <= over))
    keys = list(events)
    for first in range(0, 0 if all_of_them else len(keys), _AT_ONCE):
        session.execute(theirs.where(col(BusyTime.event_id).in_(keys[first : first + _AT_ONCE])))
    rows = [
        {"doctor_id": doctor_id, "event_id": key, "starts_at": times[0], "ends_at": times[1]}
        for key, times in events.items()
        if times and times[1] > over
    ]
    if rows:
        session.execute(insert(BusyTime), rows)
    return _mark_slots(session, doctor_id)


def forget(session: Session, *, doctor_id: int) -> None:
    """Forget when a doctor is busy; what can be booked again goes through the waiting list like what is published."""
    if back := change(session, doctor_id=doctor_id, events={}, all_of_them=True):
        note_fresh(session, doctor_id, back)


def closed(session: Session, doctor_id: int, times: Iterable[Times]) -> set[Times]:
    """Those of a doctor's times at which they are busy elsewhere."""
    wanted = tuple(times)
    if not wanted:
        return set()
    busy = session.execute(
        select(col(BusyTime.starts_at), col(BusyTime.ends_at)).where(
            col(BusyTime.doctor_id) == doctor_id, col(BusyTime.ends_at) > min(starts_at for starts_at, _ in wanted)
        )
    )
    merged = rules.merged((starts_at, ends_at) for starts_at, ends_at in busy)
    return set(rules.split_overlaps(wanted, merged)[1])


def _mark_slots(session: Session, doctor_id: int) -> tuple[int, ...]:
    """Make ``busy`` of every slot to come what it should be; returns the open ones that it no longer is."""
    slots = session.execute(
        select(col(Slot.id), col(Slot.starts_at), col(Slot.ends_at), col(Slot.busy)).where(
            col(Slot.doctor_id) == doctor_id,
            col(Slot.starts_at) > db.clock.now(),
            col(Slot.state) != SlotState.WITHDRAWN.value,
        )
    ).all()
    within = closed(session, doctor_id, ((starts_at, ends_at) for _, starts_at, ends_at, _ in slots))
    wrong = {key: not busy for key, starts_at, ends_at, busy in slots if ((starts_at, ends_at) in within) != busy}
    if not wrong:
        return ()
    was_open = set[int]()
    for key in sorted(wrong):  # by key, as everybody locks slots
        marked = update(Slot).where(col(Slot.id) == key).values(busy=wrong[key]).returning(col(Slot.state))
        if session.execute(marked.execution_options(synchronize_session=False)).scalar() == SlotState.OPEN:
            was_open.add(key)
    gone, back = (tuple(key for key in sorted(was_open) if wrong[key] is busy) for busy in (True, False))
    db.announce(session, SlotsChanged(doctor_id, gone=gone, came=bool(back)))
    return back
