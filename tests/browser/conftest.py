"""A running clinic with its demo people, a browser, and visitors.

One browser and one clinic serve the whole folder; each journey brings its own people. A visitor whose browser
complains (a script error, a breach of the content security policy) fails the journey. A journey that failed is made
once more in a clinic that has not seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.clinic import end_replaced, reported
from tests.browser.visitor import DESKTOP, PHONE, Visitor
from tests.calendars.google_stand_in import Google, credentials, running
from tests.running import RunningApp, running_app
from tests.setup import headless

expect.set_options(timeout=20_000)  # a busy machine is no failure

Arrive = Callable[..., Visitor]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A journey is made once more before it counts as failed, on a machine that stalls; the report names the first."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=1))


class Clinic:
    """A running clinic, and what stands in for Google beside it.

    Args:
        environment: further ``MHMS_*`` settings.
    """

    app: RunningApp
    google: Google

    def __init__(self, **environment: str) -> None:
        self._environment = environment
        self.open()

    def open(self) -> None:
        """Begin with the demo clinic and an empty Google."""
        with ExitStack() as opening:
            self.google = opening.enter_context(running())
            environment = {**credentials(self.google), **self._environment}
            self.app = opening.enter_context(running_app("sqlite", environment=environment))
            self._parts = opening.pop_all()

    def close(self) -> None:
        """End it; no browser may have reported a breach of the content policy."""
        with self._parts:
            end_replaced()
            assert reported(self.app) == {}


@pytest.fixture(scope="package")
def clinic() -> Iterator[Clinic]:
    with closing(Clinic()) as clinic:
        yield clinic


@pytest.fixture
def app(clinic: Clinic, request: pytest.FixtureRequest) -> RunningApp:
    if getattr(request.node, "execution_count", 1) > 1:
        clinic.close()
        clinic.open()
    return clinic.app


@pytest.fixture
def google(app: RunningApp, clinic: Clinic) -> Google:
    """What stands in for Google; the clinic has credentials for it."""
    return clinic.google


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=headless(), args=arguments)
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
