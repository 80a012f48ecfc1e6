"""Faults on the running cluster while people book, move and cancel, and two pages are open in a browser."""

from __future__ import annotations

from collections.abc import Iterator

from bench.table import Row
from tests.faults.ordeals import FAULTS, endure, running_clinic


def measure() -> Iterator[Row]:
    """One fault after the other; every figure counts from the end of the fault."""
    with running_clinic() as clinic:
        for fault in FAULTS:
            outcome = endure(clinic, fault)
            verdict = outcome.verdict
            kept = f"{verdict.acknowledged} acts, {len(verdict.lost)} lost, {len(verdict.impossible)} twice"
            back = f"booking {outcome.booking:.1f} s, screen {outcome.screen:.1f} s"
            mail = f"{verdict.sent} of {verdict.owed} e-mails, {verdict.repeated} twice"
            yield Row(fault.name, kept, back, aim=mail)
