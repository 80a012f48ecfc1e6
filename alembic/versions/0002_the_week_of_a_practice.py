"""The week of a practice: what calendars outside and the waiting list need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "day_summary",
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("done_until", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_day_summary_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("doctor_id", name=op.f("pk_day_summary")),
    )
    op.create_index("ix_day_summary_done", "day_summary", ["done_until"])
    _waiting_list()


def downgrade() -> None:
    _drop_waiting_list()


def _waiting_list() -> None:
    """How long an offer stands, and which slots the waiting list has not looked at yet."""
    for name, minutes in (("offer_longest_minutes", "120"), ("offer_shortest_minutes", "10")):
        op.add_column("department", sa.Column(name, sa.Integer(), server_default=minutes, nullable=False))
    op.create_table(
        "fresh_slots",
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("first_id", sa.Integer(), nullable=False),
        sa.Column("last_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_fresh_slots_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("doctor_id", name=op.f("pk_fresh_slots")),
    )


def _drop_waiting_list() -> None:
    op.drop_table("fresh_slots")
    for name in ("offer_shortest_minutes", "offer_longest_minutes"):
        op.drop_column("department", name)
    op.drop_index("ix_day_summary_done", table_name="day_summary")
    op.drop_table("day_summary")
