"""The waiting list: a freed time goes to the first who wants it, to one at a time, and to nobody twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.actor import Actor
from mhms_app.availability import finding, hours
from mhms_app.availability.hours import AddDay, DropHours, PutHours
from mhms_app.availability.hours_rules import DayOff, Hours
from mhms_app.availability.models import Slot
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import changes, holds, matching, service, waiting
from mhms_app.booking.models import Appointment, WaitingOffer
from mhms_app.booking.rules import SlotHeld
from mhms_app.booking.waiting_rules import MOST_ENTRIES, OfferOver, TooManyWaits
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import InvalidForm, LoginRequired, NotAllowed, NotFound
from mhms_app.live import keeper
from mhms_app.notifications.models import OutboxMessage
from tests import builders

DAY, HOUR, MOMENT = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
EVERY_DAY = range(7)


@pytest.fixture
def doctor(session: Session) -> Doctor:
    return builders.doctor(session)


@pytest.fixture
def starts_at(now: datetime) -> datetime:
    """Wednesday, 09:00 in Berlin."""
    return now + 2 * DAY


def somebody(session: Session, name: str) -> Actor:
    return builders.actor(session, builders.patient(session, name=name))


def wait(
    session: Session,
    actor: Actor,
    doctor: Doctor,
    *,
    anybody: bool = False,
    weekdays: Collection[int] = EVERY_DAY,
    part: str = "any",
    days: int = 0,
) -> None:
    waiting.join(
        session,
        actor,
        doctor_id=builders.key(doctor),
        anybody=anybody,
        weekdays=weekdays,
        part=part,
        earliest=(db.clock.now() + days * DAY).date(),
    )


def free(session: Session, doctor: Doctor, starts_at: datetime) -> int:
    """Book a slot for a stranger, who cancels."""
    slot_id = builders.key(builders.slot(session, doctor, starts_at))
    stranger = somebody(session, "Stran Ger")
    done = service.book(session, stranger, slot_id=slot_id, reason="", key=str(uuid4()))
    changes.cancel(session, stranger, reference=done.reference, choice="I am ill", note="")
    return slot_id


def token_of(session: Session, actor: Actor) -> str:
    """The token in the latest message to somebody."""
    messages = select(OutboxMessage).where(
        OutboxMessage.kind == "WAITLIST_OFFER", OutboxMessage.recipient_email == actor.email
    )
    latest = session.exec(messages.order_by(col(OutboxMessage.id).desc())).first()
    assert latest is not None
    return str(latest.payload["action_url"]).rpartition("/offer/")[2]


def offers(session: Session) -> list[tuple[int, int, str]]:
    """Every offer so far: slot, patient, what became of it."""
    session.expire_all()
    found = session.exec(select(WaitingOffer).order_by(col(WaitingOffer.id)))
    return [(row.slot_id, row.patient_id, row.outcome) for row in found]


def appointments_of(session: Session, actor: Actor) -> Sequence[Appointment]:
    session.expire_all()
    return session.exec(select(Appointment).where(Appointment.patient_id == actor.patient_id)).all()


def state(session: Session, slot_id: int) -> tuple[str, int | None]:
    session.expire_all()
    slot = session.get_one(Slot, slot_id)
    return slot.state, slot.held_by


def expire_at(session: Session, instant: datetime) -> None:
    db.clock.freeze(instant)
    session.commit()
    keeper._end([])


# Joining --------------------------------------------------------------------------------------------


def test_a_patient_waits_and_stops(session: Session, doctor: Doctor) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor, weekdays={0, 2}, part="morning")
    wait(session, jo, doctor, weekdays={0, 2}, part="morning")
    wait(session, jo, doctor, anybody=True)
    first, second = waiting.mine(session, jo)
    assert (first.doctor, first.weekdays, first.part) == ("Dr. Amira Haddad", (0, 2), "morning")
    assert (second.doctor, second.weekdays, second.part) == ("", tuple(EVERY_DAY), "any")
    waiting.leave(session, jo, entry_id=first.id)
    waiting.leave(session, jo, entry_id=first.id)
    assert waiting.mine(session, jo) == (second,)


def test_what_is_wrong_is_said_beside_its_field(session: Session, doctor: Doctor) -> None:
    jo = somebody(session, "Jo Moreau")
    with pytest.raises(InvalidForm) as refusal:
        wait(session, jo, doctor, weekdays=(), days=-1)
    assert set(refusal.value.errors) == {"weekdays", "earliest"}
    with pytest.raises(NotFound):
        wait(session, jo, builders.doctor(session, approved=False))


def test_nobody_waits_for_more_than_a_few(session: Session, doctor: Doctor) -> None:
    jo = somebody(session, "Jo Moreau")
    for day in range(MOST_ENTRIES):
        wait(session, jo, doctor, weekdays={day})
    with pytest.raises(TooManyWaits):
        wait(session, jo, doctor, weekdays={6})


def test_a_list_is_its_patients_own(session: Session, doctor: Doctor) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    (entry,) = waiting.mine(session, jo)
    assert waiting.mine(session, rita) == ()
    with pytest.raises(NotFound):
        waiting.leave(session, rita, entry_id=entry.id)
    for stranger, refusal in ((None, LoginRequired), (builders.actor(session, doctor), NotAllowed)):
        with pytest.raises(refusal):
            waiting.mine(session, stranger)
        with pytest.raises(refusal):
            waiting.leave(session, stranger, entry_id=entry.id)
        with pytest.raises(refusal):
            waiting.take(session, stranger, token="none")
        with pytest.raises(refusal):
            waiting.decline(session, stranger, token="none")


# Offering -------------------------------------------------------------------------------------------


def test_who_waits_longest_is_offered_the_time_and_nobody_else_can_have_it(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, rita, doctor, anybody=True)
    slot_id = free(session, doctor, starts_at)
    assert offers(session) == [(slot_id, jo.patient_id, "open")]
    assert state(session, slot_id) == ("held", jo.patient_id)
    with pytest.raises(SlotHeld):
        service.book(session, rita, slot_id=slot_id, reason="", key=str(uuid4()))
    seen = waiting.offered(session, None, token=token_of(session, jo))
    assert (seen.starts_at, seen.until, seen.is_open, seen.is_mine) == (starts_at, now + 2 * HOUR, True, False)
    assert waiting.offered(session, jo, token=token_of(session, jo)).is_mine


@pytest.mark.parametrize(
    "wish",
    [{"weekdays": {0, 1, 3, 4, 5, 6}}, {"part": "afternoon"}, {"days": 3}, {"elsewhere": True}, {"colleague": True}],
)
def test_only_times_that_were_asked_for_are_offered(
    session: Session, doctor: Doctor, starts_at: datetime, wish: dict[str, Any]
) -> None:
    jo, wish = somebody(session, "Jo Moreau"), dict(wish)
    other = builders.doctor(session) if wish.pop("elsewhere", False) else None
    if wish.pop("colleague", False):
        other = builders.doctor(session, within=session.get_one(Department, doctor.department_id))
    wait(session, jo, other or doctor, **wish)
    slot_id = free(session, doctor, starts_at)
    assert (offers(session), state(session, slot_id)) == ([], ("open", None))


def test_day_and_part_are_those_of_the_clinics_clock(session: Session, doctor: Doctor) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor, weekdays={3}, part="morning", days=3)
    wait(session, rita, doctor, weekdays={2}, part="afternoon")
    midnight = free(session, doctor, datetime(2026, 11, 25, 23, 0, tzinfo=UTC))  # Thursday, 00:00 in Berlin
    noon = free(session, doctor, datetime(2026, 11, 25, 11, 0, tzinfo=UTC))  # Wednesday, 12:00 in Berlin
    assert offers(session) == [(midnight, jo.patient_id, "open"), (noon, rita.patient_id, "open")]


def test_any_doctor_of_the_department_will_do(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor, anybody=True)
    colleague = builders.doctor(session, within=session.get_one(Department, doctor.department_id))
    assert offers(session) == []
    assert (free(session, colleague, starts_at), jo.patient_id, "open") in offers(session)


def test_nobody_is_offered_two_at_once(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, jo, doctor, anybody=True)
    wait(session, rita, doctor)
    slots = [free(session, doctor, starts_at + hours * HOUR) for hours in range(3)]
    assert offers(session) == [(slots[0], jo.patient_id, "open"), (slots[1], rita.patient_id, "open")]
    assert state(session, slots[2]) == ("open", None)


def test_who_is_busy_then_or_gave_the_time_back_is_passed_over(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo = somebody(session, "Jo Moreau")
    busy = builders.key(builders.slot(session, builders.doctor(session), starts_at + timedelta(minutes=10)))
    service.book(session, jo, slot_id=busy, reason="", key=str(uuid4()))
    wait(session, jo, doctor)
    free(session, doctor, starts_at)
    later = builders.key(builders.slot(session, doctor, starts_at + 2 * HOUR))
    done = service.book(session, jo, slot_id=later, reason="", key=str(uuid4()))
    changes.cancel(session, jo, reference=done.reference, choice="I am ill", note="")
    assert offers(session) == []


def test_a_policy_that_refuses_the_patient_passes_them_over(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    session.get_one(Department, doctor.department_id).most_active = 1
    jo = somebody(session, "Jo Moreau")
    elsewhere = builders.key(builders.slot(session, builders.doctor(session), starts_at + 5 * DAY))
    service.book(session, jo, slot_id=elsewhere, reason="", key=str(uuid4()))
    wait(session, jo, doctor)
    free(session, doctor, starts_at)
    assert offers(session) == []


def test_a_time_that_is_too_near_is_everybodys(session: Session, doctor: Doctor, now: datetime) -> None:
    session.get_one(Department, doctor.department_id).change_hours = 0
    wait(session, somebody(session, "Jo Moreau"), doctor)
    assert state(session, free(session, doctor, now + timedelta(minutes=59))) == ("open", None)
    free(session, doctor, now + timedelta(minutes=90))
    (until,) = session.exec(select(WaitingOffer.until)).all()
    assert until == now + timedelta(minutes=10)


def test_a_hold_for_a_form_neither_ends_an_offer_nor_shortens_it(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime
) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    slot_id = free(session, doctor, starts_at)
    other = builders.key(builders.slot(session, doctor, starts_at + HOUR))
    holds.hold(session, jo, slot_id=other)
    week = finding.bookable_week(session, jo, doctor_id=builders.key(doctor), week=starts_at.date())
    assert [(slot.id, slot.state) for slot in week.free] == [(slot_id, "open"), (other, "open")]
    assert holds.hold(session, jo, slot_id=slot_id).until == now + 2 * HOUR
    holds.release(session, jo)
    assert (state(session, slot_id), state(session, other)) == (("held", jo.patient_id), ("open", None))


# What becomes of an offer ---------------------------------------------------------------------------


def test_a_taken_offer_is_an_appointment_once(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    slot_id = free(session, doctor, starts_at)
    token = token_of(session, jo)
    taken = waiting.take(session, jo, token=token)
    assert waiting.take(session, jo, token=token).reference == taken.reference
    assert (offers(session), state(session, slot_id)) == ([(slot_id, jo.patient_id, "taken")], ("booked", None))
    assert waiting.mine(session, jo) == ()
    assert not waiting.offered(session, jo, token=token).is_open


def test_booking_the_offered_time_on_its_page_takes_the_offer(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    slot_id = free(session, doctor, starts_at)
    service.book(session, jo, slot_id=slot_id, reason="A cough.", key=str(uuid4()))
    assert (offers(session), waiting.mine(session, jo)) == ([(slot_id, jo.patient_id, "taken")], ())
    waiting.take(session, jo, token=token_of(session, jo))
    assert len(appointments_of(session, jo)) == 1


def test_an_offer_is_only_for_whom_it_was_made(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    slot_id = free(session, doctor, starts_at)
    token = token_of(session, jo)
    for act in (waiting.take, waiting.decline):
        for wrong in (token, "unknown", ""):
            with pytest.raises(NotFound):
                act(session, rita, token=wrong)
    assert offers(session) == [(slot_id, jo.patient_id, "open")]


def test_declined_goes_to_the_next_and_then_to_everybody(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, rita, doctor)
    slot_id = free(session, doctor, starts_at)
    token = token_of(session, jo)
    waiting.decline(session, jo, token=token)
    waiting.decline(session, jo, token=token)
    assert offers(session) == [(slot_id, jo.patient_id, "declined"), (slot_id, rita.patient_id, "open")]
    assert state(session, slot_id) == ("held", rita.patient_id)
    with pytest.raises(OfferOver):
        waiting.take(session, jo, token=token)
    (entry,) = waiting.mine(session, rita)
    waiting.leave(session, rita, entry_id=entry.id)
    assert state(session, slot_id) == ("open", None)
    assert len(waiting.mine(session, jo)) == 1  # for another time


def test_what_nobody_takes_in_time_goes_to_the_next_and_then_to_everybody(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, rita, doctor)
    slot_id = free(session, doctor, starts_at)
    expire_at(session, now + 2 * HOUR - MOMENT)
    assert offers(session) == [(slot_id, jo.patient_id, "open")]
    expire_at(session, now + 2 * HOUR)
    assert offers(session) == [(slot_id, jo.patient_id, "expired"), (slot_id, rita.patient_id, "open")]
    assert state(session, slot_id) == ("held", rita.patient_id)
    expire_at(session, now + 4 * HOUR)
    assert state(session, slot_id) == ("open", None)
    with pytest.raises(OfferOver):
        waiting.take(session, rita, token=token_of(session, rita))


def test_who_is_faster_after_the_time_has_it(
    session: Session, doctor: Doctor, starts_at: datetime, now: datetime
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    slot_id = free(session, doctor, starts_at)
    db.clock.freeze(now + 2 * HOUR)
    assert holds.hold(session, rita, slot_id=slot_id).until == now + 2 * HOUR + timedelta(minutes=5)
    service.book(session, rita, slot_id=slot_id, reason="", key=str(uuid4()))
    assert offers(session) == [(slot_id, jo.patient_id, "expired")]
    assert len(waiting.mine(session, jo)) == 1


# What the hours no longer ask for -------------------------------------------------------------------


@pytest.fixture
def next_week(now: datetime) -> datetime:
    """Wednesday of next week, 09:00 in Berlin."""
    return now + 9 * DAY


@pytest.fixture
def asked_for(session: Session, doctor: Doctor, next_week: datetime) -> int:
    """A slot that the doctor's hours have made, in the first half hour of the morning."""
    builders.hours(session, doctor)
    hours.extend_horizon(session, doctor_id=builders.key(doctor))
    return session.exec(select(Slot.id).where(Slot.starts_at == next_week)).one() or 0


