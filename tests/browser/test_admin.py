"""The administrator: people, departments, slots, bookings, messages."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

from playwright.sync_api import expect
from sqlmodel import Session, select

from mhms_app import db, demo
from mhms_app.notifications.models import OutboxMessage
from tests.browser.clinic import (
    PASSWORD,
    a_doctor,
    a_patient,
    a_tuesday,
    an_appointment,
    appointments_with,
    at,
    day_name,
    eventually,
    free,
    mail_to,
    mails_to,
    text_of,
    without_mail_service,
)
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor
from tests.databases import ROOT
from tests.running import RunningApp

TEMPORARY = re.compile(r"\b(?:[a-z2-9]{4}-){3}[a-z2-9]{4}\b")


def temporary_password(app: RunningApp, email: str) -> str:
    """The password in the last message to an address."""
    found = TEMPORARY.search(text_of(mail_to(app, email, about="assword")))
    assert found
    return found.group()


def chooses_a_password(person: Visitor) -> None:
    """Replace a temporary password by one's own."""
    person.is_at("/account/password")
    person.field("New password").fill(f"{PASSWORD} of my own")
    person.button("Set password").click()


def opens_person(admin: Visitor, name: str, email: str) -> None:
    """Search for somebody and open their panel."""
    admin.open("/admin/users")
    admin.field("Name or e-mail").fill(email)
    expect(admin.page.get_by_role("button", name=re.compile("^Edit "))).to_have_count(1)
    admin.button(f"Edit {name}").click()
    expect(admin.field("Full name")).to_have_value(name)


