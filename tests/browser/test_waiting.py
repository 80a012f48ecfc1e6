"""The waiting list: from a week without a free time, over a message, to an appointment."""

from __future__ import annotations

import re

from mhms_app.web.words import monday_of
from tests.browser.clinic import a_doctor, a_patient, a_tuesday, appointments_with, day_name, free, mail_to, text_of
from tests.browser.conftest import Arrive
from tests.browser.test_looks import is_accessible_and_fits
from tests.running import RunningApp


def test_f34_a_time_that_becomes_free_finds_who_waits_for_it(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Ida Voll {on_phone:d}"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    first = visitor().enters_as(a_patient(app, f"Fritz Erster {on_phone:d}"))
    first.open(doctor.week_of(tuesday))
    first.chooses("09:00")
    first.confirms()

    email = a_patient(app, f"Wanda Wartet {on_phone:d}")
    waiter = visitor(phone=on_phone).enters_as(email)
    waiter.open(doctor.week_of(tuesday))
    waiter.link("Tell me when something is free").click()
    waiter.is_at("/patient/waiting")
    waiter.page.get_by_role("checkbox", name="Monday").uncheck(force=True)
    waiter.button("Tell me when something is free").click()
    waiter.sees("You are on the waiting list.", "Tue – Fri, any time of day")

    first.open("/patient")
    first.link("Details or cancel").click()
    first.button("Cancel appointment").click()
    first.page.get_by_role("radio", name="I am better").check()
    first.button("Cancel this appointment").click()
    first.sees("Your appointment is cancelled.")

    words = text_of(mail_to(app, email)).split()
    (path,) = {word.removeprefix(app.base_url) for word in words if "/offer/" in word}
    onlooker = visitor(phone=on_phone)
    onlooker.open(path)
    onlooker.sees("A time is free for you", "Log in with the account")
    is_accessible_and_fits(onlooker)
    waiter.open(path)
    waiter.sees("Tue", "09:00 – 09:20")
    is_accessible_and_fits(waiter)
    waiter.button("Take this appointment").click()
    waiter.sees("You are booked")
    assert [one.status for one in appointments_with(app, doctor)] == ["cancelled", "booked"]
    waiter.open(path)
    waiter.sees("This offer is over")
    is_accessible_and_fits(waiter)
    waiter.open("/offer/unknown")
    waiter.sees("We do not know this offer")


def test_f34_an_earlier_time_moves_the_appointment_that_somebody_has(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Fred Früh {on_phone:d}"), a_tuesday()
    later = free(app, doctor, tuesday, "15:00")["15:00"]
    email = a_patient(app, f"Emma Eher {on_phone:d}")
    patient = visitor(phone=on_phone).enters_as(email)
    patient.open(f"{doctor.week_of(tuesday)}&slot={later}")
    patient.confirms()
    patient.open(f"/patient/waiting?doctor={doctor.id}")
    patient.button("Tell me when something is free").click()
    patient.sees("You are on the waiting list.")
    at_work = visitor().enters_as(doctor.email)
    at_work.open(f"/doctor/availability?week={monday_of(tuesday)}")
    at_work.page.get_by_role("radio", name="One slot").check(force=True)
    at_work.field("Day").fill(str(tuesday))
    at_work.field("Time").fill("09:00")
    at_work.sees(re.compile(f"^1 new slot on {day_name(tuesday)}"))
    at_work.button("Publish 1 slot").click()
    at_work.sees(re.compile("^1 slot published"))

    words = text_of(mail_to(app, email, about="Free for you")).split()
    (path,) = {word.removeprefix(app.base_url) for word in words if "/offer/" in word}
    patient.open(path)
    patient.sees("Your appointment of", "15:00")
    is_accessible_and_fits(patient)
    patient.button("Move my appointment here").click()
    patient.page.wait_for_url("**/patient/booked/**")
    patient.sees("09:00 – 09:20")
    (appointment,) = appointments_with(app, doctor)
    assert (appointment.status, appointment.sequence) == ("booked", 1)
