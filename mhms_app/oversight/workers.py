"""The workers that serve the clinic: each says every few seconds that it is there, and how it stands."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from mhms_app import db
from mhms_app.oversight.models import Worker

EVERY = 15.0  # seconds between two signs of life
SILENT = timedelta(seconds=60)
"""Whoever has said nothing for so long has ended, or cannot reach the database."""

_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a worker stands.

    Attributes:
        sockets: open tabs.
        waiting: events and services whose turn has not come.
        lag: how late its event loop is, in seconds.
        memory: resident, in bytes.
        connections: that it uses of the database.
        hears: whether changes of other workers reach it; None where there is no channel.
        waited: the longest, in seconds, that an event of the last moments has waited for its turn.
    """

    sockets: int = 0
    waiting: int = 0
    lag: float = 0.0
    memory: int = 0
    connections: int = 0
    hears: bool | None = None
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker as it said last."""

    machine: str
    pid: int
    started_at: datetime
    seen_at: datetime
    tasks: dict[str, datetime]
    numbers: Numbers


class Life:
    """This process as one of the workers."""

    def __init__(self) -> None:
        self._id = secrets.token_hex(16)
        self._machine = socket.gethostname()[:80]
        self._started_at = db.clock.now()

    def sign(self, session: Session, *, tasks: Mapping[str, datetime], numbers: Numbers) -> None:
        """Say that this worker is there; forget those that have been silent for a day."""
        now = db.clock.now()
        row = session.get(Worker, self._id)
        if row is None:
            row = Worker(
                id=self._id,
                machine=self._machine,
                pid=os.getpid(),
                started_at=self._started_at,
                seen_at=now,
                tasks={},
                numbers={},
            )
            session.execute(delete(Worker).where(col(Worker.seen_at) < now - _KEPT))
        row.seen_at, row.numbers = now, asdict(numbers)
        row.tasks = {task: at.isoformat() for task, at in tasks.items()}
        session.add(row)


def list_workers(session: Session) -> tuple[WorkerRow, ...]:
    """Every worker of the last day, the one that spoke last first."""
    rows = session.exec(select(Worker).order_by(col(Worker.seen_at).desc()))
    return tuple(
        WorkerRow(
            machine=row.machine,
            pid=row.pid,
            started_at=row.started_at,
            seen_at=row.seen_at,
            tasks={task: datetime.fromisoformat(at) for task, at in row.tasks.items()},
            numbers=_numbers(row.numbers),
        )
        for row in rows
    )


def _numbers(said: Mapping[str, Any]) -> Numbers:
    """What a worker said of itself, as far as this version knows of it: while another is rolled out, both speak."""
    return Numbers(**{each.name: said[each.name] for each in fields(Numbers) if each.name in said})
