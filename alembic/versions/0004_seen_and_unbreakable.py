"""Seen and unbreakable: what belongs to one request or event has an id, in the audit trail as in the logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _event_ids()
    _workers()


def downgrade() -> None:
    _drop_workers()
    _drop_event_ids()


def _event_ids() -> None:
    """Which event an entry belongs to, and what a seal covers.

    Seals that are there, and those of a worker of the version before that still runs, cover no event.
    """
    op.add_column("audit_entry", sa.Column("event_id", sa.String(length=32), server_default="", nullable=False))
    op.add_column("audit_seal", sa.Column("covers", sa.SmallInteger(), server_default="1", nullable=False))
    op.create_index(
        "ix_audit_entry_event",
        "audit_entry",
        ["event_id"],
        postgresql_where=sa.text("event_id <> ''"),
        sqlite_where=sa.text("event_id <> ''"),
    )


def _drop_event_ids() -> None:
    op.drop_index("ix_audit_entry_event", table_name="audit_entry")
    op.drop_column("audit_seal", "covers")
    op.drop_column("audit_entry", "event_id")


def _workers() -> None:
    """The processes that serve the clinic."""
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("machine", sa.String(length=80), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tasks", sa.JSON(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )


def _drop_workers() -> None:
    op.drop_table("worker")
