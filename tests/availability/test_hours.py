"""Working hours become slots, change and are extended, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from threading import Barrier, Event
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.availability import hours
from mhms_app.availability import service as availability
from mhms_app.availability.hours import AddDay, DropDay, DropHours, PutHours, WeekEffect
from mhms_app.availability.hours_rules import DayOff, ExtraHours, Hours
from mhms_app.availability.models import Slot, WorkingHours
from mhms_app.availability.rules import Plan
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import service as booking
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.settings import Settings, settings
from tests import builders as make

HALF, DAY, WEEK = timedelta(minutes=30), timedelta(days=1), timedelta(weeks=1)
MONDAY = date(2026, 11, 23)  # today, at nine
WEEKS = 2
TUESDAYS = Hours(frozenset({1}), time(9), time(11), HALF, MONDAY)  # four slots in each of two weeks


@dataclass
class Cast:
    """A doctor whose department publishes two weeks ahead, a colleague, a patient and an administrator."""

    doctor_id: int
    me: Actor
    colleague: Actor
    patient: Actor
    admin: Actor


@pytest.fixture
def cast(session: Session, now: datetime) -> Cast:
    within = make.department(session, name="Cardiology")
    within.horizon_weeks = WEEKS
    doctor = make.doctor(session, within=within)
    found = Cast(
        make.key(doctor),
        make.actor(session, doctor),
        make.actor(session, make.doctor(session, name="Dr. Samuel Okafor")),
        make.actor(session, make.patient(session)),
        make.actor(session, make.user(session, role=Role.ADMIN)),
    )
    session.commit()
    return found


def save(actor: Actor, edit: hours.Edit) -> hours.Effect:
    with db.transaction() as session:
        return hours.save(session, actor, edit=edit)


def preview(actor: Actor, edit: hours.Edit) -> hours.Effect:
    with db.transaction(read_only=True) as session:
        return hours.preview(session, actor, edit=edit)


def page(actor: Actor) -> hours.HoursPage:
    with db.transaction(read_only=True) as session:
        return hours.hours_page(session, actor)


def key_of_hours(actor: Actor) -> int:
    return next(iter(page(actor).hours))


def slots(state: str = "open") -> dict[str, int]:
    """The doctor's slots in one state by their wall-clock time, with their keys."""
    with db.transaction(read_only=True) as session:
        rows = session.exec(select(Slot).where(Slot.state == state).order_by(col(Slot.starts_at))).all()
        return {f"{row.starts_at.astimezone(settings().zone):%d %b %H:%M}": row.id or 0 for row in rows}


def book(patient: Actor, slot_id: int) -> None:
    with db.transaction() as session:
        booking.book(session, patient, slot_id=slot_id, reason="", key=str(uuid4()))


@contextmanager
def heard() -> Iterator[list[object]]:
    facts: list[object] = []
    stop = db.listen(facts.append)
    yield facts
    stop()


FIRST_TUESDAY = ["24 Nov 09:00", "24 Nov 09:30", "24 Nov 10:00", "24 Nov 10:30"]
SECOND_TUESDAY = [text.replace("24 Nov", "01 Dec") for text in FIRST_TUESDAY]

# Saving ---------------------------------------------------------------------------------------------


def test_saved_hours_become_slots_up_to_the_horizon(cast: Cast) -> None:
    foreseen = preview(cast.me, PutHours(TUESDAYS))
    assert slots() == {}
    with heard() as facts:
        done = save(cast.me, PutHours(TUESDAYS))
    assert done == foreseen
    assert list(slots()) == FIRST_TUESDAY + SECOND_TUESDAY
    assert done.weeks == (WeekEffect(MONDAY, 4, 0, 0), WeekEffect(MONDAY + WEEK, 4, 0, 0))
    assert done.until == MONDAY + WEEKS * WEEK - DAY
    assert facts == [SlotsChanged(cast.doctor_id, gone=(), came=True)]
    assert list(page(cast.me).hours.values()) == [TUESDAYS]


