"""Publishing, withdrawing and finding slots, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts.models import User
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.availability import finding, lists, rules
from mhms_app.availability import service as availability
from mhms_app.availability.models import Slot
from mhms_app.availability.rules import Plan
from mhms_app.availability.service import Published, Withdrawn
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import service as booking
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Conflict, Invalid, LoginRequired, NotAllowed, NotFound
from tests import builders as make
from tests.conftest import NOW

T = TypeVar("T")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONDAY = date(2026, 11, 23)
WEEK = Plan(MONDAY, MONDAY + 6 * DAY, time(9, 30), time(11), 30 * MINUTE)  # three slots on each of seven days


@dataclass
class Cast:
    """Two doctors, a patient and an administrator, all logged in."""

    doctor: Doctor
    doctor_id: int
    me: Actor
    other: Doctor
    colleague: Actor
    patient: Actor
    admin: Actor


@pytest.fixture
def cast(session: Session, now: datetime) -> Cast:
    within = make.department(session, name="Cardiology")
    doctor, other = make.doctor(session, within=within), make.doctor(session, name="Dr. Samuel Okafor")
    found = Cast(
        doctor,
        make.key(doctor),
        make.actor(session, doctor),
        other,
        make.actor(session, other),
        make.actor(session, make.patient(session)),
        make.actor(session, make.user(session, role=Role.ADMIN)),
    )
    session.commit()
    return found


@contextmanager
def heard() -> Iterator[list[object]]:
    """What is announced meanwhile."""
    facts: list[object] = []
    stop = db.listen(facts.append)
    yield facts
    stop()


def states(session: Session) -> dict[int, str]:
    """The state of each slot; others may write again afterwards."""
    session.commit()
    found = dict(session.exec(select(col(Slot.id), Slot.state).order_by(col(Slot.id))).all())
    session.commit()
    return found  # type: ignore[return-value]


def at_once(*tasks: Callable[[], T]) -> list[T]:
    """Run the tasks in threads that start together; what each returned, or the refusal it got."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], T]) -> T | ClinicError:
        barrier.wait(10)
        try:
            return task()
        except ClinicError as refusal:
            return refusal

    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(run, tasks))  # type: ignore[arg-type]


def in_transaction(use_case: Callable[..., T], *args: Any, **kwargs: Any) -> Callable[[], T]:
    def run() -> T:
        with db.transaction() as session:
            return use_case(session, *args, **kwargs)

    return run


# --- publishing ---


def test_a_preview_tells_and_changes_nothing(session: Session, cast: Cast) -> None:
    make.slot(session, cast.doctor, NOW + DAY + HOUR, minutes=20)  # Tuesday 10:00
    plan = Plan(MONDAY, MONDAY + DAY, time(8), time(10, 30), 30 * MINUTE)
    found = availability.preview(session, cast.me, plan=plan)
    assert found.past == 3, "08:00, 08:30 and 09:00, which is now"
    assert [start.hour for start, _ in found.skipped] == [9]
    assert len(found.fresh) == 6
    assert len(states(session)) == 1


def test_publishing_adds_what_the_preview_told(session: Session, cast: Cast) -> None:
    told = availability.preview(session, cast.me, plan=WEEK)
    assert availability.publish(session, cast.me, plan=WEEK) == Published(created=21, skipped=0)
    week = lists.week_of_doctor(session, cast.me, monday=MONDAY)
    assert [(slot.starts_at, slot.ends_at) for slot in week] == list(told.fresh)
    assert {slot.state for slot in week} == {"open"}
    assert {slot.doctor_id for slot in week} == {cast.doctor_id}


def test_publishing_twice_adds_nothing(session: Session, cast: Cast) -> None:
    availability.publish(session, cast.me, plan=WEEK)
    session.commit()
    with heard() as facts, db.transaction() as other:
        assert availability.publish(other, cast.me, plan=WEEK) == Published(created=0, skipped=21)
    assert len(states(session)) == 21
    assert facts == [], "nothing changed, so nobody is told"


def test_withdrawn_slots_leave_their_time_free(session: Session, cast: Cast) -> None:
    make.slot(session, cast.doctor, NOW + DAY + HOUR, state="withdrawn")
    assert availability.publish(session, cast.me, plan=WEEK).skipped == 0


