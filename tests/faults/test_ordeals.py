"""One fault after the other on two machines of two workers, behind nginx, on Redis and PgBouncer, under a crowd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.ordeals import FAULTS, Clinic, Fault, endure, running_clinic


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    with running_clinic() as clinic:
        yield clinic


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_acknowledged_is_lost_and_open_pages_recover_by_themselves(clinic: Clinic, fault: Fault) -> None:
    outcome = endure(clinic, fault)
    assert outcome.verdict.is_good, outcome.verdict
    assert not fault.says or any(sentence in outcome.said for sentence in fault.says), outcome.said
