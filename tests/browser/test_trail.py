"""The administrator's eyes and hands: the trail, acting as somebody, sessions and locks."""

from __future__ import annotations

import csv
import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import insert

from mhms_app import db, demo
from mhms_app.audit.models import AuditEntry
from tests.browser.clinic import a_patient, mail_to, text_of
from tests.browser.conftest import Arrive
from tests.browser.test_admin import opens_person
from tests.browser.test_looks import is_accessible_and_fits
from tests.browser.visitor import Visitor
from tests.running import RunningApp

WHY = "Asks by phone to see the appointments."


@pytest.fixture
def ten_thousand_entries(app: RunningApp) -> None:
    """A trail of some size."""
    now = db.clock.now() - timedelta(minutes=5)
    row = {"actor_id": None, "object_type": "", "detail": "", "address": "203.0.113.1"}
    with app.database() as session:
        rows = [{**row, "at": now - timedelta(seconds=n), "action": "slots.publish"} for n in range(10_000)]
        session.execute(insert(AuditEntry), rows)


def begins_to_act(admin: Visitor, reason: str) -> None:
    admin.button("Act as this person").click()
    admin.field("Why?").fill(reason)
    admin.button("Act as this person").click()


def test_f41_an_administrator_acts_as_a_patient_and_comes_back(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    name = f"Paula Probe {on_phone:d}"
    email = a_patient(app, name)
    admin = visitor(phone=on_phone).enters_as(demo.ADMIN)
    opens_person(admin, name, email)
    begins_to_act(admin, "help")
    admin.sees("Please say why, in 10 to 300 characters.")
    expect(admin.field("Why?")).to_be_focused()
    expect(admin.field("Why?")).to_have_value("help")
    admin.field("Why?").fill(WHY)
    admin.field("Why?").press("Tab")
    admin.page.keyboard.press("Enter")
    admin.is_at("/patient")
    admin.sees(re.compile("Everything is recorded under both names"), name)
    is_accessible_and_fits(admin)
    admin.open("/doctors")
    admin.sees(re.compile("Everything is recorded under both names"))
    admin.button("Stop").click()
    admin.is_at("/admin/users")
    expect(admin.field("Full name")).to_have_value(name)
    admin.sees_no(re.compile("Everything is recorded under both names"))
    assert WHY in text_of(mail_to(app, email, about="acts for you")).replace("\n", " ")

    admin.link("Audit trail").click()
    admin.is_at("/admin/audit")
    admin.sees("began to act as this person", "stopped acting as this person", WHY)
    is_accessible_and_fits(admin)


def test_f41_the_trail_is_filtered_verified_and_handed_on(
    app: RunningApp, visitor: Arrive, on_phone: bool, ten_thousand_entries: None
) -> None:
    name = f"Otto Spur {on_phone:d}"
    email = a_patient(app, name)
    person = visitor().enters_as(email)
    person.open("/patient")
    person.logs_out()
    admin = visitor(phone=on_phone).enters_as(demo.ADMIN)
    admin.open("/admin/audit")
    admin.sees(re.compile("of more than"))
    is_accessible_and_fits(admin)
    admin.field("What was done").select_option(label="Slots and working hours")
    admin.sees("published slots")
    admin.field("What was done").select_option(label="Signing in")
    admin.field("Name, e-mail, number or event").fill(email)
    admin.sees("logged out", re.compile("^2 in all"))
    admin.sees_no("published slots")
    admin.reload()
    admin.sees("logged out", re.compile("^2 in all"))
    with admin.page.expect_download() as download:
        admin.link("Export as CSV").click()
    table = list(csv.reader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert [line[4] for line in table[1:]] == ["session.open", "session.close"]
    admin.button("Verify now").click()
    admin.sees(re.compile(r"^The chain is whole up to position"))
    admin.field("Name, e-mail, number or event").fill("nobody is called this")
    admin.sees("No entries fit")
    is_accessible_and_fits(admin)


def test_f41_sessions_are_seen_and_ended_and_accounts_locked_and_unlocked(app: RunningApp, visitor: Arrive) -> None:
    email = a_patient(app, "Sina Sitzung")
    person = visitor().enters_as(email)
    person.open("/patient")
    admin = visitor().enters_as(demo.ADMIN)
    opens_person(admin, "Sina Sitzung", email)
    admin.sees(re.compile("^since today"))
    admin.page.get_by_text("Sign-ins", exact=True).click()
    is_accessible_and_fits(admin)
    admin.confirms_to("End all sessions")
    admin.sees("Sina Sitzung is logged out everywhere.", "Not logged in anywhere.")
    person.is_at("/login")
    admin.confirms_to("Lock account")
    admin.sees("Sina Sitzung can no longer log in.")
    admin.button("Unlock account").click()
    admin.sees("Sina Sitzung can log in again.")
    assert mail_to(app, email, about="locked")
    assert mail_to(app, email, about="open again")
