"""One's own account: a time zone of one's own, where one is logged in, taking one's data away, and leaving."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.clinic import PASSWORD, a_doctor, a_patient, a_tuesday, an_appointment, at, mail_to, text_of
from tests.browser.conftest import Arrive
from tests.browser.test_looks import focus_is_visible, is_accessible_and_fits, tabs_to
from tests.running import RunningApp


def test_somebody_who_lives_elsewhere_reads_both_times(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    email = a_patient(app, f"Zoe Ferne {on_phone:d}")
    doctor = a_doctor(app, f"Dr. Ziva Zonen {on_phone:d}")
    reference = an_appointment(app, doctor, email, at(a_tuesday(), "15:00"))
    patient = visitor(phone=on_phone).enters_as(email)
    patient.open("/account")
    patient.field("Time zone").select_option(label="America/Sao_Paulo")
    patient.button("Save").click()
    patient.sees("Your account is saved.")
    is_accessible_and_fits(patient)
    for path in ("/patient", f"/patient/booked/{reference}"):
        patient.open(path)
        patient.sees(re.compile("15:00 – 15:20"), re.compile(r"For you 1\d:00 – 1\d:20, Sao Paulo time"))
    patient.open("/account")
    patient.field("Full name").fill("Z")
    patient.button("Save").click()
    patient.sees("Please enter your full name.")
    is_accessible_and_fits(patient)


def test_ending_a_session_closes_its_page_at_once(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    email = a_patient(app, f"Sesam Offen {on_phone:d}")
    lost, here = visitor(phone=True), visitor(phone=on_phone)
    for person in (lost, here):
        person.open("/login")
        person.logs_in(email, PASSWORD)
        person.is_at("/patient")
    assert "on a device that you have not" in text_of(mail_to(app, email, about="New sign-in"))
    here.open("/account/sessions")
    here.sees("This one", "Logged in")
    is_accessible_and_fits(here)
    here.page.get_by_role("button", name=re.compile("^End the session of|^End ")).first.click()
    here.sees("The session is ended: that device has to log in again.")
    lost.is_at("/login")
    expect(here.page.get_by_role("button", name=re.compile("^End"))).to_have_count(0)
    is_accessible_and_fits(here)


def test_all_other_sessions_end_with_the_keyboard_alone(app: RunningApp, visitor: Arrive) -> None:
    email = a_patient(app, "Tasta Tur")
    others = [visitor().enters_as(email) for _ in range(2)]
    for other in others:
        other.open("/patient")
    person = visitor().enters_as(email)
    person.open("/account/sessions")
    tabs_to(person, "End all others")
    assert focus_is_visible(person)
    person.page.keyboard.press("Enter")
    expect(person.button("Keep them")).to_be_focused()
    person.page.keyboard.press("Shift+Tab")
    person.page.keyboard.press("Enter")
    person.sees("2 sessions ended. You are logged in only here.")
    for other in others:
        other.is_at("/login")


def test_all_data_come_as_a_file(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    email = a_patient(app, f"Dora Daten {on_phone:d}")
    patient = visitor(phone=on_phone).enters_as(email)
    patient.open("/account")
    with patient.page.expect_download() as download:
        patient.link("Download my data").click()
    document = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert download.value.suggested_filename.startswith("my-data-")
    assert document["account"]["email"] == email


def test_whoever_closes_their_account_reads_what_happens_and_is_gone(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    email = a_patient(app, f"Ade Gehr {on_phone:d}")
    doctor = a_doctor(app, f"Dr. Abe Schied {on_phone:d}")
    an_appointment(app, doctor, email, at(a_tuesday(), "15:00"))
    patient = visitor(phone=on_phone).enters_as(email)
    patient.open("/account")
    patient.link("Close my account").click()
    patient.sees("What will happen", re.compile("1 appointment to come is cancelled"))
    is_accessible_and_fits(patient)
    patient.field("Your password").fill("not the right one")
    patient.button("Close my account for good").click()
    patient.sees("This is not your password.")
    is_accessible_and_fits(patient)
    patient.field("Your password").fill(PASSWORD)
    patient.button("Close my account for good").click()
    patient.is_at("/login")
    patient.sees("Your account is closed. You are welcome to come back.")
    patient.logs_in(email, PASSWORD)
    patient.sees("E-mail address and password do not match.")
    assert "last message" in text_of(mail_to(app, email, about="Your account is closed"))
