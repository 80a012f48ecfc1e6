"""Signing up, logging in and out, and what is shown to whom."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from mhms_app import demo
from tests.browser.clinic import PASSWORD, a_patient, mail_to, text_of
from tests.browser.conftest import Arrive
from tests.running import RunningApp


def test_f01_a_doctor_signs_up_with_a_department_and_logs_in(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    doctor, email = visitor(phone=on_phone), f"nele.brandt.{on_phone:d}@example.com"
    doctor.open("/signup")
    doctor.signs_up(name="Dr. Nele Brandt", email=email, password=PASSWORD, department="Orthopedics")
    doctor.is_at("/doctor")
    doctor.open("/doctor/profile")
    doctor.link("See it as patients do").click()
    expect(doctor.page.get_by_role("heading", name="Dr. Nele Brandt")).to_be_visible()
    doctor.sees("Orthopedics")
    doctor.logs_out()
    doctor.open("/login")
    doctor.logs_in(email.upper(), PASSWORD)
    doctor.is_at("/doctor")
    doctor.sees("No slots on this day")


def test_f02_f18_a_patient_signs_up_is_welcomed_by_mail_and_logs_in(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    patient, email = visitor(phone=on_phone), f"pia.lund.{on_phone:d}@example.com"
    patient.open("/")
    patient.link("Sign up").click()
    patient.is_at("/signup")
    expect(patient.page.get_by_role("radio", name="I am a patient")).to_be_checked()
    patient.signs_up(name="Pia Lund", email=email, password=PASSWORD)
    patient.is_at("/patient")
    patient.sees("Pia Lund", "No appointment ahead")
    assert "Pia Lund" in text_of(mail_to(app, email))
    patient.logs_out()
    patient.link("Log in").click()
    patient.is_at("/login")
    patient.logs_in(email, PASSWORD)
    patient.is_at("/patient")


def test_f03_everybody_lands_on_the_pages_of_their_role(visitor: Arrive) -> None:
    for email, home, place in (
        (demo.ADMIN, "/admin", "Departments"),
        (demo.DOCTOR, "/doctor", "Availability"),
        (demo.PATIENT, "/patient", "My appointments"),
    ):
        person = visitor()
        person.open("/login")
        person.logs_in(email, demo.PASSWORD)
        person.is_at(home)
        expect(
            person.page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name=place)
        ).to_be_visible()
        person.open("/login")  # whoever is logged in needs no login page
        person.is_at(home)


def test_f03_the_demo_accounts_are_one_click_away(visitor: Arrive) -> None:
    person = visitor(phone=True)
    person.open("/login")
    person.button("Enter as doctor").click()
    person.is_at("/doctor")


def test_f04_a_wrong_password_is_said_beside_the_field_and_the_address_stays(app: RunningApp, visitor: Arrive) -> None:
    email = a_patient(app, "Rosa Ahlers")
    person = visitor()
    person.open("/login")
    person.logs_in(email, "not the right one")
    person.is_at("/login")
    password = person.field("Password")
    expect(password).to_have_accessible_description("E-mail address and password do not match.")
    expect(password).to_have_value("")
    expect(password).to_be_focused()
    expect(person.field("Email")).to_have_value(email)
    person.field("Password").fill(PASSWORD)
    person.button("Log in").click()
    person.is_at("/patient")


def test_f04_a_refused_sign_up_says_why_beside_each_field_and_keeps_what_was_typed(visitor: Arrive) -> None:
    person = visitor()
    person.open("/signup")
    person.signs_up(name="Dr. Ole Maris", email="ole.maris@example", password="password1234", department="Dermatology")
    person.is_at("/signup")
    expect(person.field("Email")).to_have_accessible_description(re.compile("not complete"))
    expect(person.field("Password")).to_have_accessible_description(re.compile("known from breaches"))
    expect(person.field("Full name")).to_have_value("Dr. Ole Maris")
    expect(person.field("Email")).to_have_value("ole.maris@example")
    expect(person.page.get_by_role("radio", name="I am a doctor")).to_be_checked()
    chosen = person.field("Department").locator("option:checked")
    expect(chosen).to_have_text("Dermatology")
    expect(person.field("Password")).to_have_value("")


def test_f04_a_password_is_judged_while_it_is_typed(visitor: Arrive) -> None:
    person = visitor()
    person.open("/signup")
    person.field("Full name").fill("Ole Maris")
    person.field("Password").press_sequentially("password1234")
    expect(person.field("Password")).to_be_focused()
    person.sees("This password is known from breaches")
    person.field("Password").fill("Ole Maris 12")
    person.sees("Add a few words that do not belong together")
    person.field("Password").fill(PASSWORD)
    person.sees(re.compile(r"^(Very good|Good)\.$"))
    person.button("Show characters").click()
    expect(person.field("Password")).to_have_attribute("type", "text")
    expect(person.field("Password")).to_have_value(PASSWORD)


def test_f04_logging_out_ends_every_tab_and_leaves_nothing_behind(app: RunningApp, visitor: Arrive) -> None:
    patient = visitor()
    patient.open("/login")
    patient.logs_in(demo.PATIENT, demo.PASSWORD)
    patient.is_at("/patient")
    name = patient.page.locator("main h1").inner_text().partition(", ")[2]
    other = patient.context.new_page()
    other.goto("/doctors")
    expect(other.get_by_role("button", name="Account of")).to_be_visible()
    first, patient.page = patient.page, other
    patient.settle()
    patient.page = first

    patient.logs_out()
    patient.page.go_back()
    patient.is_at("/login")
    patient.sees_no(name)

    patient.page = other  # it knows by itself
    expect(other.get_by_role("link", name="Log in")).to_be_visible()
    expect(other.get_by_role("button", name="Account of")).to_have_count(0)
    other.goto("/patient")
    patient.is_at("/login")
    patient.sees_no(name)


def test_f04_what_needs_an_account_asks_for_it_and_leads_back(app: RunningApp, visitor: Arrive) -> None:
    email = a_patient(app, "Juno Weiss")
    person = visitor()
    person.open("/patient?page=2")
    person.is_at("/login")
    person.logs_in(email, PASSWORD)
    expect(person.page).to_have_url(f"{app.base_url}/patient?page=2")
