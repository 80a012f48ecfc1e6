"""What was published goes through the waiting list once; and earlier times go to who has a later appointment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role
from mhms_app.availability import busy, hours
from mhms_app.availability import service as availability
from mhms_app.availability.hours import AddDay
from mhms_app.availability.hours_rules import ExtraHours
from mhms_app.availability.models import FreshSlots, Slot
from mhms_app.availability.rules import Plan
from mhms_app.booking import changes, desk, holds, leave, matching, service, tasks, unserved, waiting
from mhms_app.booking.models import AppointmentMove
from mhms_app.booking.rules import BookingPaused
from mhms_app.booking.waiting_rules import OfferOver
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import LoginRequired, NotAllowed, NotFound
from mhms_app.live import keeper
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.booking.test_waiting import (
    DAY,
    EVERY_DAY,
    HOUR,
    appointments_of,
    free,
    offers,
    somebody,
    state,
    token_of,
    wait,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def doctor(session: Session) -> Doctor:
    return builders.doctor(session)


@pytest.fixture
def starts_at(now: datetime) -> datetime:
    """Wednesday, 09:00 in Berlin."""
    return now + 2 * DAY


def publish(session: Session, doctor: Doctor, day: datetime, *, slots: int = 3, days: int = 1) -> None:
    """Publish slots of half an hour from 09:00 on, by hand."""
    first, end = day.date(), (datetime(2026, 1, 1, 9) + slots * timedelta(minutes=30)).time()  # noqa: DTZ001
    plan = Plan(first, first + (days - 1) * DAY, time(9), end, timedelta(minutes=30))
    availability.publish(session, builders.actor(session, doctor), plan=plan)


def tend(session: Session) -> int:
    """Let the task do its work on what is committed."""
    session.commit()
    return matching.tend()


def slots_of(session: Session, doctor: Doctor) -> list[int]:
    """The keys of a doctor's slots, in order of time."""
    found = select(Slot.id).where(Slot.doctor_id == doctor.id).order_by(col(Slot.starts_at))
    return [key or 0 for key in session.exec(found)]


