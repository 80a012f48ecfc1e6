"""The crowd is started once for all races."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.race.crowd import Crowd


@pytest.fixture(scope="package")
def crowd() -> Iterator[Crowd]:
    """Eight processes that are ready to start at the same moment."""
    crowd = Crowd()
    yield crowd
    crowd.go_home()
