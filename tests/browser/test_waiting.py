"""The waiting list: from a week without a free time, over a message, to an appointment."""

from __future__ import annotations

from tests.browser.clinic import a_doctor, a_patient, a_tuesday, appointments_with, free, mail_to, text_of
from tests.browser.conftest import Arrive
from tests.running import RunningApp


def test_a_time_that_becomes_free_finds_who_waits_for_it(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
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
    waiter.open(path)
    waiter.sees("Tue", "09:00 – 09:20")
    waiter.button("Take this appointment").click()
    waiter.sees("You are booked")
    assert [one.status for one in appointments_with(app, doctor)] == ["cancelled", "booked"]
    waiter.open(path)
    waiter.sees("This offer is over")
    waiter.open("/offer/unknown")
    waiter.sees("We do not know this offer")
