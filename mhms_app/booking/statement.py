"""Booking as one guarded statement: the whole use case in one round trip to PostgreSQL.

Every condition of ``rules.why_not_bookable`` stands in the statement, together with the session that the
person acts in. When all of them hold it swaps the slot's state and writes appointment, message and audit
entry; when any of them does not, it changes nothing and says nothing, and ``service.book`` finds out why.
It tells the other workers too, in the words of ``facts.encode``.
It also leaves everything to ``service.book`` while another booking of the same patient is under way: what it
would decide on, a statement that had to wait has read before. One that has just committed it could miss in the same
way; so upcoming appointments are counted by a function, which looks when the patient is locked already. What the
waiting list offers is left to the service too, and an administrator who acts as the patient.
A property test holds the two to the same answer, and another the two messages to the same content.
"""

from __future__ import annotations

import json

from psycopg.errors import IntegrityError
from sqlalchemy.exc import IntegrityError as WrappedIntegrityError

from mhms_app import db, spans, trace
from mhms_app.accounts.sessions import hash_token
from mhms_app.availability.slots import SlotsChanged
from mhms_app.booking import rules
from mhms_app.booking.news import PatientChanged
from mhms_app.booking.service import Booked
from mhms_app.notifications import service as notifications
from mhms_app.notifications.service import OutboxChanged

_BOOK = """
WITH person AS (
    SELECT p.id AS patient_id, u.id AS user_id, u.email, u.full_name, u.time_zone, l.id AS session_id
    FROM login_session l
    JOIN user_account u ON u.id = l.user_id
    JOIN patient p ON p.user_id = u.id
    WHERE l.token_hash = %(token_hash)s AND l.revoked_at IS NULL
      AND l.idle_until > %(now)s AND l.expires_at > %(now)s AND l.must_do = ''
      AND NOT EXISTS (SELECT FROM acting WHERE acting.session_id = l.id)
      AND u.active AND u.role = 'patient' AND u.email_confirmed_at IS NOT NULL
    FOR NO KEY UPDATE OF p SKIP LOCKED
), wanted AS (
    SELECT s.id AS slot_id, s.doctor_id, s.starts_at, s.ends_at,
           d.department_id, u.full_name AS doctor, dep.name AS department, dep.location,
           dep.most_active, dep.most_missed, dep.missed_days
    FROM slot s
    JOIN doctor d ON d.id = s.doctor_id
    JOIN user_account u ON u.id = d.user_id
    JOIN department dep ON dep.id = d.department_id
    WHERE s.id = %(slot_id)s AND s.state IN ('open', 'held') AND NOT s.offered
      AND s.starts_at > %(now)s + dep.notice_minutes * interval '1 minute'
      AND s.starts_at <= %(now)s + dep.ahead_days * interval '24 hours'
      AND d.approved_at IS NOT NULL AND u.active AND u.role = 'doctor' AND u.email_confirmed_at IS NOT NULL
      AND dep.active
), mine AS MATERIALIZED (
    SELECT a.idempotency_key, a.status, a.department_id, a.starts_at, a.ends_at
    FROM appointment a JOIN person ON person.patient_id = a.patient_id
), allowed AS (
    SELECT * FROM person, wanted
    WHERE NOT EXISTS (SELECT FROM mine WHERE idempotency_key = %(key)s)
      AND NOT EXISTS (
          SELECT FROM mine
          WHERE status IN ('booked', 'checked_in') AND starts_at < wanted.ends_at AND ends_at > wanted.starts_at
      ) AND upcoming_appointments(person.patient_id, %(now)s) < wanted.most_active AND (
          SELECT count(*) FROM mine
          WHERE status = 'no_show' AND department_id = wanted.department_id
            AND starts_at > %(now)s - wanted.missed_days * interval '24 hours'
      ) < wanted.most_missed
), taken AS (
    UPDATE slot SET state = 'booked', held_by = NULL, held_until = NULL FROM allowed
    WHERE slot.id = allowed.slot_id
      AND (slot.state = 'held' AND slot.held_by = allowed.patient_id
           OR NOT slot.busy AND (slot.state = 'open' OR slot.state = 'held' AND slot.held_until <= %(now)s))
    RETURNING allowed.*
), booked AS (
    INSERT INTO appointment (reference, slot_id, patient_id, doctor_id, department_id, starts_at, ends_at, status,
                             reason, idempotency_key, sequence, created_at, cancel_reason)
    SELECT %(reference)s, slot_id, patient_id, doctor_id, department_id, starts_at, ends_at, 'booked',
           %(reason)s, %(key)s, 0, %(now)s, ''
    FROM taken
    RETURNING id
), promised AS (
    INSERT INTO outbox_message (kind, recipient_email, recipient_name, payload, idempotency_key, state, attempts,
                                next_attempt_at, last_error, created_at, traceparent)
    SELECT 'BOOKING_CONFIRMATION', email, full_name,
           (%(payload)s::jsonb || jsonb_build_object(
               'starts_at', to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
               'ends_at', to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
               'doctor', doctor, 'department', department, 'location', location)
             || CASE time_zone WHEN '' THEN '{}' ELSE jsonb_build_object('own_time_zone', time_zone) END)::json,
           %(message_key)s, 'waiting', 0, %(now)s, '', %(now)s, %(traceparent)s
    FROM taken
), noted AS (
    INSERT INTO audit_entry (at, actor_id, action, object_type, object_id, detail, address, session_id,
                             event_id)
    SELECT %(now)s, user_id, 'appointment.book', 'appointment', booked.id, '', %(address)s, session_id,
           %(event_id)s
    FROM taken, booked
), told AS (
    SELECT pg_notify(%(channel)s, jsonb_build_array(
               jsonb_build_array('slots', jsonb_build_object(
                   'doctor_id', doctor_id, 'gone', jsonb_build_array(slot_id), 'came', false)),
               jsonb_build_array('patient', jsonb_build_object('patient_id', patient_id)))::text)
    FROM taken
)
SELECT booked.id, taken.patient_id, doctor_id, starts_at, ends_at FROM taken, booked, told
"""
_IN_SHORT = " ".join(_BOOK.split())  # psycopg remembers how it reads a statement of up to 4,096 characters


