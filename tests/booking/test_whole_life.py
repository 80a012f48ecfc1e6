"""Everybody does anything in any order, and time goes by: what must be true of the clinic stays true.

The machine knows no rule of the services: it asks for things, is refused or not, and after each step reads the
tables as a stranger would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.actor import Actor, Role
from mhms_app.availability import busy, hours
from mhms_app.availability import service as availability
from mhms_app.availability.hours import PutHours
from mhms_app.availability.hours_rules import Hours
from mhms_app.availability.models import BusyTime, Slot
from mhms_app.availability.rules import EVERY_DAY, Plan
from mhms_app.booking import changes, holds, leave, matching, reminders, service, settling, waiting
from mhms_app.booking.leave import Choice
from mhms_app.booking.leave_rules import Fate
from mhms_app.booking.models import ACTIVE, Appointment, AppointmentMove, LeaveItem, Status, WaitingOffer
from mhms_app.errors import ClinicError
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.conftest import NOW
from tests.databases import ENGINES, fresh_database

DAY, LENGTH = timedelta(days=1), timedelta(minutes=30)
PEOPLE, DOCTORS = 3, 2
TICKS = (timedelta(minutes=3), timedelta(minutes=40), timedelta(hours=5), DAY)

people = st.integers(0, PEOPLE - 1)
doctors = st.integers(0, DOCTORS - 1)
days = st.integers(0, 3)
anything = st.integers(0, 40)  # which of those that there are, counted round


class Clinic(RuleBasedStateMachine):
    """A department of two doctors and three patients, in a week of which nothing is planned."""

    kind = ""

    def __init__(self) -> None:
        super().__init__()
        self.around = ExitStack()
        db.use_engine(db.make_engine(self.around.enter_context(fresh_database(self.kind))))
        db.clock.freeze(NOW)
        self.now = NOW

    def teardown(self) -> None:
        """Leave nothing behind."""
        db.use_engine(None)
        db.clock.freeze(None)
        self.around.close()

    @initialize()
    def open(self) -> None:
        """The people, a morning of each doctor with some free times, and one who waits for a better one."""
        with db.transaction() as session:
            within = builders.department(session)
            staff = [builders.doctor(session, within=within) for _ in range(DOCTORS)]
            ill = [builders.patient(session) for _ in range(PEOPLE)]
            self.doctor_ids = [builders.key(doctor) for doctor in staff]
            self.doctors = [builders.actor(session, doctor) for doctor in staff]
            self.patients = [builders.actor(session, patient) for patient in ill]
            self.admin = builders.actor(session, builders.user(session, role=Role.ADMIN))
        self.tick(timedelta())
        for doctor in range(DOCTORS):
            self.publish(doctor, 1, 9)
        for patient in range(PEOPLE):
            self.book(patient, 2 * patient)
        self.wait(0, 0, anybody=True, part="any")

    # What people do -----------------------------------------------------------------------------------

    @rule(doctor=doctors, day=days, hour=st.integers(8, 11))
    def publish(self, doctor: int, day: int, hour: int) -> None:
        """Three slots in a row."""
        on = db.clock.today() + day * DAY
        end = (datetime.combine(on, time(hour)) + 3 * LENGTH).time()
        plan = Plan(on, on, time(hour), end, LENGTH, weekdays=EVERY_DAY)
        self.ask(lambda session: availability.publish(session, self.doctors[doctor], plan=plan))

    @rule(doctor=doctors, weekday=st.integers(0, 6), hour=st.integers(13, 15))
    def work(self, doctor: int, weekday: int, hour: int) -> None:
        """Working hours that will be published as weeks come."""
        rules = Hours(frozenset({weekday}), time(hour), time(hour + 1), LENGTH, valid_from=db.clock.today())
        self.ask(lambda session: hours.save(session, self.doctors[doctor], edit=PutHours(rules)))

    @rule(which=anything)
    def withdraw(self, which: int) -> None:
        """A doctor takes a slot back."""
        if slot := self.one(Slot, which):
            actor = self.doctors[self.doctor_ids.index(slot.doctor_id)]
            self.ask(lambda session: availability.withdraw(session, actor, slot_ids=(slot.id or 0,)))

    @rule(which=anything, day=days, hour=st.integers(8, 12))
    def change_slot(self, which: int, day: int, hour: int) -> None:
        """A doctor drags a slot to another time."""
        if slot := self.one(Slot, which):
            actor, on = self.doctors[self.doctor_ids.index(slot.doctor_id)], db.clock.today() + day * DAY
            self.ask(
                lambda session: availability.change_slot(
                    session, actor, slot_id=slot.id or 0, day=on, start=time(hour), end=time(hour, 40)
                )
            )

    @rule(doctor=doctors, day=days, event=st.sampled_from("ab"), hour=st.none() | st.integers(8, 12))
    def be_elsewhere(self, doctor: int, day: int, event: str, hour: int | None) -> None:
        """A doctor's own calendar says when they are busy, or that they no longer are."""
        since = datetime.combine(db.clock.today() + day * DAY, time(hour or 0), UTC)
        events = {event: None if hour is None else (since, since + 2 * LENGTH)}
        self.ask(lambda session: busy.change(session, doctor_id=self.doctor_ids[doctor], events=events))

    @rule(patient=people, which=anything)
    def hold(self, patient: int, which: int) -> None:
        """Somebody opens the form."""
        if slot := self.one(Slot, which):
            self.ask(lambda session: holds.hold(session, self.patients[patient], slot_id=slot.id or 0))

    @rule(patient=people, which=anything)
    def book(self, patient: int, which: int) -> None:
        """Somebody books, twice with the same key as an impatient finger does."""
        if slot := self.one(Slot, which):
            key = str(uuid4())
            for _ in range(2):
                done = self.ask(
                    lambda session: service.book(
                        session, self.patients[patient], slot_id=slot.id or 0, reason="", key=key
                    )
                )
                assert not (done and slot.busy), slot

    @rule(person=st.integers(0, PEOPLE + DOCTORS), which=anything, slot=anything)
    def move(self, person: int, which: int, slot: int) -> None:
        """Somebody, perhaps of the staff and perhaps a stranger, moves an appointment."""
        appointment, wanted = self.one(Appointment, which), self.one(Slot, slot)
        if appointment and wanted:
            self.ask(
                lambda session: changes.move(
                    session, self.anybody(person), reference=appointment.reference, slot_id=wanted.id or 0, why="so"
                )
            )

    @rule(person=st.integers(0, PEOPLE + DOCTORS), which=anything)
    def cancel(self, person: int, which: int) -> None:
        """Somebody cancels an appointment, theirs or not."""
        if appointment := self.one(Appointment, which):
            self.ask(
                lambda session: changes.cancel(
                    session, self.anybody(person), reference=appointment.reference, choice="", note="Ill"
                )
            )

    @rule(which=anything, status=st.sampled_from(list(Status)))
    def mark(self, which: int, status: Status) -> None:
        """The desk says what became of an appointment."""
        if appointment := self.one(Appointment, which):
            self.ask(
                lambda session: changes.set_status(
                    session, self.admin, appointment_id=appointment.id or 0, status=status.value
                )
            )

    @rule(doctor=doctors, day=days, fates=st.lists(st.sampled_from(list(Fate)), min_size=3, max_size=3))
    def go_away(self, doctor: int, day: int, fates: Sequence[Fate]) -> None:
        """A doctor takes leave; the page is closed before everything is done."""
        actor, first = self.doctors[doctor], db.clock.today() + day * DAY

        def take(session: Session) -> None:
            found = leave.affected(session, actor, first=first, last=first)
            choices = {
                row.id: Choice(fates[number % 3], row.proposal.slot_id if row.proposal else None)
                for number, row in enumerate(found)
            }
            leave.take(session, actor, first=first, last=first, message="Away", choices=choices)

        self.ask(take)

    @rule(patient=people, doctor=doctors, anybody=st.booleans(), part=st.sampled_from(("any", "morning")))
    def wait(self, patient: int, doctor: int, anybody: bool, part: str) -> None:
        """Somebody joins the waiting list."""
        wanted: dict[str, Any] = {"anybody": anybody, "weekdays": EVERY_DAY, "part": part}
        wanted |= {"doctor_id": self.doctor_ids[doctor], "earliest": db.clock.today()}
        self.ask(lambda session: waiting.join(session, self.patients[patient], **wanted))

    @rule(late=st.integers(0, 2), stray=st.integers(0, 3), does=st.sampled_from((waiting.take, waiting.decline)))
    def answer(self, late: int, stray: int, does: Callable[..., object]) -> None:
        """Somebody follows a link, perhaps an old one or one that was sent to somebody else."""
        links = [row for row in self.rows(OutboxMessage) if row.kind == "WAITLIST_OFFER"]
        if link := links[-1 - late : -late or None]:
            token = link[0].payload["action_url"].rpartition("/")[2]
            owner = next(n for n, actor in enumerate(self.patients) if actor.email == link[0].recipient_email)
            self.ask(lambda session: does(session, self.patients[(owner + stray // 3) % PEOPLE], token=token))

    @rule(after=st.sampled_from(TICKS))
    def tick(self, after: timedelta) -> None:
        """Time goes by, and every task does what is due, one of them twice."""
        self.now += after
        db.clock.freeze(self.now)
        hours.publish_due()
        settling.finish_all()
        matching.tend()
        with db.transaction() as session:
            holds.open_expired(session)
        with db.transaction(read_only=True) as session:
            over = waiting.over(session)
        for offer_id in over:
            with db.transaction() as session:
                waiting.expire(session, offer_id=offer_id)
        reminders.remind_all()
        reminders.remind_all()
        with db.transaction(read_only=True) as session:
            assert not waiting.over(session)
            assert not holds.any_expired(session)

    # What stays true ----------------------------------------------------------------------------------

    @invariant()
    def every_slot_has_one_owner(self) -> None:
        """A booked slot is of one appointment, a held one of one patient; nobody else has a claim on it."""
        owners = Counter(row.slot_id for row in self.rows(Appointment) if row.status != Status.CANCELLED)
        offered = {row.slot_id: row.patient_id for row in self.rows(WaitingOffer) if row.outcome == "open"}
        for slot in self.rows(Slot):
            assert owners[slot.id or 0] == (slot.state == "booked"), slot
            assert (slot.held_by is not None) == (slot.state == "held"), slot
            assert offered.get(slot.id or 0) == (slot.held_by if slot.offered else None), slot

    @invariant()
    def nobody_is_offered_or_holds_two(self) -> None:
        """One offer and one form at a time, and a slot is offered to one person at a time."""
        slots = self.rows(Slot)
        assert not _twice(row.held_by for row in slots if row.state == "held" and not row.offered)
        offers = [row for row in self.rows(WaitingOffer) if row.outcome == "open"]
        assert not _twice(row.patient_id for row in offers)
        assert not _twice(row.slot_id for row in offers)

    @invariant()
    def nobody_is_in_two_places(self) -> None:
        """Neither a doctor's slots nor a patient's appointments overlap."""
        _apart((row.doctor_id, row.starts_at, row.ends_at) for row in self.rows(Slot) if row.state != "withdrawn")
        active = [row for row in self.rows(Appointment) if row.status in ACTIVE]
        _apart((row.patient_id, row.starts_at, row.ends_at) for row in active)
        slots = {row.id: row for row in self.rows(Slot)}
        for row in active:
            slot = slots[row.slot_id]
            assert (slot.doctor_id, slot.starts_at, slot.ends_at) == (row.doctor_id, row.starts_at, row.ends_at)

    @invariant()
    def a_slot_is_closed_while_its_doctor_is_elsewhere(self) -> None:
        """Whatever state it is in, and not a moment longer."""
        elsewhere = [(row.doctor_id, row.starts_at, row.ends_at) for row in self.rows(BusyTime)]
        for slot in self.rows(Slot):
            if slot.state != "withdrawn" and slot.starts_at > self.now:
                assert slot.busy == any(
                    slot.doctor_id == doctor and since < slot.ends_at and slot.starts_at < until
                    for doctor, since, until in elsewhere
                ), slot

    @invariant()
    def every_change_is_told_once(self) -> None:
        """One message for each booking, move, cancellation and offer, to the person whom it concerns."""
        moves = Counter(row.appointment_id for row in self.rows(AppointmentMove))
        expected: Counter[str] = Counter({"WAITLIST_OFFER": len(self.rows(WaitingOffer))})
        for row in self.rows(Appointment):
            cancelled = row.status == Status.CANCELLED
            assert row.sequence == moves[row.id or 0] + cancelled, row
            expected += Counter(BOOKING_CONFIRMATION=1, BOOKING_MOVED=moves[row.id or 0], BOOKING_CANCELLED=cancelled)
        messages = self.rows(OutboxMessage)
        told = Counter(message.kind for message in messages if message.kind != "APPOINTMENT_REMINDER")
        assert told == +expected
        emails = {actor.patient_id: actor.email for actor in self.patients}
        by_reference = {row.reference: emails[row.patient_id] for row in self.rows(Appointment)}
        for message in messages:
            if reference := message.payload.get("reference"):
                assert message.recipient_email == by_reference[reference], message

    @invariant()
    def nobody_is_reminded_twice_of_one_time(self) -> None:
        """Nor of a time at which nothing is."""
        reminders = [row for row in self.rows(OutboxMessage) if row.kind == "APPOINTMENT_REMINDER"]
        assert not _twice(row.idempotency_key for row in reminders)

    @invariant()
    def a_leave_sees_to_every_appointment_once(self) -> None:
        """What it has moved or cancelled has been, and is told of by the invariant above."""
        cancelled = {row.id for row in self.rows(Appointment) if row.status == Status.CANCELLED}
        moved = {row.appointment_id for row in self.rows(AppointmentMove)}
        for item in self.rows(LeaveItem):
            assert item.outcome != "cancelled" or item.appointment_id in cancelled, item
            assert item.outcome != "moved" or item.appointment_id in moved, item

    # How ----------------------------------------------------------------------------------------------

    def ask(self, what: Callable[[Session], object]) -> bool:
        """Ask for something; the clinic does it whole, or says no and does nothing."""
        try:
            with db.transaction() as session:
                what(session)
        except ClinicError:
            return False
        return True

    def anybody(self, person: int) -> Actor:
        """A patient, a doctor, or the administrator."""
        return (*self.patients, *self.doctors, self.admin)[person]

    def one(self, table: type[Any], which: int) -> Any:
        """One of the rows that there are, if there are any; nobody sees a slot that is withdrawn."""
        found = [row for row in self.rows(table) if table is not Slot or row.state != "withdrawn"]
        return found[which % len(found)] if found else None

    def rows(self, table: type[Any]) -> Sequence[Any]:
        """All the rows of a table, in the order of their keys."""
        with db.transaction(read_only=True) as session:
            return session.exec(select(table).order_by(*table.__table__.primary_key)).all()


def _twice(keys: Any) -> list[Any]:
    return [key for key, count in Counter(keys).items() if count > 1]


def _apart(spans: Any) -> None:
    """Fail if two spans of one owner touch the same instant."""
    for (owner, starts_at, ends_at), (other, after, until) in pairwise(sorted(spans)):
        assert owner != other or ends_at <= after, (owner, starts_at, ends_at, after, until)


@pytest.mark.parametrize("kind", ENGINES)
def test_what_must_be_true_stays_true_whatever_happens(kind: str) -> None:
    steps = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=set(Phase) - {Phase.shrink, Phase.explain},  # else a failure is not told before the time limit ends it
    )
    run_state_machine_as_test(type("Clinic", (Clinic,), {"kind": kind}), settings=steps)
