"""A running clinic with its demo people, a browser, and visitors.

One browser and one clinic serve the whole folder; each journey brings its own people. A visitor whose browser
complains (a script error, a breach of the content security policy) fails the journey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.clinic import end_replaced, reported
from tests.browser.visitor import DESKTOP, PHONE, Visitor
from tests.calendars.google_stand_in import Google, credentials, running
from tests.running import RunningApp, running_app
from tests.setup import chromium

expect.set_options(timeout=20_000)  # a busy machine is no failure

Arrive = Callable[..., Visitor]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A journey is made once more before it counts as failed, on a machine that stalls; the report names the first."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="package")
def google() -> Iterator[Google]:
    """What stands in for Google; the clinic has credentials for it."""
    with running() as google:
        yield google


@pytest.fixture(scope="package")
def app(google: Google) -> Iterator[RunningApp]:
    with running_app("sqlite", environment=credentials(google)) as app:
        yield app
        end_replaced()
        assert reported(app) == {}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visitor(app: RunningApp, browser: Browser) -> Iterator[Arrive]:
    """Let somebody arrive with a browser of their own: ``visitor()``, ``visitor(phone=True)``."""
    here: list[Visitor] = []

    def arrive(*, phone: bool = False) -> Visitor:
        context = browser.new_context(
            base_url=app.base_url,
            viewport=PHONE if phone else DESKTOP,
            has_touch=phone,
            is_mobile=phone,
            reduced_motion="reduce",
            accept_downloads=True,
        )
        here.append(Visitor(app, context, phone))
        return here[-1]

    yield arrive
    complaints = [complaint for visitor in here for complaint in visitor.complaints]
    for visitor in here:
        visitor.context.close()
    assert not complaints


@pytest.fixture(params=["phone", "desktop"])
def on_phone(request: pytest.FixtureRequest) -> bool:
    """A journey that is made on a phone and at a desk."""
    return request.param == "phone"
