"""Working hours: what is said before saving is what patients see afterwards."""

from __future__ import annotations

from tests.browser.clinic import a_doctor, a_patient, a_tuesday
from tests.browser.conftest import Arrive
from tests.running import RunningApp


def test_f30_hours_become_slots_and_a_day_off_takes_back_what_nobody_booked(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Thea Stunde {on_phone:d}"), a_tuesday()
    at_work = visitor(phone=on_phone).enters_as(doctor.email)
    at_work.open("/doctor/hours")
    at_work.sees("No working hours yet")
    at_work.button("Add hours").click()
    at_work.page.get_by_role("checkbox", name="Tuesday").check(force=True)
    for field, text in (("#end", "10:00"), ("#valid_from", str(tuesday)), ("#valid_until", str(tuesday))):
        at_work.page.locator(field).fill(text)
    at_work.sees("3 slots appear")
    at_work.button("Save hours").click()
    at_work.sees("Saved. 3 slots published.", "Tue 09:00 – 10:00")

    patient = visitor().enters_as(a_patient(app, f"Ole Zeit {on_phone:d}"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:20")
    patient.confirms()

    at_work.button("Add a day").click()
    at_work.page.locator("#day").fill(str(tuesday))
    at_work.sees("2 slots vanish, 1 stays", "1 booked slot outside of these hours stays.")
    at_work.button("Save day").click()
    at_work.sees("Saved. 2 slots taken back.", "Day off")
    onlooker = visitor()
    onlooker.open(doctor.week_of(tuesday))
    onlooker.sees("No free slots at the moment")
