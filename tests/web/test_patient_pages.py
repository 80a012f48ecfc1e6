"""What a patient's own pages and the directory say; without a browser."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from mhms_app.booking.lists import AppointmentRow
from mhms_app.directory.service import DoctorCard, DoctorRow
from mhms_app.web.patient import home
from mhms_app.web.public import doctors

DOCTOR = DoctorRow(7, 1, "Dr. Amira Haddad", "Consultant", "", "German", 3, "Cardiology", "Building B", approved=True)


def appointment(starts_at: datetime, status: str = "booked") -> AppointmentRow:
    return AppointmentRow(
        1, "MH-4K7D2Q", 7, "Dr. Amira Haddad", "Consultant", "Cardiology", "Building B", starts_at,
        starts_at + timedelta(minutes=20), status, "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (-0.1, "Your appointment has begun."),
        (2, "Your next appointment is today at 11:00."),
        (20, "Your next appointment is tomorrow."),
        (48, "Your next appointment is in two days."),
        (24 * 30, "Your next appointment is in 30 days."),
    ],
)
def test_how_far_away_the_next_appointment_is(now: datetime, hours: float, said: str) -> None:
    assert home._lead(now + timedelta(hours=hours), now) == said


@pytest.mark.parametrize(
    ("days", "status", "said"),
    [
        (1, "booked", "Confirmed"),
        (-1, "booked", "Over"),
        (-1, "completed", "Completed"),
        (-1, "no_show", "Missed"),
        (1, "cancelled", "Cancelled"),
    ],
)
def test_an_appointment_is_called_what_it_is_for_its_patient(now: datetime, days: int, status: str, said: str) -> None:
    assert home._appointment(appointment(now + timedelta(days=days), status), now, "").status == said


def test_a_doctor_is_found_with_the_next_time_and_the_way_to_it(now: datetime) -> None:
    found = doctors._found(DoctorCard(DOCTOR, now + timedelta(hours=5), 12, 6), None, now)
    assert (found.about, found.next_free, found.free) == (
        "Consultant · Cardiology",
        "Today 14:00",
        "6 free within a week",
    )
    assert (found.path, found.next_path) == ("/doctors/7", "/doctors/7?slot=12")


def test_who_looks_for_a_day_gets_to_its_week(now: datetime) -> None:
    found = doctors._found(DoctorCard(DOCTOR, None, None, 0), date(2026, 12, 3), now)
    assert (found.next_free, found.free, found.path) == ("", "", "/doctors/7?week=2026-12-03")
