"""Looking for a time in a hospital that has had ten million slots: whole visits, through the socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from sqlalchemy import text

from bench import servers
from bench.growth import allow_overlaps, gather_statistics
from bench.people import MONDAY, MORNING
from bench.table import Row
from bench.visitors import Tab, open_tab
from mhms_app import db, routes
from tests import builders
from tests.databases import fresh_database

SIZES = (1_000, 100_000, 10_000_000)
DEPARTMENTS, DOCTORS, A_DAY = 5, 500, 20
WARM, VISITS = 5, 60
BATCH = 500_000
# One day in four lies ahead; what has been was booked, what is to come is to a third.
ADD = text("""
    INSERT INTO slot (doctor_id, starts_at, ends_at, state)
    SELECT 1 + number % :doctors, starts_at, starts_at + interval '20 minutes',
           CASE WHEN starts_at < now() OR number / :doctors % 3 = 0 THEN 'booked' ELSE 'open' END
    FROM (
        SELECT number, CAST(:morning AS timestamptz)
            + (CASE WHEN day % 4 = 0 THEN day / 4 ELSE -day END) * interval '1 day'
            + number / :doctors % :a_day * interval '20 minutes' AS starts_at
        FROM (SELECT number, number / (:doctors * :a_day) AS day
              FROM generate_series(CAST(:first AS int), :last) AS number) AS days
    ) AS timed""")

PAGES: dict[str, Callable[[int], str]] = {
    "a week of one doctor": lambda n: routes.doctor_profile(1 + n * 7 % DOCTORS, week=MONDAY),
    "the directory": lambda _: routes.DOCTORS,
    "next available in a department of 100": lambda n: (
        f"{routes.DOCTORS}?department={1 + n % DEPARTMENTS}&part=morning"
    ),
    "next available in the house of 500": lambda n: f"{routes.DOCTORS}?part={('morning', 'afternoon')[n % 2]}",
}


def measure() -> Iterator[Row]:
    """Each page with a thousand, a hundred thousand and ten million slots in the same database."""
    seen: dict[str, list[list[float]]] = {name: [] for name in PAGES}
    with fresh_database("postgresql") as url:
        db.use_engine(db.make_engine(url))
        allow_overlaps("postgresql")
        _hire()
        for before, size in zip((0, *SIZES), SIZES, strict=False):
            _add(before, size)
            gather_statistics("postgresql")
            with servers.clinic(url) as address:
                for name, path in PAGES.items():
                    seen[name].append(asyncio.run(_visits(address, path)))
        db.use_engine(None)
    for name, times in seen.items():
        p50, p95 = ([one[int(share * VISITS)] * 1000 for one in times] for share in (0.5, 0.95))
        steps = [" / ".join(f"{milliseconds:.0f}" for milliseconds in found) for found in (p50, p95)]
        aim = "less than 1.5, and p95 under 50 ms"
        yield Row(name, f"p50 {steps[0]} ms", f"p95 {steps[1]} ms", p50[-1] / p50[0], aim)


async def _visits(address: str, path: Callable[[int], str]) -> list[float]:
    """How many seconds it takes from opening the socket until the page has its contents, sorted."""
    times = []
    for number in range(WARM + VISITS):
        begin = time.perf_counter()
        socket = await open_tab(Tab(address, path(number)))
        times.append(time.perf_counter() - begin)
        await socket.close()
    return sorted(times[WARM:])


def _hire() -> None:
    """Five departments of a hundred doctors; their keys count from one."""
    with db.transaction() as session:
        for _ in range(DEPARTMENTS):
            department = builders.department(session)
            for _ in range(DOCTORS // DEPARTMENTS):
                builders.doctor(session, within=department)


def _add(before: int, size: int) -> None:
    for first in range(before, size, BATCH):
        values = {"first": first, "last": min(first + BATCH, size) - 1, "morning": MORNING}
        with db.transaction() as session:
            session.execute(ADD, {**values, "doctors": DOCTORS, "a_day": A_DAY})
