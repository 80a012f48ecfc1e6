"""The README's pictures, made of the running demo clinic: ``make pictures``.

The clinic is served in a time zone where it is the middle of the morning now, so that a doctor's day looks
the same whenever the pictures are made: some visits over, one next, the rest to come.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Page, expect, sync_playwright

from mhms_app import demo
from mhms_app.web import words
from tests.running import RunningApp, running_app
from tests.setup import chromium

FOLDER = Path(__file__).parent / "pictures"
DESK, PHONE = (1440, 900), (390, 844)
ZONES = (
    "Pacific/Auckland", "Australia/Brisbane", "Asia/Tokyo", "Asia/Shanghai", "Asia/Bangkok", "Asia/Dhaka",
    "Asia/Karachi", "Asia/Dubai", "Africa/Nairobi", "Europe/Athens", "Europe/Berlin", "Europe/London",
    "Atlantic/Azores", "America/Noronha", "America/Sao_Paulo", "America/Halifax", "America/New_York",
    "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu",
    "Pacific/Pago_Pago",
)  # fmt: skip


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(exist_ok=True)
    zone = ZoneInfo(min(ZONES, key=_minutes_from_morning))
    with running_app("sqlite", environment={"MHMS_TIME_ZONE": zone.key}) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        monday = words.monday_of(datetime.now(zone).date()) + timedelta(weeks=1)
        _public(app, browser)
        _week(app, browser, f"week={monday}")
        _doctor(app, browser, f"week={monday}")
        _admin(app, browser)
        _phones(app, browser, f"week={monday}")
        browser.close()


def _minutes_from_morning(zone: str) -> int:
    """How far the clocks of a zone are from twenty to ten."""
    now = datetime.now(UTC).astimezone(ZoneInfo(zone))
    return abs(now.hour * 60 + now.minute - 580)


@contextmanager
def _tab(
    app: RunningApp, browser: Browser, path: str, *, as_: str = "", size: tuple[int, int] = DESK, dark: bool = False
) -> Iterator[Page]:
    """A page, ready to be photographed, by somebody who is logged in or a stranger."""
    context = browser.new_context(
        base_url=app.base_url,
        viewport={"width": size[0], "height": size[1]},
        locale="en-GB",
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    if as_:
        page.goto("/login")
        page.get_by_label("Email").fill(as_)
        page.get_by_label("Password", exact=True).fill(demo.PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
        page.get_by_role("button", name="Account of").wait_for()
    page.goto(path)
    _settle(page)
    yield page
    context.close()


def _settle(page: Page) -> None:
    expect(page.locator("main#content")).to_be_visible()
    expect(page.locator(".bone")).to_have_count(0)


def _take(page: Page, name: str) -> bytes:
    """Photograph what is in sight."""
    return page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", caret="hide")


def _public(app: RunningApp, browser: Browser) -> None:
    with _tab(app, browser, "/") as page:
        _take(page, "landing")


def _week(app: RunningApp, browser: Browser, week: str) -> None:
    for name, dark in (("booking", False), ("booking_dark", True)):
        with _tab(app, browser, f"/doctors/1?{week}", as_=demo.PATIENT, dark=dark) as page:
            _choose(page)
            _take(page, name)


def _choose(page: Page) -> None:
    """Choose a slot and say why one comes."""
    slots = page.get_by_role("button", name=re.compile(r"^\d\d:\d\d, ")).filter(visible=True)
    slots.nth(min(9, slots.count() - 1)).click()
    page.get_by_label("Reason").fill("Palpitations since last week, mostly in the evening.")
    page.evaluate("document.activeElement.blur()")


def _doctor(app: RunningApp, browser: Browser, week: str) -> None:
    with _tab(app, browser, "/doctor", as_=demo.DOCTOR) as page:
        _take(page, "doctor_day")
        page.goto(f"/doctor/availability?{week}")
        _settle(page)
        for weekday in ("Monday", "Wednesday"):
            page.get_by_role("checkbox", name=weekday).check(force=True)
        page.get_by_label("From", exact=True).fill("12:20")
        page.get_by_label("Until", exact=True).fill("13:20")
        page.get_by_role("button", name=re.compile(r"^Publish \d+ slots$")).wait_for()
        page.evaluate("document.activeElement.blur()")
        _take(page, "availability")


def _admin(app: RunningApp, browser: Browser) -> None:
    with _tab(app, browser, "/admin", as_=demo.ADMIN) as page:
        _take(page, "admin")


def _phones(app: RunningApp, browser: Browser, week: str) -> None:
    """Three phones side by side, on one picture."""
    shots = []
    with _tab(app, browser, "/doctors?q=haddad", size=PHONE) as page:
        page.goto(f"/doctors/1?{week}")
        _settle(page)
        page.get_by_role("button", name=re.compile(r"^\d\d:\d\d, ")).filter(visible=True).nth(3).click()
        page.get_by_role("button", name="Continue").wait_for()
        shots.append(page.screenshot(animations="disabled"))
    for dark in (False, True):
        with _tab(app, browser, "/patient", as_=demo.PATIENT, size=PHONE, dark=dark) as page:
            shots.append(page.screenshot(animations="disabled"))
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(shot).decode()}">' for shot in shots)
    page = browser.new_page(viewport={"width": 1330, "height": 924})
    page.set_content(
        "<style>body{margin:0;display:flex;gap:40px;padding:40px;background:#e9ebe6}"
        f"img{{border-radius:28px;box-shadow:0 0 0 1px #cfd4ce}}</style>{images}"
    )
    _take(page, "phones")


if __name__ == "__main__":
    main()
