"""Migrations on both engines: up, down and up again with rows in the tables, and the code agrees with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect
from sqlmodel import SQLModel

from mhms_app import db
from mhms_app.accounts import devices
from mhms_app.accounts.models import Acting, FactorSetup, LoginStep, Passkey, Patient, RecoveryCode, Totp, User
from mhms_app.accounts.sessions import Browser
from mhms_app.audit import service as audit
from mhms_app.audit import violations
from mhms_app.audit.models import AuditSeal
from mhms_app.availability.models import BusyTime, FreshSlots, Slot
from mhms_app.booking.models import (
    Appointment,
    AppointmentMove,
    DaySummary,
    DeskNote,
    Leave,
    LeaveItem,
    ReminderMark,
    Waiting,
    WaitingOffer,
)
from mhms_app.calendars import service as calendars
from mhms_app.calendars.models import GoogleConnection, GoogleConsent, GoogleEvent
from mhms_app.directory.models import Department, Doctor
from mhms_app.notifications import service as notifications
from mhms_app.oversight.workers import Life, Numbers
from tests import builders
from tests.databases import ENGINES, ROOT, fresh_database, migrate

TABLES = set(SQLModel.metadata.tables)


@pytest.fixture(params=ENGINES)
def empty(request: pytest.FixtureRequest) -> Iterator[None]:
    """A database without any table."""
    with fresh_database(request.param, migrated=False) as url:
        db.use_engine(db.make_engine(url))
        yield
        db.use_engine(None)


def tables() -> set[str]:
    with db.engine().connect() as connection:
        return set(inspect(connection).get_table_names())


def fill(starts_at: datetime) -> None:
    """Put at least one row into every table."""
    with db.transaction() as session:
        doctor, patient = builders.doctor(session), builders.patient(session)
        slot = builders.slot(session, doctor, starts_at, state="booked")
        calendars.create_feed(session, builders.actor(session, patient), shows="own")
        devices.meet(session, user=session.get_one(User, patient.user_id), browser=Browser())
        builders.link(session, session.get_one(User, patient.user_id))
        visit = builders.actor(session, doctor).session_id
        builders.added(
            session, GoogleConsent(session_id=visit, state_hash="0", sealed_verifier="", expires_at=starts_at)
        )
        builders.added(session, connected(doctor))
        for row in second_factors(doctor.user_id, visit, starts_at):
            builders.added(session, row)
        end = starts_at + timedelta(hours=1)
        builders.added(
            session, BusyTime(doctor_id=builders.key(doctor), event_id="a", starts_at=starts_at, ends_at=end)
        )
        builders.hours(session, doctor)
        builders.day_off(session, doctor, starts_at.date())
        moved = builders.added(session, appointment(slot, doctor, patient))
        builders.added(session, former(moved, patient))
        builders.added(session, written(moved))
        wait = builders.added(session, waiting(doctor, patient))
        builders.added(session, offer(wait, slot))
        builders.added(session, FreshSlots(doctor_id=builders.key(doctor), first_id=1, last_id=1))
        builders.added(session, ReminderMark(department_id=doctor.department_id, hours=24, done_until=starts_at))
        day, by = starts_at.date(), doctor.user_id
        builders.added(session, DaySummary(doctor_id=builders.key(doctor), done_until=day))
        leave = Leave(doctor_id=builders.key(doctor), first_day=day, last_day=day, created_by=by, created_at=starts_at)
        builders.added(session, leave)
        here = {"appointment_id": moved.id, "slot_id": moved.slot_id}
        builders.added(session, LeaveItem(leave_id=leave.id, fate="desk", **here))
        builders.added(session, DeskNote(done_by=by, done_at=starts_at, **here))
        audit.record(session, actor_id=None, action="test.fill")
        violations.count(session, {"script-src": 1})
        Life().sign(session, tasks={"reminders": starts_at}, numbers=Numbers())
        builders.added(session, AuditSeal(position=1, entry_id=1, at=starts_at, previous_hash="0" * 64, hash="1" * 64))
        builders.added(session, Acting(session_id=visit, admin_id=by, admin_session_id=visit, reason="To help."))
        notifications.account_password(
            session, email="jo@example.com", name="Jo", temporary_password="abcd", good_for="3 days"
        )
    with db.engine().connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            assert connection.execute(table.select().limit(1)).first() is not None, table.name


def second_factors(user_id: int, session_id: int, now: datetime) -> list[SQLModel]:
    return [
        Totp(user_id=user_id, sealed_secret="sealed", last_step=1, created_at=now),
        Passkey(
            user_id=user_id,
            user_handle="handle",
            credential_id="credential",
            public_key=b"key",
            sign_count=2**32 - 1,
            name="Phone",
            created_at=now,
        ),
        RecoveryCode(user_id=user_id, code_hash="0" * 64),
        FactorSetup(session_id=session_id, expires_at=now),
        LoginStep(token_hash="0" * 64, user_id=user_id, expires_at=now),
    ]


def appointment(slot: Slot, doctor: Doctor, patient: Patient) -> Appointment:
    return Appointment(
        reference="MH-4K7D2Q",
        slot_id=builders.key(slot),
        patient_id=builders.key(patient),
        doctor_id=builders.key(doctor),
        department_id=doctor.department_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        idempotency_key="4f0c5b1e-0000-4000-8000-000000000000",
        created_at=slot.starts_at - timedelta(days=1),
    )


def waiting(doctor: Doctor, patient: Patient) -> Waiting:
    return Waiting(
        patient_id=builders.key(patient),
        department_id=doctor.department_id,
        weekdays=127,
        part="any",
        earliest=db.clock.now().date(),
        created_at=db.clock.now(),
    )


def offer(wait: Waiting, slot: Slot) -> WaitingOffer:
    return WaitingOffer(
        waiting_id=wait.id or 0,
        patient_id=wait.patient_id,
        slot_id=builders.key(slot),
        token_hash="0" * 64,
        offered_at=wait.created_at,
        until=wait.created_at + timedelta(hours=1),
        outcome="expired",
    )


def connected(doctor: Doctor) -> GoogleConnection:
    return GoogleConnection(
        doctor_id=builders.key(doctor),
        sealed_tokens="sealed",
        calendar_id="primary",
        next_sync_at=db.clock.now(),
        created_at=db.clock.now(),
    )


def written(moved: Appointment) -> GoogleEvent:
    return GoogleEvent(
        doctor_id=moved.doctor_id,
        appointment_id=moved.id,
        calendar_id="primary",
        sequence=0,
        shows="busy",
        ends_at=moved.ends_at,
    )


def former(moved: Appointment, patient: Patient) -> AppointmentMove:
    return AppointmentMove(
        appointment_id=moved.id,
        moved_at=moved.created_at,
        moved_by=patient.user_id,
        slot_id=moved.slot_id,
        doctor_id=moved.doctor_id,
        starts_at=moved.starts_at - timedelta(days=1),
        ends_at=moved.ends_at - timedelta(days=1),
    )


@pytest.mark.usefixtures("empty")
def test_up_down_and_up_again_with_rows_in_every_table(now: datetime) -> None:
    migrate(db.engine())
    assert tables() == TABLES | {"alembic_version"}
    fill(now)
    migrate(db.engine(), "base")
    assert tables() <= {"alembic_version"}
    migrate(db.engine())
    assert tables() == TABLES | {"alembic_version"}
    fill(now)


@pytest.mark.usefixtures("empty")
def test_migrating_twice_changes_nothing(now: datetime) -> None:
    migrate(db.engine())
    fill(now)
    migrate(db.engine())
    with db.transaction(read_only=True) as session:
        assert db.is_migrated(session)
        assert session.get_one(Department, 1).active


@pytest.mark.usefixtures("database")
def test_the_models_are_what_the_migrations_make() -> None:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    with db.engine().connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises AutogenerateDiffsDetected


@pytest.mark.usefixtures("empty")
def test_a_database_without_tables_is_not_called_migrated() -> None:
    with db.transaction(read_only=True) as session:
        assert not db.is_migrated(session)
