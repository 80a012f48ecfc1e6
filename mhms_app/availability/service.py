"""Use cases around a doctor's slots: publishing, withdrawing, and listing them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.availability import rules
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import Plan, Times
from mhms_app.availability.slots import OPEN, STATES, SlotRow, SlotsChanged, read_slots, select_slots
from mhms_app.db import Page
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Conflict, Invalid, NotFound
from mhms_app.settings import settings


@dataclass(frozen=True, slots=True)
class AdminSlotRow:
    """One line of the administrator's list of slots."""

    id: int
    doctor_id: int
    doctor: str
    department: str
    starts_at: datetime
    ends_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing a plan would do.

    Attributes:
        fresh: the slots that would be new.
        skipped: those left out because they overlap slots that the doctor has.
        past: how many are left out because their time is over.
    """

    fresh: tuple[Times, ...]
    skipped: tuple[Times, ...]
    past: int


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing a plan did."""

    created: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many slots were withdrawn, and how many of those asked for were not."""

    withdrawn: int
    kept: int


def preview(session: Session, actor: Actor | None, *, doctor_id: int | None = None, plan: Plan) -> Preview:
    """Say what publishing a plan would do; nothing changes.

    Args:
        doctor_id: None means the acting doctor; an administrator names one.

    Raises:
        Invalid: the plan cannot be published, as ``rules.why_not_publishable`` says.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    return _preview(session, doctor.id, plan)


def publish(session: Session, actor: Actor | None, *, doctor_id: int | None = None, plan: Plan) -> Published:
    """Publish the slots of a plan that overlap none of the doctor's; a repetition adds nothing.

    Raises:
        Invalid, NotFound: as ``preview``.
        Conflict: slots came to these times in spite of the lock.
    """
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    # Whoever publishes for this doctor waits here, then sees what the one before has published. The weaker
    # kind of lock (FOR NO KEY UPDATE) lets bookings, whose foreign keys point to the row, go on.
    session.execute(select(col(Doctor.id)).where(col(Doctor.id) == doctor.id).with_for_update(key_share=True))
    found = _preview(session, doctor.id, plan)
    if found.fresh:
        add_slots(session, doctor.id, found.fresh)
        _record(session, actor, "slots.publish", doctor.id, len(found.fresh))
        db.announce(session, SlotsChanged(doctor.id, gone=(), came=True))
    return Published(len(found.fresh), len(found.skipped))


def withdraw(session: Session, actor: Actor | None, *, slot_ids: tuple[int, ...]) -> Withdrawn:
    """Withdraw open slots to come: a doctor's own, an administrator's any.

    Raises:
        SlotBooked, SlotHeld, SlotWithdrawn, SlotPast: none could be withdrawn, and this is why.
        NotFound: none exists, or none is the actor's to withdraw.
    """
    asked = set(slot_ids)
    if len(asked) > rules.MOST_SLOTS:
        raise Invalid(f"Please withdraw at most {rules.MOST_SLOTS} slots at once.")
    theirs = and_(col(Slot.id).in_(asked), _manageable(session, actor))
    # Compare and swap: a slot that is booked at this very moment is open for one of the two only.
    gone = session.execute(
        update(Slot)
        .where(theirs, col(Slot.state) == OPEN, col(Slot.starts_at) > db.clock.now())
        .values(state=SlotState.WITHDRAWN.value)
        .returning(col(Slot.id), col(Slot.doctor_id))
        .execution_options(synchronize_session=False)
    ).all()
    if asked and not gone:
        raise _why_kept(session, theirs)
    for doctor_id in sorted({doctor_id for _, doctor_id in gone}):
        mine = tuple(slot_id for slot_id, of in gone if of == doctor_id)
        _record(session, actor, "slots.withdraw", doctor_id, len(mine))
        db.announce(session, SlotsChanged(doctor_id, gone=mine, came=False))
    return Withdrawn(len(gone), len(asked) - len(gone))


def add_slots(session: Session, doctor_id: int, fresh: tuple[Times, ...], *, from_hours: bool = False) -> None:
    """Store slots, thousands in a moment; the caller has authorised it and holds the doctor's lock.

    Args:
        from_hours: working hours ask for them, and may take them back.

    Raises:
        Conflict: others came to these times in spite of the lock.
    """
    rows = [
        {"doctor_id": doctor_id, "starts_at": starts_at, "ends_at": ends_at, "from_hours": from_hours}
        for starts_at, ends_at in fresh
    ]
    try:
        with session.begin_nested():
            # RETURNING makes SQLAlchemy send a thousand rows a statement; without it SQLite takes them one by one.
            session.connection().execute(insert(Slot).returning(col(Slot.id)), rows)
    except IntegrityError as error:
        if db.violated(error) == "slot_no_overlap":
            raise Conflict("Slots were published at these times meanwhile. Please look at the preview again.") from None
        raise


