"""Appointments in people's own calendars: a private address, and what it says until it is revoked."""

from __future__ import annotations

import httpx
from icalendar import Calendar

from tests.browser.clinic import a_doctor, a_patient, a_tuesday, appointments_with, free
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor
from tests.running import RunningApp


def entries(response: httpx.Response) -> list[str]:
    """What a calendar program shows of an answer."""
    assert response.headers["content-type"].startswith("text/calendar")
    return [str(event["SUMMARY"]) for event in Calendar.from_ical(response.content).walk("VEVENT")]


def new_address(person: Visitor) -> str:
    """The address that the page shows once."""
    shown = person.page.locator("#feed_address")
    shown.wait_for()
    return shown.input_value()


def test_f40_an_appointment_is_in_the_calendar_of_patient_and_doctor_until_they_revoke_the_address(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Kal Ender {on_phone:d}"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    patient = visitor(phone=on_phone).enters_as(a_patient(app, f"Rosa Lind {on_phone:d}"))
    patient.open("/patient/calendar")
    patient.button("Create an address").click()
    address = new_address(patient)
    assert entries(httpx.get(address)) == []

    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms()
    answer = httpx.get(address)
    (summary,) = entries(answer)
    assert doctor.name in summary
    assert httpx.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304

    (booked,) = appointments_with(app, doctor)
    patient.open(f"/patient/booked/{booked.reference}")
    link = patient.page.get_by_role("link", name="Add to Google Calendar")
    assert (link.get_attribute("href") or "").startswith("https://calendar.google.com/calendar/render?action=TEMPLATE")

    at_work = visitor(phone=on_phone).enters_as(doctor.email)
    at_work.open("/doctor/profile")
    at_work.page.get_by_role("radio", name="With patients' initials").check()
    at_work.button("Create an address").click()
    (of_the_doctor,) = entries(httpx.get(new_address(at_work)))
    assert "RL" in of_the_doctor
    assert "Rosa" not in of_the_doctor

    patient.open("/patient/calendar")
    patient.sees("Your appointments")
    assert patient.page.locator("#feed_address").count() == 0
    patient.button("Revoke").click()
    patient.button("Revoke address").click()
    patient.sees("The address is revoked.")
    assert httpx.get(address).status_code == 404
