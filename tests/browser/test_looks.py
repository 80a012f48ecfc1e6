"""Every page in every role: accessible in light and dark, nothing wider than a phone, true after a reload."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from mhms_app import demo
from mhms_app.web import words
from tests.browser.clinic import a_doctor, a_patient, a_tuesday, free
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor
from tests.running import RunningApp

axe = Axe()
SKIP_LINK = "Skip to content"


def is_accessible_and_fits(visitor: Visitor) -> None:
    """Nothing to complain about in what is shown now, light and dark."""
    page = visitor.page
    where = f"{page.url} ({'phone' if visitor.on_phone else 'desktop'})"
    width, room = page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]")
    assert width <= room, f"{where} scrolls sideways: {width} of {room}"
    _has_no_violations(visitor, where, {"resultTypes": ["violations"]})
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    _has_no_violations(visitor, f"{where}, dark", {"runOnly": ["color-contrast"]})
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_class(re.compile("light"))


def _has_no_violations(visitor: Visitor, where: str, options: dict[str, object]) -> None:
    found = axe.run(visitor.page, options=options).response["violations"]
    told = [(v["id"], v["help"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found]
    assert not told, f"{where}: {json.dumps(told, indent=1)}"


def test_pages_for_everybody_are_accessible_and_fit(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    person, doctor = visitor(phone=on_phone), a_doctor(app, f"Dr. Thea Leer {on_phone:d}")
    for path in (
        "/",
        "/doctors",
        "/doctors?q=nobody+is+called+this",
        "/doctors?part=morning&weekdays=67&day=2199-01-01",
        "/login",
        "/signup",
        "/doctors/999999",
        doctor.path,
    ):
        person.open(path)
        is_accessible_and_fits(person)
    person.open("/doctors?q=haddad")
    person.page.get_by_role("link", name=re.compile("book with")).click()
    expect(person.page.locator(".panel, .card.raised").get_by_role("link", name="Log in")).to_be_visible()
    is_accessible_and_fits(person)
    if on_phone:
        person.button("Choose another time").click()
        person.slot(r"\d\d:\d\d").first.click()
        is_accessible_and_fits(person)
    person.open("/signup")
    person.signs_up(name="X", email="x@x", password="short")
    person.is_at("/signup")
    expect(person.field("Full name")).to_have_attribute("aria-invalid", "true")
    is_accessible_and_fits(person)


def test_a_patients_pages_are_accessible_and_fit(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    nobody = visitor(phone=on_phone).enters_as(a_patient(app, f"Nils Leer {on_phone:d}"))
    for path in ("/patient", "/patient/booked/MH-222222", "/doctor", "/admin"):
        nobody.open(path)
        is_accessible_and_fits(nobody)
    patient = visitor(phone=on_phone).enters_as(demo.PATIENT)
    patient.open("/patient")
    is_accessible_and_fits(patient)
    patient.link("Details or cancel").click()
    expect(patient.page.get_by_role("heading", name="You are booked")).to_be_visible()
    is_accessible_and_fits(patient)
    patient.page.get_by_role("button", name="Account of").click()
    is_accessible_and_fits(patient)
    patient.open("/doctors?q=haddad")
    patient.page.get_by_role("link", name=re.compile("book with")).click()
    expect(patient.button("Confirm booking")).to_be_visible()
    is_accessible_and_fits(patient)


def test_a_doctors_pages_are_accessible_and_fit(app: RunningApp, visitor: Arrive, on_phone: bool) -> None:
    paths = ("/doctor", "/doctor/availability", "/doctor/hours", "/doctor/leave", "/doctor/unused", "/doctor/profile")
    newcomer = visitor(phone=on_phone).enters_as(a_doctor(app, f"Dr. Udo Leer {on_phone:d}", approved=False).email)
    doctor = visitor(phone=on_phone).enters_as(demo.DOCTOR)
    for person in (newcomer, doctor):
        for path in paths:
            person.open(path)
            is_accessible_and_fits(person)
    tuesday = a_tuesday(weeks=1)
    doctor.open(f"/doctor?day={tuesday}")
    doctor.page.get_by_role("button", name=re.compile(r"^Withdraw \d")).first.click()
    is_accessible_and_fits(doctor)
    doctor.open(f"/doctor/availability?week={words.monday_of(tuesday)}")
    if on_phone:
        doctor.button("Publish slots").click()
    doctor.page.get_by_role("checkbox", name="Monday").check(force=True)
    doctor.sees(re.compile("new slot|Nothing new"))
    is_accessible_and_fits(doctor)
    if on_phone:
        doctor.button("Close").filter(visible=True).click()
    doctor.page.get_by_role("button", name=re.compile(", free, ")).filter(visible=True).first.click()
    if on_phone:
        doctor.button("Continue").click()
    doctor.button("Withdraw 1 slot").click()
    doctor.sees("Withdraw 1 slot?")
    is_accessible_and_fits(doctor)


def test_an_administrators_pages_are_accessible_and_fit(visitor: Arrive, on_phone: bool) -> None:
    admin = visitor(phone=on_phone).enters_as(demo.ADMIN)
    for page in ("", "/worklist", "/leave", "/users", "/departments", "/slots", "/bookings", "/emails", "/audit"):
        admin.open(f"/admin{page}")
        is_accessible_and_fits(admin)
    empty = ("/users?q=nobody", "/bookings?q=nobody", "/emails?q=nobody", "/audit?q=nobody")
    for page in ("/slots?from=2001-01-01&to=2001-01-02", *empty):
        admin.open(f"/admin{page}")
        is_accessible_and_fits(admin)
    admin.open("/admin/users?q=haddad&role=doctor")
    admin.page.get_by_role("button", name=re.compile("^Edit ")).first.click()
    admin.button("Lock account").click()
    admin.sees(re.compile(r"^Lock .*\?"))
    is_accessible_and_fits(admin)
    admin.button("Act as this person").click()
    admin.sees(re.compile("^For at most 30 minutes"))
    admin.button("Act as this person").click()
    admin.sees("Please say why, in 10 to 300 characters.")
    is_accessible_and_fits(admin)
    admin.open("/admin/users")
    admin.button("Add a user").click()
    admin.button("Create user").click()
    expect(admin.field("Email")).to_have_attribute("aria-invalid", "true")
    is_accessible_and_fits(admin)
    admin.open("/admin/departments")
    admin.page.get_by_role("button", name=re.compile("^Edit ")).first.click()
    admin.button("Close this department").click()
    is_accessible_and_fits(admin)
    admin.open("/admin/slots")
    admin.field("Doctor").fill("Amira Haddad")
    admin.sees(re.compile("^For "))
    is_accessible_and_fits(admin)
    if on_phone:
        admin.button("More").click()
        is_accessible_and_fits(admin)


def test_an_address_without_a_page_says_so_and_leads_on(visitor: Arrive, on_phone: bool) -> None:
    person = visitor(phone=on_phone)
    answer = person.page.goto("/no/such/page")
    person.settle()
    assert answer is not None and answer.status == 404
    expect(person.page.get_by_role("heading", name="This page is not here")).to_be_visible()
    is_accessible_and_fits(person)
    person.field("Find a doctor").fill("haddad")
    person.button("Search").click()
    person.is_at("/doctors")
    person.sees("Dr. Amira Haddad")


def test_only_who_waits_for_the_server_reads_that_it_is_late(visitor: Arrive) -> None:
    person = visitor()
    late = person.page.get_by_text("The clinic takes longer to answer than usual.")
    person.page.route_web_socket("**/_event/**", lambda _: None)  # connects, and answers nothing
    person.page.goto("/")
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    shown_at_once = late.is_visible()
    expect(late).to_be_visible()
    assert not shown_at_once


def test_a_reload_shows_what_the_address_says(app: RunningApp, visitor: Arrive) -> None:
    """Each page is read, loaded anew, and read again: heading and list are the same."""
    doctor, tuesday = a_doctor(app, "Dr. Rita Fest"), a_tuesday()
    slots = free(app, doctor, tuesday, "09:00", "09:20")
    for email, paths in {
        "": (
            "/",
            "/doctors?department=2&q=dr&page=1",
            f"{doctor.week_of(tuesday)}&slot={slots['09:20']}",
            "/signup?next=/doctors",
        ),
        demo.PATIENT: ("/patient",),
        demo.DOCTOR: (
            f"/doctor?day={tuesday}",
            f"/doctor/availability?week={words.monday_of(tuesday)}",
            "/doctor/unused?page=2",
        ),
        demo.ADMIN: (
            "/admin",
            "/admin/users?role=doctor&page=2",
            f"/admin/slots?from={tuesday}&to={tuesday}&page=2",
            "/admin/bookings?q=haddad&page=2",
            "/admin/emails?state=dead",
            "/admin/leave?doctor=1",
            "/admin/departments",
        ),
    }.items():
        person = visitor().enters_as(email) if email else visitor()
        for path in paths:
            person.open(path)
            first = person.page.locator("main").inner_text()
            assert person.page.evaluate("location.pathname.replace(/(.)\\/$/, '$1')") == path.partition("?")[0]
            person.reload()
            expect(person.page.locator("main")).to_have_text(re.compile(re.escape(first[:40].splitlines()[0])))
            for sought in path.partition("?")[2].split("&"):
                if sought and not sought.endswith("page=1"):
                    assert sought in person.page.url.replace("%2F", "/")


@pytest.fixture
def keyboard(visitor: Arrive) -> Iterator[Visitor]:
    """Somebody without a mouse."""
    yield visitor()


def focus_is_visible(person: Visitor) -> str:
    """The name of what has the focus, which can be seen."""
    name, markup, is_visible = person.page.evaluate(
        """() => {
        const one = document.activeElement;
        const label = one.labels?.[0];
        const shown = [one, label, one.closest('label'), one.nextElementSibling].filter(Boolean).some(part => {
            const style = getComputedStyle(part);
            return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
        });
        const words = one.getAttribute('aria-label') || label?.textContent || one.textContent || '';
        const isPage = one === document.body || one.id === 'content';  // has the focus after a change of page
        return [words.trim(), one.outerHTML.slice(0, 200), isPage || shown];
    }"""
    )
    assert is_visible, f"the focus on “{name}” cannot be seen: {markup}"
    return str(name)


def tabs_to(person: Visitor, wanted: str | re.Pattern[str]) -> None:
    """Press Tab until something of this name has the focus; at every step it is seen where the focus is."""
    seen = []
    for _ in range(150):
        person.page.keyboard.press("Tab")
        seen.append(focus_is_visible(person))
        if re.search(wanted, seen[-1]):
            return
    raise AssertionError(f"Tab does not lead to {wanted!r}, only to {seen}")


def test_f10_from_the_first_page_to_an_appointment_with_the_keyboard_alone(app: RunningApp, keyboard: Visitor) -> None:
    doctor, email, tuesday = a_doctor(app, "Dr. Kai Tasten"), a_patient(app, "Tessa Taste"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    press, write = keyboard.page.keyboard.press, keyboard.page.keyboard.type
    keyboard.open("/")
    tabs_to(keyboard, SKIP_LINK)
    expect(keyboard.link(SKIP_LINK)).to_be_in_viewport()
    press("Enter")
    expect(keyboard.page.locator("main")).to_be_focused()
    tabs_to(keyboard, "^Department$")
    press("c")  # the first that begins with it: Cardiology
    expect(keyboard.field("Department").locator("option:checked")).to_have_text("Cardiology")
    tabs_to(keyboard, "^Doctor or specialty$")
    write("tasten")
    press("Enter")
    keyboard.is_at("/doctors")
    tabs_to(keyboard, "See times of Dr. Kai Tasten")
    press("Enter")
    keyboard.is_at(doctor.path)
    expect(keyboard.page.locator("main")).to_be_focused()  # a page that is turned to is read from its top
    tabs_to(keyboard, "^(Next: |Next available)")
    press("Space")
    expect(keyboard.slot("09:20")).to_be_visible()
    tabs_to(keyboard, "^09:20")
    press("Enter")
    expect(keyboard.page.get_by_role("heading", name="Your appointment")).to_be_visible()
    tabs_to(keyboard, "^Log in$")
    press("Enter")
    keyboard.is_at("/login")
    tabs_to(keyboard, "^Email$")
    write(email)
    tabs_to(keyboard, "^Password$")
    write("violet harbour lantern 9")
    press("Enter")
    keyboard.is_at(doctor.path)
    tabs_to(keyboard, "^Reason")
    write("By keyboard")
    tabs_to(keyboard, "^Confirm booking$")
    press("Space")
    expect(keyboard.page.get_by_role("heading", name="You are booked")).to_be_visible()
    keyboard.sees("By keyboard")


def test_f06_a_doctor_publishes_with_the_keyboard_alone(app: RunningApp, visitor: Arrive) -> None:
    doctor = a_doctor(app, "Dr. Tina Taste")
    keyboard = visitor().enters_as(doctor.email)
    press = keyboard.page.keyboard.press
    keyboard.open(f"/doctor/availability?week={words.monday_of(a_tuesday())}")
    tabs_to(keyboard, "^Wednesday$")
    press("Space")
    keyboard.sees(re.compile("^9 new slots"))
    tabs_to(keyboard, "^Publish 9 slots$")
    press("Enter")
    keyboard.sees("9 slots published. Patients can book them now.")
    press("Home")
    keyboard.page.evaluate("document.activeElement.blur()")
    tabs_to(keyboard, "^09:40 . 10:00, free")
    press("Space")
    tabs_to(keyboard, "^Withdraw 1 slot$")
    press("Enter")
    expect(keyboard.button("Keep")).to_be_focused()  # nothing is lost by pressing twice


def test_markup_in_names_and_reasons_is_text_everywhere(app: RunningApp, visitor: Arrive) -> None:
    markup = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    doctor, email, tuesday = a_doctor(app, f"Dr. {markup}"), a_patient(app, f"Pat {markup}"), a_tuesday()
    free(app, doctor, tuesday, "09:00", "09:20")
    patient = visitor().enters_as(email)
    patient.open("/doctors?q=<script>")
    patient.sees(doctor.name)
    patient.open(doctor.week_of(tuesday))
    patient.chooses("09:00")
    patient.confirms(reason=markup)
    patient.sees(markup, doctor.name)
    patient.open("/patient")
    patient.sees(markup, doctor.name, re.compile("Pat <script>"))
    at_work, admin = visitor().enters_as(doctor.email), visitor().enters_as(demo.ADMIN)
    for person, path in (
        (at_work, f"/doctor?day={tuesday}"),
        (at_work, f"/doctor/availability?week={words.monday_of(tuesday)}"),
        (admin, "/admin"),
        (admin, "/admin/bookings?q=<script>"),
        (admin, "/admin/users?q=<script>"),
        (admin, "/admin/emails?q=<script>"),
        (admin, '/doctors?q="><script>alert(1)</script>'),
    ):
        person.open(path)
        expect(person.page.locator("main img, main script")).to_have_count(0)
        expect(person.page).not_to_have_title(re.compile("owned"))
    at_work.sees(re.compile("Pat? ?<script>|P. <script>"))
    for person in (patient, at_work, admin):
        assert "owned" not in person.page.title()
