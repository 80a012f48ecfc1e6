"""Use cases around working hours: seeing what a change would do, making it, and keeping slots published."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlmodel import Session, col

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role
from mhms_app.audit import service as audit
from mhms_app.availability import hours_rules, rules
from mhms_app.availability.hours_rules import Change, DayOff, Existing, ExtraHours, Hours, SpecialDay, Timetable
from mhms_app.availability.models import HoursException, Slot, SlotState, WorkingHours
from mhms_app.availability.public_holidays import public_holidays
from mhms_app.availability.rules import MINUTE, Times
from mhms_app.availability.service import add_slots
from mhms_app.availability.slots import SlotsChanged, lock_doctor
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Invalid, NotFound
from mhms_app.settings import settings

_AT_ONCE = 1000  # keys in one statement

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PutHours:
    """Add working hours, or with an ``id`` replace those."""

    hours: Hours
    id: int | None = None


@dataclass(frozen=True, slots=True)
class DropHours:
    """Remove working hours."""

    id: int


@dataclass(frozen=True, slots=True)
class AddDay:
    """Add a day off or extra hours."""

    special: SpecialDay


@dataclass(frozen=True, slots=True)
class DropDay:
    """Remove a day off or extra hours."""

    id: int


Edit = PutHours | DropHours | AddDay | DropDay


@dataclass(frozen=True, slots=True)
class HoursPage:
    """All that says when a doctor works; what is over is left out.

    Attributes:
        approved: patients can find the doctor.
        hours, special_days: by key.
        holidays: the public holidays within the horizon, by day.
        until: the last day for which slots are published.
    """

    doctor_id: int
    approved: bool
    hours: dict[int, Hours]
    special_days: dict[int, SpecialDay]
    holidays: dict[date, str]
    until: date


@dataclass(frozen=True, slots=True)
class WeekEffect:
    """How many slots of one week appear, vanish and stay."""

    monday: date
    appear: int
    vanish: int
    stay: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of the hours does to the slots, until the horizon.

    Attributes:
        appear, vanish, left_out: their times, in order.
        stay: how many remain.
        outside: how many of those are outside of the hours, and stay because they are booked or being booked.
        weeks: the same by week, without those in which nothing is.
        until: the last day for which slots are published.
    """

    appear: tuple[Times, ...]
    vanish: tuple[Times, ...]
    left_out: tuple[Times, ...]
    stay: int
    outside: int
    weeks: tuple[WeekEffect, ...]
    until: date


