"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

os.environ.setdefault("MHMS_BCRYPT_COST", "4")  # the cost is the setting's business, not each test's

import hypothesis
import pytest
from sqlmodel import Session

from mhms_app import db
from mhms_app.settings import settings
from tests.databases import ENGINES, fresh_database, keep_in_memory

keep_in_memory()
# The same examples in every run; MHMS_TEST_EXPLORE=1 looks at others each time.
hypothesis.settings.register_profile("repeatable", derandomize=True)
if not os.environ.get("MHMS_TEST_EXPLORE"):
    hypothesis.settings.load_profile("repeatable")

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # a Monday, 09:00 in Berlin


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated, empty database; a test that asks for it runs on both engines."""
    with fresh_database(request.param) as url:
        db.use_engine(db.make_engine(url))
        yield url
        db.use_engine(None)


@pytest.fixture
def session(database: str) -> Iterator[Session]:
    """A session in one transaction that the test may commit."""
    with Session(db.engine(), expire_on_commit=False) as session:
        yield session


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Set one variable for this test."""

    def configure(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield configure
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def now() -> Iterator[datetime]:
    """The clock, frozen on a Monday morning in the clinic."""
    db.clock.freeze(NOW)
    yield NOW
    db.clock.freeze(None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where several processes share the tests, a file's and those that share a running clinic."""
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        together = f"{item.path.parent.name}-{params['clinic']}" if "clinic" in params else item.path.stem
        item.add_marker(pytest.mark.xdist_group(together))
