"""Who may open what: every page, opened by everybody whom it is not for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from mhms_app import demo, routes
from mhms_app.web.pages import PAGES
from tests.browser.conftest import Arrive

PUBLIC = {routes.HOME, routes.DOCTORS, routes.DOCTOR_PROFILE, routes.LOGIN, routes.SIGNUP, routes.NOT_FOUND}
TOLD = re.compile("This page is for|Your account cannot|could not find this appointment")


def pages_of(role: str) -> list[str]:
    """The addresses that belong to a role."""
    own = [page.route for page in PAGES if page.route not in PUBLIC and page.route.split("/")[1] == role]
    return [route.replace("[reference]", "MH-222222") for route in own]


@pytest.mark.parametrize("role", ["patient", "doctor", "admin"])
def test_f07_the_pages_of_a_role_are_closed_to_everybody_else(visitor: Arrive, role: str) -> None:
    assert pages_of(role)
    stranger = visitor()
    for path in pages_of(role):
        stranger.open(path)
        stranger.is_at("/login")
    for other, email in (("patient", demo.PATIENT), ("doctor", demo.DOCTOR), ("admin", demo.ADMIN)):
        if other == role:
            continue
        person = visitor().enters_as(email)
        for path in pages_of(role):
            person.open(path)
            person.sees(TOLD)
            expect(person.page.get_by_role("table")).to_have_count(0)
            expect(person.page.locator("main form")).to_have_count(0)
            others = re.compile("Amira Haddad|Jo Moreau|Ines Carvalho|@clinic.example")  # above stands one's own name
            expect(person.page.locator("main").get_by_text(others).filter(visible=True)).to_have_count(0)


def test_f07_staff_cannot_book(visitor: Arrive) -> None:
    for email in (demo.DOCTOR, demo.ADMIN):
        person = visitor().enters_as(email)
        person.open("/doctors")
        person.page.get_by_role("link", name=re.compile("book with")).first.click()
        person.sees("This is what patients see. To book for yourself, log in with a patient's account.")
        expect(person.button("Confirm booking")).to_have_count(0)
