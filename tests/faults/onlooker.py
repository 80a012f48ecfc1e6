"""Somebody with two pages open in a real browser, who does next to nothing and expects the pages to be right."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time

from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect, sync_playwright

from bench.cluster import Cluster
from mhms_app import db, routes
from mhms_app.accounts import sessions
from mhms_app.web import words
from tests import builders
from tests.race.cast import attempt, book
from tests.setup import headless

PATIENCE = 90  # seconds; how long it takes is measured, and no test fails because of it
_A_WHILE = 10_000  # milliseconds
_MORNING = datetime.combine(datetime.now(UTC).date() + timedelta(days=3), clock_time(9), UTC)
_LENGTH = timedelta(minutes=20)
_NOTE_WHAT_IS_SAID = """
new MutationObserver(() => {
  const said = document.querySelector('.live')?.innerText.trim()
  const before = sessionStorage.getItem('said') ?? ''
  if (said && !before.endsWith(said)) sessionStorage.setItem('said', before + '\\n' + said)
}).observe(document, {subtree: true, childList: true, characterData: true})
"""


class Onlooker:
    """A patient who looks at a doctor's week, and in another tab at their own appointments.

    Three slots of the doctor are free: one that the patient asks for while something is wrong, one that is booked for
    them meanwhile by somebody whom the fault does not reach, and one more.
    """

    def __init__(self, browser: Browser, cluster: Cluster) -> None:
        self._cluster = cluster
        with cluster.database() as session:
            doctor = builders.doctor(session)
            slots = [builders.slot(session, doctor, _MORNING + n * _LENGTH) for n in range(3)]
            self._slots = [builders.key(slot) for slot in slots]
            self._token = sessions.open_session(session, user_id=builders.patient(session).user_id)
            address = routes.doctor_profile(builders.key(doctor), week=_MORNING.date())
        self.context = browser.new_context(base_url=cluster.base_url, reduced_motion="reduce")
        self.context.add_init_script(_NOTE_WHAT_IS_SAID)
        self.context.add_cookies([{"name": "mhms", "value": self._token, "url": cluster.base_url}])
        self._week, self._home = self.context.new_page(), self.context.new_page()
        self._home.goto(routes.PATIENT)
        expect(self._home.get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE * 1000)
        self._week.goto(address)
        expect(self._slot(0)).to_be_visible(timeout=PATIENCE * 1000)

    def ask(self) -> None:
        """Choose the first slot, and do not wait for what comes of it."""
        self._slot(0).click(timeout=PATIENCE * 1000)

    def be_booked(self) -> None:
        """The second slot is booked for this patient, straight in the database."""
        db.use_engine(db.make_engine(self._cluster.database_url))
        try:
            assert book(attempt(self._token, self._slots[1])).reference
        finally:
            db.use_engine(None)

    def wait_until_both_pages_show_it(self) -> float:
        """Wait until the slot is gone from the week and is among the appointments; when that was (monotonic)."""
        expect(self._slot(1)).to_have_count(0, timeout=PATIENCE * 1000)
        expect(self._home.get_by_text(self._clock(1)).first).to_be_visible(timeout=PATIENCE * 1000)
        return time.monotonic()

    def book(self) -> None:
        """Book the slot that was asked for, choosing it once more where the question got lost."""
        confirm = self._week.get_by_role("button", name="Confirm booking", exact=True)
        arrived, deadline = self._week.get_by_role("heading", name="You are booked"), time.monotonic() + PATIENCE
        while not arrived.is_visible():
            assert time.monotonic() < deadline, self._week.locator("main").inner_text()
            is_chosen = confirm.is_visible()
            with suppress(TimeoutError):
                (confirm if is_chosen else self._slot(0)).click(timeout=_A_WHILE)
                (arrived if is_chosen else confirm).wait_for(timeout=_A_WHILE)

    def said(self) -> str:
        """Everything that the messages of the two pages have said so far."""
        return "\n".join(_said(page) for page in (self._week, self._home))

    def _slot(self, number: int) -> Locator:
        return self._week.get_by_role("button", name=re.compile(f"^{self._clock(number)}"))

    def _clock(self, number: int) -> str:
        return words.clock(_MORNING + number * _LENGTH)


def _said(page: Page) -> str:
    return str(page.evaluate("sessionStorage.getItem('said') ?? ''"))


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A browser until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=headless(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def onlooker(browser: Browser, cluster: Cluster) -> Iterator[Onlooker]:
    """Somebody who has arrived, until the block ends."""
    found = Onlooker(browser, cluster)
    try:
        yield found
    finally:
        found.context.close()
