"""Which workers serve the clinic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from mhms_app.db import UTCDateTime


class Worker(SQLModel, table=True):
    """One process that serves the clinic, as it said last. Its row outlives it by a day."""

    __tablename__ = "worker"

    id: str = Field(primary_key=True, max_length=32, description="chosen by chance at its start")
    machine: str = Field(max_length=80)
    pid: int
    started_at: datetime = Field(sa_type=UTCDateTime)
    seen_at: datetime = Field(sa_type=UTCDateTime)
    tasks: dict[str, str] = Field(sa_type=JSON, description="when each task has last done its work, as ISO 8601")
    numbers: dict[str, Any] = Field(sa_type=JSON, description="how it stands, as ``workers.Numbers``")
