"""A doctor's day and weeks: who comes, what is free, what passed unused, and withdrawing."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect

from mhms_app import db, demo
from mhms_app.web import words
from tests.browser.clinic import a_doctor, a_patient, a_tuesday, at, day_name, free
from tests.browser.conftest import Arrive
from tests.running import RunningApp


def test_f05_the_doctors_own_pages_show_visits_availability_and_unused_slots(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, colleague = a_doctor(app, "Dr. Greta Thal"), a_doctor(app, "Dr. Hugo Berg")
    tuesday, past = a_tuesday(), a_tuesday(weeks=-2)
    free(app, doctor, tuesday, "09:00", "09:20")
    free(app, doctor, past, "11:00", "11:20")
    free(app, colleague, past, "15:00")
    free(app, colleague, tuesday, "15:20")
    patient = visitor().enters_as(a_patient(app, "Karla Ruf"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms(reason="Second opinion")

    at_work = visitor(phone=on_phone).enters_as(doctor.email)
    at_work.open("/doctor")
    at_work.sees("No slots on this day", "Karla Ruf", re.compile("09:00 · Second opinion"))
    at_work.sees("2 free slots passed unbooked in the last four weeks.")
    at_work.open(f"/doctor?day={tuesday}")
    rows = at_work.page.locator("main").get_by_role("listitem")
    expect(rows.filter(has_text="09:00").first).to_contain_text(re.compile("Karla Ruf.*Second opinion.*Booked"))
    expect(rows.filter(has_text="09:20").first).to_contain_text("Free")
    at_work.open("/doctor/unused")
    expect(at_work.page.locator(".rows li")).to_have_text(
        [re.compile(f"^{day_name(past)}, {clock}") for clock in ("11:20 – 11:40", "11:00 – 11:20")]
    )
    at_work.page.get_by_role("link", name="See the week").first.click()
    at_work.is_at("/doctor/availability")
    if on_phone:
        at_work.page.get_by_role("button", name=re.compile(f"^Tuesday, {past.day} ")).click()
    at_work.sees("11:00 unused", "11:20 unused")
    at_work.sees_no("15:00 unused")


def test_f05_a_booking_arrives_on_the_doctors_open_screen(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Silke Uhl"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    at_work = visitor().enters_as(doctor.email)
    at_work.open(f"/doctor?day={tuesday}")
    at_work.sees("No appointments, 2 free slots.")
    patient = visitor(phone=True).enters_as(a_patient(app, "Nora Flink"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:20")
    patient.confirms()
    at_work.sees("1 appointment, 1 free slot.", "Nora Flink", "No reason given")


def test_f06_a_doctor_withdraws_one_slot_or_many_and_no_booked_one(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Yara {'Klein' if on_phone else 'Gross'}"), a_tuesday()
    wednesday = tuesday + timedelta(days=1)
    free(app, doctor, tuesday, "09:00", "09:20", "09:40", "10:00")
    free(app, doctor, wednesday, "09:00")
    patient = visitor().enters_as(a_patient(app, "Ida Bleibt"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00", day=day_name(tuesday))
    patient.confirms()

    # One by one, on the page of the day.
    at_work = visitor(phone=on_phone).enters_as(doctor.email)
    at_work.open(f"/doctor?day={tuesday}")
    expect(at_work.button("Withdraw 09:00")).to_have_count(0)
    at_work.button("Withdraw 09:20").click()
    at_work.sees("Withdraw 09:20?")
    at_work.button("Keep it").click()
    at_work.button("Withdraw 09:20").click()
    at_work.button("Withdraw slot").click()
    at_work.sees("09:20 is withdrawn. Patients can no longer book it.", "1 appointment, 2 free slots.")

    # Many at once, on the page of the week; the booked one says why it stays.
    at_work.open(f"/doctor/availability?week={words.monday_of(tuesday)}")
    block = at_work.page.locator(".block")
    if on_phone:
        at_work.page.get_by_role("button", name=re.compile(f"^Tuesday, {tuesday.day} ")).click()
    block.filter(has_text="09:00 I. Bleibt").click(force=True)  # it says of itself that it is disabled
    at_work.sees("This slot is booked. Cancel the appointment if it cannot take place.")
    block.filter(has_text="09:40 free").click()
    if on_phone:
        at_work.button("Continue").click()
    at_work.button("All 2 of this day").click()
    at_work.sees("09:40, 10:00")
    at_work.button("Choose all 3 free slots").click()
    at_work.button("Withdraw 3 slots").click()
    at_work.sees("Withdraw 3 slots?")
    at_work.button("Withdraw 3 slots").click()
    at_work.sees("3 slots withdrawn. Patients can no longer book this time.")
    patient.open(doctor.week_of(tuesday))
    patient.sees("No free slots at the moment")


def test_f06_slots_that_a_doctor_withdraws_leave_open_screens_and_new_ones_are_announced(
    app: RunningApp, visitor: Arrive
) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Rolf Wende"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    onlooker = visitor()
    onlooker.open(doctor.week_of(tuesday))
    onlooker.chooses("09:00")
    at_work = visitor().enters_as(doctor.email)
    at_work.open(f"/doctor?day={tuesday}")
    at_work.button("Withdraw 09:00").click()
    at_work.button("Withdraw slot").click()
    onlooker.sees("09:00 has just been taken.")
    expect(onlooker.slot("09:00", day=day_name(tuesday))).to_have_count(0)

    at_work.open(f"/doctor/availability?week={words.monday_of(tuesday)}")
    at_work.page.get_by_role("radio", name="One slot").check(force=True)
    at_work.field("Day").fill(str(tuesday))
    at_work.field("Time").fill("13:00")
    at_work.sees(re.compile(f"^1 new slot on {day_name(tuesday)}"))
    at_work.button("Publish 1 slot").click()
    onlooker.sees("New times were published.")
    onlooker.button("Show them").click()
    expect(onlooker.slot("13:00", day=day_name(tuesday))).to_be_visible()


def test_f06_a_form_of_slots_says_what_is_wrong_beside_the_field_and_keeps_the_rest(visitor: Arrive) -> None:
    doctor = visitor().enters_as(demo.DOCTOR)
    doctor.open(f"/doctor/availability?week={words.monday_of(a_tuesday(weeks=8))}")
    doctor.page.get_by_role("checkbox", name="Monday").check(force=True)
    doctor.field("From").fill("12:00")
    doctor.field("Until").fill("09:00")
    expect(doctor.field("Until")).to_have_accessible_description(re.compile(r"\w+"))
    expect(doctor.field("Until")).to_have_value("09:00")
    expect(doctor.button("Publish")).to_be_disabled()
    doctor.field("Until").fill("13:00")
    doctor.sees(re.compile("^3 new slots"))
    doctor.page.get_by_role("checkbox", name="Lunch break").check()
    doctor.field("Lunch from").fill("12:20")
    doctor.field("Lunch until").fill("12:40")
    doctor.sees(re.compile("^2 new slots"))


def test_f06_a_doctor_edits_what_patients_read(app: RunningApp, visitor: Arrive) -> None:
    doctor = a_doctor(app, "Dr. Paul Text")
    at_work = visitor().enters_as(doctor.email)
    at_work.open("/doctor/profile")
    at_work.field("Title").fill("Head of department")
    at_work.field("Biography").fill("b" * 700)
    at_work.button("Save profile").click()
    expect(at_work.field("Biography")).to_have_accessible_description(re.compile("600"))
    expect(at_work.field("Title")).to_have_value("Head of department")
    at_work.field("Biography").fill("Listens first.")
    at_work.button("Save profile").click()
    at_work.sees("Your profile is saved.")
    patient = visitor()
    patient.open(doctor.path)
    patient.sees("Head of department", "Listens first.")


def test_f12_what_is_booked_or_over_leaves_the_lists_of_what_is_free_and_ahead(
    app: RunningApp, visitor: Arrive
) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Emil Zeit"), a_tuesday()
    today = words.local(db.clock.now()).date()
    free(app, doctor, tuesday, "09:00", "09:20")
    free(app, doctor, tuesday - timedelta(weeks=4), "09:00")
    email = a_patient(app, "Hanna Zeit")
    patient = visitor().enters_as(email)
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms()
    patient.open(doctor.week_of(tuesday))
    slots = patient.page.get_by_role("button", name=re.compile(r"^\d\d:\d\d, "))
    expect(slots).to_have_text(["09:20"])
    patient.open(doctor.week_of(tuesday - timedelta(weeks=4)))  # the past cannot be looked for
    expect(slots).to_have_count(0)

    _was_yesterday(app, doctor.id, at(today - timedelta(days=1), "09:00"))
    patient.open("/patient")
    patient.sees("No appointment ahead", "Before", "Dr. Emil Zeit")
    at_work = visitor().enters_as(doctor.email)
    at_work.open("/doctor")
    at_work.sees("No later appointments.")
    at_work.open("/doctor/unused")
    expect(at_work.page.locator(".rows li")).to_have_count(1)


def _was_yesterday(app: RunningApp, doctor_id: int, starts_at: object) -> None:
    """Time goes by: the one appointment of a doctor was at ``starts_at``."""
    from sqlmodel import select

    from mhms_app.availability.models import Slot
    from mhms_app.booking.models import Appointment

    with app.database() as session:
        appointment = session.exec(select(Appointment).where(Appointment.doctor_id == doctor_id)).one()
        slot = session.get_one(Slot, appointment.slot_id)
        for row in (appointment, slot):
            row.starts_at, row.ends_at = starts_at, starts_at + timedelta(minutes=20)
