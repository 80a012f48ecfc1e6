"""The demo clinic convinces on whatever day and at whatever hour somebody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, func, select

from mhms_app import db, demo
from mhms_app.accounts import passwords
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Role
from mhms_app.availability import finding
from mhms_app.availability import hours as working
from mhms_app.availability.models import Slot, SlotState
from mhms_app.booking.models import Appointment, Status
from mhms_app.directory import departments
from mhms_app.directory import service as directory
from mhms_app.directory.models import Department, Doctor
from mhms_app.notifications.models import OutboxMessage
from mhms_app.settings import settings
from tests import builders as make
from tests.databases import fresh_database

DAY = timedelta(days=1)
WEDNESDAY = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)  # 10:30 in Berlin


@pytest.fixture
def clinic(session: Session) -> Iterator[Session]:
    """A database with the demo clinic, on a Wednesday morning."""
    db.clock.freeze(WEDNESDAY)
    assert demo.load(session)
    session.commit()
    yield session
    db.clock.freeze(None)


def account(session: Session, email: str) -> User:
    return session.exec(select(User).where(User.email == email)).one()


def of_doctor(session: Session, model: type[Slot] | type[Appointment]) -> list[Slot | Appointment]:
    mine = select(Doctor.id).where(Doctor.user_id == account(session, demo.DOCTOR).id).scalar_subquery()
    return list(session.exec(select(model).where(col(model.doctor_id) == mine).order_by(col(model.starts_at))).all())


def days(rows: list[Slot | Appointment]) -> Counter[object]:
    return Counter(row.starts_at.astimezone(settings().zone).date() for row in rows)


def test_loading_it_twice_adds_nothing(clinic: Session) -> None:
    models = (User, Department, Doctor, Patient, Slot, Appointment)
    counts = [clinic.exec(select(func.count()).select_from(model)).one() for model in models]
    assert demo.load(clinic) is False
    assert [clinic.exec(select(func.count()).select_from(model)).one() for model in models] == counts


def test_it_leaves_a_database_with_users_alone(session: Session) -> None:
    make.user(session)
    assert demo.load(session) is False
    assert session.exec(select(Department)).all() == []


def test_everybody_in_it_is_there(clinic: Session) -> None:
    wards = departments.list_departments(clinic, None)
    assert [row.name for row in wards] == [
        "Cardiology",
        "Dermatology",
        "General Medicine",
        "Neurology",
        "Orthopedics",
        "Pediatrics",
    ]
    assert all(row.location and row.description.endswith(".") and row.doctors >= 4 for row in wards)
    doctors = directory.search_doctors(clinic, None, size=100)
    assert doctors.total == 25
    assert all(row.title and row.languages and row.bio.endswith(".") for row in doctors.rows)
    assert len({row.name for row in doctors.rows}) == len({row.bio for row in doctors.rows}) == 25
    assert clinic.exec(select(func.count()).select_from(Patient)).one() == 60
    admin = make.actor(clinic, account(clinic, demo.ADMIN))
    assert [row.name for row in directory.list_pending_doctors(clinic, admin)] == ["Dr. Emil Novak"]


def test_the_three_accounts_share_a_password_that_is_good_enough(clinic: Session) -> None:
    for email, role in ((demo.ADMIN, Role.ADMIN), (demo.DOCTOR, Role.DOCTOR), (demo.PATIENT, Role.PATIENT)):
        user = account(clinic, email)
        assert user.role == role
        assert passwords.verify(demo.PASSWORD, user.password_hash)
        assert passwords.judge(demo.PASSWORD, context=(user.email, user.full_name)).acceptable


def test_nobody_in_it_is_sent_an_email(clinic: Session) -> None:
    assert clinic.exec(select(OutboxMessage)).all() == []
    outside = clinic.exec(select(User.email).where(~col(User.email).endswith(".example"))).all()
    assert outside == [], "and if somebody were, the address cannot exist (RFC 2606)"


def test_its_appointments_and_slots_agree(clinic: Session) -> None:
    taken = [row.slot_id for row in clinic.exec(select(Appointment).where(Appointment.status != Status.CANCELLED))]
    booked = clinic.exec(select(Slot.id).where(Slot.state == SlotState.BOOKED)).all()
    assert sorted(taken) == sorted(booked)  # type: ignore[type-var]
    statuses = Counter(clinic.exec(select(Appointment.status)).all())
    assert 400 < statuses.total() < 2500
    assert min(statuses["completed"], statuses["booked"]) > 150
    assert 0 < statuses["no_show"] < 160
    assert 0 < statuses["cancelled"] < 220
    for row in clinic.exec(select(Appointment)):
        past = row.ends_at <= WEDNESDAY
        assert (row.status in ("completed", "no_show")) == (past and row.status != "cancelled")
        assert row.created_at < min(row.starts_at, WEDNESDAY)
        assert row.cancelled_at is None or row.created_at < row.cancelled_at < min(row.starts_at, WEDNESDAY)
    upcoming = clinic.exec(
        select(func.count()).where(col(Appointment.status) == "booked").group_by(col(Appointment.patient_id))
    ).all()
    assert max(upcoming) < 10, "everybody can still book"


def test_slots_are_within_working_hours_and_differ_between_doctors(clinic: Session) -> None:
    slots = clinic.exec(select(Slot)).all()
    local = [slot.starts_at.astimezone(settings().zone) for slot in slots]
    assert min(local).date() == (WEDNESDAY - demo.DAYS_BEHIND * DAY).date()
    assert max(local).date() >= (WEDNESDAY + 26 * DAY).date()
    assert all(8 <= start.hour < 21 for start in local)
    lengths = {(slot.ends_at - slot.starts_at) // timedelta(minutes=1) for slot in slots}
    assert lengths == {15, 20, 25, 30, 40}


def test_the_patient_has_one_visit_ahead_and_two_behind(clinic: Session) -> None:
    mine = select(Patient.id).where(Patient.user_id == account(clinic, demo.PATIENT).id).scalar_subquery()
    rows = clinic.exec(
        select(Appointment).where(col(Appointment.patient_id) == mine).order_by(col(Appointment.starts_at))
    )
    found = [(row.status, row.starts_at.date()) for row in rows]
    assert [status for status, _ in found] == ["completed", "completed", "booked"]
    assert found[2][1] == (WEDNESDAY + 2 * DAY).date()


def test_the_working_hours_ask_for_the_slots_that_there_are(clinic: Session) -> None:
    assert len(working.doctors_with_hours(clinic)) == len(clinic.exec(select(Doctor)).all())
    clinic.commit()
    assert working.publish_due() == 0
    db.clock.freeze(WEDNESDAY + DAY)
    assert working.publish_due() > 0


@pytest.mark.parametrize(
    "hours", [0, 12, 15, 62, 72, 86, 96, 110], ids=lambda n: f"{WEDNESDAY + timedelta(hours=n):%a-%H}"
)
def test_it_looks_alive_on_any_day_and_at_any_hour(now: datetime, hours: int) -> None:
    looked_at = WEDNESDAY + timedelta(hours=hours)
    with fresh_database("sqlite") as url:
        db.use_engine(db.make_engine(url))
        db.clock.freeze(looked_at)
        with db.transaction() as session:
            assert demo.load(session)
        with db.transaction() as session:
            today = looked_at.astimezone(settings().zone).date()
            assert days(of_doctor(session, Appointment))[today] >= 6
            assert sum(days(of_doctor(session, Appointment))[today + n * DAY] for n in range(7)) >= 25
            soon = finding.next_available(session, None, after=looked_at, limit=4)
            assert len(soon) == 4
            assert soon[0].next_free_at is not None
            assert soon[0].next_free_at < looked_at + timedelta(hours=14)
            assert all(card.free_this_week for card in soon)
        db.use_engine(None)


def test_it_is_the_same_clinic_every_time() -> None:
    db.clock.freeze(WEDNESDAY)
    found = []
    for _ in range(2):
        with fresh_database("sqlite") as url:
            db.use_engine(db.make_engine(url))
            with db.transaction() as session:
                demo.load(session)
                rows = session.exec(select(Appointment).order_by(col(Appointment.id))).all()
                found.append([(row.reference, row.slot_id, row.patient_id, row.reason, row.status) for row in rows])
            db.use_engine(None)
    db.clock.freeze(None)
    assert found[0] == found[1]
