"""What is never true of a clinic's data, whatever happened to the machine: looked at after a restore."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

_NEVER = {
    "a slot is booked twice": """
        SELECT slot_id FROM appointment WHERE status <> 'cancelled' GROUP BY slot_id HAVING count(*) > 1""",
    "a doctor has two slots at once": """
        SELECT a.id FROM slot a JOIN slot b ON b.doctor_id = a.doctor_id AND b.id > a.id
        AND b.starts_at < a.ends_at AND a.starts_at < b.ends_at
        WHERE a.state <> 'withdrawn' AND b.state <> 'withdrawn'""",
    "a patient has two appointments at once": """
        SELECT a.id FROM appointment a JOIN appointment b ON b.patient_id = a.patient_id AND b.id > a.id
        AND b.starts_at < a.ends_at AND a.starts_at < b.ends_at
        WHERE a.status IN ('booked', 'checked_in') AND b.status IN ('booked', 'checked_in')""",
    "a slot says of itself what its appointment denies": """
        SELECT s.id FROM slot s LEFT JOIN appointment a ON a.slot_id = s.id AND a.status <> 'cancelled'
        WHERE (s.state = 'booked') <> (a.id IS NOT NULL)""",
    "an appointment is at another time than its slot": """
        SELECT a.id FROM appointment a JOIN slot s ON s.id = a.slot_id
        WHERE a.status <> 'cancelled' AND (a.starts_at <> s.starts_at OR a.doctor_id <> s.doctor_id)""",
    "an appointment was never written into the audit trail": """
        SELECT a.id FROM appointment a WHERE a.created_at > (SELECT min(at) FROM audit_entry)
        AND NOT EXISTS (SELECT 1 FROM audit_entry e
            WHERE e.object_type = 'appointment' AND e.object_id = a.id AND e.action = 'appointment.book')""",
}


def broken(session: Session) -> tuple[str, ...]:
    """What should never be true and is, in words; empty when all is well."""
    return tuple(words for words, query in _NEVER.items() if session.execute(text(query)).first())