def book_at_once(token: str, address: str, *, slot_id: int, reason: str, key: str) -> Booked | None:
    """Book a slot for the patient behind a session token, in one statement that commits itself.

    Args:
        address: the client's network address, for the audit trail.

    Returns:
        The booking, or None when a guard did not hold or the database is not PostgreSQL: nothing was
        changed then, and ``service.book`` says why.

    Raises:
        Invalid: the reason is too long.
    """
    if not token or db.engine().dialect.name != "postgresql":
        return None
    reason = rules.tidy_reason(reason)
    now, reference = db.clock.now(), rules.new_reference()
    message = notifications.booking_confirmation(
        reference=reference, email="", name="", doctor="", department="", location="", starts_at=now, ends_at=now
    )
    values = {
        "token_hash": hash_token(token),
        "address": address[:45],
        "event_id": trace.current(),
        "slot_id": slot_id,
        "reason": reason,
        "key": key,
        "now": now,
        "reference": reference,
        "payload": json.dumps(message.data),
        "message_key": message.key,
        "traceparent": spans.traceparent(),
        "channel": db.CHANNEL,
    }
    try:
        with db.at_once() as connection:
            found = connection.exec_driver_sql(_IN_SHORT, values).first()
    except (IntegrityError, WrappedIntegrityError):
        return None
    if found is None:
        return None
    appointment_id, patient_id, doctor_id, starts_at, ends_at = found
    gone = SlotsChanged(doctor_id, gone=(slot_id,), came=False)
    db.tell((gone, PatientChanged(patient_id), OutboxChanged()))
    return Booked(appointment_id, reference, slot_id, doctor_id, starts_at, ends_at, repeated=False)