def book(session: Session, actor: Actor, doctor: Doctor, starts_at: datetime) -> str:
    slot_id = builders.key(builders.slot(session, doctor, starts_at))
    return service.book(session, actor, slot_id=slot_id, reason="", key=str(uuid4())).reference


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """Count the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield lambda: len(sent)
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)


# What is published ----------------------------------------------------------------------------------


def test_what_is_published_is_offered_to_one_after_the_other(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, rita, doctor, anybody=True)
    wait(session, rita, doctor, part="morning")
    publish(session, doctor, starts_at)
    assert tend(session) == 2
    first, second, third = slots_of(session, doctor)
    assert offers(session) == [(first, jo.patient_id, "open"), (second, rita.patient_id, "open")]
    assert state(session, third) == ("open", None)


def test_so_are_extra_hours(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor, part="afternoon")
    extra = ExtraHours(starts_at.date(), time(11, 30), time(13), timedelta(minutes=30))
    hours.save(session, builders.actor(session, doctor), edit=AddDay(extra))
    tend(session)
    assert offers(session) == [(slots_of(session, doctor)[1], jo.patient_id, "open")]


def test_a_slot_goes_through_the_list_once(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    publish(session, doctor, starts_at)
    tend(session)
    waiting.decline(session, jo, token=token_of(session, jo))
    wait(session, somebody(session, "Rita Berg"), doctor)  # who saw that there are free times
    assert tend(session) == 0
    assert [outcome for _, _, outcome in offers(session)] == ["declined"]
    assert session.exec(select(FreshSlots)).all() == []
    publish(session, doctor, starts_at + DAY)
    assert tend(session) == 2


def test_what_is_published_meanwhile_is_not_forgotten(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor, part="morning")
    publish(session, doctor, starts_at, slots=1)
    news = matching.look(session, doctor_id=builders.key(doctor))
    publish(session, doctor, starts_at + DAY, slots=1)
    for slot_id in news.wanted:
        matching.offer(session, slot_id=slot_id)
    matching.forget(session, news)
    wait(session, rita, doctor)
    tend(session)
    assert [patient_id for _, patient_id, _ in offers(session)] == [jo.patient_id, rita.patient_id]


def test_what_opens_again_meanwhile_is_not_forgotten(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    key = builders.key(doctor)
    busy.change(session, doctor_id=key, events={"trip": (starts_at, starts_at + 30 * MINUTE)})
    publish(session, doctor, starts_at)
    first, *_ = slots_of(session, doctor)
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    news = matching.look(session, doctor_id=key)
    busy.forget(session, doctor_id=key)
    for slot_id in news.wanted:
        matching.offer(session, slot_id=slot_id)
    matching.forget(session, news)
    wait(session, rita, doctor)
    tend(session)
    assert (first, rita.patient_id, "open") in offers(session)


def test_what_opens_again_later_goes_through_the_list(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, key = somebody(session, "Jo Moreau"), builders.key(doctor)
    before = builders.key(builders.slot(session, doctor, starts_at - HOUR))
    busy.change(session, doctor_id=key, events={"trip": (starts_at, starts_at + DAY)})
    publish(session, doctor, starts_at)
    assert tend(session) == 0
    wait(session, jo, doctor)
    assert tend(session) == 0
    busy.forget(session, doctor_id=key)
    busy.forget(session, doctor_id=key)
    tend(session)
    assert offers(session) == [(slots_of(session, doctor)[1], jo.patient_id, "open")]
    assert state(session, before) == ("open", None)


@pytest.mark.parametrize("why", ["not approved", "locked", "not confirmed", "closed"])
def test_what_is_published_while_nobody_finds_the_doctor_is_offered_once_they_do(
    session: Session, doctor: Doctor, starts_at: datetime, admin: Actor, now: datetime, why: str
) -> None:
    department, rita = session.get_one(Department, doctor.department_id), somebody(session, "Rita Berg")
    user = session.get_one(User, doctor.user_id)

    def let_them_be_found(so: bool) -> None:
        match why:
            case "not approved":
                doctor.approved_at = now if so else None
            case "locked":
                user.active = so
            case "not confirmed":
                user.email_confirmed_at = now if so else None
            case "closed":
                department.active = so
        session.add_all((doctor, user, department))

    wait(session, rita, doctor, anybody=True)
    let_them_be_found(False)
    plan = Plan(starts_at.date(), starts_at.date(), time(9), time(10), timedelta(minutes=30))
    availability.publish(session, admin, doctor_id=builders.key(doctor), plan=plan)
    assert tend(session) == 0
    matching.forget(session, matching.look(session, doctor_id=builders.key(doctor)))
    let_them_be_found(True)
    assert tend(session) == 1
    assert offers(session) == [(slots_of(session, doctor)[0], rita.patient_id, "open")]
    assert session.exec(select(FreshSlots)).all() == []


def test_publishing_and_looking_at_once_disturb_neither(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    wait(session, somebody(session, "Jo Moreau"), doctor, days=300)
    session.commit()

    def publish_day(number: int) -> None:
        with db.transaction() as other:
            publish(other, other.get_one(Doctor, doctor.id), starts_at + number * DAY, slots=1)

    with ThreadPoolExecutor(3) as pool:
        looks = [pool.submit(matching.offer_published) for _ in range(20)]
        published = [pool.submit(publish_day, number) for number in range(20)]
        looks += [pool.submit(matching.offer_published) for _ in range(20)]
    for done in (*looks, *published):
        done.result()
    assert matching.offer_published() == 0
    assert len(slots_of(session, doctor)) == 20
    assert session.exec(select(FreshSlots)).all() == []


def test_an_offer_that_two_workers_make_is_one(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    wait(session, somebody(session, "Jo Moreau"), doctor)
    wait(session, somebody(session, "Rita Berg"), doctor)
    publish(session, doctor, starts_at)
    news = matching.look(session, doctor_id=builders.key(doctor))
    for slot_id in news.wanted * 2:
        matching.offer(session, slot_id=slot_id)
    assert len(offers(session)) == 2


def test_looking_at_many_slots_takes_no_more_statements_than_at_few(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    wait(session, somebody(session, "Jo Moreau"), doctor, days=300)
    taken = []
    for weeks, days in ((0, 1), (1, 100)):
        publish(session, doctor, starts_at + weeks * 7 * DAY, slots=10, days=days)
        session.commit()
        with counted() as count:
            assert matching.offer_published() == 0
            taken.append(count())
    assert taken[0] == taken[1]


@pytest.mark.parametrize("why", ["busy", "hidden", "notice", "too near", "too many"])
def test_nobody_is_offered_what_they_could_not_book(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime, why: str
) -> None:
    department, jo = session.get_one(Department, doctor.department_id), somebody(session, "Jo Moreau")
    match why:
        case "busy":
            book(session, jo, builders.doctor(session), starts_at + 10 * MINUTE)
        case "notice":
            department.notice_minutes = 3 * 24 * 60
        case "too near":
            db.clock.freeze(starts_at - 30 * MINUTE)
        case "too many":
            department.most_active = 1
            book(session, jo, builders.doctor(session), starts_at + 20 * DAY)
    wait(session, jo, doctor)
    publish(session, doctor, starts_at, slots=1)
    doctor.approved_at = None if why == "hidden" else now
    tend(session)
    assert offers(session) == []


def test_who_waits_for_a_department_is_offered_anybodys_time(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo = somebody(session, "Jo Moreau")
    wanted: dict[str, Any] = {"weekdays": EVERY_DAY, "part": "any", "earliest": starts_at.date()}
    waiting.join(session, jo, department_id=doctor.department_id, **wanted)
    with pytest.raises(NotFound):
        waiting.join(session, jo, department_id=999_999, **wanted)
    (entry,) = waiting.mine(session, jo)
    assert entry.doctor == ""
    publish(session, doctor, starts_at)
    tend(session)
    assert [patient_id for _, patient_id, _ in offers(session)] == [jo.patient_id]


# What was held --------------------------------------------------------------------------------------


def held_by_jo(session: Session, doctor: Doctor, starts_at: datetime) -> tuple[Actor, Actor, int]:
    """Jo, Rita, and a slot that Jo holds."""
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    slot_id = builders.key(builders.slot(session, doctor, starts_at))
    holds.hold(session, jo, slot_id=slot_id)
    return jo, rita, slot_id


def test_a_slot_whose_hold_is_over_is_offered_but_not_to_who_held_it(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime
) -> None:
    jo, rita, slot_id = held_by_jo(session, doctor, starts_at)
    wait(session, jo, doctor)
    wait(session, rita, doctor)
    session.commit()
    db.clock.freeze(now + 6 * MINUTE)
    keeper._end([])
    assert offers(session) == [(slot_id, rita.patient_id, "open")]


def test_a_slot_that_is_let_go_for_another_is_offered(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    slots = [builders.key(builders.slot(session, doctor, starts_at + hours * HOUR)) for hours in range(2)]
    holds.hold(session, jo, slot_id=slots[1])
    wait(session, rita, doctor)
    holds.hold(session, jo, slot_id=slots[0])
    assert offers(session) == [(slots[1], rita.patient_id, "open")]
    assert state(session, slots[0]) == ("held", jo.patient_id)


def test_a_slot_that_is_asked_for_again_is_offered_to_nobody(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime
) -> None:
    jo, rita, slot_id = held_by_jo(session, doctor, starts_at)
    wait(session, rita, doctor)
    db.clock.freeze(now + MINUTE)
    assert holds.hold(session, jo, slot_id=slot_id).until == now + 6 * MINUTE
    assert (offers(session), state(session, slot_id)) == ([], ("held", jo.patient_id))


# Earlier times --------------------------------------------------------------------------------------


@pytest.mark.parametrize("anybody", [False, True])
def test_an_earlier_time_moves_the_appointment_that_they_have(
    session: Session, doctor: Doctor, starts_at: datetime, anybody: bool
) -> None:
    department, jo = session.get_one(Department, doctor.department_id), somebody(session, "Jo Moreau")
    department.most_active = 1
    theirs = builders.doctor(session, within=department) if anybody else doctor
    reference = book(session, jo, theirs, starts_at + 9 * DAY)
    wait(session, jo, doctor, anybody=anybody)
    slot_id = free(session, doctor, starts_at)
    token = token_of(session, jo)
    assert waiting.offered(session, jo, token=token).instead_of == starts_at + 9 * DAY
    assert waiting.offered(session, None, token=token).instead_of is None
    for _ in range(2):
        assert waiting.take(session, jo, token=token) == waiting.Taken(reference, moved=True)
    (appointment,) = appointments_of(session, jo)
    assert (appointment.slot_id, appointment.sequence) == (slot_id, 1)
    assert len(session.exec(select(AppointmentMove)).all()) == 1
    assert (offers(session), waiting.mine(session, jo)) == ([(slot_id, jo.patient_id, "taken")], ())
    kinds = select(OutboxMessage.kind).where(OutboxMessage.recipient_email == jo.email)
    assert sorted(session.exec(kinds)) == ["BOOKING_CONFIRMATION", "BOOKING_MOVED", "WAITLIST_OFFER"]


def test_an_appointment_elsewhere_stays_where_it_is(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo = somebody(session, "Jo Moreau")
    book(session, jo, builders.doctor(session), starts_at + 9 * DAY)
    wait(session, jo, doctor)
    free(session, doctor, starts_at)
    assert not waiting.take(session, jo, token=token_of(session, jo)).moved
    assert len(appointments_of(session, jo)) == 2


@pytest.mark.parametrize(("has", "waits_from"), [(1, 0), (9, 8)])
def test_a_time_that_is_no_earlier_than_theirs_is_not_offered(
    session: Session, doctor: Doctor, now: datetime, has: int, waits_from: int
) -> None:
    jo = somebody(session, "Jo Moreau")
    book(session, jo, doctor, now + has * DAY + 2 * HOUR)
    wait(session, jo, doctor, days=waits_from)
    free(session, doctor, now + 10 * DAY)
    publish(session, doctor, now + 11 * DAY)
    tend(session)
    assert offers(session) == []


def test_who_has_been_once_can_wait_for_the_next_visit(session: Session, doctor: Doctor, now: datetime) -> None:
    jo = somebody(session, "Jo Moreau")
    book(session, jo, doctor, now + 2 * DAY)
    wait(session, jo, doctor, days=7)
    free(session, doctor, now + 10 * DAY)
    assert not waiting.take(session, jo, token=token_of(session, jo)).moved


def test_an_appointment_that_can_no_longer_be_moved_is_not_replaced(
    session: Session, doctor: Doctor, now: datetime
) -> None:
    session.get_one(Department, doctor.department_id).change_hours = 72
    jo, stranger = somebody(session, "Jo Moreau"), somebody(session, "Stran Ger")
    book(session, jo, doctor, now + 3 * DAY)
    wait(session, jo, doctor)
    session.get_one(Department, doctor.department_id).change_hours = 24
    reference = book(session, stranger, doctor, now + 2 * DAY)
    session.get_one(Department, doctor.department_id).change_hours = 72
    changes.cancel(session, builders.actor(session, doctor), reference=reference, choice="", note="Ill")
    assert offers(session) == []


# What ends an offer or a wait -----------------------------------------------------------------------


def test_a_leave_ends_an_offer_and_the_patient_keeps_their_place(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, rita, doctor)
    slot_id = free(session, doctor, starts_at)
    token, day = token_of(session, jo), starts_at.date()
    leave.take(session, builders.actor(session, doctor), first=day, last=day, choices={})
    assert (offers(session), state(session, slot_id)) == (
        [(slot_id, jo.patient_id, "expired")],
        ("withdrawn", None),
    )
    assert not waiting.offered(session, jo, token=token).is_open
    with pytest.raises(OfferOver):
        waiting.take(session, jo, token=token)
    waiting.decline(session, jo, token=token)
    another = free(session, doctor, starts_at + 2 * DAY)
    assert offers(session)[1:] == [(another, jo.patient_id, "open")]


def test_a_closed_account_waits_no_more_and_its_offer_goes_on(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, rita, doctor)
    slot_id = free(session, doctor, starts_at)
    session.get_one(User, session.get_one(Patient, jo.patient_id).user_id).active = False
    tend(session)
    assert offers(session) == [(slot_id, jo.patient_id, "declined"), (slot_id, rita.patient_id, "open")]
    assert len(waiting.mine(session, rita)) == 1
    assert waiting.mine(session, jo) == ()


def test_an_offer_of_the_evening_is_kept_until_the_morning(session: Session, doctor: Doctor, now: datetime) -> None:
    db.clock.freeze(datetime(2026, 11, 23, 20, 0, tzinfo=UTC))
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    free(session, doctor, now + 5 * DAY)
    until = waiting.offered(session, jo, token=token_of(session, jo)).until
    assert until == datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


# Whom no rule can help ------------------------------------------------------------------------------


@pytest.fixture
def admin(session: Session) -> Actor:
    return builders.actor(session, builders.user(session, role=Role.ADMIN))


def test_who_waits_in_vain_is_on_the_list_of_the_desk(
    session: Session, doctor: Doctor, admin: Actor, now: datetime
) -> None:
    jo, rita, kim = (somebody(session, name) for name in ("Jo Moreau", "Rita Berg", "Kim Ost"))
    colleague = builders.doctor(session, name="Dr. Ben Cole", within=session.get_one(Department, doctor.department_id))
    wait(session, jo, doctor)
    wait(session, rita, doctor, anybody=True)
    wait(session, kim, colleague, days=50)
    assert unserved.unserved(session, admin).rows == ()
    doctor.approved_at = None
    session.flush()
    (gone,) = unserved.unserved(session, admin).rows
    assert (gone.patient, gone.doctor, gone.since, gone.is_gone) == ("Jo Moreau", "Dr. Amira Haddad", now, True)
    assert [entry.is_gone for actor in (jo, rita) for entry in waiting.mine(session, actor)] == [True, False]
    db.clock.freeze(now + 61 * DAY)
    found = unserved.unserved(session, admin)
    assert [(row.patient, row.is_gone) for row in found.rows] == [("Jo Moreau", True), ("Rita Berg", False)]
    assert (unserved.unserved(session, admin, size=1).total, found.rows[1].doctor) == (2, "")
    assert desk.to_call(session, admin) == 2
    for _ in range(2):
        unserved.see_to(session, admin, entry_id=gone.id)
    assert [row.patient for row in unserved.unserved(session, admin).rows] == ["Rita Berg"]
    assert waiting.mine(session, jo) == ()


def test_the_list_of_the_desk_is_the_administrators(session: Session, doctor: Doctor, admin: Actor) -> None:
    for stranger, refusal in ((None, LoginRequired), (builders.actor(session, doctor), NotAllowed)):
        with pytest.raises(refusal):
            unserved.unserved(session, stranger)
        with pytest.raises(refusal):
            unserved.see_to(session, stranger, entry_id=1)
    with pytest.raises(NotFound):
        unserved.see_to(session, admin, entry_id=999_999)


def test_who_missed_too_many_is_told_so_instead_of_waiting_in_vain(
    session: Session, doctor: Doctor, now: datetime
) -> None:
    session.get_one(Department, doctor.department_id).most_missed = 1
    jo = somebody(session, "Jo Moreau")
    book(session, jo, doctor, now + DAY)
    (missed,) = appointments_of(session, jo)
    db.clock.freeze(now + 2 * DAY)
    changes.set_status(session, builders.actor(session, doctor), appointment_id=missed.id or 0, status="no_show")
    with pytest.raises(BookingPaused):
        wait(session, jo, doctor)
    wait(session, jo, builders.doctor(session))


def test_the_task_looks_as_soon_as_something_is_published(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    session.commit()

    async def meanwhile() -> None:
        task = asyncio.ensure_future(tasks.tend_waiting_list())
        await asyncio.sleep(0.2)  # it has looked once, and found nothing
        with db.transaction() as other:
            publish(other, other.get_one(Doctor, doctor.id), starts_at, slots=1)
        for _ in range(100):
            if offers(session):
                break
            session.rollback()
            await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(meanwhile())
    assert [patient_id for _, patient_id, _ in offers(session)] == [jo.patient_id]
