"""One clinic on each engine serves the whole folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import ENGINES
from tests.running import RunningApp, running_app
from tests.socket.cast import Cast


@pytest.fixture(scope="package", params=ENGINES)
def clinic(request: pytest.FixtureRequest) -> Iterator[tuple[RunningApp, Cast]]:
    cast = Cast()
    with running_app(request.param, fill=cast.fill) as app:
        yield app, cast


@pytest.fixture(scope="package")
def app(clinic: tuple[RunningApp, Cast]) -> RunningApp:
    """The clinic as it runs."""
    return clinic[0]


@pytest.fixture(scope="package")
def cast(clinic: tuple[RunningApp, Cast]) -> Cast:
    """Who is in it."""
    return clinic[1]
