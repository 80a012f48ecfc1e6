"""Use cases around slots: publishing, withdrawing, and finding a free one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, func, insert, literal_column, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role, require_role
from mhms_app.audit import service as audit
from mhms_app.availability import rules
from mhms_app.availability.models import Slot, SlotState
from mhms_app.availability.rules import Times
from mhms_app.db import Page
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.directory.service import DepartmentRow, DoctorCard, DoctorRow
from mhms_app.errors import ClinicError, Conflict, Invalid, NotFound
from mhms_app.settings import settings

Plan = rules.Plan
Rows: TypeAlias = directory.Rows

WEEK = timedelta(days=7)

# States are written into statements instead of passed as parameters, so that both engines see that a partial
# index over open slots (or held, or withdrawn ones) answers: however many slots there are, few are read.
_STATES: dict[str, ColumnElement[str]] = {state.value: literal_column(f"'{state.value}'") for state in SlotState}
_OPEN = _STATES[SlotState.OPEN]


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One slot; times are aware UTC, the state is a ``SlotState``."""

    id: int
    doctor_id: int
    starts_at: datetime
    ends_at: datetime
    state: str


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


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to somebody who looks for a doctor.

    Attributes:
        departments: where one can look.
        cards: the doctors who fit.
        elsewhere: when none fits, those who can be seen soonest.
    """

    departments: tuple[DepartmentRow, ...]
    cards: Page[DoctorCard]
    elsewhere: tuple[DoctorCard, ...]


@dataclass(frozen=True, slots=True)
class BookableWeek:
    """A doctor's week as offered to somebody who looks for a time.

    Attributes:
        monday: the first day of the week.
        free: its slots that can be booked.
        following: the first free slot after this week, else the first of all, or None.
        asked: the slot that was asked for, free or not; None when this doctor has no such slot.
    """

    doctor: DoctorRow
    monday: date
    free: tuple[SlotRow, ...]
    following: SlotRow | None
    asked: SlotRow | None


@dataclass(frozen=True, slots=True)
class SlotsChanged:
    """Announced after a commit that changed which slots of a doctor are free.

    Attributes:
        gone: the slots that nobody can book any more.
        came: whether new ones can be booked.
        freed: the slots that were taken and can be booked again.
    """

    doctor_id: int
    gone: tuple[int, ...]
    came: bool
    freed: tuple[SlotRow, ...] = ()


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
        .where(theirs, col(Slot.state) == _OPEN, col(Slot.starts_at) > db.clock.now())
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
    return _rows(
        session,
        _slots(
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
    wanted = _slots(
        col(Slot.doctor_id) == doctor.id, col(Slot.state) == _OPEN, col(Slot.starts_at) <= db.clock.now()
    ).order_by(None)
    rows = _rows(session, wanted.order_by(col(Slot.starts_at).desc()).offset((page - 1) * size).limit(size))
    return Page(rows, db.count(session, wanted))


def free_slots(
    session: Session, actor: Actor | None, *, doctor_id: int, first: datetime, last: datetime
) -> tuple[SlotRow, ...]:
    """The slots that can be booked from ``first`` until before ``last``, of a doctor whom patients can find."""
    return _rows(session, _free_of(doctor_id, first).where(col(Slot.starts_at) < last))


def next_free(session: Session, actor: Actor | None, *, doctor_id: int, after: datetime) -> SlotRow | None:
    """The first slot that can be booked at ``after`` or later, of a doctor whom patients can find."""
    return next(iter(_rows(session, _free_of(doctor_id, after).limit(1))), None)


def bookable_week(
    session: Session, actor: Actor | None, *, doctor_id: int, week: date | None = None, slot_id: int | None = None
) -> BookableWeek:
    """What a doctor offers in one week, past times left out.

    Args:
        week: any day of it; None means the week of the slot asked for, else that of the first free slot.
        slot_id: a slot that somebody has in mind.

    Raises:
        NotFound: there is no such doctor, or this actor may not see them.
        Invalid: the week is too far away.
    """
    doctor, now, zone = directory.get_doctor(session, actor, doctor_id=doctor_id), db.clock.now(), settings().zone
    asked = next(iter(_rows(session, _slots(col(Slot.id) == slot_id, col(Slot.doctor_id) == doctor.id))), None)
    soonest = next_free(session, actor, doctor_id=doctor.id, after=now)
    if week is None:
        shown = asked or soonest
        week = (shown.starts_at if shown else now).astimezone(zone).date()
    monday = rules.week_of(week)
    first, last = rules.span(monday, 7, zone=zone)
    free = free_slots(session, actor, doctor_id=doctor.id, first=first, last=last)
    if kept := _kept(session, actor, doctor_id=doctor.id):
        asked = next((slot for slot in kept if asked and slot.id == asked.id), asked)
        here = (slot for slot in kept if first <= slot.starts_at < last)
        free = tuple(sorted((*free, *here), key=lambda slot: slot.starts_at))
    following = next_free(session, actor, doctor_id=doctor.id, after=last) or soonest
    return BookableWeek(doctor, monday, free, following, asked)


def _kept(session: Session, actor: Actor | None, *, doctor_id: int) -> tuple[SlotRow, ...]:
    """The slots that are held for the acting patient, which to them are as good as open."""
    if actor is None or actor.patient_id is None:
        return ()
    mine = _slots(
        col(Slot.state) == _STATES[SlotState.HELD],
        col(Slot.held_by) == actor.patient_id,
        col(Slot.doctor_id) == doctor_id,
        col(Slot.starts_at) > db.clock.now(),
    )
    return tuple(replace(slot, state=SlotState.OPEN.value) for slot in _rows(session, mine))


def next_available(
    session: Session, actor: Actor | None, *, department_id: int | None = None, after: datetime, limit: int
) -> tuple[DoctorCard, ...]:
    """The doctors who can be seen soonest at ``after`` or later; those without a free slot are left out."""
    found = _with_next_free(directory.visible_doctors(department_id=department_id), after, None)
    return _cards(session, found.order_by(col(Slot.starts_at), col(Doctor.id)).limit(limit), after)


def doctor_cards(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    department_id: int | None = None,
    day: date | None = None,
    page: int = 1,
    size: int = 12,
) -> Page[DoctorCard]:
    """Find doctors by name, each with the next free slot.

    Args:
        search, department_id: as ``directory.search_doctors``.
        day: only doctors with a free slot on this day of the clinic, the first of which is shown.

    Raises:
        Invalid: the day is too far away.
    """
    first, last = rules.span(day, 1, zone=settings().zone) if day else (db.clock.now(), None)
    wanted = directory.visible_doctors(search=search, department_id=department_id)
    found = _with_next_free(wanted, first, last, optional=day is None)
    total = db.count(session, (wanted if day is None else found).with_only_columns(col(Doctor.id)))
    ordered = found.order_by(col(User.name_key), col(Doctor.id)).offset((page - 1) * size).limit(size)
    return Page(_cards(session, ordered, first), total)


def find_doctors(
    session: Session,
    actor: Actor | None,
    *,
    search: str = "",
    department_id: int | None = None,
    day: date | None = None,
    page: int = 1,
    size: int = 12,
) -> Found:
    """Answer a search as ``doctor_cards`` does; a search that finds nobody names those who can be seen soonest."""
    cards = doctor_cards(session, actor, search=search, department_id=department_id, day=day, page=page, size=size)
    elsewhere = () if cards.total else next_available(session, actor, after=db.clock.now(), limit=3)
    return Found(directory.list_departments(session, actor), cards, elsewhere)


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
        if state not in _STATES:
            raise Invalid("Please choose a state from the list.", field="state")
        conditions.append(col(Slot.state) == _STATES[state])
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
    slot = next(iter(_rows(session, _slots(theirs).limit(1))), None)
    if slot is None:
        return NotFound()
    return rules.why_not_withdrawable(slot.state, slot.starts_at, now=db.clock.now()) or Conflict()


def _slots(*conditions: ColumnElement[bool]) -> Rows:
    """The columns of a ``SlotRow``, in order of time."""
    columns = (Slot.id, Slot.doctor_id, Slot.starts_at, Slot.ends_at, Slot.state)
    return (
        select(*(col(column) for column in columns)).select_from(Slot).where(*conditions).order_by(col(Slot.starts_at))
    )


def _rows(session: Session, wanted: Rows) -> tuple[SlotRow, ...]:
    return tuple(SlotRow(*row) for row in session.execute(wanted))


def _later(than: datetime) -> datetime:
    """What a slot must start after to be bookable at ``than`` or later: one that starts now is no longer."""
    return max(db.clock.now(), than - timedelta.resolution)


def _free_of(doctor_id: int, first: datetime) -> Rows:
    """The free slots of a doctor whom patients can find."""
    visible = directory.visible_doctors().where(col(Doctor.id) == doctor_id)
    return _slots(
        visible.exists(),
        col(Slot.doctor_id) == doctor_id,
        col(Slot.state) == _OPEN,
        col(Slot.starts_at) > _later(first),
    )


def _with_next_free(doctors: Rows, first: datetime, last: datetime | None, *, optional: bool = False) -> Rows:
    """Add each doctor's first free slot: its key and its start.

    One short walk along the index over open slots per doctor, whatever else is in the table.

    Args:
        optional: keep the doctors who have none.
    """
    near = aliased(Slot)
    nearest = (
        select(col(near.id))
        .where(col(near.doctor_id) == col(Doctor.id), col(near.state) == _OPEN, col(near.starts_at) > _later(first))
        .order_by(col(near.starts_at))
        .limit(1)
    )
    if last is not None:
        nearest = nearest.where(col(near.starts_at) < last)
    return doctors.add_columns(col(Slot.id), col(Slot.starts_at)).join(
        Slot, col(Slot.id) == nearest.correlate(Doctor).scalar_subquery(), isouter=optional
    )


def _cards(session: Session, found: Rows, first: datetime) -> tuple[DoctorCard, ...]:
    rows = [(DoctorRow(*row[:-2]), row[-2], row[-1]) for row in session.execute(found)]
    free = session.execute(
        select(col(Slot.doctor_id), func.count())
        .where(
            col(Slot.doctor_id).in_([doctor.id for doctor, _, _ in rows]),
            col(Slot.state) == _OPEN,
            col(Slot.starts_at) > _later(first),
            col(Slot.starts_at) < max(first, db.clock.now()) + WEEK,
        )
        .group_by(col(Slot.doctor_id))
    )
    counts: dict[int, int] = dict(free.all())
    return tuple(
        DoctorCard(doctor, next_free_at, slot_id, counts.get(doctor.id, 0)) for doctor, slot_id, next_free_at in rows
    )


def _record(session: Session, actor: Actor | None, action: str, doctor_id: int, slots: int) -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="doctor",
        object_id=doctor_id,
        detail=f"{slots} slots",
    )
