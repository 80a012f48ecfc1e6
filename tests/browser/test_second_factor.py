"""Second factors in a real browser, with Chromium's own virtual authenticator.

The clinic of these journeys asks its staff for a second factor, as one in production does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing

import pyotp
import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.clinic import PASSWORD, a_doctor, a_patient, eventually, mails_to
from tests.browser.conftest import Arrive, Clinic
from tests.browser.test_looks import is_accessible_and_fits
from tests.browser.visitor import Visitor
from tests.running import RunningApp

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    with closing(Clinic(MHMS_REQUIRE_TWO_FACTOR="1")) as clinic:
        yield clinic


def has_an_authenticator(visitor: Visitor) -> None:
    """This browser can make passkeys."""
    chromium = visitor.context.new_cdp_session(visitor.page)
    chromium.send("WebAuthn.enable")
    chromium.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def enters_with_password(visitor: Visitor, email: str) -> None:
    visitor.open("/login")
    visitor.logs_in(email, PASSWORD)


def sets_up_an_app(visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    """Scan the code, so to speak; returns the app and the recovery codes."""
    visitor.button("Set up").click()
    app = pyotp.TOTP(visitor.page.locator(".scan code").inner_text().replace(" ", ""))
    visitor.field("Code of the app").fill(app.now())
    visitor.field("Your password").fill(PASSWORD)
    visitor.button("Use this app").click()
    expect(visitor.page.locator(".codes li")).to_have_count(10)
    return app, visitor.page.locator(".codes li").all_inner_texts()


def makes_a_passkey(visitor: Visitor, name: str) -> None:
    visitor.button("Add a passkey").click()
    visitor.field("Name").fill(name)
    visitor.field("Your password").fill(PASSWORD)
    visitor.button("Continue").click()
    visitor.button("Make the passkey").click()
    visitor.sees("Your passkey is set up.")


def next_code(app: pyotp.TOTP) -> str:
    """A code that was not used yet: the next one is accepted already."""
    return app.at(int(time.time()) + app.interval)


def test_a_doctor_has_to_set_up_a_second_factor_and_uses_it_from_then_on(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    doctor, email = visitor(phone=on_phone), a_doctor(app, f"Dr. Zora Zwei {on_phone:d}").email
    enters_with_password(doctor, email)
    doctor.is_at("/account/security")
    doctor.sees("Your role needs a second factor.")
    is_accessible_and_fits(doctor)
    doctor.open("/doctor/hours")
    doctor.is_at("/account/security")

    doctor.button("Set up").click()
    expect(doctor.page.get_by_role("img", name="QR code")).to_be_visible()
    is_accessible_and_fits(doctor)
    doctor.field("Code of the app").fill("123 456")
    doctor.field("Your password").fill("not the right one")
    doctor.button("Use this app").click()
    expect(doctor.field("Your password")).to_have_accessible_description("This is not your password.")
    doctor.button("Never mind").click()
    phone, codes = sets_up_an_app(doctor)
    is_accessible_and_fits(doctor)
    doctor.button("I have kept them").click()
    doctor.is_at("/doctor")
    doctor.sees_no(codes[0])
    assert eventually(lambda: mails_to(app, email, about="An authenticator app was added"))

    doctor.logs_out()
    doctor.open("/doctor/hours")
    doctor.logs_in(email, PASSWORD)
    doctor.is_at("/login/code")
    is_accessible_and_fits(doctor)
    doctor.field("Code").fill("000000")
    doctor.button("Log in").click()
    expect(doctor.field("Code")).to_have_accessible_description(re.compile("not right"))
    is_accessible_and_fits(doctor)
    doctor.field("Code").fill(next_code(phone))
    doctor.button("Log in").click()
    doctor.is_at("/doctor/hours")

    doctor.logs_out()
    enters_with_password(doctor, email)
    doctor.field("Code").fill(codes[0])
    doctor.button("Log in").click()
    doctor.is_at("/account/security")
    doctor.sees("9 codes are left.")
    is_accessible_and_fits(doctor)
    doctor.link("Go on to where you were going").click()
    doctor.is_at("/doctor")


def test_a_passkey_is_made_used_alone_and_after_the_password_and_removed(
    app: RunningApp, visitor: Arrive, on_phone: bool
) -> None:
    patient, email = visitor(phone=on_phone), a_patient(app, f"Pina Key {on_phone:d}")
    has_an_authenticator(patient)
    enters_with_password(patient, email)
    patient.is_at("/patient")
    patient.open("/account/security")
    makes_a_passkey(patient, "My own phone")
    expect(patient.page.locator(".codes li")).to_have_count(10)
    patient.button("I have kept them").click()
    patient.is_at("/account/security")
    patient.sees("My own phone", "10 left")
    is_accessible_and_fits(patient)

    patient.logs_out()
    patient.open("/account/sessions")
    patient.is_at("/login")
    patient.button("Log in with a passkey").click()
    patient.is_at("/account/sessions")

    patient.logs_out()
    enters_with_password(patient, email)
    patient.is_at("/login/code")
    is_accessible_and_fits(patient)
    patient.button("Use a passkey").click()
    patient.is_at("/patient")

    patient.open("/account/security")
    patient.button("Remove").click()
    is_accessible_and_fits(patient)
    patient.field("Your password").fill(PASSWORD)
    patient.button("Remove passkey").click()
    patient.sees("The passkey is removed.")
    patient.logs_out()
    enters_with_password(patient, email)
    patient.is_at("/patient")


def test_all_of_it_works_by_keyboard(app: RunningApp, visitor: Arrive) -> None:
    patient, email = visitor(), a_patient(app, "Kay Board")
    enters_with_password(patient, email)
    patient.is_at("/patient")
    patient.open("/account/security")
    keys = patient.page.keyboard
    patient.button("Set up").focus()
    keys.press("Enter")
    expect(patient.field("Code of the app")).to_be_focused()
    phone = pyotp.TOTP(patient.page.locator(".scan code").inner_text().replace(" ", ""))
    keys.type(phone.now())
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    patient.sees("Your authenticator app is set up.")
    patient.button("I have kept them").focus()
    keys.press("Enter")
    patient.sees_no("They are shown only now.")
    patient.logs_out()
    enters_with_password(patient, email)
    expect(patient.field("Code")).to_be_focused()
    keys.type(next_code(phone))
    keys.press("Enter")
    patient.is_at("/patient")


def test_recovery_codes_are_downloaded_and_gone_after_a_reload(app: RunningApp, visitor: Arrive) -> None:
    patient = visitor().enters_as(a_patient(app, "Dora Load"))
    patient.open("/account/security")
    _, codes = sets_up_an_app(patient)
    with patient.page.expect_download() as download:
        patient.button("Download").click()
    assert download.value.path().read_text(encoding="utf-8").split() == codes
    patient.reload()
    patient.sees("10 left")
    assert not [code for code in codes if code in patient.page.content()]


def test_what_is_shown_once_outlives_a_lost_connection(app: RunningApp, visitor: Arrive) -> None:
    """On a phone, whoever turns to the app that makes codes leaves a socket behind that the system closes."""
    patient = visitor(phone=True).enters_as(a_patient(app, "Lotte Leitung"))
    lines: list[WebSocketRoute] = []

    def connects(line: WebSocketRoute) -> None:
        line.connect_to_server()
        lines.append(line)

    def loses_the_connection() -> None:
        known = len(lines)
        lines[-1].close()
        assert eventually(lambda: patient.page.wait_for_timeout(50) or len(lines) > known)
        patient.settle()

    patient.page.route_web_socket("**/_event/**", connects)
    patient.open("/account/security")
    patient.button("Set up").click()
    secret = patient.page.locator(".scan code")
    to_be_typed = secret.inner_text()
    loses_the_connection()
    expect(secret).to_have_text(to_be_typed)
    patient.field("Code of the app").fill(pyotp.TOTP(to_be_typed.replace(" ", "")).now())
    patient.field("Your password").fill(PASSWORD)
    patient.button("Use this app").click()
    codes = patient.page.locator(".codes li")
    expect(codes).to_have_count(10)
    shown = codes.all_inner_texts()
    loses_the_connection()
    expect(codes).to_have_text(shown)
    patient.reload()
    expect(codes).to_have_count(0)


def test_a_browser_without_passkeys_shows_none_of_it(visitor: Arrive) -> None:
    stranger = visitor()
    stranger.context.add_init_script("delete window.PublicKeyCredential")
    stranger.open("/login")
    expect(stranger.button("Log in")).to_be_visible()
    expect(stranger.button("Log in with a passkey")).to_have_count(0)


def test_a_passkey_that_is_not_used_says_so_calmly(app: RunningApp, visitor: Arrive) -> None:
    stranger = visitor()
    chromium = stranger.context.new_cdp_session(stranger.page)
    chromium.send("WebAuthn.enable")
    chromium.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, "isUserVerified": False}})
    stranger.open("/login")
    stranger.button("Log in with a passkey").click()
    stranger.sees(re.compile("^Nothing was done"))
    stranger.page.goto(f"http://127.0.0.1:{app.port}/login")
    stranger.button("Log in with a passkey").click()
    stranger.sees("Passkeys work only under the clinic's own address. Open this page there.")
