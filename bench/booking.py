"""Booking as the bridge does it, against the same work as raw statements in one transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from bench.people import gather
from bench.table import Row, per_second
from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.accounts.sessions import hash_token
from mhms_app.booking import rules, service
from mhms_app.booking.statement import book_at_once
from tests.databases import ENGINES, fresh_database

BOOKINGS, WARM, ROUNDS = 270, 20, 5

SESSION = """
    SELECT p.id, u.id, u.email, u.full_name FROM login_session l
    JOIN user_account u ON u.id = l.user_id JOIN patient p ON p.user_id = u.id
    WHERE l.token_hash = %s AND l.revoked_at IS NULL AND l.idle_until > %s AND l.expires_at > %s AND u.active"""
SWAP = """
    UPDATE slot SET state = 'booked' WHERE id = %s AND state = 'open' AND starts_at > %s
    RETURNING doctor_id, starts_at, ends_at,
        (SELECT d.department_id FROM doctor d JOIN user_account u ON u.id = d.user_id
         JOIN department dep ON dep.id = d.department_id
         WHERE d.id = doctor_id AND d.approved_at IS NOT NULL AND u.active AND dep.active)"""
APPOINTMENT = """
    INSERT INTO appointment (reference, slot_id, patient_id, doctor_id, department_id, starts_at, ends_at, status,
        reason, idempotency_key, sequence, created_at, cancel_reason)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 'booked', '', %s, 0, %s, '') RETURNING id"""
MESSAGE = """
    INSERT INTO outbox_message (kind, recipient_email, recipient_name, payload, idempotency_key, state, attempts,
        next_attempt_at, last_error, created_at)
    VALUES ('BOOKING_CONFIRMATION', %s, %s, %s, %s, 'waiting', 0, %s, '', %s)"""
AUDIT = """
    INSERT INTO audit_entry (at, actor_id, action, object_type, object_id, detail)
    VALUES (%s, %s, 'appointment.book', 'appointment', %s, '')"""


def measure() -> Iterator[Row]:
    """Book in a plain loop on each engine, ours and raw in turns."""
    for kind in ENGINES:
        with fresh_database(kind) as url:
            db.use_engine(db.make_engine(url))
            ours, raw = _in_turns(_book, raw_booking(kind))
            db.use_engine(None)
        aim = "more than 1" if kind == "postgresql" else ""
        yield Row(f"{kind}: a booking, against five raw statements", per_second(ours), per_second(raw), ours / raw, aim)


def _in_turns(*ways: Callable[[str, int], None]) -> list[float]:
    """Bookings a second by each way, as the median of some rounds of which each way has its turn."""
    rates: dict[Callable[[str, int], None], list[float]] = {book: [] for book in ways}
    people = gather(patients=BOOKINGS, doctors=ROUNDS * len(ways), slots=BOOKINGS, apart=timedelta(days=1))
    slots = iter(people.slots)
    for _ in range(ROUNDS):
        for book, seen in rates.items():
            seen.append(_rate(book, list(zip(people.tokens, next(slots), strict=True))))
    return [sorted(seen)[len(seen) // 2] for seen in rates.values()]


def _rate(book: Callable[[str, int], None], wanted: list[tuple[str, int]]) -> float:
    for token, slot_id in wanted[:WARM]:
        book(token, slot_id)
    begin = time.perf_counter()
    for token, slot_id in wanted[WARM:]:
        book(token, slot_id)
    return len(wanted[WARM:]) / (time.perf_counter() - begin)


def _book(token: str, slot_id: int) -> None:
    """Book as ``bridge.call_at_once`` does, without its thread."""
    wanted = {"slot_id": slot_id, "reason": "", "key": str(uuid4())}
    if book_at_once(token, "", **wanted) is None:
        with db.transaction() as session:
            service.book(session, sessions.resolve(session, token), **wanted)


def raw_booking(kind: str) -> Callable[[str, int], None]:
    """Book with five statements in one transaction on one connection of the bare driver."""
    connection: Any = db.engine().raw_connection().driver_connection
    cursor = connection.cursor()
    is_sqlite = kind == "sqlite"
    statements = [s.replace("%s", "?") if is_sqlite else s for s in (SESSION, SWAP, APPOINTMENT, MESSAGE, AUDIT)]

    def book(token: str, slot_id: int) -> None:
        session, swap, appointment, message, audit = statements
        instant = datetime.now(UTC)
        now = instant.strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite else instant
        reference, key = rules.new_reference(), str(uuid4())
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        patient_id, user_id, email, name = cursor.execute(session, (hash_token(token), now, now)).fetchone()
        doctor_id, starts_at, ends_at, department_id = cursor.execute(swap, (slot_id, now)).fetchone()
        copied = (reference, slot_id, patient_id, doctor_id, department_id, starts_at, ends_at)
        (appointment_id,) = cursor.execute(appointment, (*copied, key, now)).fetchone()
        payload = json.dumps({"reference": reference, "starts_at": str(starts_at), "ends_at": str(ends_at)})
        cursor.execute(message, (email, name, payload, f"booked-{reference}", now, now))
        cursor.execute(audit, (now, user_id, appointment_id))
        connection.commit()

    return book