def booked(session: Session, slot_id: int) -> tuple[Actor, str]:
    """Somebody who has booked a slot, and the reference."""
    kim = somebody(session, "Kim Ost")
    return kim, service.book(session, kim, slot_id=slot_id, reason="", key=str(uuid4())).reference


def take_off(session: Session, doctor: Doctor, next_week: datetime) -> None:
    hours.save(session, builders.actor(session, doctor), edit=AddDay(DayOff(next_week.date())))
    session.commit()


@pytest.mark.parametrize("edit", ["day off", "gone", "longer", "horizon", "none"])
def test_a_time_that_the_hours_no_longer_ask_for_is_nobodys(
    session: Session, doctor: Doctor, next_week: datetime, asked_for: int, edit: str
) -> None:
    kim, reference = booked(session, asked_for)
    jo, me = somebody(session, "Jo Moreau"), builders.actor(session, doctor)
    wait(session, jo, doctor)
    (key,) = hours.hours_page(session, me).hours
    match edit:
        case "day off":
            hours.save(session, me, edit=AddDay(DayOff(next_week.date())))
        case "gone":
            hours.save(session, me, edit=DropHours(key))
        case "longer":
            longer = Hours(frozenset(EVERY_DAY), time(9), time(12), HOUR, next_week.date())
            hours.save(session, me, edit=PutHours(longer, key))
        case "horizon":
            session.get_one(Department, doctor.department_id).horizon_weeks = 1
    session.commit()
    facts: list[object] = []
    stop = db.listen(facts.append)
    with db.transaction() as other:
        changes.cancel(other, kim, reference=reference, choice="I am ill", note="")
    stop()
    if edit == "none":
        assert offers(session) == [(asked_for, jo.patient_id, "open")]
        return
    assert (offers(session), state(session, asked_for)) == ([], ("withdrawn", None))
    assert SlotsChanged(builders.key(doctor), gone=(asked_for,), came=False) in facts
    hours.extend_horizon(session, doctor_id=builders.key(doctor))
    assert state(session, asked_for) == ("withdrawn", None)