def hours_page(session: Session, actor: Actor | None, *, doctor_id: int | None = None) -> HoursPage:
    """When a doctor works, for the doctor or an administrator.

    Raises:
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    return _page(session, directory.managed_doctor(session, actor, doctor_id=doctor_id).id)


def preview(session: Session, actor: Actor | None, *, doctor_id: int | None = None, edit: Edit) -> Effect:
    """Say what an edit would do to the slots; nothing changes.

    Raises:
        Invalid: the edit is not possible, as ``hours_rules`` says.
        NotFound: there is no such doctor or no such hours, or it is not the actor's to manage.
    """
    found = hours_page(session, actor, doctor_id=doctor_id)
    return _effect(*_compare(session, found, _edited(found, edit)), until=found.until)


def save(session: Session, actor: Actor | None, *, doctor_id: int | None = None, edit: Edit) -> Effect:
    """Make an edit and bring the slots to come in line with it; whoever has booked keeps their time.

    Raises:
        Invalid, NotFound: as ``preview``.
        Conflict: slots came to these times in spite of the lock.
    """
    mine = directory.managed_doctor(session, actor, doctor_id=doctor_id).id
    lock_doctor(session, mine)
    found = _page(session, mine)
    timetable = _edited(found, edit)
    _write(session, mine, edit)
    asked, change = _compare(session, found, timetable)
    change = _apply(session, mine, change)
    _record(session, actor, "hours.save", mine, change)
    return _effect(asked, change, until=found.until)


def close_days(session: Session, actor: Actor | None, *, doctor_id: int | None = None, first: date, last: date) -> int:
    """Make days off of these clinic days, without extra hours; returns how many slots are taken back.

    Unlike a single day off this also takes back what was published by hand, and what somebody is about to book.
    The doctor's lock is held until the end of the transaction.

    Raises:
        Invalid: there are too many exceptions already, or the days are too far away.
        NotFound: there is no such doctor, or it is not the actor's to manage.
    """
    mine = directory.managed_doctor(session, actor, doctor_id=doctor_id).id
    lock_doctor(session, mine)
    special = _page(session, mine).special_days
    extra = [key for key, each in special.items() if isinstance(each, ExtraHours) and first <= each.day <= last]
    free = {each.day for each in special.values() if each == DayOff(each.day)}
    length = (last - first).days + 1
    days = [day for day in (first + number * rules.DAY for number in range(length)) if day not in free]
    if len(special) + len(days) > hours_rules.MOST_SPECIAL_DAYS:
        raise Invalid(f"At most {hours_rules.MOST_SPECIAL_DAYS} such days are possible.", field="last")
    session.execute(delete(HoursException).where(col(HoursException.id).in_(extra)))
    if days:
        session.execute(insert(HoursException), [{"doctor_id": mine, "day": day, "kind": "off"} for day in days])
    begin, end = rules.span(first, length, zone=settings().zone)
    theirs = and_(
        col(Slot.doctor_id) == mine,
        col(Slot.starts_at) >= begin,
        col(Slot.starts_at) < end,
        col(Slot.starts_at) > db.clock.now(),
        col(Slot.state).in_((SlotState.OPEN.value, SlotState.HELD.value)),
    )
    session.execute(select(col(Slot.id)).where(theirs).order_by(col(Slot.id)).with_for_update())  # by key, as everybody
    gone = session.scalars(
        update(Slot)
        .where(theirs)
        .values(state=SlotState.WITHDRAWN.value, from_hours=False, held_by=None, held_until=None, offered=False)
        .returning(col(Slot.id))
        .execution_options(synchronize_session=False)
    ).all()
    if gone:
        db.announce(session, SlotsChanged(mine, gone=tuple(key for key in gone if key), came=False))
    return len(gone)


def doctors_with_hours(session: Session) -> tuple[int, ...]:
    """The doctors for whom slots are kept published."""
    regular = select(col(WorkingHours.id)).where(col(WorkingHours.doctor_id) == col(Doctor.id))
    special = select(col(HoursException.id)).where(
        col(HoursException.doctor_id) == col(Doctor.id), col(HoursException.day) >= db.clock.today()
    )
    found = session.execute(
        select(col(Doctor.id))
        .join(User, col(User.id) == col(Doctor.user_id))
        .where(col(User.active), col(User.role) == Role.DOCTOR.value, or_(regular.exists(), special.exists()))
        .order_by(col(Doctor.id))
    )
    return tuple(found.scalars())


def extend_horizon(session: Session, *, doctor_id: int) -> int:
    """Bring a doctor's slots in line with their hours up to today's horizon; returns how many are new.

    A repetition changes nothing. Another worker that is at it already is not waited for.
    """
    if not lock_doctor(session, doctor_id, skip_locked=True):
        return 0
    found = _page(session, doctor_id)
    _, change = _compare(session, found, _timetable(found))
    change = _apply(session, doctor_id, change)
    if change.appear or change.vanish:
        _record(session, None, "hours.extend", doctor_id, change)
    return len(change.appear)


def publish_due(stop: threading.Event | None = None) -> int:
    """Extend the horizon of every doctor, each in a transaction of its own; returns how many slots are new.

    Args:
        stop: when it is set, the doctors who are left wait for the next run.
    """
    with db.transaction(read_only=True) as session:
        waiting = doctors_with_hours(session)
    done = 0
    for doctor_id in waiting:
        if stop and stop.is_set():
            break
        try:
            with db.transaction() as session:
                done += extend_horizon(session, doctor_id=doctor_id)
        except ClinicError as refusal:  # one doctor whose slots cannot be published must not stop the others
            log.warning("no slots from the hours of doctor %d: %s", doctor_id, refusal.sentence)
    if done:
        log.info("%d slots are published from working hours", done)
    return done


def asks_for(session: Session, doctor_id: int, times: Times) -> bool:
    """Whether a doctor's hours ask for a slot at exactly these times (aware UTC)."""
    found, zone = _page(session, doctor_id), settings().zone
    day = times[0].astimezone(zone).date()
    return day <= found.until and times in hours_rules.wanted(_timetable(found), day, day, zone=zone)


