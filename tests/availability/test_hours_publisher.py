"""The task that keeps slots published."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mhms_app.availability import hours
from mhms_app.availability.publisher import HoursPublisher

ENOUGH = 4


class Runs:
    """Stands where ``publish_due`` is: counts its calls, of which the first meet an outage."""

    def __init__(self, *, outages: int = 0) -> None:
        self.count, self.outages, self.enough = 0, outages, threading.Event()

    def __call__(self, stop: threading.Event) -> int:
        self.count += 1
        if self.count == ENOUGH:
            self.enough.set()
        if self.count <= self.outages:
            raise OSError("the database is down")
        return 0


async def run_until_enough(runs: Runs) -> None:
    task = asyncio.create_task(HoursPublisher(every=0.001, after_outage=0.001).run())
    await asyncio.to_thread(runs.enough.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("outages", [0, 2])
def test_it_publishes_again_and_again_and_survives_an_outage(monkeypatch: pytest.MonkeyPatch, outages: int) -> None:
    runs = Runs(outages=outages)
    monkeypatch.setattr(hours, "publish_due", runs)
    asyncio.run(run_until_enough(runs))
    assert runs.count >= ENOUGH


def test_closing_the_clinic_tells_a_run_under_way_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, told = threading.Event(), threading.Event()

    def long_run(stop: threading.Event) -> int:
        begun.set()
        if stop.wait(30):
            told.set()
        return 0

    async def main() -> None:
        task = asyncio.create_task(HoursPublisher().run())
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    monkeypatch.setattr(hours, "publish_due", long_run)
    asyncio.run(main())
    assert told.is_set()