def test_publishing_is_announced_and_written_down(session: Session, cast: Cast) -> None:
    with heard() as facts, db.transaction() as other:
        availability.publish(other, cast.me, plan=WEEK)
        assert facts == [], "not before the commit"
    assert facts == [SlotsChanged(cast.doctor_id, gone=(), came=True)]
    entry = session.exec(select(AuditEntry).where(AuditEntry.action == "slots.publish")).one()
    assert (entry.actor_id, entry.object_type, entry.object_id) == (cast.me.user_id, "doctor", cast.doctor_id)


def test_a_plan_that_makes_no_sense_changes_nothing(session: Session, cast: Cast) -> None:
    backwards = Plan(MONDAY, MONDAY, time(12), time(11), 30 * MINUTE)
    for use_case in (availability.preview, availability.publish):
        with pytest.raises(Invalid) as refusal:
            use_case(session, cast.me, plan=backwards)
        assert refusal.value.field == "end"
    assert states(session) == {}


def test_a_doctor_publishes_for_themself_only_and_an_administrator_for_anybody(session: Session, cast: Cast) -> None:
    for use_case in (availability.preview, availability.publish):
        with pytest.raises(LoginRequired):
            use_case(session, None, plan=WEEK)
        with pytest.raises(NotAllowed):
            use_case(session, cast.patient, doctor_id=cast.doctor_id, plan=WEEK)
        with pytest.raises(NotAllowed):
            use_case(session, cast.admin, plan=WEEK)
        with pytest.raises(NotFound) as not_mine:
            use_case(session, cast.colleague, doctor_id=cast.doctor_id, plan=WEEK)
        with pytest.raises(NotFound) as not_there:
            use_case(session, cast.colleague, doctor_id=987654, plan=WEEK)
        assert not_mine.value.sentence == not_there.value.sentence
        with pytest.raises(NotFound):
            use_case(session, cast.admin, doctor_id=987654, plan=WEEK)
    assert states(session) == {}
    assert availability.publish(session, cast.admin, doctor_id=cast.doctor_id, plan=WEEK).created == 21


def test_a_doctor_who_awaits_approval_may_prepare_slots(session: Session, cast: Cast) -> None:
    new = make.doctor(session, name="Dr. Emil Novak", approved=False)
    assert availability.publish(session, make.actor(session, new), plan=WEEK).created == 21


def test_publishes_at_the_same_moment_share_the_slots_and_none_fails(session: Session, cast: Cast) -> None:
    shifted = Plan(MONDAY, MONDAY + 6 * DAY, time(9, 40), time(12), 20 * MINUTE)
    publishing = [in_transaction(availability.publish, cast.me, plan=plan) for plan in (WEEK, shifted) * 4]
    outcomes = at_once(*publishing)
    assert all(isinstance(outcome, Published) for outcome in outcomes), outcomes
    assert sum(outcome.created for outcome in outcomes) == len(states(session))
    week = lists.week_of_doctor(session, cast.me, monday=MONDAY)
    assert all(one.ends_at <= following.starts_at for one, following in pairwise(week))


