"""A doctor's leave: what is proposed, what becomes of each appointment, and what a person has to see to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts import service as accounts
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Actor, Role
from mhms_app.availability import hours
from mhms_app.availability.hours import AddDay, DropDay
from mhms_app.availability.hours_rules import ExtraHours
from mhms_app.availability.models import Slot, WorkingHours
from mhms_app.booking import changes, desk, leave, leave_rules, proposals, service, settling, worklist
from mhms_app.booking.leave import Choice, LeaveRow
from mhms_app.booking.leave_rules import Candidate, Displaced, Fate, Outcome
from mhms_app.booking.models import Appointment, DeskNote, LeaveItem
from mhms_app.directory import people
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import ClinicError, Invalid, LoginRequired, NotAllowed, NotFound
from mhms_app.notifications.models import OutboxMessage
from tests import builders

MINUTES, HOUR, DAY = timedelta(minutes=20), timedelta(hours=1), timedelta(days=1)
TODAY = date(2026, 11, 23)
FIRST, LAST = TODAY + 2 * DAY, TODAY + 3 * DAY
SORRY = "Dr. Haddad is ill."


@dataclass
class Ward:
    """A doctor with three booked appointments, on two days that become a leave, and free time after it."""

    session: Session
    now: datetime
    department: Department
    doctor: Doctor
    patients: list[Patient] = field(default_factory=list)
    appointments: list[int] = field(default_factory=list)
    later: list[int] = field(default_factory=list)

    def slot(self, after: timedelta, doctor: Doctor | None = None, minutes: int = 20) -> int:
        return builders.key(builders.slot(self.session, doctor or self.doctor, self.now + after, minutes=minutes))

    def books(self, patient: Patient, slot_id: int) -> int:
        actor = builders.actor(self.session, patient)
        return service.book(self.session, actor, slot_id=slot_id, reason="", key=str(uuid4())).id

    @property
    def as_doctor(self) -> Actor:
        return builders.actor(self.session, self.doctor)

    def takes(self, **chosen: Choice) -> LeaveRow:
        """Take the leave, with a choice for each appointment: a, b, c."""
        choices = {self.appointments["abc".index(name)]: choice for name, choice in chosen.items()}
        return leave.take(self.session, self.as_doctor, first=FIRST, last=LAST, message=SORRY, choices=choices)

    def finishes(self) -> None:
        """Go on in transactions of their own, as the page and the task do."""
        self.session.commit()
        settling.finish_all()
        self.session.expire_all()

    def row(self, name: str) -> Appointment:
        self.session.expire_all()
        return self.session.get_one(Appointment, self.appointments["abc".index(name)])

    def state(self, slot_id: int) -> str:
        self.session.expire_all()
        return self.session.get_one(Slot, slot_id).state

    def outcomes(self) -> list[str | None]:
        self.session.expire_all()
        return [item.outcome for item in self.session.exec(select(LeaveItem).order_by(LeaveItem.id))]  # type: ignore[arg-type]

    def told(self) -> Counter[tuple[str, str]]:
        """Who was told what since the bookings, and how often."""
        messages = self.session.exec(select(OutboxMessage).where(OutboxMessage.kind != "BOOKING_CONFIRMATION"))
        return Counter((message.recipient_email, message.kind) for message in messages)

    def email(self, number: int) -> str:
        return self.session.get_one(User, self.patients[number].user_id).email


@pytest.fixture
def ward(session: Session, now: datetime) -> Ward:
    department = builders.department(session)
    made = Ward(session, now, department, builders.doctor(session, within=department))
    made.patients = [builders.patient(session, name=name) for name in ("Ada Arnold", "Ben Busch", "Cleo Conrad")]
    for patient, after in zip(made.patients, (2 * DAY, 2 * DAY + HOUR, 3 * DAY), strict=True):
        made.appointments.append(made.books(patient, made.slot(after)))
    made.later = [made.slot(5 * DAY + number * HOUR) for number in range(2)]
    return made


def admin(session: Session) -> Actor:
    return builders.actor(session, builders.user(session, role=Role.ADMIN))


def proposed(ward: Ward) -> list[int | None]:
    found = leave.affected(ward.session, ward.as_doctor, first=FIRST, last=LAST)
    assert [row.id for row in found] == ward.appointments
    return [row.proposal.slot_id if row.proposal else None for row in found]


# Proposals ------------------------------------------------------------------------------------------


def test_the_same_doctor_comes_first_then_the_nearest_time_in_the_department(ward: Ward) -> None:
    assert proposed(ward) == [*ward.later, None]
    colleague = builders.doctor(ward.session, name="Dr. Karl Wessel", within=ward.department)
    hidden = builders.doctor(ward.session, name="Dr. Nobody", within=ward.department, approved=False)
    elsewhere = builders.doctor(ward.session, name="Dr. Elsewhere")
    ward.slot(3 * DAY, hidden), ward.slot(3 * DAY, elsewhere), ward.slot(3 * DAY, colleague, minutes=10)
    far, near = ward.slot(4 * DAY, colleague), ward.slot(3 * DAY + HOUR, colleague)
    assert far != near
    assert proposed(ward) == [*ward.later, near]
    found = leave.affected(ward.session, admin(ward.session), doctor_id=ward.doctor.id, first=FIRST, last=LAST)
    assert [row.proposal.doctor for row in found if row.proposal] == ["Dr. Amira Haddad"] * 2 + ["Dr. Karl Wessel"]


def test_a_patient_is_not_proposed_a_time_at_which_they_are_busy(ward: Ward) -> None:
    other = builders.doctor(ward.session, name="Dr. Other")
    ward.books(ward.patients[0], ward.slot(5 * DAY + timedelta(minutes=10), other))
    assert proposed(ward) == [ward.later[1], ward.later[0], None]


def test_two_appointments_of_one_patient_get_times_that_do_not_overlap(now: datetime) -> None:
    displaced = [Displaced(key, 7, now + key * HOUR, now + key * HOUR + MINUTES) for key in (1, 2)]
    own = [Candidate(1, 1, now + DAY, now + DAY + HOUR)]
    others = [
        Candidate(2, 2, now + DAY + 2 * MINUTES, now + DAY + 4 * MINUTES),
        Candidate(3, 2, now + 2 * DAY, now + 2 * DAY + MINUTES),
    ]
    given = leave_rules.propose(displaced, own, others)
    assert {key: slot.id for key, slot in given.items()} == {1: 1, 2: 3}


@pytest.mark.parametrize(
    ("first", "last", "where"),
    [(TODAY - DAY, TODAY, "first"), (LAST, FIRST, "last"), (FIRST, FIRST + 400 * DAY, "last")],
)
def test_days_that_are_no_leave(ward: Ward, first: date, last: date, where: str) -> None:
    for ask in (
        lambda: leave.affected(ward.session, ward.as_doctor, first=first, last=last),
        lambda: leave.take(ward.session, ward.as_doctor, first=first, last=last, choices={}),
    ):
        with pytest.raises(Invalid) as refused:
            ask()
        assert refused.value.field == where


# The days -------------------------------------------------------------------------------------------


def test_the_days_are_closed_whoever_published_them_and_stay_so(ward: Ward) -> None:
    session = ward.session
    builders.added(
        session,
        WorkingHours(
            doctor_id=builders.key(ward.doctor), weekdays=127, start=time(16),
            end=time(18), slot_minutes=60, valid_from=TODAY,
        ),
    )  # fmt: skip
    extra = ExtraHours(FIRST, time(19), time(20), HOUR)
    hours.save(session, ward.as_doctor, edit=AddDay(extra))
    by_hand = ward.slot(2 * DAY + 4 * HOUR)
    held = builders.key(builders.slot(session, ward.doctor, ward.now + 2 * DAY + 5 * HOUR, state="held"))
    outside = session.exec(select(Slot.id).where(Slot.starts_at > ward.now + 4 * DAY, Slot.state == "open")).all()
    ward.takes()
    ward.finishes()
    hours.extend_horizon(session, doctor_id=builders.key(ward.doctor))
    begin, end = proposals.days(FIRST, LAST)
    inside = session.exec(select(Slot.state).where(Slot.starts_at >= begin, Slot.starts_at < end)).all()
    assert sorted(set(inside)) == ["booked", "withdrawn"]
    assert (ward.state(by_hand), ward.state(held)) == ("withdrawn", "withdrawn")
    assert all(ward.state(slot) == "open" for slot in outside)
    changes.cancel(session, ward.as_doctor, reference=ward.row("a").reference, choice="", note="Called.")
    assert ward.state(ward.row("a").slot_id) == "withdrawn"


def test_a_day_that_the_doctor_takes_back_is_open_again(ward: Ward) -> None:
    ward.takes()
    for key, special in hours.hours_page(ward.session, ward.as_doctor).special_days.items():
        if special.day == FIRST:
            hours.save(ward.session, ward.as_doctor, edit=DropDay(key))
    changes.cancel(ward.session, ward.as_doctor, reference=ward.row("a").reference, choice="", note="Called.")
    assert ward.state(ward.row("a").slot_id) == "open"


# The three fates ------------------------------------------------------------------------------------


def test_moved_cancelled_or_left_and_everybody_is_told_once(ward: Ward) -> None:
    before = [ward.row(name).slot_id for name in "abc"]
    row = ward.takes(a=Choice(Fate.MOVE, ward.later[0]), b=Choice(Fate.CANCEL))
    assert row.left == 3
    while row.left:
        row = leave.carry_on(ward.session, ward.as_doctor, leave_id=row.id)
    assert row.outcomes == {"moved": 1, "cancelled": 1, "desk": 1}
    assert leave.leaves(ward.session, ward.as_doctor) == (row,)
    assert (ward.row("a").slot_id, ward.row("a").status) == (ward.later[0], "booked")
    assert (ward.row("b").status, ward.row("b").cancel_reason) == ("cancelled", SORRY)
    assert (ward.row("c").status, ward.row("c").slot_id) == ("booked", before[2])
    assert [ward.state(slot) for slot in before] == ["withdrawn", "withdrawn", "booked"]
    told = {(ward.email(0), "BOOKING_MOVED"): 1, (ward.email(1), "BOOKING_CANCELLED"): 1}
    assert ward.told() == told
    ward.finishes()
    assert leave.carry_on(ward.session, ward.as_doctor, leave_id=row.id) == row
    assert ward.told() == told


def test_nobody_is_cancelled_without_a_word(ward: Ward) -> None:
    with pytest.raises(Invalid) as refused:
        leave.take(
            ward.session, ward.as_doctor, first=FIRST, last=LAST, message=" ",
            choices={ward.appointments[0]: Choice(Fate.CANCEL)},
        )  # fmt: skip
    assert refused.value.field == "message"


@pytest.mark.parametrize("done", [0, 1, 2])
def test_an_interrupted_leave_goes_on_where_it_stopped(ward: Ward, done: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ward.takes(a=Choice(Fate.MOVE, ward.later[0]), b=Choice(Fate.CANCEL), c=Choice(Fate.MOVE, ward.later[1]))
    ward.session.commit()
    finish, calls = settling._do, iter(range(3))

    def interrupted(*args: object) -> Outcome:
        outcome = finish(*args)  # type: ignore[arg-type]
        if next(calls) == done:
            raise KeyboardInterrupt  # after the change, before its commit
        return outcome

    monkeypatch.setattr(settling, "_do", interrupted)
    with pytest.raises(KeyboardInterrupt):
        settling.finish_all()
    monkeypatch.undo()
    assert [outcome is not None for outcome in ward.outcomes()] == [number < done for number in range(3)]
    assert ward.told().total() == done
    ward.session.rollback()
    assert settling.finish_all() == 3 - done
    assert settling.finish_all() == 0
    assert ward.outcomes() == ["moved", "cancelled", "moved"]
    assert sorted(ward.told().values()) == [1, 1, 1]


def test_one_that_goes_wrong_keeps_nobody_else_waiting(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    ward.takes(a=Choice(Fate.CANCEL), b=Choice(Fate.CANCEL))
    ward.session.commit()
    do, broken = settling._do, ward.appointments[0]

    def breaks(session: Session, item: LeaveItem, row: Appointment) -> Outcome:
        if item.appointment_id == broken:
            raise RuntimeError("a bug")
        return do(session, item, row)

    monkeypatch.setattr(settling, "_do", breaks)
    assert settling.finish_all() == 2
    assert ward.outcomes() == [None, "cancelled", "desk"]
    ward.session.commit()
    monkeypatch.undo()
    assert settling.finish_all() == 1


def test_a_lost_proposal_is_replaced_and_without_another_a_person_is_asked(ward: Ward) -> None:
    third = ward.slot(6 * DAY)
    ward.takes(a=Choice(Fate.MOVE, ward.later[0]), b=Choice(Fate.MOVE, ward.later[1]), c=Choice(Fate.MOVE, third))
    ward.books(builders.patient(ward.session, name="Mia Fast"), ward.later[0])
    ward.finishes()
    assert ward.outcomes() == ["desk", "moved", "moved"]
    assert ward.row("b").slot_id == ward.later[1]
    page = worklist.worklist(ward.session, admin(ward.session))
    assert [row.patient for row in page.rows] == ["Ada Arnold"]


def test_the_next_proposal_is_one_that_nobody_was_promised(ward: Ward) -> None:
    third = ward.slot(6 * DAY)
    ward.takes(a=Choice(Fate.MOVE, ward.later[0]), b=Choice(Fate.MOVE, ward.later[1]))
    ward.books(builders.patient(ward.session, name="Mia Fast"), ward.later[0])
    ward.finishes()
    assert [ward.row(name).slot_id for name in "ab"] == [third, ward.later[1]]
    assert sorted(ward.told()) == sorted([(ward.email(0), "BOOKING_MOVED"), (ward.email(1), "BOOKING_MOVED")])


def test_what_a_patient_has_changed_meanwhile_is_left_alone(ward: Ward) -> None:
    ward.takes(a=Choice(Fate.CANCEL), b=Choice(Fate.MOVE, ward.later[0]))
    own = [builders.actor(ward.session, patient) for patient in ward.patients]
    changes.move(ward.session, own[0], reference=ward.row("a").reference, slot_id=ward.later[1])
    changes.cancel(ward.session, own[1], reference=ward.row("b").reference, choice="I am ill", note="")
    ward.finishes()
    assert ward.outcomes() == ["gone", "gone", "desk"]
    assert (ward.row("a").slot_id, ward.row("a").status) == (ward.later[1], "booked")
    assert set(ward.told().values()) == {1}


def test_whoever_is_no_longer_staff_decides_nothing(ward: Ward) -> None:
    ward.takes(a=Choice(Fate.CANCEL), b=Choice(Fate.MOVE, ward.later[0]))
    user = ward.session.get_one(User, ward.doctor.user_id)
    user.role = Role.PATIENT.value
    ward.session.add(user)
    ward.finishes()
    assert ward.outcomes() == ["desk"] * 3
    assert not ward.told()


# At the same moment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(3))
def test_a_leave_and_a_booking_at_the_same_moment(ward: Ward, round_: int) -> None:
    wanted = ward.slot(2 * DAY + 3 * HOUR)
    doctor = ward.as_doctor
    patient = builders.actor(ward.session, builders.patient(ward.session, name=f"Nick Time {round_}"))
    ward.session.commit()
    together, refused = Barrier(2), list[ClinicError]()

    def book() -> None:
        together.wait()
        try:
            with db.transaction() as session:
                service.book(session, patient, slot_id=wanted, reason="", key=str(uuid4()))
        except ClinicError as refusal:
            refused.append(refusal)

    def take() -> None:
        together.wait()
        with db.transaction() as session:
            leave.take(session, doctor, first=FIRST, last=LAST, message=SORRY, choices={})

    threads = [Thread(target=book), Thread(target=take)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settling.finish_all()
    listed = len(worklist.worklist(ward.session, admin(ward.session)).rows)
    assert (ward.state(wanted), listed) == (("withdrawn", 3) if refused else ("booked", 4))
    assert len(ward.outcomes()) == listed


# Who may --------------------------------------------------------------------------------------------


def test_others_are_refused(ward: Ward) -> None:
    row = ward.takes()
    other = builders.actor(ward.session, builders.doctor(ward.session, name="Dr. Other", within=ward.department))
    patient = builders.actor(ward.session, ward.patients[0])
    for actor, refusal in ((None, LoginRequired), (patient, NotAllowed), (other, NotFound)):
        of = {"doctor_id": builders.key(ward.doctor)}
        with pytest.raises(refusal):
            leave.affected(ward.session, actor, first=FIRST, last=LAST, **of)
        with pytest.raises(refusal):
            leave.take(ward.session, actor, first=FIRST, last=LAST, choices={}, **of)
        with pytest.raises(refusal):
            leave.leaves(ward.session, actor, **of)
        with pytest.raises(refusal):
            leave.carry_on(ward.session, actor, leave_id=row.id)
    with pytest.raises(NotFound):
        leave.carry_on(ward.session, ward.as_doctor, leave_id=row.id + 1)
    for actor, refused in ((None, LoginRequired), (patient, NotAllowed), (other, NotAllowed)):
        with pytest.raises(refused):
            worklist.worklist(ward.session, actor)
        with pytest.raises(refused):
            worklist.mark_done(ward.session, actor, appointment_id=ward.appointments[0], note="")
        with pytest.raises(refused):
            desk.to_call(ward.session, actor)
        with pytest.raises(refused):
            worklist.left_behind(ward.session, actor, user_id=ward.doctor.user_id)
    assert leave.affected(ward.session, other, first=FIRST, last=LAST) == ()


# The worklist ---------------------------------------------------------------------------------------


def test_the_worklist_holds_what_was_left_until_somebody_has_seen_to_it(ward: Ward) -> None:
    boss = admin(ward.session)
    ward.takes()
    assert worklist.worklist(ward.session, boss).total == 0
    ward.finishes()
    page = worklist.worklist(ward.session, boss)
    assert (page.total, [row.id for row in page.rows]) == (3, ward.appointments)
    first = page.rows[0]
    assert (first.first, first.last, first.email, first.since) == (FIRST, LAST, ward.email(0), ward.now)
    assert first.department == ward.department.name
    assert desk.to_call(ward.session, boss) == 3
    for _ in range(2):
        worklist.mark_done(ward.session, boss, appointment_id=ward.appointments[0], note="Will call back.")
    changes.move(ward.session, boss, reference=ward.row("b").reference, slot_id=ward.later[0], why="on the phone")
    assert [row.id for row in worklist.worklist(ward.session, boss).rows] == ward.appointments[2:]
    assert [row.note for row in ward.session.exec(select(DeskNote))] == ["Will call back."]
    with pytest.raises(NotFound):
        worklist.mark_done(ward.session, boss, appointment_id=ward.appointments[1], note="")


@pytest.mark.parametrize("is_closed", [True, False])
def test_the_worklist_finds_appointments_of_doctors_who_are_gone(ward: Ward, is_closed: bool) -> None:
    boss, user_id = admin(ward.session), ward.doctor.user_id
    assert worklist.worklist(ward.session, boss).total == 0
    assert worklist.left_behind(ward.session, boss, user_id=user_id) == 3
    if is_closed:
        accounts.set_active(ward.session, boss, user_id=user_id, active=False)
    else:
        people.assign_role(ward.session, boss, user_id=user_id, role="patient", department_id=None)
    page = worklist.worklist(ward.session, boss, size=2)
    assert (page.total, [(row.first, row.since) for row in page.rows]) == (3, [(None, ward.now)] * 2)
    worklist.mark_done(ward.session, boss, appointment_id=ward.appointments[0], note="")
    db.clock.freeze(ward.now + 2 * DAY + 2 * HOUR)
    assert [row.id for row in worklist.worklist(ward.session, boss).rows] == ward.appointments[2:]
