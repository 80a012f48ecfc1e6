"""The main job: publish, find, book, confirm; and what happens when two want the same."""

from __future__ import annotations

import re
from datetime import timedelta

from icalendar import Calendar
from playwright.sync_api import Page, expect

from mhms_app import demo
from mhms_app.web import words
from tests.browser.clinic import (
    PASSWORD,
    a_doctor,
    a_patient,
    a_tuesday,
    appointments_with,
    at,
    day_name,
    free,
    mail_to,
    mails_to,
    text_of,
)
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor
from tests.running import RunningApp


def publishes(doctor: Visitor, *weekdays: str, start: str, end: str) -> None:
    """Fill in the form for hours of a week; what is missing stays as it is."""
    for weekday in weekdays:
        doctor.page.get_by_role("checkbox", name=weekday).check()
    doctor.field("From").fill(start)
    doctor.field("Until").fill(end)


def test_f10_f18_f19_from_sign_up_to_a_confirmed_appointment(app: RunningApp, visitor: Arrive) -> None:
    tuesday = a_tuesday()
    thursday, monday = tuesday + timedelta(days=2), words.monday_of(tuesday)
    doctor = visitor()
    doctor.open("/signup")
    doctor.signs_up(name="Dr. Nina Falk", email="nina.falk@example.com", password=PASSWORD, department="Cardiology")
    doctor.is_at("/doctor")

    # Hours on two weekdays, twenty minutes each with a break of ten, for two weeks.
    doctor.open(f"/doctor/availability?week={monday}")
    doctor.field("Break").select_option("10")
    publishes(doctor, "Tuesday", "Thursday", start="09:00", end="11:00")
    doctor.page.get_by_label("Repeat until").fill(str(thursday + timedelta(weeks=1)))
    doctor.sees(re.compile("^16 new slots over 2 weeks"), "09:00 – 10:50, 4 slots")
    doctor.button("Publish 16 slots").click()
    doctor.sees("16 slots published. Patients can book them now.")
    # What overlaps is left out, and said before.
    publishes(doctor, "Tuesday", "Thursday", start="10:30", end="12:00")
    doctor.sees(re.compile("^8 new slots"), re.compile(r"4 overlap with slots you already have .*10:30.* left out"))
    doctor.button("Publish 8 slots").click()
    doctor.sees("8 slots published.", "12 free")

    # Somebody else has the week open, and does nothing from now on.
    onlooker = visitor()
    onlooker.open("/doctors?q=nina falk")
    onlooker.link("See times of Dr. Nina Falk").click()
    expect(onlooker.slot("09:30", day=day_name(tuesday))).to_be_visible()

    # A patient finds the doctor by department and name and books.
    patient = visitor(phone=True)
    patient.open("/signup")
    patient.signs_up(name="Leo Sand", email="leo.sand@example.com", password=PASSWORD)
    patient.is_at("/patient")
    patient.link("Find a doctor").filter(visible=True).first.click()
    patient.is_at("/doctors")
    patient.field("Department").select_option(label="Cardiology")
    patient.field("Doctor or specialty").fill("falk")
    expect(patient.page.get_by_role("link", name=re.compile("^See times of"))).to_have_count(1)
    patient.link("See times of Dr. Nina Falk").click()
    patient.button("Next available").click()
    patient.chooses("09:30")
    patient.sees("Dr. Nina Falk · Cardiology", f"{day_name(tuesday)}, 09:30 – 09:50", re.compile("Berlin time"))
    patient.confirms(reason="Dizzy in the mornings")
    patient.sees("Dizzy in the mornings", "leo.sand@example.com", "What happens next")
    reference = patient.page.get_by_text(re.compile(r"^MH-\w{6}$")).inner_text()

    # Gone for everybody: on the open screen, and for whoever comes now.
    expect(onlooker.slot("09:30", day=day_name(tuesday))).to_have_count(0)
    expect(onlooker.slot("10:00", day=day_name(tuesday))).to_be_visible()
    onlooker.reload()
    expect(onlooker.slot("10:00", day=day_name(tuesday))).to_be_visible()
    expect(onlooker.slot("09:30", day=day_name(tuesday))).to_have_count(0)

    # The messages have really been produced.
    assert "Nina Falk" in text_of(mail_to(app, "nina.falk@example.com"))
    assert "Leo Sand" in text_of(mail_to(app, "leo.sand@example.com", about="account is ready"))
    confirmation = mail_to(app, "leo.sand@example.com", about="Confirmed")
    assert reference in text_of(confirmation)
    (invitation,) = (part for part in confirmation.walk() if part.get_content_type() == "text/calendar")
    (event,) = Calendar.from_ical(invitation.get_payload(decode=True)).walk("VEVENT")
    assert event["DTSTART"].dt == at(tuesday, "09:30")
    assert event["DTEND"].dt == at(tuesday, "09:50")

    # The doctor sees who comes and why, the administrator sees booking and messages.
    doctor.open(f"/doctor?day={tuesday}")
    row = doctor.page.get_by_role("listitem").filter(has_text="09:30")
    expect(row).to_contain_text("Leo Sand")
    expect(row).to_contain_text("Dizzy in the mornings")
    admin = visitor().enters_as(demo.ADMIN)
    admin.open(f"/admin/bookings?q={reference}")
    booking = admin.page.get_by_role("row").filter(has_text=reference)
    expect(booking).to_contain_text(
        re.compile(f"Leo Sand.*Dr. Nina Falk.*Cardiology.*{day_name(tuesday)}, 09:30.*Booked")
    )
    admin.open("/admin/emails?q=leo.sand@example.com")
    for message in ("Welcome", "Booking confirmation"):
        expect(admin.page.get_by_role("row").filter(has_text=message)).to_contain_text(re.compile("Sent"))


