"""A clinic whose line to its PostgreSQL can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.faults.postgres import proxied
from tests.faults.proxy import FaultProxy, Line
from tests.running import RunningApp, running_app
from tests.socket.cast import Cast


@dataclass(frozen=True, slots=True)
class Shaky:
    """The running clinic, who is in it, and the line to its database."""

    app: RunningApp
    cast: Cast
    line: FaultProxy


@pytest.fixture(scope="package")
def shaky_clinic() -> Iterator[Shaky]:
    cast = Cast()
    lines: list[FaultProxy] = []
    with ExitStack() as stack:

        def through_a_proxy(url: str) -> str:
            proxy, address = stack.enter_context(proxied(url))
            lines.append(proxy)
            return address

        app = stack.enter_context(running_app("postgresql", fill=cast.fill, reach=through_a_proxy))
        yield Shaky(app, cast, lines[0])


@pytest.fixture
def clinic(shaky_clinic: Shaky) -> Iterator[Shaky]:
    """The clinic, with its line whole before and after each test."""
    yield shaky_clinic
    shaky_clinic.line.set(Line.OPEN)
