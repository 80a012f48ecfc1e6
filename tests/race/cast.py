"""Who takes part in a race, what they ask for, and what must never be true afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from unittest.mock import patch
from uuid import uuid4

from sqlalchemy import text

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.booking import rules, service
from mhms_app.booking.statement import book_at_once
from mhms_app.errors import ClinicError
from tests import builders

MORNING = datetime.combine(datetime.now(UTC).date() + timedelta(days=2), time(8), UTC)

NEVER = {
    "a slot booked twice": """
        SELECT slot_id FROM appointment WHERE status <> 'cancelled' GROUP BY slot_id HAVING count(*) > 1""",
    "a patient at two places at once": """
        SELECT a.patient_id FROM appointment a JOIN appointment b ON b.patient_id = a.patient_id AND b.id > a.id
        WHERE a.starts_at < b.ends_at AND b.starts_at < a.ends_at
        AND a.status <> 'cancelled' AND b.status <> 'cancelled'""",
    "a doctor with two patients at once": """
        SELECT a.doctor_id FROM slot a JOIN slot b ON b.doctor_id = a.doctor_id AND b.id > a.id
        WHERE a.starts_at < b.ends_at AND b.starts_at < a.ends_at
        AND a.state <> 'withdrawn' AND b.state <> 'withdrawn'""",
    "a slot whose state denies its appointment": """
        SELECT s.id FROM slot s LEFT JOIN appointment a ON a.slot_id = s.id AND a.status <> 'cancelled'
        WHERE (s.state = 'booked') <> (a.id IS NOT NULL)""",
    "a booking without exactly one message": """
        SELECT a.reference FROM appointment a WHERE 1 <> (
            SELECT count(*) FROM outbox_message m WHERE m.idempotency_key = 'booked-' || a.reference)""",
    "a booking without exactly one audit entry": """
        SELECT a.reference FROM appointment a WHERE 1 <> (
            SELECT count(*) FROM audit_entry e WHERE e.action = 'appointment.book' AND e.object_id = a.id)""",
    "a message or an audit entry without its booking": """
        SELECT 1 WHERE (SELECT count(*) FROM appointment) <> (SELECT count(*) FROM outbox_message)
        OR (SELECT count(*) FROM appointment) <> (
            SELECT count(*) FROM audit_entry WHERE action = 'appointment.book')""",
}


class Way(Enum):
    """How a booking is made.

    ``SHIPPED`` is what the application does. The others take away what usually decides, until only
    compare-and-swap and the database's own constraints are left.
    """

    SHIPPED = "as shipped"
    UNLOCKED = "without guarded statement and row locks"
    BLIND = "without guarded statement, row locks and rules"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One person asking for one slot, once: repeating it repeats the key."""

    token: str
    slot_id: int
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt: a reference, or the name of the refusal."""

    attempt: Attempt
    reference: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody's session tokens, and the doctors' slots."""

    patients: tuple[str, ...]
    doctors: tuple[str, ...]
    slots: tuple[int, ...]


def cast(*, patients: int, doctors: int = 1, slots: int = 1) -> Cast:
    """Add logged-in people to the database, and so many slots of twenty minutes for each doctor.

    Each doctor starts five minutes after the one before, so that their slots overlap without being equal.
    """
    with db.transaction() as session:
        department = builders.department(session)
        staff = [builders.doctor(session, within=department) for _ in range(doctors)]
        offered = [
            builders.slot(session, doctor, MORNING + timedelta(minutes=5 * late + 20 * number))
            for late, doctor in enumerate(staff)
            for number in range(slots)
        ]
        ill = [builders.patient(session) for _ in range(patients)]
        log_in = [sessions.open_session(session, user_id=person.user_id) for person in (*ill, *staff)]
        return Cast(tuple(log_in[:patients]), tuple(log_in[patients:]), tuple(builders.key(slot) for slot in offered))


def attempt(token: str, slot_id: int) -> Attempt:
    """A person's first try for a slot."""
    return Attempt(token, slot_id, str(uuid4()))


def book(wanted: Attempt, *, way: Way = Way.SHIPPED) -> Answer:
    """Book as the application does: the guarded statement first, then the service. Only refusals are caught."""
    arguments = {"slot_id": wanted.slot_id, "reason": "", "key": wanted.key}
    try:
        booked = book_at_once(wanted.token, "", **arguments) if way is Way.SHIPPED else None
        if booked is None:
            with db.transaction() as session:
                booked = service.book(session, sessions.resolve(session, wanted.token), **arguments)
    except ClinicError as refusal:
        return Answer(wanted, refusal=type(refusal).__name__)
    return Answer(wanted, reference=booked.reference)


@contextmanager
def taking_away(way: Way) -> Iterator[None]:
    """Switch off in this process what ``way`` does without."""
    with ExitStack() as stack:
        if way is not Way.SHIPPED:
            stack.enter_context(patch.object(service, "_lock", lambda *_: None))
        if way is Way.BLIND:
            stack.enter_context(patch.object(rules, "why_not_bookable", lambda *_, **__: None))
        yield


def what_must_never_be() -> list[str]:
    """The names of what is in the database although it must never be."""
    with db.transaction(read_only=True) as session:
        return [name for name, query in NEVER.items() if session.execute(text(query)).first()]


def count(query: str) -> int:
    """The single number that a query returns."""
    with db.transaction(read_only=True) as session:
        return int(session.execute(text(query)).scalar_one())
