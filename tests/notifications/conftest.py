"""A recording receiver, and the outbox as the tests look at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from mhms_app.settings import settings
from tests.notifications.receiver import SECRET, Receiver


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Set one ``MHMS_*`` variable for this test."""

    def configure(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield configure
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def receiver(configure: Callable[[str, str], None]) -> Iterator[Receiver]:
    """A receiver that the settings point to."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        configure("MHMS_EMAIL_URL", receiver.url)
        configure("MHMS_EMAIL_SECRET", SECRET)
        yield receiver
        receiver.shutdown()
        thread.join()
