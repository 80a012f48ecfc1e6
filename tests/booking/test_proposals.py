"""What the desk can offer somebody whose appointment cannot stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session

from mhms_app.accounts.models import Patient
from mhms_app.actor import Actor, Role
from mhms_app.booking import proposals, service
from mhms_app.directory.models import Department, Doctor
from mhms_app.errors import LoginRequired, NotAllowed, NotFound
from tests import builders

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Ward:
    """A doctor and a colleague with one patient, who is booked in two days."""

    session: Session
    now: datetime
    department: Department
    doctor: Doctor
    colleague: Doctor
    patient: Patient
    boss: Actor
    reference: str = ""

    def slot(self, after: timedelta, doctor: Doctor | None = None, **fields: str) -> int:
        return builders.key(builders.slot(self.session, doctor or self.doctor, self.now + after, **fields))  # type: ignore[arg-type]

    def books(self, slot_id: int) -> str:
        actor = builders.actor(self.session, self.patient)
        return service.book(self.session, actor, slot_id=slot_id, reason="", key=str(uuid4())).reference

    def offered(self, *, anybody: bool = False, first: date | None = None) -> list[int]:
        found = proposals.other_times(self.session, self.boss, reference=self.reference, anybody=anybody, first=first)
        return [one.slot_id for one in found.times]


@pytest.fixture
def ward(session: Session, now: datetime) -> Ward:
    department = builders.department(session)
    doctor, colleague = (builders.doctor(session, name=name, within=department) for name in ("Dr. A", "Dr. B"))
    boss = builders.actor(session, builders.user(session, role=Role.ADMIN))
    made = Ward(session, now, department, doctor, colleague, builders.patient(session), boss)
    made.reference = made.books(made.slot(2 * DAY))
    return made


def test_the_same_doctor_or_anybody_of_the_department_by_time(ward: Ward) -> None:
    hidden = builders.doctor(ward.session, name="Dr. C", within=ward.department, approved=False)
    ward.slot(DAY, hidden), ward.slot(DAY, builders.doctor(ward.session, name="Dr. Elsewhere"))
    ward.slot(-HOUR), ward.slot(4 * DAY, state="withdrawn"), ward.slot(5 * DAY, state="held")
    late, early, other = ward.slot(3 * DAY), ward.slot(HOUR), ward.slot(DAY, ward.colleague)
    assert ward.offered() == [early, late]
    assert ward.offered(anybody=True) == [early, other, late]


def test_from_a_day_on(ward: Ward) -> None:
    early, late = ward.slot(HOUR), ward.slot(3 * DAY)
    assert ward.offered(first=ward.now.date() + DAY) == [late]
    assert ward.offered(first=ward.now.date() - DAY) == [early, late]


def test_nothing_at_which_the_patient_is_busy_elsewhere(ward: Ward) -> None:
    ward.books(ward.slot(3 * DAY, builders.doctor(ward.session, name="Dr. Elsewhere")))
    ward.slot(3 * DAY + timedelta(minutes=10))
    own_time, later = ward.slot(2 * DAY, ward.colleague), ward.slot(3 * DAY + HOUR)
    assert ward.offered(anybody=True) == [own_time, later]


def test_a_long_appointment_elsewhere_leaves_all_that_is_later(ward: Ward) -> None:
    elsewhere = builders.doctor(ward.session, name="Dr. Elsewhere")
    long = builders.slot(ward.session, elsewhere, ward.now + 3 * DAY, minutes=600)
    ward.books(builders.key(long))
    for number in range(30):
        ward.slot(3 * DAY + number * HOUR / 3)
    later = [ward.slot(4 * DAY + number * HOUR) for number in range(25)]
    found = proposals.other_times(ward.session, ward.boss, reference=ward.reference)
    assert ([one.slot_id for one in found.times], found.more) == (later[:24], True)


def test_a_long_list_says_that_there_is_more(ward: Ward) -> None:
    for number in range(25):
        ward.slot(3 * DAY + number * HOUR)
    found = proposals.other_times(ward.session, ward.boss, reference=ward.reference)
    assert (len(found.times), found.more) == (24, True)
    last = ward.now.date() + 4 * DAY
    assert not proposals.other_times(ward.session, ward.boss, reference=ward.reference, first=last).more


def test_only_administrators_look(ward: Ward) -> None:
    people = (None, LoginRequired), (builders.actor(ward.session, ward.patient), NotAllowed)
    for actor, refusal in (*people, (builders.actor(ward.session, ward.doctor), NotAllowed)):
        with pytest.raises(refusal):
            proposals.other_times(ward.session, actor, reference=ward.reference)
    with pytest.raises(NotFound):
        proposals.other_times(ward.session, ward.boss, reference="MH-222222")
