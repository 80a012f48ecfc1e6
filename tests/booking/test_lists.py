"""What an administrator sees of all bookings: filters, pages, the export and the overview."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import Session, select

from mhms_app import db
from mhms_app.accounts.models import Patient
from mhms_app.actor import Role
from mhms_app.audit.models import AuditEntry
from mhms_app.booking import lists, rules
from mhms_app.booking.lists import Filter
from mhms_app.booking.models import Appointment
from mhms_app.directory.models import Doctor
from mhms_app.errors import LoginRequired, NotAllowed
from tests import builders as make

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Cast:
    """Two doctors of two departments, two patients, an administrator."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.session, self.now = session, now
        self.heart, self.skin = (make.department(session, name=name) for name in ("Cardiology", "Dermatology"))
        self.haddad = make.doctor(session, name="Dr. Amira Haddad", within=self.heart)
        self.okafor = make.doctor(session, name="Dr. Samuel Okafor", within=self.skin)
        self.jo = make.patient(session, name="Jo Moreau", email="jo@example.com")
        self.chie = make.patient(session, name="Chie Sato", email="chie@example.com")
        self.admin = make.actor(session, make.user(session, role=Role.ADMIN, name="Ada Admin"))

    def booked(self, doctor: Doctor, patient: Patient, at: datetime, *, status: str = "booked") -> str:
        """An appointment; returns its reference."""
        state = "open" if status == "cancelled" else "booked"
        slot = make.slot(self.session, doctor, at, state=state)
        row = make.added(
            self.session,
            Appointment(
                reference=rules.new_reference(),
                slot_id=make.key(slot),
                patient_id=make.key(patient),
                doctor_id=slot.doctor_id,
                department_id=doctor.department_id,
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                status=status,
                idempotency_key=str(uuid4()),
                created_at=db.clock.now(),
            ),
        )
        return row.reference

    def found(self, **wanted: Any) -> list[str]:
        """The references that a filter lets through."""
        page = lists.list_bookings(self.session, self.admin, wanted=Filter(**wanted))
        assert page.total == len(page.rows)
        return [row.reference for row in page.rows]


@pytest.fixture
def cast(session: Session, now: datetime) -> Cast:
    return Cast(session, now)


def test_bookings_are_listed_latest_first_and_filtered(cast: Cast, now: datetime) -> None:
    first = cast.booked(cast.haddad, cast.jo, now + HOUR)
    second = cast.booked(cast.okafor, cast.jo, now + DAY, status="cancelled")
    third = cast.booked(cast.okafor, cast.chie, now + 2 * DAY)
    assert cast.found() == [third, second, first]
    assert cast.found(doctor_id=make.key(cast.haddad)) == [first]
    assert cast.found(department_id=make.key(cast.skin)) == [third, second]
    assert cast.found(status="cancelled") == [second]
    assert cast.found(first=now.date() + DAY) == [third, second]
    assert cast.found(last=now.date()) == [first]
    assert cast.found(first=now.date() + DAY, last=now.date() + DAY) == [second]


def test_bookings_are_found_by_patient_doctor_address_and_number(cast: Cast, now: datetime) -> None:
    mine = cast.booked(cast.haddad, cast.jo, now + HOUR)
    other = cast.booked(cast.okafor, cast.chie, now + HOUR)
    assert cast.found(search="MOREAU") == [mine]
    assert cast.found(search="chie@") == [other]
    assert cast.found(search="okafor") == [other]
    assert cast.found(search=mine.lower()) == [mine]
    assert cast.found(search="%") == []
    assert cast.found(search="moreau", doctor_id=make.key(cast.okafor)) == []


def test_a_day_of_the_filter_is_a_day_of_the_clinic(cast: Cast) -> None:
    """23:30 in UTC is past midnight in Berlin."""
    late = cast.booked(cast.haddad, cast.jo, datetime(2026, 11, 24, 23, 30, tzinfo=UTC))
    assert cast.found(first=date(2026, 11, 25), last=date(2026, 11, 25)) == [late]
    assert cast.found(first=date(2026, 11, 24), last=date(2026, 11, 24)) == []


