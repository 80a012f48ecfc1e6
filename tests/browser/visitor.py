"""Somebody at a browser, and the few things that everybody does there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect
from sqlmodel import select

from mhms_app.accounts import sessions
from mhms_app.accounts.models import User
from tests.running import RunningApp

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@dataclass
class Visitor:
    """One person with a browser of their own.

    Attributes:
        page: the tab in front of them.
        complaints: what the browser wrote to its console: errors of scripts and of the security policy.
    """

    app: RunningApp
    context: BrowserContext
    on_phone: bool
    page: Page = field(init=False)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda problem: self.complaints.append(str(problem.error)))
        self.page = self.context.new_page()

    def _hear(self, message: ConsoleMessage) -> None:
        of_the_document = message.location.get("url", "") == message.page.url if message.page else False
        if (message.type == "error" and not of_the_document) or "Content Security Policy" in message.text:
            self.complaints.append(message.text)

    # Going places

    def open(self, path: str) -> None:
        """Type an address and wait until the page has what it came for."""
        self.page.goto(path)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing on the page is a placeholder any more."""
        expect(self.page.locator("main#content")).to_be_visible()
        expect(self.page.locator(".bone")).to_have_count(0)

    def reload(self) -> None:
        """Load the page that is shown anew."""
        self.page.reload()
        self.settle()

    def is_at(self, path: str) -> None:
        """The address is this one, whatever its query."""
        expect(self.page).to_have_url(re.compile(rf"^{re.escape(self.app.base_url + path)}/?(\?.*)?$"))
        self.settle()

    # Accounts

    def enters_as(self, email: str) -> Visitor:
        """Be logged in already: with a session from the database, so that no test waits for a login of another."""
        with self.app.database() as session:
            user = session.exec(select(User).where(User.email_key == email.casefold())).one()
            token = sessions.open_session(session, user_id=user.id or 0)
        self.context.add_cookies([{"name": "mhms", "value": token, "url": self.app.base_url}])
        return self

    def logs_in(self, email: str, password: str) -> None:
        """Fill in the login form that is shown, and send it."""
        self.field("Email").fill(email)
        self.field("Password").fill(password)
        self.button("Log in").click()

    def signs_up(self, *, name: str, email: str, password: str, department: str = "") -> None:
        """Fill in the sign-up form that is shown, and send it; a doctor has a department."""
        if department:
            self.page.get_by_role("radio", name="I am a doctor").check()
            self.field("Department").select_option(label=department)
        self.field("Full name").fill(name)
        self.field("Email").fill(email)
        self.field("Password").fill(password)
        self.button("Create account").click()

    def logs_out(self) -> None:
        """Log out through the account's menu."""
        self.page.get_by_role("button", name="Account of").click()
        self.button("Log out").click()
        self.is_at("/")

    # Seeing and doing

    def button(self, name: str) -> Locator:
        """The button of exactly this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def confirms_to(self, name: str) -> None:
        """Press a button that asks first, and the one of the same name in its question."""
        self.button(name).click()
        self.page.locator(".confirm").get_by_role("button", name=name, exact=True).click()

    def link(self, name: str) -> Locator:
        """The link of exactly this name."""
        return self.page.get_by_role("link", name=name, exact=True)

    def field(self, label: str) -> Locator:
        """The field with this label."""
        return self.page.get_by_label(label, exact=True)

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        """All of this is on the page."""
        for text in texts:
            expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible()

    def sees_no(self, *texts: str | re.Pattern[str]) -> None:
        """Nothing of this is on the page."""
        for text in texts:
            expect(self.page.get_by_text(text).filter(visible=True)).to_have_count(0)

    def slot(self, time: str, *, day: str = "") -> Locator:
        """A free slot: its name begins with its time."""
        rest = f", {re.escape(day)}" if day else ""
        return self.page.get_by_role("button", name=re.compile(rf"^{time}{rest}"))

    def chooses(self, time: str, *, day: str = "") -> None:
        """Choose a slot; on a phone the panel is opened then."""
        self.slot(time, day=day).click()
        if self.on_phone:
            self.button("Continue").click()

    def confirms(self, *, reason: str = "") -> None:
        """Confirm the booking in the panel, and arrive."""
        if reason:
            self.page.get_by_label("Reason").fill(reason)
        self.button("Confirm booking").click()
        expect(self.page.get_by_role("heading", name="You are booked")).to_be_visible()
