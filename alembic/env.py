"""Migrations of MHMS: ``alembic upgrade head`` on the database that the settings name."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

import mhms_app.accounts.models
import mhms_app.audit.models
import mhms_app.availability.models
import mhms_app.booking.models
import mhms_app.calendars.models
import mhms_app.directory.models
import mhms_app.notifications.models
import mhms_app.oversight.models  # noqa: F401 - each import adds its tables to the metadata
from mhms_app.db import direct_connection


def run() -> None:
    """Run the migrations; a caller may hand in a connection as ``config.attributes["connection"]``."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _run_on(given)
        return
    with direct_connection() as connection:
        _run_on(connection)
        connection.commit()


def _run_on(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('migrations', 0))")  # one at a time
        # A change to a table waits for whoever uses it, and everybody else waits behind that: rather try again later.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=False,
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