def test_bookings_come_a_page_at_a_time_and_counting_stops(
    cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [cast.booked(cast.haddad, cast.jo, now + n * HOUR) for n in range(5)]
    page = lists.list_bookings(cast.session, cast.admin, wanted=Filter(), page=2, size=2)
    assert ([row.reference for row in page.rows], page.total) == ([made[2], made[1]], 5)
    monkeypatch.setattr(db, "COUNTED", 3)
    assert lists.list_bookings(cast.session, cast.admin, wanted=Filter()).total == 3


def test_what_makes_no_sense_in_an_address_leaves_the_question_open() -> None:
    assert Filter.of({}) == Filter()
    senseless = {"doctor": "x", "department": "-1", "status": "lost", "from": "0001-01-01", "to": "soon", "more": "1"}
    assert Filter.of(senseless) == Filter()
    sensible = {"q": "jo", "doctor": "7", "department": "2", "status": "no_show", "from": "2026-11-23", "to": ""}
    assert Filter.of(sensible) == Filter("jo", 7, 2, "no_show", date(2026, 11, 23), None)


def test_an_export_has_every_row_once_and_is_audited_once(cast: Cast, now: datetime) -> None:
    made = [cast.booked(cast.haddad, cast.jo, now + n * HOUR) for n in range(5)]
    exported, after = [], 0
    while rows := lists.export_bookings(cast.session, cast.admin, wanted=Filter(), after_id=after, size=2):
        exported += [row.reference for row in rows]
        after = rows[-1].id
    assert exported == made
    entries = cast.session.exec(select(AuditEntry).where(AuditEntry.action == "appointment.export")).all()
    assert [entry.actor_id for entry in entries] == [cast.admin.user_id]


def test_the_overview_counts_days_outcomes_and_weeks(cast: Cast, now: datetime) -> None:
    cast.booked(cast.haddad, cast.jo, now + HOUR)
    cast.booked(cast.haddad, cast.chie, now + 2 * HOUR, status="cancelled")
    cast.booked(cast.okafor, cast.jo, now - 7 * DAY, status="completed")
    cast.booked(cast.okafor, cast.chie, now - 7 * DAY + HOUR, status="no_show")
    make.slot(cast.session, cast.okafor, now - 7 * DAY + 2 * HOUR)
    make.slot(cast.session, cast.haddad, now + DAY)
    make.slot(cast.session, cast.haddad, now + 2 * DAY, state="withdrawn")
    make.doctor(cast.session, name="Dr. Pia Pending", approved=False)
    facts = lists.overview(cast.session, cast.admin)
    assert (facts.booked_today, facts.booked_same_day_last_week) == (1, 2)
    assert (facts.free_next_week, facts.published_next_week) == (2, 3)
    assert (facts.month.seen, facts.month.missed, facts.month_before.seen) == (1, 1, 0)
    assert [row.name for row in facts.pending] == ["Dr. Pia Pending"]
    assert (facts.outbox.waiting, facts.outbox.dead) == (0, 0)
    assert len(facts.latest) == 4


def test_past_weeks_say_how_much_of_what_was_published_was_booked(cast: Cast, now: datetime) -> None:
    cast.booked(cast.okafor, cast.jo, now - 7 * DAY, status="completed")
    make.slot(cast.session, cast.okafor, now - 7 * DAY + HOUR)
    make.slot(cast.session, cast.okafor, now - 7 * DAY + 2 * HOUR, state="withdrawn")
    make.slot(cast.session, cast.okafor, now)
    weeks = lists.past_weeks(cast.session, cast.admin)
    assert (weeks[-1].booked, weeks[-1].published, len(weeks)) == (1, 2, 8)
    assert (weeks[0].monday, weeks[-1].monday) == (date(2026, 9, 28), date(2026, 11, 16))


def test_only_administrators_see_all_bookings(cast: Cast) -> None:
    session = cast.session
    others = [make.actor(session, cast.jo), make.actor(session, cast.haddad)]
    calls = (
        lambda actor: lists.list_bookings(session, actor, wanted=Filter()),
        lambda actor: lists.export_bookings(session, actor, wanted=Filter()),
        lambda actor: lists.overview(session, actor),
        lambda actor: lists.past_weeks(session, actor),
    )
    for call in calls:
        with pytest.raises(LoginRequired):
            call(None)
        for actor in others:
            with pytest.raises(NotAllowed):
                call(actor)
