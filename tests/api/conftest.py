"""The clinic as a developer runs it, and as it runs behind a TLS proxy in production."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from mhms_app import sealed
from tests.running import RunningApp, running_app
from tests.socket.cast import Cast

ADDRESS = "https://clinic.example"
_SECRET = "a secret of this test only, long enough"
METRICS_TOKEN = "the token of this test only, long enough"
_number = count(2)


@pytest.fixture(scope="package")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="package")
def app(cast: Cast) -> Iterator[RunningApp]:
    with running_app("sqlite", fill=cast.fill) as app:
        yield app


@pytest.fixture(scope="package")
def production() -> Iterator[RunningApp]:
    settings = {
        "MHMS_ENV": "production",
        "MHMS_BASE_URL": ADDRESS,
        "MHMS_EMAIL_SECRET": _SECRET,
        "MHMS_METRICS_TOKEN": METRICS_TOKEN,
        "MHMS_ENCRYPTION_KEYS": sealed.new_key(),
    }
    with running_app("sqlite", fill=Cast().fill, environment=settings, build=False) as app:
        yield app


@pytest.fixture
def visitor(app: RunningApp) -> Iterator[httpx.Client]:
    """Something that posts as a page of ours does, from an address of its own: throttles count per address."""
    with client(app) as own:
        yield own


@pytest.fixture
def visitor_behind_tls(production: RunningApp) -> Iterator[httpx.Client]:
    """The same for the clinic in production."""
    with client(production, ADDRESS) as own:
        yield own


def client(app: RunningApp, origin: str = "") -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=f"127.0.1.{next(_number)}")
    address = f"http://127.0.0.1:{app.port}"
    return httpx.Client(base_url=address, headers={"Origin": origin or address}, transport=transport)