def test_every_part_of_a_rule_is_kept(cast: Cast) -> None:
    rule = Hours(
        frozenset({0, 3, 6}), time(8, 5), time(17), timedelta(minutes=25), MONDAY, date(2027, 3, 1),
        timedelta(minutes=5), (time(12), time(12, 45)),
    )  # fmt: skip
    save(cast.me, PutHours(rule))
    assert list(page(cast.me).hours.values()) == [rule]


def test_a_change_touches_only_what_differs(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    before = slots()
    later = replace(TUESDAYS, start=time(10), end=time(12))
    edit = PutHours(later, id=key_of_hours(cast.me))
    foreseen = preview(cast.me, edit)
    with heard() as facts:
        assert save(cast.me, edit) == foreseen
    assert (len(foreseen.appear), len(foreseen.vanish), foreseen.stay) == (4, 4, 4)
    assert {text: before[text] for text in FIRST_TUESDAY[2:]}.items() <= slots().items()
    assert list(slots()) == ["24 Nov 10:00", "24 Nov 10:30", "24 Nov 11:00", "24 Nov 11:30", "01 Dec 10:00",
                             "01 Dec 10:30", "01 Dec 11:00", "01 Dec 11:30"]  # fmt: skip
    gone = {before[text] for text in FIRST_TUESDAY[:2] + SECOND_TUESDAY[:2]}
    assert facts == [SlotsChanged(cast.doctor_id, gone=tuple(sorted(gone)), came=True)]


def test_hours_that_are_changed_and_changed_back_leave_the_same_slots(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    before = list(slots())
    save(cast.me, PutHours(replace(TUESDAYS, weekdays=frozenset({2})), id=key_of_hours(cast.me)))
    assert not set(slots()) & set(before)
    save(cast.me, PutHours(TUESDAYS, id=key_of_hours(cast.me)))
    assert list(slots()) == before


def test_a_booked_slot_stays_when_its_hours_go(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    book(cast.patient, slots()["24 Nov 09:30"])
    done = save(cast.me, DropHours(key_of_hours(cast.me)))
    assert (done.stay, done.outside, len(done.vanish)) == (1, 1, 7)
    assert (list(slots()), list(slots("booked"))) == ([], ["24 Nov 09:30"])
    assert page(cast.me).hours == {}


def test_what_overlaps_a_booked_slot_is_left_out(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    book(cast.patient, slots()["24 Nov 09:30"])
    longer = replace(TUESDAYS, length=timedelta(hours=1))
    done = save(cast.me, PutHours(longer, id=key_of_hours(cast.me)))
    assert [f"{start.astimezone(settings().zone):%d %b %H:%M}" for start, _ in done.left_out] == ["24 Nov 09:00"]
    assert list(slots()) == ["24 Nov 10:00", "01 Dec 09:00", "01 Dec 10:00"]


def test_slots_published_by_hand_stay_whatever_the_hours(cast: Cast) -> None:
    by_hand = Plan(MONDAY + DAY, MONDAY + DAY, time(9), time(17), timedelta(hours=8))
    with db.transaction() as session:
        availability.publish(session, cast.me, plan=by_hand)
    save(cast.me, PutHours(TUESDAYS))
    assert list(slots()) == ["24 Nov 09:00", *SECOND_TUESDAY]
    save(cast.me, DropHours(key_of_hours(cast.me)))
    assert list(slots()) == ["24 Nov 09:00"]


def test_a_slot_withdrawn_by_hand_does_not_come_back(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    with db.transaction() as session:
        availability.withdraw(session, cast.me, slot_ids=(slots()["24 Nov 09:30"],))
    assert hours.publish_due() == 0
    save(cast.me, PutHours(replace(TUESDAYS, end=time(10, 30)), id=key_of_hours(cast.me)))
    assert "24 Nov 09:30" not in slots() and "01 Dec 09:30" in slots()


def test_a_withdrawn_slot_can_be_published_again_by_hand(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    with db.transaction() as session:
        availability.withdraw(session, cast.me, slot_ids=(slots()["24 Nov 09:30"],))
    with db.transaction() as session:
        availability.publish(session, cast.me, plan=TUESDAYS.between(MONDAY + DAY, MONDAY + DAY))
    assert list(slots()) == FIRST_TUESDAY + SECOND_TUESDAY


def test_a_slot_that_is_booked_while_its_hours_change_is_kept(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    save(cast.me, PutHours(TUESDAYS))
    taken = slots()["24 Nov 09:30"]
    compare = hours._compare

    def compare_and_lose(session: Session, *about: object) -> object:
        found = compare(session, *about)  # type: ignore[arg-type]
        session.execute(update(Slot).where(col(Slot.id) == taken).values(state="booked"))
        return found

    monkeypatch.setattr(hours, "_compare", compare_and_lose)
    longer = replace(TUESDAYS, length=timedelta(hours=1))
    done = save(cast.me, PutHours(longer, id=key_of_hours(cast.me)))
    assert (len(done.appear), len(done.vanish), done.stay, done.outside) == (3, 7, 1, 1)
    assert list(slots("booked")) == ["24 Nov 09:30"]
    assert list(slots()) == ["24 Nov 10:00", "01 Dec 09:00", "01 Dec 10:00"]


# Exceptions -----------------------------------------------------------------------------------------


def test_a_day_off_takes_its_slots_back_and_gives_them_again(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    edit = AddDay(DayOff(MONDAY + DAY))
    assert len(preview(cast.me, edit).vanish) == 4
    save(cast.me, edit)
    assert list(slots()) == SECOND_TUESDAY
    save(cast.me, DropDay(next(iter(page(cast.me).special_days))))
    assert list(slots()) == FIRST_TUESDAY + SECOND_TUESDAY


def test_half_a_day_off_and_extra_hours(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    half, extra = DayOff(MONDAY + DAY, (time(9), time(10))), ExtraHours(MONDAY + 2 * DAY, time(18), time(19), HALF)
    save(cast.me, AddDay(half))
    save(cast.me, AddDay(extra))
    assert list(slots())[:4] == ["24 Nov 10:00", "24 Nov 10:30", "25 Nov 18:00", "25 Nov 18:30"]
    assert list(page(cast.me).special_days.values()) == [half, extra]


def test_public_holidays_are_days_off(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "settings", lambda: Settings(holidays="DE"))
    db.clock.freeze(datetime(2026, 12, 18, 8, tzinfo=settings().zone))
    fridays = Hours(frozenset({4}), time(9), time(10), HALF, MONDAY)
    save(cast.me, PutHours(fridays))
    assert list(slots()) == ["18 Dec 09:00", "18 Dec 09:30"]
    names = page(cast.me).holidays
    assert names[date(2026, 12, 25)] == "Christmas Day" and max(names) <= date(2026, 12, 31)


# Extending ------------------------------------------------------------------------------------------


def test_the_horizon_moves_on_with_the_days_and_a_second_run_adds_nothing(cast: Cast, now: datetime) -> None:
    save(cast.me, PutHours(TUESDAYS))
    assert hours.publish_due() == 0
    db.clock.freeze(now + 8 * DAY)
    assert hours.publish_due() == 4
    assert "08 Dec 09:00" in slots()
    assert hours.publish_due() == 0


def test_what_came_free_outside_of_the_hours_is_taken_back_by_the_next_run(cast: Cast, session: Session) -> None:
    save(cast.me, PutHours(TUESDAYS))
    book(cast.patient, slots()["24 Nov 09:30"])
    save(cast.me, PutHours(replace(TUESDAYS, start=time(10)), id=key_of_hours(cast.me)))
    freed = session.get_one(Slot, slots("booked")["24 Nov 09:30"])
    freed.state = "open"
    session.commit()
    assert hours.publish_due() == 0
    assert "24 Nov 09:30" not in slots()


def test_only_doctors_who_work_here_are_extended(cast: Cast, session: Session) -> None:
    doctors = [make.doctor(session, name=f"Dr. Number {number}") for number in range(4)]
    for doctor in doctors[:2]:
        make.hours(session, doctor)
    make.day_off(session, doctors[2], MONDAY)
    make.day_off(session, doctors[3], MONDAY - DAY)
    account = session.get_one(make.User, doctors[1].user_id)
    account.active = False
    session.commit()
    assert hours.doctors_with_hours(session) == (doctors[0].id, doctors[2].id)


def test_two_workers_add_nothing_twice(cast: Cast, session: Session) -> None:
    for number in range(3):
        make.hours(session, make.doctor(session, name=f"Dr. Number {number}"))
    session.commit()
    barrier = Barrier(2)

    def run() -> int:
        barrier.wait()
        return hours.publish_due()

    with ThreadPoolExecutor(2) as pool:
        done = sum(future.result() for future in [pool.submit(run), pool.submit(run)])
    with db.transaction(read_only=True) as session:
        times = session.exec(select(Slot.doctor_id, Slot.starts_at)).all()
    assert len(times) == len(set(times)) == done == 3 * (8 * 5 * 6 - 1)  # the one at nine o'clock is now
    assert hours.publish_due() == 0


def test_a_run_that_shall_stop_leaves_the_others_for_later(cast: Cast, session: Session) -> None:
    make.hours(session, make.doctor(session))
    session.commit()
    stop = Event()
    stop.set()
    assert hours.publish_due(stop) == 0
    assert hours.publish_due() > 0


def test_what_is_done_is_in_the_audit_trail(cast: Cast, session: Session, now: datetime) -> None:
    save(cast.me, PutHours(TUESDAYS))
    db.clock.freeze(now + WEEK)
    hours.publish_due()
    entries = session.exec(select(AuditEntry).where(col(AuditEntry.action).startswith("hours."))).all()
    assert [(entry.action, entry.actor_id, entry.detail) for entry in entries] == [
        ("hours.save", cast.me.user_id, "8 slots new, 0 taken back"),
        ("hours.extend", None, "4 slots new, 0 taken back"),
    ]


# Refusals -------------------------------------------------------------------------------------------


def test_hours_that_overlap_are_refused_and_nothing_is_kept(cast: Cast) -> None:
    save(cast.me, PutHours(TUESDAYS))
    for act in (preview, save):
        with pytest.raises(Invalid) as refusal:
            act(cast.me, PutHours(replace(TUESDAYS, start=time(10), end=time(12))))
        assert refusal.value.field == "start"
    assert len(page(cast.me).hours) == 1


@pytest.mark.parametrize("edit", [DropHours, DropDay, lambda key: PutHours(TUESDAYS, id=key)])
def test_the_hours_of_another_doctor_cannot_be_touched(cast: Cast, edit: Callable[[int], hours.Edit]) -> None:
    save(cast.me, PutHours(TUESDAYS))
    save(cast.me, AddDay(DayOff(MONDAY + DAY)))
    mine = page(cast.me)
    key = next(iter(mine.special_days if edit is DropDay else mine.hours))
    for act in (preview, save):
        with pytest.raises(NotFound):
            act(cast.colleague, edit(key))
    assert page(cast.me) == mine


def test_only_doctors_and_administrators_see_and_change_hours(cast: Cast, session: Session) -> None:
    for act in (preview, save):
        with pytest.raises(NotAllowed):
            act(cast.patient, PutHours(TUESDAYS))
        with pytest.raises(LoginRequired):
            act(None, PutHours(TUESDAYS))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        hours.hours_page(session, cast.colleague, doctor_id=cast.doctor_id)
    hours.save(session, cast.admin, doctor_id=cast.doctor_id, edit=PutHours(TUESDAYS))
    assert session.exec(select(WorkingHours.doctor_id)).all() == [cast.doctor_id]
    assert session.get_one(Department, session.get_one(Doctor, cast.doctor_id).department_id).horizon_weeks == WEEKS
