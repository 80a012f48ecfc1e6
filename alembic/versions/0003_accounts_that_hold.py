"""Accounts that hold: confirmed addresses, second factors, known devices, a sealed audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _accounts()
    _origin()


def downgrade() -> None:
    _drop_origin()
    _drop_accounts()


def _accounts() -> None:
    """What an account and a session know of themselves. Whoever is there already has confirmed their address."""
    op.add_column("user_account", sa.Column("email_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE user_account SET email_confirmed_at = created_at")
    op.add_column(
        "user_account",
        sa.Column("password_is_temporary", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("user_account", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    for name, length in (("device", 80), ("address", 45), ("must_do", 20)):
        column = sa.Column(name, sa.String(length=length), server_default="", nullable=False)
        op.add_column("login_session", column)


def _drop_accounts() -> None:
    for name in ("must_do", "address", "device"):
        op.drop_column("login_session", name)
    for name in ("closed_at", "password_is_temporary", "email_confirmed_at"):
        op.drop_column("user_account", name)


def _origin() -> None:
    """From where, in which session and by whom something was done."""
    op.add_column("audit_entry", sa.Column("address", sa.String(length=45), server_default="", nullable=False))
    op.add_column("audit_entry", sa.Column("session_id", sa.Integer(), nullable=True))
    op.add_column("audit_entry", sa.Column("acted_by", sa.Integer(), nullable=True))


def _drop_origin() -> None:
    for name in ("acted_by", "session_id", "address"):
        op.drop_column("audit_entry", name)
