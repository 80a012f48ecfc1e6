"""Looking for a time with any doctor, at hours that suit; and what is said when there is none."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect

from mhms_app.directory.models import Department
from tests import builders
from tests.browser.clinic import a_patient, a_tuesday, at, day_name
from tests.browser.conftest import Arrive
from tests.browser.test_looks import is_accessible_and_fits
from tests.browser.visitor import Visitor
from tests.running import RunningApp

DAY = timedelta(days=1)


def a_department(app: RunningApp, name: str, *slots: tuple[str, int, str, str]) -> Department:
    """A department with these slots: doctor, days after a Tuesday, clock and state."""
    with app.database() as session:
        department = builders.department(session, name=name)
        doctors = {doctor: builders.doctor(session, name=doctor, within=department) for doctor, *_ in slots}
        for doctor, days, clock, state in slots:
            builders.slot(session, doctors[doctor], at(a_tuesday() + days * DAY, clock), state=state)
        return department


def when(person: Visitor) -> None:
    """Open the filters of days and hours."""
    person.page.locator("summary", has_text="When:").click()


def test_f33_the_next_times_with_any_doctor_are_one_click_from_a_booking(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    name = f"Otology {on_phone:d}"
    a_department(
        app,
        name,
        ("Dr. Ada Ohr", 0, "09:00", "open"),
        ("Dr. Ada Ohr", 0, "15:00", "open"),
        ("Dr. Bo Horn", 1, "10:00", "open"),
        ("Dr. Bo Horn", 0, "08:00", "booked"),
    )
    person = visitor(phone=on_phone).enters_as(a_patient(app, f"Hanna Hört {on_phone:d}"))
    person.open("/doctors")
    person.field("Department").select_option(label=name)
    times = person.page.locator(".times a")
    tuesday, wednesday = day_name(a_tuesday()), day_name(a_tuesday() + DAY)
    expect(times).to_contain_text([f"{tuesday}, 09:00", f"{wednesday}, 10:00"])
    when(person)
    is_accessible_and_fits(person)
    person.page.get_by_role("radio", name="Afternoon").check(force=True)
    expect(times).to_contain_text([f"{tuesday}, 15:00"])
    person.page.get_by_role("checkbox", name="Wednesday").check(force=True)
    person.sees("Nothing is free then", f"The next free time is {tuesday}, 09:00.")
    expect(person.page).to_have_url(re.compile("part=afternoon&weekdays=3"))
    is_accessible_and_fits(person)
    person.reload()
    person.sees("Nothing is free then", "Wed, afternoons")
    person.button("Show any time").click()
    expect(times).to_have_count(2)
    times.filter(has_text="10:00").click()
    expect(person.button("Confirm booking")).to_be_visible()
    person.confirms()
    person.sees("Dr. Bo Horn")


def test_f33_where_nothing_is_free_it_is_said_why_and_leads_to_the_waiting_list(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    full, empty = f"Rhinology {on_phone:d}", f"Phoniatry {on_phone:d}"
    department = a_department(app, full, ("Dr. Cy Nase", 0, "09:00", "booked"))
    a_department(app, empty)
    person = visitor(phone=on_phone).enters_as(a_patient(app, f"Nora Niest {on_phone:d}"))
    person.open(f"/doctors?department={department.id}&part=morning&weekdays=25")
    person.sees("Every time is taken", f"All times until {day_name(a_tuesday())} are taken.")
    is_accessible_and_fits(person)
    person.link("Tell me when something is free").click()
    person.is_at("/patient/waiting")
    person.sees(f"With any doctor of {full}.")
    is_accessible_and_fits(person)
    person.button("Tell me when something is free").click()
    person.sees(f"Any doctor · {full}", re.compile("Tue, Fri, mornings"))
    is_accessible_and_fits(person)
    person.open("/doctors")
    person.field("Department").select_option(label=empty)
    person.sees("Nobody can be booked here")
    person.button("Clear the filters").first.click()
    person.sees("Next times with any doctor")
