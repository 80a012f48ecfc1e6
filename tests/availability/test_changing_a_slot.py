"""An open slot is given another time, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.actor import Actor, Role
from mhms_app.audit.models import AuditEntry
from mhms_app.availability import busy, hours, rules
from mhms_app.availability import service as availability
from mhms_app.availability.models import Slot
from mhms_app.availability.service import SlotsOverlap
from mhms_app.availability.slots import BUSY, SlotRow, SlotsChanged
from mhms_app.booking import service as booking
from mhms_app.directory.models import Doctor
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.settings import settings
from tests import builders as make

TUESDAY = date(2026, 11, 24)  # today is Monday, nine o'clock
TWENTY = timedelta(minutes=20)


@dataclass
class Cast:
    """A doctor with one open slot on Tuesday at ten, and others who would like to change it."""

    doctor: Doctor
    doctor_id: int
    me: Actor
    colleague: Actor
    patient: Actor
    admin: Actor
    slot_id: int


@pytest.fixture
def cast(session: Session, now: datetime) -> Cast:
    doctor = make.doctor(session)
    found = Cast(
        doctor,
        make.key(doctor),
        make.actor(session, doctor),
        make.actor(session, make.doctor(session, name="Dr. Samuel Okafor")),
        make.actor(session, make.patient(session)),
        make.actor(session, make.user(session, role=Role.ADMIN)),
        make.key(make.slot(session, doctor, at("10:00"))),
    )
    session.commit()
    return found


@pytest.fixture
def heard() -> Iterator[list[object]]:
    """What is announced meanwhile."""
    facts: list[object] = []
    stop = db.listen(facts.append)
    yield facts
    stop()


def at(clock: str, day: date = TUESDAY) -> datetime:
    """The instant at which the clinic's clock shows this."""
    return datetime.combine(day, time.fromisoformat(clock), settings().zone).astimezone(UTC)


def change(actor: Actor | None, slot_id: int, start: str, end: str, *, day: date = TUESDAY) -> SlotRow:
    """Change a slot in a transaction of its own."""
    with db.transaction() as session:
        return availability.change_slot(
            session, actor, slot_id=slot_id, day=day, start=time.fromisoformat(start), end=time.fromisoformat(end)
        )


def slots(cast: Cast) -> list[tuple[datetime, datetime, str]]:
    """The doctor's slots as they are stored, by time."""
    with db.transaction(read_only=True) as session:
        rows = session.exec(select(Slot).where(Slot.doctor_id == cast.doctor_id).order_by(col(Slot.id)))
        return sorted((row.starts_at, row.ends_at, row.state) for row in rows)


def book(cast: Cast, slot_id: int) -> None:
    with db.transaction() as session:
        booking.book(session, cast.patient, slot_id=slot_id, reason="", key=str(uuid4()))


@pytest.mark.parametrize(
    ("start", "end"),
    [("14:00", "14:20"), ("10:10", "10:30"), ("10:00", "10:45"), ("10:00", "10:10"), ("09:50", "10:20")],
)
def test_a_slot_is_moved_or_resized(cast: Cast, heard: list[object], start: str, end: str) -> None:
    changed = change(cast.me, cast.slot_id, start, end)
    assert (changed.starts_at, changed.ends_at, changed.state) == (at(start), at(end), "open")
    assert slots(cast) == sorted([(at("10:00"), at("10:20"), "withdrawn"), (at(start), at(end), "open")])
    assert heard == [SlotsChanged(cast.doctor_id, gone=(cast.slot_id,), came=True)]


def test_whoever_still_sees_the_old_time_cannot_book_it(cast: Cast) -> None:
    changed = change(cast.me, cast.slot_id, "14:00", "14:20")
    with pytest.raises(ClinicError):
        book(cast, cast.slot_id)
    book(cast, changed.id)


def test_the_same_time_is_no_change(cast: Cast, heard: list[object]) -> None:
    assert change(cast.me, cast.slot_id, "10:00", "10:20").id == cast.slot_id
    assert slots(cast) == [(at("10:00"), at("10:20"), "open")]
    assert heard == []


