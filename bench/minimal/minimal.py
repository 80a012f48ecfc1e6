"""The least that a Reflex application can do: nothing, and one statement that books, without asking who or whether.

What the clinic's own handlers reach is compared with this: the difference is the price of everything that it checks.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import reflex as rx

BOOK = """
    WITH taken AS (UPDATE slot SET state = 'booked' WHERE id = %(slot)s AND state = 'open' RETURNING *)
    INSERT INTO appointment (reference, slot_id, patient_id, doctor_id, department_id, starts_at, ends_at, status,
        reason, idempotency_key, sequence, created_at, cancel_reason)
    SELECT %(key)s, id, %(patient)s, doctor_id, 1, starts_at, ends_at, 'booked', '', %(key)s, 0, %(now)s, ''
    FROM taken"""

_threads = ThreadPoolExecutor(16)
_own = threading.local()


def _book(slot: int, patient: int) -> None:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["MINIMAL_DATABASE_URL"], autocommit=True)
    values = {"slot": slot, "patient": patient, "key": f"m{slot}", "now": datetime.now(UTC)}
    _own.connection.execute(BOOK, values)


class Minimal(rx.State):
    """Counts, so that there is something to answer."""

    done: int = 0

    @rx.event
    async def nothing(self) -> None:
        """Do nothing."""
        self.done += 1

    @rx.event
    async def book(self, slot: int, patient: int) -> None:
        """Book in one statement."""
        await asyncio.get_running_loop().run_in_executor(_threads, _book, slot, patient)
        self.done += 1


app = rx.App()
app.add_page(rx.el.p(Minimal.done), route="/")
