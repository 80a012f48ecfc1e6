"""What somebody who looks for a time is shown: doctors, and the week of one."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import Session

from mhms_app.availability import finding
from mhms_app.availability.models import SlotState
from mhms_app.directory.models import Doctor
from mhms_app.errors import NotFound
from tests import builders

MONDAY = date(2026, 11, 23)


@pytest.fixture
def doctor(session: Session, now: datetime) -> Doctor:
    return builders.doctor(session)


def week(session: Session, of: Doctor, **asked: object) -> finding.BookableWeek:
    return finding.bookable_week(session, None, doctor_id=builders.key(of), **asked)  # type: ignore[arg-type]


def test_a_week_begins_where_there_is_something_to_book(session: Session, doctor: Doctor, now: datetime) -> None:
    builders.slot(session, doctor, now - timedelta(hours=1))
    builders.slot(session, doctor, now + timedelta(hours=1), state=SlotState.BOOKED.value)
    free = builders.slot(session, doctor, now + timedelta(days=9))
    shown = week(session, doctor)
    assert shown.monday == MONDAY + timedelta(days=7)
    assert [slot.id for slot in shown.free] == [free.id]


def test_a_week_without_free_slots_names_the_next_one(session: Session, doctor: Doctor, now: datetime) -> None:
    free = builders.slot(session, doctor, now + timedelta(days=9))
    this_week, later = week(session, doctor, week=MONDAY), week(session, doctor, week=MONDAY + timedelta(days=30))
    assert this_week.free == later.free == ()
    assert this_week.following and this_week.following.id == free.id
    assert later.following and later.following.id == free.id  # none after it: then the first of all


def test_a_doctor_without_any_free_slot_shows_this_week(session: Session, doctor: Doctor) -> None:
    shown = week(session, doctor)
    assert (shown.monday, shown.free, shown.following) == (MONDAY, (), None)


def test_the_slot_somebody_has_in_mind_brings_its_week(session: Session, doctor: Doctor, now: datetime) -> None:
    builders.slot(session, doctor, now + timedelta(hours=1))
    taken = builders.slot(session, doctor, now + timedelta(days=8), state=SlotState.BOOKED.value)
    shown = week(session, doctor, slot_id=taken.id)
    assert shown.monday == MONDAY + timedelta(days=7)
    assert shown.asked and (shown.asked.id, shown.asked.state) == (taken.id, SlotState.BOOKED.value)


def test_a_slot_of_another_doctor_is_not_shown(session: Session, doctor: Doctor, now: datetime) -> None:
    theirs = builders.slot(session, builders.doctor(session, name="Dr. Lilla Varga"), now + timedelta(days=8))
    assert week(session, doctor, slot_id=theirs.id).asked is None


def test_an_unapproved_doctor_is_shown_to_themselves_only(session: Session, now: datetime) -> None:
    waiting = builders.doctor(session, approved=False)
    builders.slot(session, waiting, now + timedelta(hours=1))
    with pytest.raises(NotFound):
        week(session, waiting)
    shown = finding.bookable_week(session, builders.actor(session, waiting), doctor_id=builders.key(waiting))
    assert (shown.doctor.approved, shown.free) == (False, ())