def test_a_change_is_in_the_audit_trail(cast: Cast, session: Session) -> None:
    changed = change(cast.admin, cast.slot_id, "14:00", "14:30")
    (entry,) = session.exec(select(AuditEntry).where(AuditEntry.action == "slot.change"))
    assert (entry.actor_id, entry.object_type, entry.object_id) == (cast.admin.user_id, "slot", changed.id)
    assert entry.detail == "2026-11-24 09:00 to 09:20, now 2026-11-24 13:00 to 13:30"


def test_a_time_that_is_taken_is_refused_and_nothing_is_changed(cast: Cast, session: Session) -> None:
    make.slot(session, cast.doctor, at("11:00"), state="booked")
    session.commit()
    before = slots(cast)
    for start, end in (("10:50", "11:10"), ("10:00", "11:05"), ("11:05", "11:15")):
        with pytest.raises(SlotsOverlap):
            change(cast.me, cast.slot_id, start, end)
    assert slots(cast) == before
    change(cast.me, cast.slot_id, "10:40", "11:00")  # slots that touch do not overlap


@pytest.mark.parametrize(
    ("day", "start", "end", "field"),
    [
        (date(2026, 11, 20), "10:00", "10:20", "day"),
        (date(2026, 11, 23), "08:00", "08:20", "end"),  # over
        (date(2026, 11, 23), "08:50", "09:10", "start"),  # it has begun
        (date(2028, 1, 4), "10:00", "10:20", "day"),
        (TUESDAY, "10:00", "10:00", "end"),
        (TUESDAY, "10:20", "10:00", "end"),
        (TUESDAY, "10:00", "10:03", "end"),
        (TUESDAY, "08:00", "17:00", "end"),
        (date(2027, 3, 28), "02:10", "02:30", "start"),  # the clocks go forward
        (date(2027, 3, 28), "01:50", "03:10", "start"),
        (date(2027, 10, 31), "02:50", "03:10", "start"),  # they go back: an hour and twenty minutes would pass
    ],
)
def test_a_time_that_cannot_be_is_refused_in_a_sentence(
    cast: Cast, day: date, start: str, end: str, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        change(cast.me, cast.slot_id, start, end, day=day)
    assert refusal.value.field == field
    assert slots(cast) == [(at("10:00"), at("10:20"), "open")]


@pytest.mark.parametrize("day", [date(2027, 3, 28), date(2026, 10, 25), date(2027, 10, 31)])
def test_on_days_of_23_or_25_hours_a_slot_is_where_the_clock_shows_it(cast: Cast, day: date) -> None:
    if day < TUESDAY:
        db.clock.freeze(at("09:00", day - timedelta(days=1)))
    changed = change(cast.me, cast.slot_id, "09:00", "09:20", day=day)
    shown = changed.starts_at.astimezone(settings().zone)
    assert (shown.date(), shown.time(), changed.ends_at - changed.starts_at) == (day, time(9), TWENTY)


@pytest.mark.parametrize(
    ("state", "refusal"),
    [("booked", rules.SlotBooked), ("held", rules.SlotHeld), ("withdrawn", rules.SlotWithdrawn)],
)
def test_only_an_open_slot_is_changed(cast: Cast, session: Session, state: str, refusal: type[ClinicError]) -> None:
    slot_id = make.key(make.slot(session, cast.doctor, at("12:00"), state=state))
    session.commit()
    before = slots(cast)
    with pytest.raises(refusal):
        change(cast.me, slot_id, "15:00", "15:20")
    assert slots(cast) == before


def test_a_slot_that_has_begun_stays(cast: Cast) -> None:
    db.clock.freeze(at("10:05"))
    with pytest.raises(rules.SlotPast):
        change(cast.me, cast.slot_id, "15:00", "15:20")


def test_only_the_doctor_and_administrators_change_it(cast: Cast, session: Session) -> None:
    for person, refusal in ((cast.colleague, NotFound), (cast.patient, NotAllowed), (None, LoginRequired)):
        with pytest.raises(refusal):
            change(person, cast.slot_id, "15:00", "15:20")
    with pytest.raises(NotFound):
        change(cast.me, 999_999, "15:00", "15:20")
    assert change(cast.admin, cast.slot_id, "15:00", "15:20").doctor_id == cast.doctor_id


def test_working_hours_ask_for_neither_the_old_time_nor_the_new(cast: Cast, session: Session) -> None:
    make.hours(session, cast.doctor)  # every morning, in slots of half an hour
    session.commit()
    with db.transaction() as other:
        hours.extend_horizon(other, doctor_id=cast.doctor_id)
    wednesday = TUESDAY + timedelta(days=1)
    before = {times for times in slots(cast) if times[2] == "open"}
    with db.transaction(read_only=True) as other:
        slot_id = other.exec(
            select(Slot.id).where(Slot.doctor_id == cast.doctor_id, Slot.starts_at == at("09:30", wednesday))
        ).one()
    assert slot_id
    change(cast.me, slot_id, "14:00", "14:20", day=wednesday)
    with db.transaction() as other:
        assert hours.extend_horizon(other, doctor_id=cast.doctor_id) == 0
    after = {times for times in slots(cast) if times[2] == "open"}
    assert before - after == {(at("09:30", wednesday), at("10:00", wednesday), "open")}
    assert after - before == {(at("14:00", wednesday), at("14:20", wednesday), "open")}
    with db.transaction() as other:  # what was published by hand stays, whatever becomes of the hours
        for key in hours.hours_page(other, cast.me).hours:
            hours.save(other, cast.me, edit=hours.DropHours(key))
    assert {times for times in slots(cast) if times[2] == "open" and times[0].date() == wednesday} == {
        (at("14:00", wednesday), at("14:20", wednesday), "open")
    }


def at_once(*tasks: Callable[[], object]) -> list[object]:
    """Run the tasks in threads that start together; what each returned, or the refusal it got."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], object]) -> object:
        barrier.wait(10)
        try:
            return task()
        except ClinicError as refusal:
            return refusal

    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(run, tasks))


def test_of_changes_at_the_same_moment_one_happens(cast: Cast) -> None:
    done = at_once(*(lambda n=n: change(cast.me, cast.slot_id, f"{12 + n}:00", f"{12 + n}:20") for n in range(4)))
    (winner,) = (each for each in done if isinstance(each, SlotRow))
    assert sum(isinstance(each, rules.SlotWithdrawn) for each in done) == 3
    assert [times for times in slots(cast) if times[2] == "open"] == [(winner.starts_at, winner.ends_at, "open")]


def test_of_changing_and_booking_at_the_same_moment_one_happens(cast: Cast) -> None:
    changed, booked = at_once(lambda: change(cast.me, cast.slot_id, "14:00", "14:20"), lambda: book(cast, cast.slot_id))
    assert isinstance(changed, ClinicError) != isinstance(booked, ClinicError)
    states = [state for _, _, state in slots(cast)]
    assert states == (["booked"] if booked is None else ["withdrawn", "open"])


def test_two_slots_dragged_to_the_same_time_do_not_both_arrive(cast: Cast, session: Session) -> None:
    other = make.key(make.slot(session, cast.doctor, at("11:00")))
    session.commit()
    done = at_once(*(lambda key=key: change(cast.me, key, "14:00", "14:20") for key in (cast.slot_id, other)))
    assert sum(isinstance(each, SlotRow) for each in done) == 1
    assert sum(isinstance(each, SlotsOverlap) for each in done) == 1
    assert sorted(state for _, _, state in slots(cast)) == ["open", "open", "withdrawn"]


def test_a_slot_is_closed_where_its_doctor_is_busy_elsewhere_and_open_where_not(cast: Cast) -> None:
    with db.transaction() as session:
        busy.change(session, doctor_id=cast.doctor_id, events={"a visit": (at("14:00"), at("15:00"))})
    inside = change(cast.me, cast.slot_id, "14:40", "15:00")
    assert inside.state == BUSY
    assert change(cast.me, inside.id, "15:00", "15:20").state == "open"