def _page(session: Session, doctor_id: int) -> HoursPage:
    today = db.clock.today()
    weeks, approved_at = session.execute(
        select(col(Department.horizon_weeks), col(Doctor.approved_at))
        .join(Department, col(Department.id) == col(Doctor.department_id))
        .where(col(Doctor.id) == doctor_id)
    ).one()
    until = today + timedelta(weeks=weeks) - rules.DAY
    over = col(WorkingHours.valid_until) < today
    regular = session.scalars(
        select(WorkingHours)
        .where(col(WorkingHours.doctor_id) == doctor_id, or_(col(WorkingHours.valid_until).is_(None), ~over))
        .order_by(col(WorkingHours.valid_from), col(WorkingHours.start), col(WorkingHours.id))
    )
    special = session.scalars(
        select(HoursException)
        .where(col(HoursException.doctor_id) == doctor_id, col(HoursException.day) >= today)
        .order_by(col(HoursException.day), col(HoursException.start), col(HoursException.id))
    )
    free = public_holidays(settings().holidays, range(today.year, until.year + 1))
    return HoursPage(
        doctor_id,
        approved_at is not None,
        {row.id or 0: _hours(row) for row in regular},
        {row.id or 0: _special(row) for row in special},
        {day: name for day, name in free.items() if today <= day <= until},
        until,
    )


def _timetable(page: HoursPage) -> Timetable:
    return Timetable(tuple(page.hours.values()), tuple(page.special_days.values()), frozenset(page.holidays))


def _edited(page: HoursPage, edit: Edit) -> Timetable:
    """The timetable after an edit.

    Raises:
        Invalid, NotFound: the edit is not possible.
    """
    regular, special, today = dict(page.hours), dict(page.special_days), db.clock.today()
    refusal: Invalid | None = None
    match edit:
        case PutHours(hours, key):
            if key is not None:
                _take(regular, key)
            refusal = hours_rules.why_not_hours(hours, others=regular.values(), today=today)
            regular[0] = hours
        case AddDay(day):
            refusal = hours_rules.why_not_a_special_day(day, others=special.values(), today=today)
            special[0] = day
        case DropHours(key):
            _take(regular, key)
        case DropDay(key):
            _take(special, key)
    if refusal:
        raise refusal
    return Timetable(tuple(regular.values()), tuple(special.values()), frozenset(page.holidays))


def _take(rows: dict[int, Hours] | dict[int, SpecialDay], key: int) -> None:
    if rows.pop(key, None) is None:
        raise NotFound