def test_what_the_constraint_refuses_is_a_named_conflict(
    session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    availability.publish(session, cast.me, plan=WEEK)
    monkeypatch.setattr(availability, "_taken", lambda *_: ())  # as if the others' slots came after our look
    with pytest.raises(Conflict, match="meanwhile"):
        availability.publish(session, cast.me, plan=WEEK)
    assert len(states(session)) == 21, "and the transaction can go on"


# --- withdrawing ---


def test_open_slots_are_withdrawn_and_leave_the_lists(session: Session, cast: Cast) -> None:
    first, second, third = (make.key(make.slot(session, cast.doctor, NOW + n * HOUR)) for n in (1, 2, 3))
    session.commit()
    with heard() as facts, db.transaction() as other:
        assert availability.withdraw(other, cast.me, slot_ids=(first, second)) == Withdrawn(2, 0)
    assert states(session) == {first: "withdrawn", second: "withdrawn", third: "open"}
    assert facts == [SlotsChanged(cast.doctor_id, gone=(first, second), came=False)]
    assert [slot.id for slot in lists.week_of_doctor(session, cast.me, monday=MONDAY)] == [third]


def test_of_many_only_open_ones_to_come_are_withdrawn(session: Session, cast: Cast) -> None:
    to_come = make.key(make.slot(session, cast.doctor, NOW + HOUR))
    past = make.key(make.slot(session, cast.doctor, NOW - HOUR))
    now = make.key(make.slot(session, cast.doctor, NOW))
    booked = make.key(make.slot(session, cast.doctor, NOW + 2 * HOUR, state="booked"))
    theirs = make.key(make.slot(session, cast.other, NOW + HOUR))
    wanted = (to_come, to_come, past, now, booked, theirs, 987654)
    assert availability.withdraw(session, cast.me, slot_ids=wanted) == Withdrawn(withdrawn=1, kept=5)
    assert states(session) == {to_come: "withdrawn", past: "open", now: "open", booked: "booked", theirs: "open"}


@pytest.mark.parametrize(
    ("state", "refusal"),
    [("booked", rules.SlotBooked), ("held", rules.SlotHeld), ("withdrawn", rules.SlotWithdrawn)],
)
def test_a_single_slot_that_stays_says_why(session: Session, cast: Cast, state: str, refusal: type[Exception]) -> None:
    slot_id = make.key(make.slot(session, cast.doctor, NOW + HOUR, state=state))
    with pytest.raises(refusal):
        availability.withdraw(session, cast.me, slot_ids=(slot_id,))
    assert states(session) == {slot_id: state}


def test_a_past_slot_stays_for_the_record(session: Session, cast: Cast) -> None:
    slot_id = make.key(make.slot(session, cast.doctor, NOW - HOUR))
    with pytest.raises(rules.SlotPast):
        availability.withdraw(session, cast.admin, slot_ids=(slot_id,))


def test_somebody_elses_slot_looks_like_none(session: Session, cast: Cast) -> None:
    theirs = make.key(make.slot(session, cast.other, NOW + HOUR, state="booked"))
    mine = make.key(make.slot(session, cast.doctor, NOW + HOUR))
    refusals = []
    for slot_ids in ((theirs,), (987654,)):
        with pytest.raises(NotFound) as refusal:
            availability.withdraw(session, cast.me, slot_ids=slot_ids)
        refusals.append(refusal.value.sentence)
    assert refusals[0] == refusals[1]
    assert availability.withdraw(session, cast.me, slot_ids=(mine, theirs)) == Withdrawn(1, 1)
    assert states(session)[theirs] == "booked"


def test_only_doctors_and_administrators_withdraw(session: Session, cast: Cast) -> None:
    mine, theirs = (make.key(make.slot(session, of, NOW + HOUR)) for of in (cast.doctor, cast.other))
    with pytest.raises(LoginRequired):
        availability.withdraw(session, None, slot_ids=(mine,))
    with pytest.raises(NotAllowed):
        availability.withdraw(session, cast.patient, slot_ids=(mine,))
    session.commit()
    with heard() as facts, db.transaction() as other:
        assert availability.withdraw(other, cast.admin, slot_ids=(theirs, mine)) == Withdrawn(2, 0)
    assert facts == [
        SlotsChanged(cast.doctor_id, gone=(mine,), came=False),
        SlotsChanged(make.key(cast.other), gone=(theirs,), came=False),
    ]


def test_nothing_asked_is_nothing_done_and_too_much_is_refused(session: Session, cast: Cast) -> None:
    assert availability.withdraw(session, cast.me, slot_ids=()) == Withdrawn(0, 0)
    with pytest.raises(Invalid):
        availability.withdraw(session, cast.me, slot_ids=tuple(range(2001)))


def test_of_withdrawing_and_booking_at_the_same_moment_one_happens(session: Session, cast: Cast) -> None:
    slots = [make.key(make.slot(session, cast.doctor, NOW + n * HOUR)) for n in range(1, 9)]
    session.commit()
    for slot_id in slots:
        withdrawn, booked = at_once(
            in_transaction(availability.withdraw, cast.me, slot_ids=(slot_id,)),
            in_transaction(booking.book, cast.patient, slot_id=slot_id, reason="", key=str(uuid4())),
        )
        if isinstance(withdrawn, Withdrawn):
            assert isinstance(booked, ClinicError)
            assert states(session)[slot_id] == "withdrawn"
        else:
            assert isinstance(withdrawn, rules.SlotBooked)
            assert states(session)[slot_id] == "booked"


# --- a doctor's own lists ---


def test_the_week_shows_the_past_and_the_booked_but_not_the_withdrawn(session: Session, cast: Cast) -> None:
    starts = {  # Berlin is one hour ahead of UTC: the week is from Sunday 23:00 to Sunday 23:00
        "sunday before": NOW - 10 * HOUR,
        "monday": NOW - 9 * HOUR,
        "past": NOW - HOUR,
        "booked": NOW + HOUR,
        "withdrawn": NOW + 2 * HOUR,
        "sunday": NOW + 6 * DAY + 14 * HOUR,
        "monday after": NOW + 6 * DAY + 15 * HOUR,
    }
    ids = {
        name: make.key(make.slot(session, cast.doctor, at, state=name if name in ("booked", "withdrawn") else "open"))
        for name, at in starts.items()
    }
    make.slot(session, cast.other, NOW + HOUR)
    expected = [ids[name] for name in ("monday", "past", "booked", "sunday")]
    for day in (MONDAY, MONDAY + 3 * DAY, MONDAY + 6 * DAY):
        assert [slot.id for slot in lists.week_of_doctor(session, cast.me, monday=day)] == expected
    by_admin = lists.week_of_doctor(session, cast.admin, doctor_id=cast.doctor_id, monday=MONDAY)
    assert [slot.id for slot in by_admin] == expected
    with pytest.raises(NotFound):
        lists.week_of_doctor(session, cast.colleague, doctor_id=cast.doctor_id, monday=MONDAY)
    with pytest.raises(NotAllowed):
        lists.week_of_doctor(session, cast.patient, doctor_id=cast.doctor_id, monday=MONDAY)
    with pytest.raises(Invalid):
        lists.week_of_doctor(session, cast.me, monday=date.max)


def test_past_unbooked_slots_are_paged_the_latest_first(session: Session, cast: Cast) -> None:
    ids = [make.key(make.slot(session, cast.doctor, NOW - n * HOUR)) for n in range(5)]
    make.slot(session, cast.doctor, NOW + HOUR)
    make.slot(session, cast.doctor, NOW - 6 * HOUR, state="booked")
    make.slot(session, cast.other, NOW - HOUR)
    first = lists.past_unbooked(session, cast.me, page=1, size=2)
    last = lists.past_unbooked(session, cast.me, page=3, size=2)
    assert ([slot.id for slot in first.rows], first.total) == (ids[:2], 5)
    assert ([slot.id for slot in last.rows], last.total) == (ids[4:], 5)
    with pytest.raises(NotFound):
        lists.past_unbooked(session, cast.colleague, doctor_id=cast.doctor_id)


# --- finding a free one ---


def test_free_slots_are_open_to_come_and_in_the_window(session: Session, cast: Cast) -> None:
    ids = [make.key(make.slot(session, cast.doctor, NOW + n * HOUR)) for n in range(-1, 5)]
    make.slot(session, cast.doctor, NOW + 5 * HOUR, state="booked")
    make.slot(session, cast.doctor, NOW + 6 * HOUR, state="held")
    find = lambda first, last: [  # noqa: E731
        slot.id for slot in finding.free_slots(session, None, doctor_id=cast.doctor_id, first=first, last=last)
    ]
    assert find(NOW - DAY, NOW + DAY) == ids[2:], "neither the past nor the one that starts now"
    assert find(NOW + 2 * HOUR, NOW + 3 * HOUR) == [ids[3]], "from the first moment until before the last"
    assert find(NOW + DAY, NOW + 2 * DAY) == []


def test_the_next_free_slot_is_the_first_from_that_moment_on(session: Session, cast: Cast) -> None:
    ids = [make.key(make.slot(session, cast.doctor, NOW + n * HOUR)) for n in (0, 1, 3)]
    find = lambda after: finding.next_free(session, None, doctor_id=cast.doctor_id, after=after)  # noqa: E731
    assert [find(after).id for after in (NOW - DAY, NOW + HOUR, NOW + 2 * HOUR)] == [ids[1], ids[1], ids[2]]
    assert find(NOW + 4 * HOUR) is None


def hide_unapproved(session: Session, doctor: Doctor) -> None:
    doctor.approved_at = None
    session.add(doctor)


def hide_inactive(session: Session, doctor: Doctor) -> None:
    account = session.get_one(User, doctor.user_id)
    account.active = False
    session.add(account)


def hide_closed(session: Session, doctor: Doctor) -> None:
    department = session.get_one(Department, doctor.department_id)
    department.active = False
    session.add(department)


def hide_other_role(session: Session, doctor: Doctor) -> None:
    account = session.get_one(User, doctor.user_id)
    account.role = Role.PATIENT.value
    session.add(account)


@pytest.mark.parametrize("hide", [hide_unapproved, hide_inactive, hide_closed, hide_other_role])
def test_slots_of_a_doctor_whom_patients_cannot_see_are_not_found(
    session: Session, cast: Cast, hide: Callable[[Session, Doctor], None]
) -> None:
    make.slot(session, cast.doctor, NOW + HOUR)

    def found() -> tuple[object, ...]:
        return (
            *finding.free_slots(session, None, doctor_id=cast.doctor_id, first=NOW, last=NOW + DAY),
            *filter(None, [finding.next_free(session, None, doctor_id=cast.doctor_id, after=NOW)]),
            *finding.next_available(session, None, after=NOW, limit=5),
            *finding.doctor_cards(session, None, search="haddad").rows,
        )

    assert len(found()) == 4
    hide(session, cast.doctor)
    session.flush()
    assert found() == ()


def test_the_doctors_who_can_be_seen_soonest_come_first(session: Session, cast: Cast) -> None:
    late = make.slot(session, cast.doctor, NOW + 5 * HOUR)
    make.slot(session, cast.doctor, NOW + HOUR, state="booked")
    make.slot(session, cast.doctor, NOW + 8 * DAY)
    soon = make.slot(session, cast.other, NOW + 2 * HOUR)
    make.doctor(session, name="Dr. Without Slots")
    cards = finding.next_available(session, None, after=NOW, limit=10)
    assert [(card.doctor.name, card.next_free_at, card.next_slot_id) for card in cards] == [
        ("Dr. Samuel Okafor", NOW + 2 * HOUR, soon.id),
        ("Dr. Amira Haddad", NOW + 5 * HOUR, late.id),
    ]
    assert [card.free_this_week for card in cards] == [1, 1]
    assert [card.doctor.name for card in finding.next_available(session, None, after=NOW, limit=1)] == [
        "Dr. Samuel Okafor"
    ]
    of_department = finding.next_available(session, None, department_id=cast.doctor.department_id, after=NOW, limit=10)
    assert [card.doctor.name for card in of_department] == ["Dr. Amira Haddad"]
    assert finding.next_available(session, None, after=NOW + DAY, limit=10)[0].next_free_at == NOW + 8 * DAY


def test_the_directory_shows_every_doctor_by_name_with_the_next_free_slot(session: Session, cast: Cast) -> None:
    make.slot(session, cast.other, NOW - HOUR)
    slots = [make.slot(session, cast.other, NOW + n * HOUR) for n in (1, 2)]
    page = finding.doctor_cards(session, None)
    assert [(card.doctor.name, card.next_slot_id, card.free_this_week) for card in page.rows] == [
        ("Dr. Amira Haddad", None, 0),
        ("Dr. Samuel Okafor", slots[0].id, 2),
    ]
    assert page.rows[1].next_free_at == NOW + HOUR
    second = finding.doctor_cards(session, None, page=2, size=1)
    assert ([card.doctor.name for card in second.rows], second.total) == (["Dr. Samuel Okafor"], 2)
    assert finding.doctor_cards(session, None, search="haddad").total == 1
    assert finding.doctor_cards(session, None, department_id=cast.other.department_id).total == 1
    assert finding.doctor_cards(session, None, search="nobody").rows == ()


def test_with_a_day_only_doctors_who_are_free_on_it_are_shown(session: Session, cast: Cast) -> None:
    make.slot(session, cast.other, NOW + HOUR)
    late_evening = make.slot(session, cast.other, NOW + 14 * HOUR)  # Monday 23:00 in Berlin
    after_midnight = make.slot(session, cast.doctor, NOW + 15 * HOUR)  # Tuesday 00:00
    monday = finding.doctor_cards(session, None, day=MONDAY)
    assert [(card.doctor.name, card.next_free_at) for card in monday.rows] == [("Dr. Samuel Okafor", NOW + HOUR)]
    assert monday.total == 1
    db.clock.freeze(NOW + 2 * HOUR)
    later = finding.doctor_cards(session, None, day=MONDAY)
    assert [card.next_slot_id for card in later.rows] == [late_evening.id]
    tuesday = finding.doctor_cards(session, None, day=MONDAY + DAY)
    assert [card.next_slot_id for card in tuesday.rows] == [after_midnight.id]
    assert finding.doctor_cards(session, None, day=MONDAY - DAY).total == 0
    with pytest.raises(Invalid):
        finding.doctor_cards(session, None, day=date.max)


# --- the administrator's list ---


def test_an_administrator_lists_and_filters_all_slots(session: Session, cast: Cast) -> None:
    starts = [NOW - HOUR, NOW + HOUR, NOW + 2 * HOUR]
    mine = [make.key(make.slot(session, cast.doctor, at)) for at in starts]
    theirs = make.key(make.slot(session, cast.other, NOW, state="booked"))

    def ids(**filters: Any) -> list[int]:
        page = lists.list_slots(session, cast.admin, **filters)
        assert page.total == len(page.rows)
        return [slot.id for slot in page.rows]

    assert ids() == [mine[0], theirs, mine[1], mine[2]]
    assert ids(doctor_id=cast.doctor_id) == mine
    assert ids(department_id=cast.other.department_id) == [theirs]
    assert ids(state="booked") == [theirs]
    assert ids(state="open", first=NOW, last=NOW + 2 * HOUR) == [mine[1]]
    page = lists.list_slots(session, cast.admin, page=2, size=3)
    assert ([slot.id for slot in page.rows], page.total) == ([mine[2]], 4)
    assert (page.rows[0].doctor, page.rows[0].department) == ("Dr. Amira Haddad", "Cardiology")
    with pytest.raises(Invalid):
        ids(state="open' OR 1=1 --")
    for actor, refusal in ((None, LoginRequired), (cast.me, NotAllowed), (cast.patient, NotAllowed)):
        with pytest.raises(refusal):
            lists.list_slots(session, actor)


def test_counting_stops_where_nobody_turns_pages_any_more(
    session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "COUNTED", 2)
    for hours in range(1, 5):
        make.slot(session, cast.doctor, NOW + hours * HOUR)
    page = lists.list_slots(session, cast.admin)
    assert (len(page.rows), page.total) == (4, 2)


# --- speed: only slots of the asked doctors are read, however many there are ---


def test_the_finders_walk_the_index_over_open_slots(session: Session, cast: Cast) -> None:
    """The plans, read from both engines with thousands of slots in the table: no scan of the slots."""
    doctors = [cast.doctor, cast.other, *(make.doctor(session) for _ in range(30))]
    session.execute(
        Slot.__table__.insert(),  # type: ignore[attr-defined]
        [
            {
                "doctor_id": doctor.id,
                "starts_at": NOW + n * HOUR,
                "ends_at": NOW + n * HOUR + 20 * MINUTE,
                "state": state,
            }
            for doctor in doctors
            for n, state in zip(range(-150, 150), ("booked", "open", "booked") * 100, strict=True)
        ],
    )
    session.execute(text("ANALYZE"))
    session.commit()
    explain = "EXPLAIN " if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    plans: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM slot" in statement or "JOIN slot" in statement:
            assert "state = 'open'" in statement, "a plan made for any state could not use the partial index"
            with db.engine().connect() as other:
                raw = other.connection.cursor()
                raw.execute(explain + statement, parameters)
                plans.append("\n".join(str(row[-1]) for row in raw.fetchall()))

    session.rollback()
    connection = session.connection(execution_options={"read_only": True})
    event.listen(connection, "before_cursor_execute", note)
    finding.free_slots(session, None, doctor_id=cast.doctor_id, first=NOW, last=NOW + 7 * DAY)
    finding.next_free(session, None, doctor_id=cast.doctor_id, after=NOW)
    finding.next_available(session, None, after=NOW, limit=4)
    finding.doctor_cards(session, None)
    finding.doctor_cards(session, None, day=MONDAY + DAY)
    event.remove(connection, "before_cursor_execute", note)
    assert len(plans) == 9
    for plan in plans:
        assert "ix_slot_open" in plan
        assert "Seq Scan on slot" not in plan
        assert "SCAN slot" not in plan
