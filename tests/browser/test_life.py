"""After the booking: holding, moving, cancelling, and the day itself, in a browser."""

from __future__ import annotations

import re
from datetime import UTC, timedelta

from playwright.sync_api import expect

from mhms_app import db, demo, routes
from mhms_app.web import words
from tests.browser.clinic import (
    ADoctor,
    a_doctor,
    a_patient,
    a_tuesday,
    an_appointment,
    appointments_with,
    at,
    day_name,
    free,
    mail_to,
    text_of,
)
from tests.browser.conftest import Arrive
from tests.browser.test_looks import is_accessible_and_fits
from tests.browser.visitor import Visitor
from tests.running import RunningApp


def booked(patient: Visitor, doctor: ADoctor, clock: str) -> None:
    """Book a slot of the doctor in the week of the Tuesday that journeys use."""
    patient.open(doctor.week_of(a_tuesday()))
    patient.chooses(clock)
    patient.confirms(reason="A cough")


def test_f32_a_chosen_slot_is_kept_for_one_and_gone_for_others(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Hanno Halt {on_phone:d}"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    onlooker = visitor()
    onlooker.open(doctor.week_of(tuesday))
    patient = visitor(phone=on_phone).enters_as(a_patient(app, f"Hilde Halt {on_phone:d}"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.sees(re.compile("Kept for you until"))
    is_accessible_and_fits(patient)
    expect(onlooker.slot("09:00")).to_have_count(0)
    expect(onlooker.slot("09:20")).to_be_visible()
    patient.button("Choose another time").click()
    expect(onlooker.slot("09:00")).to_be_visible()
    patient.chooses("09:20")
    expect(onlooker.slot("09:20")).to_have_count(0)
    patient.page.close()  # the tab is gone, and with it the hold
    expect(onlooker.slot("09:20")).to_be_visible()


def test_f31_a_patient_moves_an_appointment(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    doctor, email = a_doctor(app, f"Dr. Mona Weg {on_phone:d}"), a_patient(app, f"Max Weg {on_phone:d}")
    tuesday = a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20", "09:40")
    patient = visitor(phone=on_phone).enters_as(email)
    booked(patient, doctor, "09:00")
    patient.link("Move to another time").click()
    patient.is_at(doctor.path)
    patient.sees("It stays yours until you confirm the new one.", f"{day_name(tuesday)}, 09:00 – 09:20")
    patient.chooses("09:40")
    patient.button("Move appointment").click()
    patient.sees("You are booked", "09:40 – 10:00", "Moved from")
    is_accessible_and_fits(patient)
    (row,) = appointments_with(app, doctor)
    assert (row.starts_at, row.sequence, row.reason) == (at(tuesday, "09:40"), 1, "A cough")
    mail = mail_to(app, email, about="Moved")
    assert "09:40" in text_of(mail)
    stranger = visitor()
    stranger.open(doctor.week_of(tuesday))
    expect(stranger.slot("09:00")).to_be_visible()
    expect(stranger.slot("09:40")).to_have_count(0)


def test_f22_a_patient_cancels_with_a_reason(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    doctor, email = a_doctor(app, f"Dr. Agnes Ab {on_phone:d}"), a_patient(app, f"Anton Ab {on_phone:d}")
    free(app, doctor, a_tuesday(), "09:00")
    patient = visitor(phone=on_phone).enters_as(email)
    booked(patient, doctor, "09:00")
    patient.button("Cancel appointment").click()
    is_accessible_and_fits(patient)
    patient.button("Cancel this appointment").click()
    patient.sees("Please choose a reason.")
    patient.page.get_by_role("radio", name="I am better").check()
    patient.page.get_by_label("In your own words").fill("Gone!")
    patient.button("Cancel this appointment").click()
    patient.sees("Your appointment is cancelled.", "Cancelled: I am better. Gone!")
    is_accessible_and_fits(patient)
    (row,) = appointments_with(app, doctor)
    assert (row.status, row.cancel_reason) == ("cancelled", "I am better. Gone!")
    mail_to(app, email, about="Cancelled")


def test_f37_near_the_time_the_page_says_what_to_do_and_the_clinic_may_still_cancel(
    app: RunningApp, visitor: Arrive
) -> None:
    doctor, email = a_doctor(app, "Dr. Nils Nah"), a_patient(app, "Nora Nah")
    soon = db.clock.now() + timedelta(hours=3)
    reference = an_appointment(app, doctor, email, soon)
    patient = visitor().enters_as(email)
    patient.open(f"/patient/booked/{reference}")
    patient.sees(re.compile("Changes online end 24 hours before the appointment"))
    expect(patient.button("Cancel appointment")).to_have_count(0)
    admin = visitor().enters_as(demo.ADMIN)
    admin.open(f"/admin/bookings?q={reference}")
    admin.button(f"Change {reference}").click()
    admin.page.get_by_role("radio", name="Cancel").check(force=True)
    is_accessible_and_fits(admin)
    admin.button("Cancel appointment").click()
    admin.sees("Please say why.")
    admin.page.get_by_label("Why?").fill("The doctor is ill")
    admin.button("Cancel appointment").click()
    admin.sees("The appointment of Nora Nah is cancelled")
    assert "The doctor is ill" in text_of(mail_to(app, email, about="Cancelled"))


def test_f36_a_doctor_marks_who_came_and_who_did_not(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    doctor = a_doctor(app, f"Dr. Doris Da {on_phone:d}")
    then = words.local(db.clock.now()) - timedelta(minutes=20)
    if then.hour == 0:  # both on one day, whenever this runs
        then -= timedelta(hours=1)
    for name, minutes in (("Emil Eins", 30), ("Zoe Zwei", 0)):
        an_appointment(app, doctor, a_patient(app, name), (then - timedelta(minutes=minutes)).astimezone(UTC))
    person = visitor(phone=on_phone).enters_as(doctor.email)
    person.open(routes.doctor_day(then.date()))
    first, second = (
        person.page.get_by_role("listitem").filter(has_text=name).filter(has=person.page.locator(".when")).first
        for name in ("Emil Eins", "Zoe Zwei")
    )
    expect(second).to_contain_text("min late")
    is_accessible_and_fits(person)
    first.get_by_role("button", name="Check in").click()
    expect(first).to_contain_text("Checked in")
    first.get_by_role("button", name="Complete").click()
    expect(first).to_contain_text("Completed")
    second.get_by_role("button", name="No-show").click()
    expect(second).to_contain_text("No-show")
    second.get_by_role("button", name="Came after all").click()
    expect(second).to_contain_text("Checked in")
    assert sorted(row.status for row in appointments_with(app, doctor)) == ["checked_in", "completed"]


def test_f23_a_patient_finds_what_was_long_ago_and_books_again(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, other = (a_doctor(app, f"{name} {on_phone:d}") for name in ("Dr. Alma Alt", "Dr. Nele Neu"))
    email = a_patient(app, f"Gero Gestern {on_phone:d}")
    for days, with_whom in ((400, doctor), (30, other), (20, other)):
        an_appointment(app, with_whom, email, db.clock.now() - timedelta(days=days))
    patient = visitor(phone=on_phone).enters_as(email)
    patient.open("/patient")
    rows = patient.page.get_by_role("link", name="Book again")
    expect(rows).to_have_count(3)
    patient.page.get_by_label("Doctor or department").fill("alma")
    expect(rows).to_have_count(1)
    patient.page.get_by_label("Show").select_option("Cancelled")
    expect(rows).to_have_count(0)
    patient.page.get_by_label("Show").select_option("All")
    expect(rows).to_have_count(1)
    rows.click()
    patient.is_at(doctor.path)
    patient.sees(doctor.name)