def _write(session: Session, doctor_id: int, edit: Edit) -> None:
    """Put an edit into the tables, once ``_edited`` has let it pass."""
    match edit:
        case PutHours(hours, None):
            session.execute(insert(WorkingHours).values(doctor_id=doctor_id, **_columns(hours)))
        case PutHours(hours, key):
            session.execute(update(WorkingHours).where(col(WorkingHours.id) == key).values(**_columns(hours)))
        case DropHours(key):
            session.execute(delete(WorkingHours).where(col(WorkingHours.id) == key))
        case AddDay(DayOff(day, between)):
            start, end = between or (None, None)
            off = {"doctor_id": doctor_id, "day": day, "kind": "off", "start": start, "end": end}
            session.execute(insert(HoursException).values(off))
        case AddDay(ExtraHours(day, start, end, length)):
            extra = {"doctor_id": doctor_id, "day": day, "kind": "extra", "start": start, "end": end}
            session.execute(insert(HoursException).values(extra | {"slot_minutes": length // MINUTE}))
        case DropDay(key):
            session.execute(delete(HoursException).where(col(HoursException.id) == key))


def _columns(hours: Hours) -> dict[str, time | date | int | None]:
    since, until = hours.rest or (None, None)
    return {
        "weekdays": rules.weekday_bits(hours.weekdays),
        "start": hours.start,
        "end": hours.end,
        "slot_minutes": hours.length // MINUTE,
        "pause_minutes": hours.pause // MINUTE,
        "break_start": since,
        "break_end": until,
        "valid_from": hours.valid_from,
        "valid_until": hours.valid_until,
    }


def _hours(row: WorkingHours) -> Hours:
    return Hours(
        frozenset(rules.weekdays_in(row.weekdays)),
        row.start,
        row.end,
        row.slot_minutes * MINUTE,
        row.valid_from,
        row.valid_until,
        row.pause_minutes * MINUTE,
        (row.break_start, row.break_end) if row.break_start and row.break_end else None,
    )


def _special(row: HoursException) -> SpecialDay:
    between = (row.start, row.end) if row.start is not None and row.end is not None else None
    if between and row.slot_minutes:
        return ExtraHours(row.day, *between, row.slot_minutes * MINUTE)
    return DayOff(row.day, between)


def _compare(session: Session, page: HoursPage, timetable: Timetable) -> tuple[tuple[Times, ...], Change]:
    """What a timetable asks for, and what that changes."""
    now = db.clock.now()
    asked = hours_rules.wanted(timetable, db.clock.today(), page.until, zone=settings().zone)
    existing = session.execute(
        select(col(Slot.id), col(Slot.starts_at), col(Slot.ends_at), col(Slot.state), col(Slot.from_hours)).where(
            col(Slot.doctor_id) == page.doctor_id,
            col(Slot.starts_at) > now - rules.DAY,  # no slot is as long, so none that has begun is missed
            or_(col(Slot.state) != SlotState.WITHDRAWN.value, col(Slot.from_hours)),
        )
    )
    return asked, hours_rules.reconcile(asked, [Existing(*row) for row in existing], now=now)


def _apply(session: Session, doctor_id: int, change: Change) -> Change:
    """Make a change, and return what became of it: a slot that was taken at this very moment stays."""
    gone = take_back(session, [slot.id for slot in change.vanish])
    lost = tuple(slot for slot in change.vanish if slot.id not in gone)
    done = Change(
        hours_rules.still_free(change.appear, lost),
        tuple(slot for slot in change.vanish if slot.id in gone),
        change.stay + lost,
        change.left_out,
    )
    if done.appear:
        add_slots(session, doctor_id, done.appear, from_hours=True)
    if done.appear or gone:
        db.announce(session, SlotsChanged(doctor_id, gone=tuple(sorted(gone)), came=bool(done.appear)))
    return done


def take_back(session: Session, slot_ids: Sequence[int]) -> set[int]:
    """Withdraw open slots in the name of the hours, which may ask for these times again.

    Compare and swap, as in ``service.withdraw``. Only what a person withdraws keeps ``from_hours``.
    """
    gone: set[int] = set()
    for first in range(0, len(slot_ids), _AT_ONCE):
        found = session.execute(
            update(Slot)
            .where(col(Slot.id).in_(slot_ids[first : first + _AT_ONCE]), col(Slot.state) == SlotState.OPEN.value)
            .values(state=SlotState.WITHDRAWN.value, from_hours=False)
            .returning(col(Slot.id))
            .execution_options(synchronize_session=False)
        )
        gone.update(found.scalars())
    return gone


def _effect(asked: tuple[Times, ...], change: Change, *, until: date) -> Effect:
    goals = set(asked)
    came, went, kept = (
        _by_week(starts)
        for starts in (
            (times[0] for times in change.appear),
            (slot.starts_at for slot in change.vanish),
            (slot.starts_at for slot in change.stay),
        )
    )
    return Effect(
        change.appear,
        tuple(slot.times for slot in change.vanish),
        change.left_out,
        len(change.stay),
        sum(slot.times not in goals for slot in change.stay),
        tuple(WeekEffect(monday, came[monday], went[monday], kept[monday]) for monday in sorted({*came, *went, *kept})),
        until,
    )


def _by_week(starts: Iterable[datetime]) -> Counter[date]:
    zone = settings().zone
    return Counter(rules.week_of(at.astimezone(zone).date()) for at in starts)


def _record(session: Session, actor: Actor | None, action: str, doctor_id: int, change: Change) -> None:
    audit.record(
        session,
        actor_id=actor.user_id if actor else None,
        action=action,
        object_type="doctor",
        object_id=doctor_id,
        detail=f"{len(change.appear)} slots new, {len(change.vanish)} taken back",
    )
