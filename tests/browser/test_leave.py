"""A doctor is away: the leave, the new times, the one message, and what is left for the desk; staff move too."""

from __future__ import annotations

import re
from datetime import date, timedelta

from playwright.sync_api import expect
from sqlmodel import select

from mhms_app import db, demo
from mhms_app.audit.models import AuditEntry
from mhms_app.booking.models import DaySummary, DeskNote
from tests.browser.clinic import (
    ADoctor,
    a_department,
    a_doctor,
    a_patient,
    a_tuesday,
    an_appointment,
    appointments_with,
    at,
    eventually,
    free,
    mail_to,
    mails_to,
    text_of,
)
from tests.browser.conftest import Arrive
from tests.browser.test_looks import is_accessible_and_fits, tabs_to
from tests.browser.visitor import Visitor
from tests.running import RunningApp

WEEK = timedelta(weeks=1)


def booked(app: RunningApp, doctor: ADoctor, day: date, *names: str) -> dict[str, str]:
    """Book these people from nine o'clock on; their addresses by their names."""
    emails = {name: a_patient(app, name) for name in names}
    for number, email in enumerate(emails.values()):
        an_appointment(app, doctor, email, at(day, "09:00") + number * timedelta(minutes=20))
    return emails


def plans_leave(doctor: Visitor, first: date, last: date) -> None:
    """Choose the days, and look at the appointments in them."""
    doctor.field("First day").fill(f"{first}")
    doctor.field("Last day").fill(f"{last}")
    doctor.button("Show appointments").click()
    expect(doctor.button("Take leave")).to_be_visible()


