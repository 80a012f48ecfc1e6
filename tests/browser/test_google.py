"""A doctor's Google calendar: connected on their page, filled by bookings, and obeyed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.clinic import a_doctor, a_patient, a_tuesday, appointments_with, at, eventually, free
from tests.browser.conftest import Arrive
from tests.browser.test_looks import is_accessible_and_fits
from tests.calendars.google_stand_in import Google
from tests.running import RunningApp

CALENDAR = "clinic@group"


def test_f25_appointments_are_in_the_doctors_google_calendar_and_its_busy_times_close_slots(
    app: RunningApp, google: Google, visitor: Arrive, on_phone: bool
) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Gesa Kalender {on_phone:d}"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20", "09:40")
    at_work = visitor(phone=on_phone).enters_as(doctor.email)
    at_work.open("/doctor/profile")
    at_work.button("Connect Google Calendar").click()
    at_work.sees("Your Google account is connected.")
    at_work.reload()  # the section is there at once now, and is loaded after the page all the same
    at_work.sees("Your Google account is connected.")
    at_work.page.get_by_label("Calendar", exact=True).select_option("Clinic")
    at_work.page.locator("form").filter(has_text="Use this calendar").get_by_label("With patients' initials").check()
    at_work.button("Use this calendar").click()
    at_work.sees("Your appointments are written to “Clinic” from now on.")
    is_accessible_and_fits(at_work)

    since, until = ({"dateTime": at(tuesday, clock).isoformat()} for clock in ("09:25", "09:35"))
    google.event(CALENDAR, f"dentist{on_phone:d}", start=since, end=until)
    patient = visitor(phone=on_phone).enters_as(a_patient(app, f"Gunda Ruf {on_phone:d}"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms()
    (event,) = eventually(lambda: [e for e in google.standing(CALENDAR).values() if "GR" in e.get("summary", "")])
    assert (event["start"]["dateTime"], "Gunda" in str(event)) == (at(tuesday, "09:00").isoformat(), False)

    onlooker = visitor(phone=on_phone)
    onlooker.open(doctor.week_of(tuesday))
    expect(onlooker.slot("09:40")).to_be_visible()
    expect(onlooker.slot("09:20")).to_have_count(0)

    (booked,) = appointments_with(app, doctor)
    patient.open(f"/patient/booked/{booked.reference}")
    patient.button("Cancel appointment").click()
    patient.page.get_by_role("radio", name="I am better").check()
    patient.button("Cancel this appointment").click()
    patient.sees("Your appointment is cancelled.")
    eventually(lambda: event["id"] not in google.standing(CALENDAR))

    at_work.reload()
    at_work.button("Disconnect").click()
    at_work.button("Disconnect and remove").click()
    onlooker.button("Show them").click()
    expect(onlooker.slot("09:20")).to_be_visible()
    google.cancel(CALENDAR, f"dentist{on_phone:d}")
