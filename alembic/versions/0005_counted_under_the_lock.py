"""Counted under the lock: what is limited is counted when nobody else can add to it any more. And traces go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# A statement reads what was committed when it began; a volatile function reads what is committed when it is called.
_UPCOMING = """CREATE FUNCTION upcoming_appointments(patient integer, at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT count(*) FROM appointment a
            WHERE a.patient_id = patient AND a.status IN ('booked', 'checked_in') AND a.ends_at > at);
END $$"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_UPCOMING)
    # The trace in which a message was promised; the version before knows nothing of it and writes none.
    op.add_column("outbox_message", sa.Column("traceparent", sa.String(length=55), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox_message", "traceparent")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION upcoming_appointments(integer, timestamptz)")