def test_the_hours_may_ask_again_for_a_time_that_they_took_back(
    session: Session, doctor: Doctor, next_week: datetime, asked_for: int
) -> None:
    kim, reference = booked(session, asked_for)
    take_off(session, doctor, next_week)
    changes.cancel(session, kim, reference=reference, choice="I am ill", note="")
    me = builders.actor(session, doctor)
    (key,) = hours.hours_page(session, me).special_days
    hours.save(session, me, edit=hours.DropDay(key))
    again = session.exec(select(Slot.state).where(Slot.starts_at == next_week).order_by(col(Slot.id)))
    assert again.all() == ["withdrawn", "open"]


@pytest.mark.parametrize("end", ["moved", "declined", "expired", "held", "matched"])
def test_no_way_back_leads_into_a_day_off(
    session: Session, doctor: Doctor, next_week: datetime, now: datetime, asked_for: int, end: str
) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    kim, reference = somebody(session, "Kim Ost"), ""
    if end == "held":
        holds.hold(session, kim, slot_id=asked_for)
    elif end != "matched":
        kim, reference = booked(session, asked_for)
    wait(session, jo, doctor, weekdays={2})
    wait(session, rita, doctor, weekdays={2})
    if end in ("declined", "expired"):
        changes.cancel(session, kim, reference=reference, choice="I am ill", note="")
    if end == "matched":
        builders.day_off(session, doctor, next_week.date())  # entered at this moment
    else:
        take_off(session, doctor, next_week)
    match end:
        case "moved":
            (later,) = session.exec(select(Slot.id).where(Slot.starts_at == next_week + DAY))
            changes.move(session, kim, reference=reference, slot_id=later or 0)
        case "declined":
            waiting.decline(session, jo, token=token_of(session, jo))
        case "expired":
            expire_at(session, now + 2 * HOUR)
        case "held":
            holds.release(session, kim)
        case "matched":
            matching.offer(session, slot_id=asked_for)
    assert state(session, asked_for) == ("withdrawn", None)
    assert rita.patient_id not in {patient_id for _, patient_id, _ in offers(session)}


