"""A recording receiver, and the outbox as the tests look at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.notifications.receiver import SECRET, Receiver


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
