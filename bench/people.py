"""A clinic to measure in: doctors with slots next week, and logged-in patients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import text

from mhms_app import db
from mhms_app.accounts import sessions
from mhms_app.availability.rules import week_of
from tests import builders

MONDAY = week_of(datetime.now(UTC).date()) + timedelta(weeks=2)
MORNING = datetime.combine(MONDAY, time(8), UTC)
LENGTH = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class People:
    """Patients and their session tokens; doctors, and their slots in the same order."""

    patients: list[int]
    tokens: list[str]
    doctors: list[int]
    slots: list[list[int]]


def gather(*, patients: int, doctors: int, slots: int, apart: timedelta = timedelta()) -> People:
    """Add them to the database; each doctor has so many slots in a row, ``apart`` after the doctor before."""
    with db.transaction() as session:
        department = builders.department(session)
        staff = [builders.doctor(session, within=department) for _ in range(doctors)]
        offered = [
            [builders.key(builders.slot(session, doctor, MORNING + late * apart + n * LENGTH)) for n in range(slots)]
            for late, doctor in enumerate(staff)
        ]
        ill = [builders.patient(session) for _ in range(patients)]
        people = People(
            [builders.key(patient) for patient in ill],
            [sessions.open_session(session, user_id=patient.user_id) for patient in ill],
            [builders.key(doctor) for doctor in staff],
            offered,
        )
        session.flush()
        session.execute(text("ANALYZE"))  # as the database does by itself within a minute
    return people
