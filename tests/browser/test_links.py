"""Links in messages: confirming an address, changing it, a forgotten password; and the first login of all.

The clinic of these journeys asks for confirmed addresses, as one in production does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from mhms_app import demo
from mhms_app.accounts.models import User
from tests.browser.clinic import (
    PASSWORD,
    a_doctor,
    a_patient,
    a_tuesday,
    appointments_with,
    eventually,
    free,
    mail_to,
    mails_to,
    text_of,
)
from tests.browser.conftest import Arrive, Clinic
from tests.browser.test_looks import is_accessible_and_fits
from tests.browser.visitor import Visitor
from tests.running import RunningApp

NEW = "amber kettle bridge 44"


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    with closing(Clinic(MHMS_VERIFY_EMAIL="1")) as clinic:
        yield clinic


def link_in(app: RunningApp, email: str, *, about: str) -> str:
    """The link in the one message about something."""
    (found,) = re.findall(r"https?://\S+/(?:confirm|reset)/\S+", text_of(mail_to(app, email, about=about)))
    return str(found)


def another_tab(visitor: Visitor) -> Page:
    """Go on in a new tab of the same browser; returns the one that is left."""
    before, visitor.page = visitor.page, visitor.context.new_page()
    return before


def test_a_patient_who_signs_up_while_booking_confirms_the_address_and_goes_on(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, email = a_doctor(app, f"Dr. Lea Linke {on_phone:d}"), f"mila.roth.{on_phone:d}@example.com"
    slot = free(app, doctor, a_tuesday(), "10:00")["10:00"]
    patient = visitor(phone=on_phone)
    patient.open(f"{doctor.path}?slot={slot}")
    patient.link("Create account").click()
    patient.signs_up(name="Mila Roth", email=email, password=PASSWORD)
    patient.is_at(doctor.path)
    patient.sees("We sent a link to", email)
    expect(patient.button("Confirm booking")).to_have_count(0)
    is_accessible_and_fits(patient)

    booking = another_tab(patient)
    patient.open("/patient")
    patient.sees("We sent a link to")
    is_accessible_and_fits(patient)
    patient.open(link_in(app, email, about="confirm your address"))
    expect(patient.page.get_by_role("heading", name="Is this your address?")).to_be_visible()
    is_accessible_and_fits(patient)
    patient.button("Confirm").focus()
    patient.page.keyboard.press("Enter")
    expect(patient.page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    is_accessible_and_fits(patient)
    expect(patient.link("Go on where you were")).to_have_attribute("href", re.compile(f"slot={slot}"))

    patient.page = booking
    patient.button("I have confirmed it").click()
    patient.sees("Kept for you until")
    patient.confirms()
    assert len(appointments_with(app, doctor)) == 1


def test_a_new_doctor_is_told_that_patients_wait_for_the_address(app: RunningApp, visitor: Arrive) -> None:
    doctor, email = visitor(), "nina.kern@example.com"
    doctor.open("/signup")
    doctor.signs_up(name="Dr. Nina Kern", email=email, password=PASSWORD, department="Cardiology")
    doctor.is_at("/doctor")
    doctor.sees("then patients can find you")
    doctor.button("Send the link again").click()
    doctor.sees(f"A new link is on its way to {email}.")
    assert eventually(lambda: len(mails_to(app, email)) == 2)
    links = [re.findall(r"https?://\S+/confirm/\S+", text_of(mail))[0] for mail in mails_to(app, email)]
    patient = visitor()
    patient.open("/doctors?q=nina+kern")
    patient.sees_no("Dr. Nina Kern")
    for link in links:  # the newer one does it, the older one is over
        doctor.open(link)
        if doctor.button("Confirm").count():
            doctor.button("Confirm").click()
            expect(doctor.page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    patient.open("/doctors?q=nina+kern")
    patient.sees("Dr. Nina Kern")


def test_a_forgotten_password_is_chosen_anew_by_keyboard_alone(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    email = a_patient(app, f"Vera Gess {on_phone:d}")
    elsewhere = visitor().enters_as(email)
    elsewhere.open("/patient")
    person = visitor(phone=on_phone)
    person.open("/login")
    person.link("Forgot your password?").focus()
    person.page.keyboard.press("Enter")
    person.is_at("/forgot")
    is_accessible_and_fits(person)
    person.field("Email").focus()
    person.page.keyboard.type(email.upper())
    person.page.keyboard.press("Enter")
    expect(person.page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    is_accessible_and_fits(person)

    link = link_in(app, email, about="Choose a new password")
    person.open(link)
    person.sees(email)
    is_accessible_and_fits(person)
    person.field("New password").focus()
    person.page.keyboard.type("password1234")
    person.sees("known from breaches")
    person.page.keyboard.press("Enter")
    expect(person.field("New password")).to_have_attribute("aria-invalid", "true")
    expect(person.field("New password")).to_be_focused()
    is_accessible_and_fits(person)
    person.page.keyboard.type(NEW)
    person.sees(re.compile(r"^(Very good|Good)\.$"))
    person.page.keyboard.press("Enter")
    person.is_at("/login")
    person.sees("Your password is changed. Log in with the new one.")
    is_accessible_and_fits(person)
    person.logs_in(email, NEW)
    person.is_at("/patient")

    person.open(link)
    expect(person.page.get_by_role("heading", name="This link is over")).to_be_visible()
    is_accessible_and_fits(person)
    elsewhere.reload()
    elsewhere.is_at("/login")
    assert mail_to(app, email, about="Your password was changed")


def test_a_page_whose_script_comes_after_its_data_leaves_the_keyboard_in_the_field_to_correct(
    app: RunningApp, visitor: Arrive
) -> None:
    person, email, late = visitor(), a_patient(app, "Vera Spaet"), []
    person.open("/forgot")
    person.field("Email").fill(email)
    person.button("Send link").click()
    person.open(link_in(app, email, about="Choose a new password"))
    person.field("New password").fill("short")
    person.sees(re.compile("^Use at least"))
    person.page.route(re.compile("/_reset_"), partial(list.append, late))
    with person.page.expect_websocket() as socket:
        person.button("Change password").click()
    with socket.value.expect_event("framereceived", lambda frame: 'is_hydrated_rx_state_":true' in str(frame)):
        pass
    for script in late:
        script.continue_()
    expect(person.field("New password")).to_be_focused()


def test_a_forgotten_password_answers_alike_whoever_is_asked_for(visitor: Arrive) -> None:
    person = visitor()
    person.open("/forgot")
    person.field("Email").fill("nobody.at.all@example.com")
    person.button("Send link").click()
    expect(person.page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()


def test_a_temporary_password_is_followed_by_ones_own(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    email = f"tom.erst.{on_phone:d}@example.com"
    admin = visitor().enters_as(demo.ADMIN)
    admin.open("/admin/users")
    admin.button("Add a user").click()
    admin.field("Full name").fill("Tom Erst")
    admin.page.get_by_label("Email", exact=True).fill(email)
    admin.button("Create user").click()
    admin.sees("a temporary password is on its way")
    text = text_of(mail_to(app, email, about="Your temporary password"))
    assert "It works for 3 days." in text
    (temporary,) = re.findall(r"^ {4}(\S+)\s*$", text, re.MULTILINE)

    person = visitor(phone=on_phone)
    person.open("/login")
    person.logs_in(email, temporary)
    person.is_at("/account/password")
    expect(person.page.get_by_role("heading", name="Choose your password")).to_be_visible()
    expect(person.field("Current password")).to_have_count(0)
    is_accessible_and_fits(person)
    person.page.goto("/patient")
    person.is_at("/account/password")
    person.field("New password").fill(temporary)
    person.button("Set password").click()
    person.sees("This is the one that you have now. Please choose another.")
    person.field("New password").fill(NEW)
    person.button("Set password").click()
    person.is_at("/patient")
    person.sees_no("We sent a link to")
    with app.database() as session:
        user = session.exec(select(User).where(User.email == email)).one()
        assert user.email_confirmed_at is not None
        assert not user.password_is_temporary


def test_a_password_is_changed_and_other_devices_are_logged_out(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    email = a_patient(app, f"Wanda Wechsel {on_phone:d}")
    elsewhere, person = visitor().enters_as(email), visitor(phone=on_phone).enters_as(email)
    elsewhere.open("/patient")
    person.open("/account/password")
    person.field("Current password").fill("not mine")
    person.field("New password").fill(NEW)
    person.button("Change password").click()
    person.sees("This is not your password.")
    expect(person.field("Current password")).to_be_focused()
    is_accessible_and_fits(person)
    person.field("Current password").fill(PASSWORD)
    person.field("New password").fill(NEW)
    person.button("Change password").click()
    person.sees("Your password is changed.")
    is_accessible_and_fits(person)
    elsewhere.reload()
    elsewhere.is_at("/login")


def test_an_address_changes_with_both_mailboxes(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    old, new = a_patient(app, f"Ulla Umzug {on_phone:d}"), f"ulla.neu.{on_phone:d}@example.com"
    elsewhere, person = visitor().enters_as(old), visitor(phone=on_phone).enters_as(old)
    elsewhere.open("/patient")
    person.open("/account")
    person.button("Change address").click()
    is_accessible_and_fits(person)
    person.field("New address").fill(new)
    person.field("Current password").fill("not mine")
    person.button("Send the links").click()
    person.sees("This is not your password.")
    expect(person.field("New address")).to_have_value(new)
    person.field("Current password").fill(PASSWORD)
    person.button("Send the links").click()
    person.sees("Look into your mailboxes", "It becomes")
    is_accessible_and_fits(person)
    expect(person.page.get_by_text("Waits for its link")).to_have_count(2)
    for email, action in ((old, "Agree to the change"), (new, "Confirm")):
        person.open(link_in(app, email, about="confirm the change"))
        is_accessible_and_fits(person)
        person.button(action).click()
        person.sees("Thank you" if email == old else "Your account has its new address")
    person.open("/account")
    person.sees(new)
    person.sees_no("It becomes")
    elsewhere.reload()
    elsewhere.is_at("/login")
    for email in (old, new):
        assert mail_to(app, email, about="another address")