# At the same moment ---------------------------------------------------------------------------------


def at_once(*acts: Any) -> list[Any]:
    """Do things in a transaction and a thread each, at the same moment."""
    start = Barrier(len(acts))

    def run(act: Any) -> Any:
        start.wait()
        with db.transaction() as session:
            return act(session)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_an_offer_that_is_accepted_twice_at_once_is_one_appointment(
    session: Session, doctor: Doctor, starts_at: datetime
) -> None:
    jo = somebody(session, "Jo Moreau")
    wait(session, jo, doctor)
    free(session, doctor, starts_at)
    token = token_of(session, jo)
    session.commit()
    taken = at_once(*[lambda s: waiting.take(s, jo, token=token).reference] * 2)
    assert taken[0] == taken[1]
    assert len(appointments_of(session, jo)) == 1


def test_two_times_that_become_free_at_once_go_to_two(session: Session, doctor: Doctor, starts_at: datetime) -> None:
    jo, rita = somebody(session, "Jo Moreau"), somebody(session, "Rita Berg")
    wait(session, jo, doctor)
    wait(session, jo, doctor, anybody=True)
    wait(session, rita, doctor)
    cancels = []
    for number in range(4):
        stranger = somebody(session, "Stran Ger")
        slot_id = builders.key(builders.slot(session, doctor, starts_at + number * HOUR))
        done = service.book(session, stranger, slot_id=slot_id, reason="", key=str(uuid4()))
        cancels.append(
            lambda s, stranger=stranger, done=done: changes.cancel(
                s, stranger, reference=done.reference, choice="I am ill", note=""
            )
        )
    session.commit()
    at_once(*cancels)
    found = offers(session)
    assert {patient_id for _, patient_id, _ in found} == {jo.patient_id, rita.patient_id}
    assert len(found) == 2
