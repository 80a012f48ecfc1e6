"""Who is in the clinic: a patient, a doctor and an administrator who are logged in, and others they must not reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, Table
from sqlmodel import Session, SQLModel, select

from mhms_app.accounts import sessions
from mhms_app.accounts.models import Patient, User
from mhms_app.actor import Role
from mhms_app.audit.words import READING
from mhms_app.booking import service as booking
from mhms_app.booking.models import Appointment
from mhms_app.calendars import service as calendars
from mhms_app.directory.models import Doctor
from mhms_app.notifications import service as notifications
from mhms_app.notifications.models import OutboxMessage
from tests import builders
from tests.running import RunningApp

MORNING = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), time(8), UTC)

# Marked so that any of it would be found wherever it must not be.
STRANGERS_NAME = "Quillon Canarybird"
STRANGERS_EMAIL = "quillon.canarybird@example.org"
STRANGERS_PHONE = "+49 30 555 0199"
STRANGERS_REASON = "canary-reason: a matter that is nobody's business"

_COMES_AND_GOES = {"reminder_mark", "fresh_slots", "audit_seal", "worker"}  # in which only tasks write how far they are
_CHANGES_BY_ITSELF = {  # what the server changes without being asked: deliveries, and the last use of a session
    "outbox_message": {"state", "attempts", "next_attempt_at", "last_error", "sent_at", "payload"},
    "login_session": {"last_seen_at", "idle_until"},
    "day_summary": {"done_until"},
}


@dataclass(slots=True)
class Cast:
    """The people's keys, their sessions, and what is whose.

    Attributes:
        cookie: the session token of ``patient``, ``doctor`` and ``admin``; ``nobody`` has none.
        free: free slots of the doctor, a long list of which tests take what they need.
        strangers_free: free slots of the other doctor.
        feed: the keys of the private calendar addresses of ``patient`` and ``doctor``.
    """

    cookie: dict[str, str] = field(default_factory=lambda: {"nobody": ""})
    user: dict[str, int] = field(default_factory=dict)
    doctor: int = 0
    other_doctor: int = 0
    waiting_doctor: int = 0
    department: int = 0
    bystander: int = 0
    stranger: int = 0
    free: list[int] = field(default_factory=list)
    strangers_free: list[int] = field(default_factory=list)
    booked: int = 0
    reference: str = ""
    appointment: int = 0
    strangers_reference: str = ""
    message: int = 0
    feed: dict[str, int] = field(default_factory=lambda: {"patient": 0, "doctor": 0})

    @property
    def a_free_slot(self) -> int:
        """One of the doctor's free slots."""
        return self.free[0] if self.free else 0

    def fill(self, session: Session) -> None:
        """Put everybody into an empty database."""
        ward = builders.department(session, name="Cardiology")
        doctor = builders.doctor(session, name="Dr. Amira Haddad", within=ward)
        other = builders.doctor(session, name="Dr. Ben Osei", within=ward)
        waiting = builders.doctor(session, name="Dr. Wanda Waiting", within=ward, approved=False)
        patient = builders.patient(session, name="Jo Moreau")
        stranger = builders.patient(session, name=STRANGERS_NAME, email=STRANGERS_EMAIL)
        session.get_one(User, stranger.user_id).phone = STRANGERS_PHONE
        admin = builders.user(session, role=Role.ADMIN, name="Ada Office")
        builders.user(session, role=Role.ADMIN, name="Ugo Office")
        self.bystander = builders.key(builders.user(session, name="By Stander"))
        self.department = builders.key(ward)
        self.doctor, self.other_doctor, self.waiting_doctor = map(builders.key, (doctor, other, waiting))
        self.stranger = stranger.user_id
        self.user = {"patient": patient.user_id, "doctor": doctor.user_id, "admin": builders.key(admin)}
        self.cookie |= {who: log_in(session, user_id) for who, user_id in self.user.items()}
        self.free, self.strangers_free = _week(session, doctor), _week(session, other)
        self.booked = self.free.pop()
        self.reference = _book(session, patient, self.booked, "A cough.")
        self.appointment = (
            session.exec(select(Appointment.id).where(Appointment.reference == self.reference)).one() or 0
        )
        self.strangers_reference = _book(session, stranger, self.strangers_free.pop(), STRANGERS_REASON)
        self.message = _given_up(session)
        for who, person, shows in (("doctor", doctor, "initials"), ("patient", patient, "own")):
            owner = builders.actor(session, person)
            calendars.create_feed(session, owner, shows=shows)
            self.feed[who] = calendars.list_feeds(session, owner)[0].id


def _week(session: Session, doctor: Doctor) -> list[int]:
    """Sixty slots on two days."""
    times = [MORNING + timedelta(days=day, minutes=10 * number) for day in range(2) for number in range(30)]
    return [builders.key(builders.slot(session, doctor, at, minutes=10)) for at in times]


def _book(session: Session, patient: Patient, slot_id: int, reason: str) -> str:
    actor = builders.actor(session, patient)
    return booking.book(session, actor, slot_id=slot_id, reason=reason, key=str(uuid4())).reference


def _given_up(session: Session) -> int:
    """A message that the dispatcher has given up, for administrators to send again."""
    notifications.account_password(
        session, email="lost@example.com", name="Lo St", temporary_password="gone by now", good_for="3 days"
    )
    session.flush()
    message = session.exec(select(OutboxMessage).where(OutboxMessage.recipient_email == "lost@example.com")).one()
    message.state = "dead"
    assert message.id is not None
    return message.id


def log_in(session: Session, user_id: int) -> str:
    """Open a session, as a login does, and return its token."""
    token = sessions.open_session(session, user_id=user_id)
    session.flush()
    return token


def tables(app: RunningApp) -> dict[str, set[Any]]:
    """Every row of every table, without what changes by itself and without the notes of who has looked at what."""
    with app.database() as session:
        return {
            table.name: {tuple(str(value) for value in row) for row in session.execute(_rows(table))}
            for table in SQLModel.metadata.sorted_tables
            if table.name not in _COMES_AND_GOES
        }


def _rows(table: Table) -> Select[Any]:
    by_itself = _CHANGES_BY_ITSELF.get(table.name, ())
    rows = select(*(column for column in table.columns if column.name not in by_itself))
    return rows.where(table.c.action.not_in({*READING, "audit.verify"})) if table.name == "audit_entry" else rows