def test_f35_a_leave_moves_cancels_or_leaves_for_the_desk_and_tells_everybody_once(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    tuesday, ward = a_tuesday(), a_department(app, f"Ward of leaves {on_phone:d}")
    doctor = a_doctor(app, f"Dr. Lena Fern {on_phone:d}", department=ward)
    moved, cancelled, left = (f"{name} {on_phone:d}" for name in ("Mo Move", "Ben Busch", "Dana Desk"))
    emails = booked(app, doctor, tuesday, moved, cancelled, left)
    free(app, doctor, tuesday, "12:00")
    free(app, doctor, tuesday + WEEK, "10:00", "11:00")

    away = visitor(phone=on_phone).enters_as(doctor.email)
    away.open("/doctor/leave")
    away.button("Show appointments").click()
    away.sees("Please choose a day.")
    plans_leave(away, tuesday, tuesday)
    away.sees(moved, "10:00", "No time is free")
    away.page.get_by_label(f"What becomes of {cancelled}").select_option(label="Cancel")
    away.sees("1 moves, 1 is cancelled, 1 waits for the desk.")
    is_accessible_and_fits(away)
    away.button("Take leave").click()
    away.sees("Please say why: those whose appointments are cancelled read this.")
    away.page.get_by_label("What those read").fill("Dr. Fern is away. Please book again.")
    away.button("Take leave").click()
    away.sees("1 moved, 1 cancelled, 1 left for the desk.")
    is_accessible_and_fits(away)
    away.reload()
    away.sees("1 moved, 1 cancelled, 1 left for the desk.")

    patient = visitor(phone=on_phone).enters_as(emails[moved])
    patient.open("/patient")
    patient.sees(re.compile("10:00 – 10:20"))
    assert "10:00" in text_of(mail_to(app, emails[moved]))
    assert "Please book again." in text_of(mail_to(app, emails[cancelled], about="Cancelled"))
    stranger = visitor()
    stranger.open(doctor.week_of(tuesday))
    expect(stranger.slot("12:00")).to_have_count(0)
    expect(stranger.slot("09:00")).to_have_count(0)

    works_the_list(app, visitor(phone=on_phone), doctor, left, emails[left])
    assert [len(mails_to(app, email)) for email in emails.values()] == [1, 1, 1]


def works_the_list(app: RunningApp, admin: Visitor, doctor: ADoctor, name: str, email: str) -> None:
    """The desk finds the patient another time."""
    admin.enters_as(demo.ADMIN).open("/admin/worklist")
    row = admin.page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("On leave")
    expect(row.get_by_role("link", name=email)).to_have_attribute("href", f"mailto:{email}")
    row.get_by_role("button", name="See to it").click()
    expect(admin.page.get_by_role("radio", name="11:00")).to_have_count(1)
    is_accessible_and_fits(admin)
    admin.button("Move appointment").click()
    admin.sees("Please choose a time.")
    admin.page.get_by_role("radio", name="11:00").check(force=True)
    admin.button("Move appointment").click()
    admin.sees(re.compile(f"{name} now comes .*11:00"))
    expect(admin.page.get_by_role("row").filter(has_text=name)).to_have_count(0)
    assert "11:00" in text_of(mail_to(app, email))


def test_f35_an_administrator_enters_a_leave_and_takes_what_is_done_off_the_list(
    app: RunningApp, visitor: Arrive
) -> None:
    tuesday, ward = a_tuesday(weeks=3), a_department(app, "Ward of illness")
    doctor = a_doctor(app, "Dr. Ina Krank", department=ward)
    emails = booked(app, doctor, tuesday, *(f"Paula Krank {number}" for number in range(40)))
    admin = visitor().enters_as(demo.ADMIN)
    admin.open("/admin/worklist")
    admin.link("Enter a leave").click()
    admin.is_at("/admin/leave")
    admin.field("Doctor").fill("Ina Krank")
    plans_leave(admin, tuesday, tuesday)
    admin.sees("40 wait for the desk.")
    admin.button("Take leave").click()
    admin.sees("40 left for the desk.")
    admin.link("Worklist").first.click()
    row = admin.page.get_by_role("row").filter(has_text="Paula Krank 0")
    row.get_by_role("button", name="See to it").click()
    admin.page.get_by_role("radio", name="Done").check(force=True)
    admin.field("What was done? (optional)").fill("Comes to Dr. Haddad instead.")
    admin.button("Take it off the list").click()
    admin.sees("Paula Krank 0 is off the list.")
    expect(row).to_have_count(0)
    with app.database() as session:
        assert "Comes to Dr. Haddad instead." in session.exec(select(DeskNote.note)).all()
    admin.button("Next").click()
    expect(admin.page.get_by_role("row").filter(has_text="Paula Krank 39")).to_have_count(1)
    assert not [mail for email in emails.values() for mail in mails_to(app, email)]


def test_f35_a_doctor_takes_leave_with_the_keyboard_alone(app: RunningApp, visitor: Arrive) -> None:
    tuesday, ward = a_tuesday(), a_department(app, "Ward of keys")
    doctor = a_doctor(app, "Dr. Karla Taste", department=ward)
    booked(app, doctor, tuesday, "Kim Taste")
    keyboard = visitor().enters_as(doctor.email)
    press, write = keyboard.page.keyboard.press, keyboard.page.keyboard.type
    keyboard.open("/doctor/leave")
    for label in ("First day", "Last day"):
        tabs_to(keyboard, f"^{label}$")
        write(f"{tuesday:%m%d%Y}")
    press("Enter")
    keyboard.sees("1 waits for the desk.")
    tabs_to(keyboard, "^What becomes of Kim Taste")
    press("c")
    keyboard.sees("1 is cancelled.")
    tabs_to(keyboard, "^What those read")
    write("Dr. Taste is away.")
    tabs_to(keyboard, "^Take leave$")
    press("Enter")
    keyboard.sees("1 cancelled.")
    assert [row.status for row in appointments_with(app, doctor)] == ["cancelled"]


def test_f37_the_clinic_moves_an_appointment_after_the_deadline_and_says_why(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    ward = a_department(app, f"Ward of moves {on_phone:d}")
    doctor = a_doctor(app, f"Dr. Milo Frei {on_phone:d}", department=ward)
    colleague = a_doctor(app, f"Dr. Cora Frei {on_phone:d}", department=ward)
    email = a_patient(app, f"Nele Nah {on_phone:d}")
    reference = an_appointment(app, doctor, email, db.clock.now() + timedelta(hours=3))
    free(app, doctor, a_tuesday(), "09:00")
    free(app, colleague, a_tuesday(), "10:00")
    admin = visitor(phone=on_phone).enters_as(demo.ADMIN)
    admin.open(f"/admin/bookings?q={reference}")
    admin.button(f"Change {reference}").click()
    expect(admin.page.get_by_role("radio", name="09:00")).to_have_count(1)
    expect(admin.page.get_by_role("radio", name="10:00")).to_have_count(0)
    admin.page.get_by_label(f"Anybody in {ward}").check()
    admin.page.get_by_role("radio", name=re.compile("^10:00, .*Cora Frei")).check(force=True)
    is_accessible_and_fits(admin)
    admin.button("Move appointment").click()
    admin.sees("Please say why: this passes the time until which patients change it.")
    admin.page.get_by_label("Why?").fill("The doctor is ill")
    admin.button("Move appointment").click()
    admin.sees(re.compile("now comes .*10:00"))
    (row,) = appointments_with(app, colleague)
    assert (row.reference, row.sequence, row.starts_at) == (reference, 1, at(a_tuesday(), "10:00"))
    mail_to(app, email, about="Moved")
    with app.database() as session:
        said = session.exec(select(AuditEntry.detail).where(AuditEntry.object_id == row.id)).all()
    assert [detail for detail in said if detail.endswith(": The doctor is ill")]


def test_f35_a_doctor_who_is_gone_leaves_appointments_to_the_desk(app: RunningApp, visitor: Arrive) -> None:
    tuesday, ward = a_tuesday(), a_department(app, "Ward of farewells")
    doctor = a_doctor(app, "Dr. Gerd Gegangen", department=ward)
    booked(app, doctor, tuesday, "Abel Abschied", "Bea Abschied")
    admin = visitor().enters_as(demo.ADMIN)
    admin.open("/admin/users?q=gegangen")
    admin.button("Edit Dr. Gerd Gegangen").click()
    admin.page.get_by_role("region", name="User").get_by_label("Role").select_option(label="Patient")
    admin.sees(re.compile("^2 appointments to come stay booked and go to the worklist"))
    admin.button("Lock account").click()
    admin.sees(re.compile("no longer find them. 2 appointments to come"))
    admin.button("Lock account").click()
    admin.sees("Dr. Gerd Gegangen can no longer log in.")
    admin.open("/admin")
    admin.sees(re.compile(r"^\d+ patients? to call$"))
    admin.open("/admin/worklist")
    expect(admin.page.get_by_role("row").filter(has_text="Abel Abschied")).to_contain_text("No longer a doctor here")


def test_f24_a_doctor_asks_to_be_told_each_morning(app: RunningApp, visitor: Arrive) -> None:
    doctor = a_doctor(app, "Dr. Frida Frueh")
    person = visitor().enters_as(doctor.email)
    person.open("/doctor/profile")
    box = person.page.get_by_role("checkbox", name="Tell me by e-mail who comes")
    expect(box).not_to_be_checked()
    box.click()
    person.sees("From tomorrow on you get an e-mail each morning.")
    person.reload()
    expect(box).to_be_checked()
    with app.database() as session:
        assert session.get(DaySummary, doctor.id)
    box.click()
    person.sees("You get no more e-mails of the day.")
    assert eventually(lambda: _asks_no_more(app, doctor))


def _asks_no_more(app: RunningApp, doctor: ADoctor) -> bool:
    with app.database() as session:
        return session.get(DaySummary, doctor.id) is None
