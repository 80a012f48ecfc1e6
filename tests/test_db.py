"""One commit, UTC instants, and refusals that have the same name on both engines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import Session, func, select

from mhms_app import db
from mhms_app.accounts.models import AccountLink, LoginSession, User
from mhms_app.audit import service as audit
from mhms_app.audit.models import AuditEntry
from mhms_app.availability.models import Slot
from mhms_app.booking.models import Appointment
from mhms_app.directory.models import Department, Doctor
from mhms_app.notifications import service as notifications
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.conftest import NOW
from tests.test_migrations import fill

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def heard() -> Iterator[list[object]]:
    """What was announced."""
    facts: list[object] = []
    stop = db.listen(facts.append)
    yield facts
    stop()


def departments() -> int:
    with db.transaction(read_only=True) as session:
        return session.exec(select(func.count()).select_from(Department)).one()


def test_a_block_is_committed_and_then_announced(heard: list[object]) -> None:
    with db.transaction() as session:
        builders.department(session)
        db.announce(session, "first")
        db.announce(session, "second")
        assert heard == []
        assert departments() == 0
    assert heard == ["first", "second"]
    assert departments() == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_nothing_and_announces_nothing(
    heard: list[object], error: type[BaseException]
) -> None:
    with pytest.raises(error), db.transaction() as session:
        builders.department(session)
        db.announce(session, "never")
        raise error
    assert departments() == 0
    assert heard == []


def test_a_commit_that_fails_announces_nothing(heard: list[object]) -> None:
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.add(Doctor(user_id=1, department_id=1, title_key=""))  # neither exists
        db.announce(session, "never")
    assert heard == []


def test_a_listener_that_fails_is_logged_and_harms_nobody(
    heard: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(fact: object) -> None:
        raise RuntimeError("a bug in a screen")

    stop = db.listen(broken)
    late: list[object] = []
    stop_late = db.listen(late.append)
    with caplog.at_level(logging.ERROR), db.transaction() as session:
        db.announce(session, "booked")
    stop()
    stop_late()
    assert heard == late == ["booked"]
    assert "a listener failed on str" in caplog.text


def test_a_listener_that_stopped_hears_nothing_more() -> None:
    facts: list[object] = []
    stop = db.listen(facts.append)
    stop()
    stop()
    db.tell(["anything"])
    assert facts == []


def test_a_reader_does_not_wait_for_a_writer() -> None:
    with db.transaction() as writer:
        builders.department(writer)
        assert departments() == 0  # on SQLite an immediate transaction would wait here for ever
    assert departments() == 1


def test_a_writer_sees_what_the_writer_before_it_wrote() -> None:
    """Check-then-write by threads at once: none is lost, because each looks after the one before it."""

    def count_up() -> None:
        for _ in range(10):
            with db.transaction() as session:
                row = session.exec(select(Department).with_for_update()).one()
                row.location = str(int(row.location) + 1)
                session.add(row)

    with db.transaction() as session:
        builders.department(session).location = "0"
    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.transaction(read_only=True) as session:
        assert session.exec(select(Department.location)).one() == "40"


zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-9.5))])
years = (datetime(1990, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - Hypothesis adds the zone
instants = st.datetimes(*years, timezones=zones, allow_imaginary=False)


@given(instants)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_instant_comes_back_as_itself_in_utc(instant: datetime) -> None:
    with db.transaction() as session:
        stored = builders.added(session, message(created_at=instant))
        session.expunge_all()
        found = session.get_one(OutboxMessage, stored.id).created_at
        session.rollback()
    assert found == instant.astimezone(UTC)  # in a repeated hour, times of two zones are never equal (PEP 495)
    assert found.tzinfo is UTC


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(StatementError, match="naive datetime"), db.transaction() as session:
        session.add(message(created_at=datetime(2026, 11, 23, 9)))  # noqa: DTZ001 - that is the point
    with pytest.raises(StatementError, match="naive datetime"), db.transaction() as session:
        session.exec(select(OutboxMessage).where(OutboxMessage.created_at < datetime(2026, 1, 1))).all()  # noqa: DTZ001


def message(**changes: Any) -> OutboxMessage:
    columns = notifications.columns(notifications.Message("KIND", "jo@example.com", "Jo", {}, "key"))
    return OutboxMessage(**{**columns, **changes})


class Clinic:
    """A doctor with a booked slot at eight, and its patient."""

    def __init__(self, session: Session) -> None:
        self.doctor, self.patient = builders.doctor(session), builders.patient(session)
        self.user = session.get_one(User, self.patient.user_id)
        self.department = session.get_one(Department, self.doctor.department_id)
        self.taken = builders.slot(session, self.doctor, NOW, state="booked")
        builders.added(session, self.appointment())
        builders.added(session, message())
        self.login = builders.added(session, self.session_row())
        self.link = builders.added(session, builders.link(session, self.user))

    def slot(self, **changes: Any) -> Slot:
        fields = {"doctor_id": self.doctor.id, "starts_at": NOW, "ends_at": NOW + timedelta(minutes=20)}
        return Slot(**{**fields, **changes})

    def appointment(self, **changes: Any) -> Appointment:
        fields = {
            "reference": "MH-4K7D2Q",
            "slot_id": self.taken.id,
            "patient_id": self.patient.id,
            "doctor_id": self.doctor.id,
            "department_id": self.doctor.department_id,
            "starts_at": NOW,
            "ends_at": NOW + timedelta(minutes=20),
            "idempotency_key": "first",
            "created_at": NOW,
        }
        return Appointment(**{**fields, **changes})

    def later_appointment(self, session: Session, **changes: Any) -> Appointment:
        """Another appointment of this patient, in another slot at nine."""
        starts_at = NOW + timedelta(hours=1)
        other = builders.slot(session, self.doctor, starts_at)
        fields = {
            "reference": "MH-OTHER",
            "slot_id": other.id,
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(minutes=20),
            "idempotency_key": "second",
        }
        return self.appointment(**{**fields, **changes})

    def session_row(self) -> LoginSession:
        return LoginSession(
            token_hash="hash", user_id=self.user.id, created_at=NOW, last_seen_at=NOW, idle_until=NOW, expires_at=NOW
        )


def copy(row: Any) -> Any:
    return type(row)(**row.model_dump(exclude={"id"}))


MINUTE = timedelta(minutes=1)
REFUSALS = {
    "slot_no_overlap": lambda clinic, _: clinic.slot(starts_at=NOW + 19 * MINUTE, ends_at=NOW + 39 * MINUTE),
    "slot_too_long": lambda clinic, _: clinic.slot(starts_at=NOW + 60 * MINUTE, ends_at=NOW + 781 * MINUTE),
    "ck_slot_ends_after_start": lambda clinic, _: clinic.slot(starts_at=NOW + 60 * MINUTE, ends_at=NOW + 60 * MINUTE),
    "ck_slot_state_known": lambda clinic, _: clinic.slot(
        starts_at=NOW + 60 * MINUTE, ends_at=NOW + 61 * MINUTE, state="gone"
    ),
    "appointment_patient_no_overlap": lambda clinic, session: clinic.later_appointment(session, starts_at=NOW + MINUTE),
    "uq_appointment_slot_active": lambda clinic, session: clinic.appointment(
        reference="MH-OTHER", idempotency_key="second", patient_id=builders.patient(session).id
    ),
    "uq_appointment_patient_key": lambda clinic, session: clinic.later_appointment(session, idempotency_key="first"),
    "uq_appointment_reference": lambda clinic, session: clinic.later_appointment(session, reference="MH-4K7D2Q"),
    "ck_appointment_status_known": lambda clinic, session: clinic.later_appointment(session, status="lost"),
    "ck_appointment_ends_after_start": lambda clinic, session: clinic.later_appointment(
        session, ends_at=NOW + 30 * MINUTE
    ),
    "uq_user_account_email_key": lambda clinic, _: copy(clinic.user),
    "ck_user_account_role_known": lambda clinic, _: User(
        **{**clinic.user.model_dump(exclude={"id"}), "email_key": "other", "role": "nurse"}
    ),
    "uq_patient_user_id": lambda clinic, _: copy(clinic.patient),
    "uq_doctor_user_id": lambda clinic, _: copy(clinic.doctor),
    "uq_department_name_key": lambda clinic, _: copy(clinic.department),
    "uq_login_session_token_hash": lambda clinic, _: copy(clinic.login),
    "uq_account_link_token_hash": lambda clinic, _: AccountLink(
        **{**clinic.link.model_dump(exclude={"id"}), "purpose": "reset_password"}
    ),
    "uq_account_link_user_id_purpose": lambda clinic, _: AccountLink(
        **{**clinic.link.model_dump(exclude={"id"}), "token_hash": "other"}
    ),
    "ck_account_link_purpose_known": lambda clinic, _: AccountLink(
        **{**clinic.link.model_dump(exclude={"id"}), "token_hash": "other", "purpose": "anything"}
    ),
    "uq_outbox_message_idempotency_key": lambda _clinic, _: message(),
    "ck_outbox_message_state_known": lambda _clinic, _: message(idempotency_key="other", state="lost"),
}


def test_each_refusal_has_the_same_name_on_both_engines() -> None:
    with db.transaction() as session:
        clinic = Clinic(session)
        session.expunge_all()
        for name, row in REFUSALS.items():
            with pytest.raises(IntegrityError) as refusal, session.begin_nested():
                session.add(row(clinic, session))
                session.flush()
            assert db.violated(refusal.value) == name
            session.expunge_all()


CHANGES = {  # what each constraint refuses, as a change of rows that are there
    "uq_slot_held_by": """UPDATE slot SET state = 'held', held_until = starts_at,
        held_by = (SELECT min(id) FROM patient) WHERE state = 'open'""",
    "ck_slot_held_for_somebody": "UPDATE slot SET held_until = starts_at WHERE state = 'open'",
    "ck_slot_offered_is_held": "UPDATE slot SET offered = true WHERE state = 'open'",
    "ck_department_horizon_within_a_year": "UPDATE department SET horizon_weeks = 53",
    "ck_working_hours_some_weekday": "UPDATE working_hours SET weekdays = 0",
    "ck_working_hours_end_after_start": 'UPDATE working_hours SET "end" = start',
    "ck_working_hours_slot_length": "UPDATE working_hours SET slot_minutes = 1",
    "ck_working_hours_pause_length": "UPDATE working_hours SET pause_minutes = 241",
    "ck_working_hours_break_whole": "UPDATE working_hours SET break_start = '12:00:00', break_end = '11:00:00'",
    "ck_working_hours_valid_until_after_from": "UPDATE working_hours SET valid_until = '2000-01-01'",
    "ck_hours_exception_hours_whole": """UPDATE hours_exception SET start = '10:00:00', "end" = '09:00:00'""",
    "ck_hours_exception_kind_complete": "UPDATE hours_exception SET slot_minutes = 20",
    "ck_leave_last_after_first": "UPDATE leave SET last_day = '2000-01-01'",
    "ck_leave_item_fate_known": "UPDATE leave_item SET fate = 'lost'",
    "ck_leave_item_outcome_known": "UPDATE leave_item SET outcome = 'moved'",
    "ck_waiting_some_weekday": "UPDATE waiting SET weekdays = 128",
    "ck_waiting_part_known": "UPDATE waiting SET part = 'night'",
    "ck_waiting_ended_why": "UPDATE waiting SET ended_why = 'left'",
    "ck_waiting_offer_outcome_known": "UPDATE waiting_offer SET outcome = 'lost'",
    "ck_busy_time_ends_after_start": "UPDATE busy_time SET ends_at = starts_at",
    "ck_google_connection_shows_known": "UPDATE google_connection SET shows = 'own'",
    "ck_google_connection_trouble_known": "UPDATE google_connection SET trouble = 'lost'",
    "ck_google_connection_calendar_chosen": "UPDATE google_connection SET calendar_id = ''",
    "ck_calendar_feed_shows_known": "UPDATE calendar_feed SET shows = 'all'",
}
COPIES = {  # and as a copy of a row, but for some columns
    "uq_passkey_credential_id": ("passkey", {}),
    "uq_recovery_code_code_hash": ("recovery_code", {}),
    "uq_login_step_token_hash": ("login_step", {}),
    "uq_known_device_user_token": ("known_device", {}),
    "uq_leave_item_leave_appointment": ("leave_item", {}),
    "uq_audit_seal_entry_id": ("audit_seal", {"position": "2"}),
    "uq_calendar_feed_token_hash": ("calendar_feed", {}),
    "uq_waiting_offer_token_hash": ("waiting_offer", {"outcome": "'expired'"}),
    "uq_waiting_offer_slot": (
        "waiting_offer",
        {"token_hash": "'other'", "patient_id": "(SELECT max(id) FROM patient)"},
    ),
    "uq_waiting_offer_patient": ("waiting_offer", {"token_hash": "'other'", "slot_id": "(SELECT max(id) FROM slot)"}),
}
IMPLIED = {"ck_hours_exception_kind_known"}  # what it refuses, kind_complete refuses too


def copying(table: str, changes: dict[str, str]) -> str:
    columns = [column.name for column in Slot.metadata.tables[table].columns if column.name != "id"]
    values = ", ".join(changes.get(name, f'"{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}"'


def test_what_a_constraint_refuses_is_refused_to_changes_too() -> None:
    fill(NOW)
    with db.transaction() as session:
        doctor, _ = builders.doctor(session), builders.patient(session)
        for hours in (1, 2):
            builders.slot(session, doctor, NOW + timedelta(hours=hours))
        session.execute(text("UPDATE waiting_offer SET outcome = 'open'"))
    refused = CHANGES | {name: copying(*copied) for name, copied in COPIES.items()}
    for name, statement in refused.items():
        with db.transaction() as session:
            with pytest.raises(IntegrityError) as refusal, session.begin_nested():
                session.execute(text(statement))
            assert db.violated(refusal.value) == name


def test_every_unique_constraint_of_the_models_is_tried() -> None:
    named = {
        str(constraint.name)
        for table in Slot.metadata.tables.values()
        for constraint in (*table.constraints, *table.indexes)
        if str(constraint.name).startswith(("uq_", "ck_"))
    }
    assert named <= {*REFUSALS, *CHANGES, *COPIES, *IMPLIED}


def test_neighbouring_and_withdrawn_slots_and_cancelled_appointments_do_not_overlap() -> None:
    with db.transaction() as session:
        clinic = Clinic(session)
        builders.added(session, clinic.slot(starts_at=NOW - 20 * MINUTE, ends_at=NOW))
        builders.added(session, clinic.slot(starts_at=NOW + 20 * MINUTE, ends_at=NOW + 40 * MINUTE))
        builders.added(session, clinic.slot(state="withdrawn"))
        cancelled = clinic.later_appointment(session, starts_at=NOW, ends_at=NOW + MINUTE, status="cancelled")
        builders.added(session, cancelled)
        builders.slot(session, builders.doctor(session), NOW)  # another doctor


def test_a_change_is_refused_as_an_addition_is() -> None:
    changes = {
        "slot_no_overlap": "UPDATE slot SET state = 'open' WHERE state = 'withdrawn'",
        "appointment_patient_no_overlap": "UPDATE appointment SET status = 'booked' WHERE status = 'cancelled'",
    }
    with db.transaction() as session:
        clinic = Clinic(session)
        builders.added(session, clinic.slot(state="withdrawn"))
        builders.added(session, clinic.later_appointment(session, starts_at=NOW, status="cancelled"))
        for name, statement in changes.items():
            with pytest.raises(IntegrityError) as refusal, session.begin_nested():
                session.execute(text(statement))
            assert db.violated(refusal.value) == name


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET detail = 'nothing'", "DELETE FROM audit_entry"])
def test_the_audit_trail_can_only_be_appended_to(statement: str) -> None:
    with db.transaction() as session:
        audit.record(session, actor_id=None, action="test.first")
    with pytest.raises(IntegrityError) as refusal, db.transaction() as session:
        session.execute(text(statement))
    assert db.violated(refusal.value) == "audit_entry_append_only"
    with db.transaction() as session:
        audit.record(session, actor_id=None, action="test.second", detail="x" * 400)
        assert session.exec(select(AuditEntry.action)).all() == ["test.first", "test.second"]


def test_the_audit_trail_cannot_be_emptied_at_once(database: str) -> None:
    emptied = "TRUNCATE audit_entry" if database.startswith("postgresql") else "DELETE FROM audit_entry"
    with db.transaction() as session:
        audit.record(session, actor_id=None, action="test.first")
    with pytest.raises(IntegrityError) as refusal, db.transaction() as session:
        session.execute(text(emptied))
    assert db.violated(refusal.value) == "audit_entry_append_only"


def test_the_clock_stands_still_only_when_it_is_frozen() -> None:
    db.clock.freeze(NOW)
    assert db.clock.now() == db.clock.now() == NOW
    db.clock.freeze(None)
    assert db.clock.now().tzinfo is UTC
    assert db.clock.now() != NOW