def test_f10_a_stranger_logs_in_at_the_chosen_slot_and_confirms_it(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, email = a_doctor(app, f"Dr. Cora Stern {'Klein' if on_phone else 'Gross'}"), a_patient(app, "Mira Hold")
    tuesday = a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20", "09:40")
    person = visitor(phone=on_phone)
    person.open(doctor.week_of(tuesday))
    person.chooses("09:20", day=day_name(tuesday))
    person.page.locator(".panel, .card.raised").get_by_role("link", name="Log in").click()
    person.is_at("/login")
    person.sees("Then you are back where you were.")
    person.logs_in(email, PASSWORD)
    person.is_at(doctor.path)
    expect(person.slot("09:20", day=day_name(tuesday))).to_have_attribute("aria-pressed", "true")
    person.confirms(reason="Check-up")
    person.sees(doctor.name)
    (appointment,) = appointments_with(app, doctor)
    assert (appointment.starts_at, appointment.reason) == (at(tuesday, "09:20"), "Check-up")


def test_f10_a_stranger_signs_up_at_the_chosen_slot_and_confirms_it(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Udo Keil"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    person = visitor()
    person.open(doctor.week_of(tuesday))
    person.chooses("09:00")
    person.link("Create account").click()
    person.is_at("/signup")
    person.signs_up(name="Frida Holm", email="frida.holm@example.com", password=PASSWORD)
    person.is_at(doctor.path)
    person.confirms()
    assert len(appointments_with(app, doctor)) == 1


def test_f11_of_two_who_choose_at_once_one_has_it_and_the_other_books_what_is_offered(
    app: RunningApp, visitor: Arrive
) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Tilda Rasch"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20", "09:40", "10:00")
    rivals = [visitor(phone=phone).enters_as(a_patient(app, f"Rival {phone:d}")) for phone in (False, True)]
    for rival in rivals:
        rival.open(doctor.week_of(tuesday))
        expect(rival.slot("09:00", day=day_name(tuesday))).to_be_visible()
    _press_together([rival.page for rival in rivals])
    kept, lost = (
        re.compile("Kept for you until"),
        re.compile("^Somebody else is booking this time just now|^09:00 has just been taken"),
    )
    for rival in rivals:
        if rival.on_phone:
            rival.button("Continue").click()
        expect(
            rival.page.get_by_text(kept).or_(rival.page.get_by_text(lost)).filter(visible=True).first
        ).to_be_visible()
    (winner,) = (rival for rival in rivals if rival.page.get_by_text(kept).filter(visible=True).count())
    (loser,) = (rival for rival in rivals if rival is not winner)

    loser.sees(lost, "Free instead:")
    for clock in ("09:20", "09:40", "10:00"):
        expect(loser.page.locator(".card.raised").get_by_role("button", name=re.compile(f"^{clock}"))).to_be_visible()
    loser.page.get_by_label("Reason").fill("I was here first")
    loser.page.locator(".card.raised").get_by_role("button", name=re.compile("^09:40")).click()
    expect(loser.page.get_by_label("Reason")).to_have_value("I was here first")
    loser.confirms()
    winner.confirms()
    assert {one.starts_at for one in appointments_with(app, doctor)} == {at(tuesday, "09:00"), at(tuesday, "09:40")}


def _press_together(pages: list[Page]) -> None:
    """Press the slot at 09:00 on every page at the same moment, as near as clocks can tell."""
    moment = pages[0].evaluate("Date.now() + 400")
    for page in pages:
        page.evaluate(
            "moment => { const button = [...document.querySelectorAll('button')]"
            ".find(one => one.textContent === '09:00' && one.offsetParent);"
            " setTimeout(() => button.click(), moment - Date.now()); }",
            moment,
        )


def test_f11_confirming_twice_makes_one_appointment_and_one_message(app: RunningApp, visitor: Arrive) -> None:
    doctor, email, tuesday = a_doctor(app, "Dr. Ivo Lerch"), a_patient(app, "Vera Doppel"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    patient = visitor().enters_as(email)
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.button("Confirm booking").dblclick()
    expect(patient.page.get_by_role("heading", name="You are booked")).to_be_visible()
    patient.page.go_back()
    patient.settle()
    patient.sees("Choose a time")
    patient.sees_no(re.compile("no longer free"))
    assert len(appointments_with(app, doctor)) == 1
    mail_to(app, email)
    patient.open("/patient")
    patient.sees("Dr. Ivo Lerch")
    assert len(mails_to(app, email)) == 1


def test_f10_a_patient_is_not_at_two_places_at_once(app: RunningApp, visitor: Arrive) -> None:
    doctor, other, tuesday = a_doctor(app, "Dr. Ada Zorn"), a_doctor(app, "Dr. Bela Zorn"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    free(app, other, tuesday, "09:10", "09:40")
    patient = visitor().enters_as(a_patient(app, "Theo Zwei"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms()
    patient.open(other.week_of(tuesday))
    patient.chooses("09:10")
    patient.sees("You already have an appointment at that time.")
    patient.page.locator(".card.raised").get_by_role("button", name=re.compile("^09:40")).click()
    patient.confirms()


def test_f10_too_long_a_reason_is_said_beside_the_field_and_kept(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Wanda Lang"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    patient = visitor().enters_as(a_patient(app, "Otto Lang"))
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.page.get_by_label("Reason").fill("x" * 520)
    patient.sees("20 characters too many")
    patient.button("Confirm booking").click()
    expect(patient.page.get_by_label("Reason")).to_have_accessible_description(re.compile("shorten this to 500"))
    expect(patient.page.get_by_label("Reason")).to_have_value("x" * 520)
    patient.page.get_by_label("Reason").fill("x" * 500)
    patient.confirms()


def test_f09_a_doctors_page_shows_every_free_slot_and_leads_to_the_next(app: RunningApp, visitor: Arrive) -> None:
    doctor, tuesday = a_doctor(app, "Dr. Elsa Weit"), a_tuesday()
    later = a_tuesday(weeks=5)
    free(app, doctor, tuesday, "08:20", "12:00", "16:40")
    free(app, doctor, later, "07:00")
    person = visitor()
    person.open(doctor.week_of(tuesday))
    slots = person.page.get_by_role("button", name=re.compile(r"^\d\d:\d\d, "))
    expect(slots).to_have_text(["08:20", "12:00", "16:40"])
    person.button("Next week").click()
    person.sees("No free slots this week")
    person.button(f"Next: {day_name(later)}, 07:00").click()
    expect(slots).to_have_text(["07:00"])
    person.reload()  # the address says what is shown
    expect(slots).to_have_text(["07:00"])
    person.button("Previous week").click()
    person.sees("No free slots this week")
    person.button("Next available").click()
    expect(slots).to_have_text(["08:20", "12:00", "16:40"])


def test_f08_f21_doctors_are_found_by_department_name_and_day(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    doctor, tuesday = a_doctor(app, f"Dr. Quirin {'Ost' if on_phone else 'West'}", department="Neurology"), a_tuesday()
    free(app, doctor, tuesday, "09:00")
    person = visitor(phone=on_phone)
    person.open("/")
    person.field("Department").select_option(label="Neurology")
    person.field("Doctor or specialty").fill("quirin")
    person.field("Day").fill(str(tuesday))
    person.button("Find a slot").click()
    person.is_at("/doctors")
    rows = person.page.locator("li.doctor")
    expect(rows.filter(has_text=doctor.name)).to_contain_text("Neurology")
    person.link(f"See times of {doctor.name}").click()
    expect(person.slot("09:00")).to_be_visible()
    person.page.go_back()
    person.is_at("/doctors")
    expect(person.field("Doctor or specialty")).to_have_value("quirin")

    person.field("Department").select_option(label="Pediatrics")
    person.sees("Nobody fits all of this")
    person.reload()
    person.sees("Nobody fits all of this")
    person.button("Clear the filters").first.click()
    expect(rows).not_to_have_count(0)
    person.field("Department").select_option(label="Pediatrics")
    person.sees(re.compile(r"^\d+ doctors?$"))
    expect(rows.filter(has_not_text="Pediatrics")).to_have_count(0)
    expect(rows).not_to_have_count(0)


def test_f08_f12_a_patient_sees_what_is_ahead_and_what_is_over(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    patient = visitor(phone=on_phone).enters_as(demo.PATIENT)
    patient.open("/patient")
    ahead = patient.page.locator(".card").filter(has=patient.page.get_by_role("link", name="Add to calendar"))
    expect(ahead).to_contain_text("Dr. Amira Haddad")
    expect(ahead).to_contain_text("Cardiology")
    expect(ahead).to_contain_text("Result of the 24-hour ECG")
    before = patient.page.get_by_role("heading", name="Before").locator("xpath=ancestor::section")
    expect(before.get_by_role("listitem")).to_have_count(2)
    expect(before.get_by_role("listitem").first).to_contain_text("Completed")
    with patient.page.expect_download() as download:
        ahead.get_by_role("link", name="Add to calendar").click()
    (event,) = Calendar.from_ical(download.value.path().read_bytes()).walk("VEVENT")
    assert "Amira Haddad" in event["SUMMARY"] + event.get("DESCRIPTION", "")
    before.get_by_role("link", name="Book again").first.click()
    expect(patient.page.get_by_role("region", name="Free slots")).to_be_visible()