def test_f13_an_administrator_creates_a_user_who_logs_in_with_the_mailed_password(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    admin, email = visitor(phone=on_phone).enters_as(demo.ADMIN), f"sam.neu.{on_phone:d}@example.com"
    admin.open("/admin/users")
    admin.button("Add a user").click()
    admin.field("Full name").fill("Dr. Sam Neu")
    admin.field("Email").fill("sam.neu@example")
    admin.page.get_by_role("group", name="Role").get_by_text("Doctor").click()
    admin.page.locator(".side").get_by_label("Department", exact=True).select_option(label="Pediatrics")
    admin.button("Create user").click()
    expect(admin.field("Email")).to_have_accessible_description(re.compile("not complete"))
    expect(admin.field("Full name")).to_have_value("Dr. Sam Neu")
    admin.field("Email").fill(email)
    admin.button("Create user").click()
    admin.sees("Dr. Sam Neu has an account; a temporary password is on its way by e-mail.")

    newcomer = visitor(phone=on_phone)
    newcomer.open("/login")
    newcomer.logs_in(email, temporary_password(app, email))
    chooses_a_password(newcomer)
    newcomer.is_at("/doctor")


def test_f13_a_new_role_ends_what_the_person_was_doing(app: RunningApp, visitor: Arrive) -> None:
    email = a_patient(app, "Kim Wechsel")
    person = visitor().enters_as(email)
    person.open("/patient")
    admin = visitor().enters_as(demo.ADMIN)
    opens_person(admin, "Kim Wechsel", email)
    admin.page.locator(".side").get_by_label("Role", exact=True).select_option(label="Doctor")
    admin.page.locator(".side").get_by_label("Department", exact=True).select_option(label="Dermatology")
    admin.sees("A new role ends this person's sessions: they log in again.")
    admin.button("Change role or department").click()
    admin.sees("Kim Wechsel is now a doctor.")

    person.is_at("/login")
    person.logs_in(email, PASSWORD)
    person.is_at("/patient")
    person.sees("Your account cannot do this.")
    person.open("/doctor")
    person.sees("No slots on this day")


def test_f13_a_deactivated_persons_open_tab_can_do_nothing_more(app: RunningApp, visitor: Arrive) -> None:
    doctor, email, tuesday = a_doctor(app, "Dr. Jens Platz"), a_patient(app, "Ute Weg"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    person = visitor().enters_as(email)
    person.open(doctor.week_of(tuesday))
    person.chooses("09:00")
    expect(person.button("Confirm booking")).to_be_visible()
    admin = visitor().enters_as(demo.ADMIN)
    opens_person(admin, "Ute Weg", email)
    admin.button("Lock account").click()
    admin.sees("Lock Ute Weg?")
    admin.button("Lock account").click()
    admin.sees("Ute Weg can no longer log in.")

    expect(person.button("Confirm booking")).to_have_count(0)
    person.page.locator(".panel, .card.raised").get_by_role("link", name="Log in").click()
    person.is_at("/login")
    assert appointments_with(app, doctor) == []
    person.logs_in(email, PASSWORD)
    expect(person.field("Password")).to_have_accessible_description("E-mail address and password do not match.")

    admin.button("Unlock account").click()
    admin.sees("Ute Weg can log in again.")
    person.logs_in(email, PASSWORD)
    person.is_at(doctor.path)  # back at the slot
    person.confirms()


def test_f13_a_temporary_password_replaces_the_old_one(app: RunningApp, visitor: Arrive) -> None:
    email = a_patient(app, "Finn Vergisst")
    admin, person = visitor().enters_as(demo.ADMIN), visitor()
    opens_person(admin, "Finn Vergisst", email)
    admin.button("Send temporary password").click()
    admin.sees("Send a temporary password?")
    admin.button("Send temporary password").click()
    admin.sees(f"A temporary password is on its way to {email}.")
    temporary = temporary_password(app, email)
    person.open("/login")
    person.logs_in(email, PASSWORD)
    expect(person.field("Password")).to_have_accessible_description("E-mail address and password do not match.")
    person.logs_in(email, temporary)
    chooses_a_password(person)
    person.is_at("/patient")


def test_f13_patients_find_a_doctor_once_an_administrator_has_approved(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Lena Wartet", approved=False), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    at_work, patient = visitor().enters_as(doctor.email), visitor()
    at_work.open("/doctor")
    at_work.sees(re.compile("An administrator still has to approve your account"))
    patient.open("/doctors?q=wartet")
    patient.sees("Nobody fits all of this")
    patient.open(doctor.path)
    patient.sees("We could not find this doctor")
    admin = visitor().enters_as(demo.ADMIN)
    admin.open("/admin")
    admin.page.get_by_role("link", name=re.compile("doctors? await")).first.click()
    admin.is_at("/admin/users")
    admin.button("Approve Dr. Lena Wartet").click()
    admin.sees("Dr. Lena Wartet can now be found and booked by patients.")
    patient.open("/doctors?q=wartet")
    patient.link("See times of Dr. Lena Wartet").click()
    patient.button("Next available").click()
    expect(patient.slot("09:00")).to_be_visible()


def test_f13_the_last_administrator_stays_one(app: RunningApp, visitor: Arrive) -> None:
    admin = visitor().enters_as(demo.ADMIN)
    opens_person(admin, "Ines Carvalho", demo.ADMIN)
    admin.page.locator(".side").get_by_label("Role", exact=True).select_option(label="Patient")
    admin.button("Change role").click()
    admin.sees("This is the last active administrator. Make somebody else an administrator first.")
    admin.confirms_to("Lock account")
    admin.sees("This is the last active administrator. Make somebody else an administrator first.")
    admin.reload()
    expect(admin.page.get_by_role("row").filter(has_text="Ines Carvalho")).to_contain_text("Active")


def test_a_list_goes_back_to_the_page_that_is_the_last_one_now(app: RunningApp, visitor: Arrive) -> None:
    """And what is typed beside it stays."""
    name = f"Leerblatt {uuid4().hex[:8]}"
    for number in range(26):
        a_doctor(app, f"Dr. {number:02} {name}", approved=False)
    admin = visitor().enters_as(demo.ADMIN)
    admin.open(f"/admin/users?{urlencode({'q': name, 'status': 'pending', 'page': 2})}")
    admin.sees("26 to 26 of 26")
    admin.button("Add a user").click()
    admin.field("Full name").fill("Half a name")
    admin.button(f"Approve Dr. 25 {name}").click()
    admin.sees("25 in all", re.compile("can now be found and booked by patients"))
    expect(admin.page.locator("tbody tr")).to_have_count(25)
    expect(admin.page).not_to_have_url(re.compile("page="))
    expect(admin.field("Full name")).to_have_value("Half a name")

    patient = visitor()
    patient.open(f"/doctors?{urlencode({'q': name, 'page': 9})}")
    patient.sees(f"Dr. 25 {name}", "1 doctor")
    expect(patient.page).not_to_have_url(re.compile("page="))


def test_why_somebody_wanted_to_act_is_not_asked_of_another_person(app: RunningApp, visitor: Arrive) -> None:
    name = f"Zweimal {uuid4().hex[:8]}"
    email = a_patient(app, f"Ada {name}")
    a_patient(app, f"Bea {name}")
    admin = visitor().enters_as(demo.ADMIN)
    opens_person(admin, f"Ada {name}", email)
    admin.button("Act as this person").click()
    admin.field("Why?").fill("hi")
    admin.button("Act as this person").click()
    expect(admin.field("Why?")).to_have_accessible_description(re.compile("10 to 300 characters"))
    expect(admin.field("Why?")).to_have_value("hi")
    admin.page.get_by_role("searchbox").fill(f"Bea {name}")
    admin.button(f"Edit Bea {name}").click()
    expect(admin.field("Full name")).to_have_value(f"Bea {name}")
    admin.button("Act as this person").click()
    expect(admin.field("Why?")).to_have_value("")
    expect(admin.field("Why?")).not_to_have_attribute("aria-invalid", "true")


def test_f14_a_department_opens_and_closes(visitor: Arrive, on_phone: bool) -> None:
    name = f"Rheumatology {'West' if on_phone else 'East'}"
    admin, person = visitor(phone=on_phone).enters_as(demo.ADMIN), visitor()
    offered = person.field("Department").get_by_role("option", name=name, include_hidden=True)
    admin.open("/admin/departments")
    admin.button("Add a department").click()
    admin.field("Name").fill("Cardiology")
    admin.button("Add department").click()
    expect(admin.field("Name")).to_have_accessible_description(re.compile(r"\w+"))
    admin.field("Name").fill(name)
    admin.page.get_by_label("Location").fill("Building D")
    admin.button("Add department").click()
    admin.sees(f"{name} is saved.", "Building D")
    person.open("/signup")
    expect(offered).to_have_count(1)
    admin.button(f"Edit {name}").click()
    admin.button("Close this department").click()
    admin.sees(f"Close {name}?")
    admin.button("Close department").click()
    admin.sees(f"{name} is closed.")
    person.open("/signup")
    expect(offered).to_have_count(0)


def test_f15_an_administrator_publishes_and_withdraws_slots_for_a_doctor(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Moritz Fern"), a_tuesday()
    admin = visitor().enters_as(demo.ADMIN)
    admin.open(f"/admin/slots?from={tuesday}")
    admin.field("Doctor").fill("Moritz Fern")
    admin.sees(re.compile("For Dr. Moritz Fern"), "No slots fit")
    admin.field("First day").fill(str(tuesday))
    admin.field("Last day").fill(str(tuesday))
    panel = admin.page.get_by_role("region", name="Publish slots")
    panel.get_by_label("From", exact=True).fill("10:00")
    panel.get_by_label("Until", exact=True).fill("11:00")
    admin.sees(re.compile("^3 new slots"))
    panel.get_by_label("Break from").fill("10:40")
    panel.get_by_label("until", exact=True).fill("10:20")
    expect(panel.get_by_label("until", exact=True)).to_have_accessible_description("A break must end after it begins.")
    panel.get_by_label("Break from").fill("")
    admin.button("Publish 3 slots").click()
    admin.sees("3 slots published. Patients can book this time now.")
    patient = visitor().enters_as(a_patient(app, "Olga Ruf"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("10:20")
    patient.confirms()

    admin.reload()  # the address says whose slots are shown
    rows = admin.page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="10:20 –")).to_contain_text("Booked")
    panel.get_by_label("First day").fill("")
    expect(panel.get_by_label("First day")).to_have_accessible_description("Please choose a day.")
    admin.button("Choose all free on this page").click()
    admin.button("Withdraw 2 slots").click()
    admin.button("Withdraw").click()
    admin.sees("2 slots withdrawn. Patients can no longer book this time.")
    expect(rows.filter(has_text="Withdrawn")).to_have_count(2)
    patient.open(doctor.week_of(tuesday))
    patient.sees("No free slots at the moment")


def test_f16_bookings_are_filtered_and_handed_on_as_a_table(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Quitta Liste", department="Neurology"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    for name, clock in (("Anna Eins", "09:00"), ("=Berta Zwei", "09:20")):
        patient = visitor().enters_as(a_patient(app, name))
        patient.open(doctor.week_of(tuesday))
        patient.chooses(clock)
        patient.confirms()
    admin = visitor().enters_as(demo.ADMIN)
    admin.open("/admin/bookings")
    rows = admin.page.locator("tbody tr")
    expect(rows).to_have_count(25)
    admin.button("Next").click()
    admin.sees(re.compile("^26 to 50 of"))
    admin.reload()
    admin.sees(re.compile("^26 to 50 of"))

    admin.field("Doctor").fill("Quitta")
    expect(rows).to_have_count(2)
    admin.field("Patient, doctor or number").fill("anna")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(re.compile(f"Anna Eins.*Quitta Liste.*Neurology.*{day_name(tuesday)}, 09:00.*Booked"))
    admin.field("Patient, doctor or number").fill("")
    admin.field("Department").select_option(label="Cardiology")
    admin.sees("No bookings fit")
    admin.field("Department").select_option(label="Neurology")
    admin.field("Status").select_option(label="Booked")
    admin.field("From").fill(str(tuesday))
    admin.field("Until").fill(str(tuesday))
    expect(rows).to_have_count(2)
    admin.field("From").fill(str(tuesday + timedelta(days=1)))
    admin.sees("No bookings fit")
    admin.field("From").fill(str(tuesday))
    expect(rows).to_have_count(2)
    admin.reload()
    expect(rows).to_have_count(2)

    with admin.page.expect_download() as download:
        admin.link("Export as CSV").click()
    table = list(csv.reader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert len(table) == 3
    (formula,) = (cell for line in table for cell in line if "Berta" in cell)
    assert not formula.startswith("=")  # a spreadsheet must not calculate a name


def test_f16_the_overview_follows_what_is_booked(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Ruben Neu"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    admin = visitor().enters_as(demo.ADMIN)
    admin.open("/admin")
    patient = visitor().enters_as(a_patient(app, "Live Lise"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms()
    admin.sees("Live Lise")
    admin.field("Find a booking").fill("Live Lise")
    admin.field("Find a booking").press("Enter")
    admin.is_at("/admin/bookings")
    expect(admin.page.locator("tbody tr")).to_have_count(1)


def test_f17_the_first_administrator_comes_from_the_command_line(app: RunningApp, visitor: Arrive) -> None:
    command = [sys.executable, "-m", "mhms_app.cli", "create-admin", "--email", "vera.erste@example.com"]
    environment = {"MHMS_DATABASE_URL": app.database_url, "MHMS_BCRYPT_COST": "4", "ADMIN_PASSWORD": PASSWORD}
    subprocess.run([*command, "--name", "Vera Erste"], check=True, cwd=ROOT, env=environment, capture_output=True)
    admin = visitor()
    admin.open("/login")
    admin.logs_in("vera.erste@example.com", PASSWORD)
    admin.is_at("/admin")
    # Two administrators: one may go.
    other = visitor().enters_as(demo.ADMIN)
    opens_person(other, "Vera Erste", "vera.erste@example.com")
    other.confirms_to("Lock account")
    other.sees("Vera Erste can no longer log in.")
    admin.is_at("/login")


def test_f39_while_the_mail_service_is_down_booking_goes_on_and_the_message_waits(
    app: RunningApp, visitor: Arrive
) -> None:
    doctor, email, tuesday = a_doctor(app, "Dr. Petra Post"), a_patient(app, "Willi Wartet"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    admin = visitor().enters_as(demo.ADMIN)
    with without_mail_service(app) as start_again:
        patient = visitor().enters_as(email)
        patient.open(doctor.week_of(tuesday))
        patient.chooses("09:00")
        patient.confirms()
        row = admin.page.get_by_role("row").filter(has_text=email)
        eventually(lambda: _message(app, email).attempts == 1 and _message(app, email).last_error)
        admin.open(f"/admin/emails?q={email}")
        expect(row).to_contain_text(re.compile("Booking confirmation.*Waiting.*Connect"))
        assert mails_to(app, email) == []
        start_again()
        _let_time_pass(app, email)
        mail_to(app, email)
    admin.reload()
    expect(row).to_contain_text(re.compile("Booking confirmation.*Sent"))
    assert len(mails_to(app, email)) == 1

    admin.button("Send again to Willi Wartet").click()
    admin.sees("The message to Willi Wartet is on its way again.")
    assert eventually(lambda: len(mails_to(app, email)) == 2)


def _message(app: RunningApp, email: str) -> OutboxMessage:
    with app.database() as session:
        return _find(session, email)


def _find(session: Session, email: str) -> OutboxMessage:
    return session.exec(select(OutboxMessage).where(OutboxMessage.recipient_email == email)).one()


def _let_time_pass(app: RunningApp, email: str) -> None:
    """The next attempt is due now."""
    with app.database() as session:
        _find(session, email).next_attempt_at = db.clock.now()


def test_a_list_that_follows_leaves_focus_and_what_is_being_typed(app: RunningApp, visitor: Arrive) -> None:
    name = f"Live {uuid4().hex[:8]}"
    doctor, early, late = a_doctor(app, f"Dr. Lia {name}"), a_patient(app, "Ada Early"), a_patient(app, "Lea Late")
    reference = an_appointment(app, doctor, early, at(a_tuesday(), "09:00"))
    free(app, doctor, a_tuesday(), "10:00")
    patient = visitor().enters_as(late)
    patient.open(doctor.week_of(a_tuesday()))
    admin = visitor().enters_as(demo.ADMIN)
    admin.open(f"/admin/bookings?{urlencode({'q': name})}")
    admin.button(f"Change {reference}").click()
    admin.page.get_by_role("radio", name="Cancel").check(force=True)
    expect(admin.button("Cancel appointment")).to_be_visible()  # until then the question is another form's
    why = admin.page.get_by_label("Why?")
    why.press_sequentially("The doctor")
    patient.chooses("10:00")
    patient.confirms()
    admin.sees("Lea Late", "2 in all")
    expect(why).to_be_focused()
    why.press_sequentially(" is ill")
    expect(why).to_have_value("The doctor is ill")
    admin.button("Cancel appointment").click()
    admin.sees("The appointment of Ada Early is cancelled, and a message is on its way.")