def week_of_doctor(
    session: Session, actor: Actor | None, *, doctor_id: int | None = None, monday: date
) -> tuple[SlotRow, ...]:
    """The slots of the week that holds ``monday``, past ones too, for the doctor or an administrator."""
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    first, last = rules.span(rules.week_of(monday), 7, zone=settings().zone)
    return read_slots(
        session,
        select_slots(
            col(Slot.doctor_id) == doctor.id,
            col(Slot.starts_at) >= first,
            col(Slot.starts_at) < last,
            col(Slot.state) != SlotState.WITHDRAWN.value,
        ),
    )


def past_unbooked(
    session: Session, actor: Actor | None, *, doctor_id: int | None = None, page: int = 1, size: int = 25
) -> Page[SlotRow]:
    """The slots whose time came without a patient, the latest first, for the doctor or an administrator."""
    doctor = directory.managed_doctor(session, actor, doctor_id=doctor_id)
    wanted = select_slots(
        col(Slot.doctor_id) == doctor.id, col(Slot.state) == OPEN, col(Slot.starts_at) <= db.clock.now()
    ).order_by(None)
    rows = read_slots(session, wanted.order_by(col(Slot.starts_at).desc()).offset((page - 1) * size).limit(size))
    return Page(rows, db.count(session, wanted))


def list_slots(
    session: Session,
    actor: Actor | None,
    *,
    doctor_id: int | None = None,
    department_id: int | None = None,
    state: str | None = None,
    first: datetime | None = None,
    last: datetime | None = None,
    page: int = 1,
    size: int = 25,
) -> Page[AdminSlotRow]:
    """List slots by time for an administrator; None filters nothing.

    Raises:
        Invalid: there is no such state.
    """
    require_role(actor, Role.ADMIN)
    conditions: list[ColumnElement[bool]] = []
    if doctor_id is not None:
        conditions.append(col(Slot.doctor_id) == doctor_id)
    if department_id is not None:
        within = select(col(Doctor.id)).where(col(Doctor.department_id) == department_id)
        conditions.append(col(Slot.doctor_id).in_(within))
    if state is not None:
        if state not in STATES:
            raise Invalid("Please choose a state from the list.", field="state")
        conditions.append(col(Slot.state) == STATES[state])
    if first is not None:
        conditions.append(col(Slot.starts_at) >= first)
    if last is not None:
        conditions.append(col(Slot.starts_at) < last)
    columns = (Slot.id, Slot.doctor_id, User.full_name, Department.name, Slot.starts_at, Slot.ends_at, Slot.state)
    rows = session.execute(
        select(*(col(column) for column in columns))
        .select_from(Slot)
        .join(Doctor, col(Doctor.id) == col(Slot.doctor_id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(*conditions)
        .order_by(col(Slot.starts_at), col(Slot.id))
        .offset((page - 1) * size)
        .limit(size)
    )
    total = db.count(session, select(col(Slot.id)).select_from(Slot).where(*conditions))
    return Page(tuple(AdminSlotRow(*row) for row in rows), total)


def _preview(session: Session, doctor_id: int, plan: Plan) -> Preview:
    now, zone = db.clock.now(), settings().zone
    if refusal := rules.why_not_publishable(plan, now=now, zone=zone):
        raise refusal
    planned = rules.slots_of(plan, zone=zone)
    future = tuple(times for times in planned if times[0] > now)
    fresh, skipped = rules.split_overlaps(future, _taken(session, doctor_id, future))
    return Preview(fresh, skipped, past=len(planned) - len(future))


def _taken(session: Session, doctor_id: int, among: tuple[Times, ...]) -> tuple[Times, ...]:
    """The times of the doctor's slots that could overlap one of these."""
    if not among:
        return ()
    found = session.execute(
        select(col(Slot.starts_at), col(Slot.ends_at))
        .where(
            col(Slot.doctor_id) == doctor_id,
            col(Slot.starts_at) > among[0][0] - rules.DAY,  # no slot is as long, so the index finds them all
            col(Slot.starts_at) < among[-1][1],
            col(Slot.state) != SlotState.WITHDRAWN.value,
        )
        .order_by(col(Slot.starts_at))
    )
    return tuple((starts_at, ends_at) for starts_at, ends_at in found)


def _manageable(session: Session, actor: Actor | None) -> ColumnElement[bool]:
    """The slots that the actor may manage: all of them for an administrator, a doctor's own."""
    if actor is not None and actor.role is Role.ADMIN:
        return true()
    return col(Slot.doctor_id) == directory.require_doctor(session, actor).id


def _why_kept(session: Session, theirs: ColumnElement[bool]) -> ClinicError:
    """Say why none of these slots was withdrawn, by the first of them."""
    slot = next(iter(read_slots(session, select_slots(theirs).limit(1))), None)
    if slot is None:
        return NotFound()
    return rules.why_not_withdrawable(slot.state, slot.starts_at, now=db.clock.now()) or Conflict()


def _record(session: Session, actor: Actor | None, action: str, doctor_id: int, slots: int) -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="doctor",
        object_id=doctor_id,
        detail=f"{slots} slots",
    )
