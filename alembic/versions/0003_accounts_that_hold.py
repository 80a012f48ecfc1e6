"""Accounts that hold: confirmed addresses, second factors, known devices, a sealed audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _accounts()
    _origin()
    _links()
    _devices()
    _choices()
    _trail()
    _acting()
    _second_factors()
    _violations()


def downgrade() -> None:
    _drop_violations()
    _drop_second_factors()
    _drop_acting()
    _drop_trail()
    _drop_choices()
    _drop_devices()
    _drop_links()
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
    op.create_index("ix_login_session_user_address", "login_session", ["user_id", "address"], unique=False)


def _drop_accounts() -> None:
    op.drop_index("ix_login_session_user_address", table_name="login_session")
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


def _links() -> None:
    """What is mailed to people: links that are good once, and temporary passwords that end."""
    op.create_table(
        "account_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("sent_to", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('confirm_email', 'reset_password', 'change_email_old', 'change_email_new')",
            name=op.f("ck_account_link_purpose_known"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_account_link_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_link_token_hash")),
        sa.UniqueConstraint("user_id", "purpose", name=op.f("uq_account_link_user_id_purpose")),
    )
    op.add_column("user_account", sa.Column("password_ends_at", sa.DateTime(timezone=True), nullable=True))


def _drop_links() -> None:
    op.drop_column("user_account", "password_ends_at")
    op.drop_table("account_link")


def _devices() -> None:
    """The browsers with which an account was used, and which of them a session is on."""
    op.create_table(
        "known_device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_known_device_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_device")),
    )
    op.create_index("uq_known_device_user_token", "known_device", ["user_id", "token_hash"], unique=True)
    op.add_column("login_session", sa.Column("device_id", sa.Integer(), nullable=True))


def _drop_devices() -> None:
    op.drop_column("login_session", "device_id")
    op.drop_table("known_device")


def _choices() -> None:
    """What people decide for themselves: a time zone in which they also read times, reminders, and to leave."""
    op.add_column("user_account", sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False))
    op.add_column("patient", sa.Column("reminded", sa.Boolean(), server_default=sa.true(), nullable=False))
    left = sa.Column("recipient_left", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("outbox_message", left)


def _drop_choices() -> None:
    op.drop_column("outbox_message", "recipient_left")
    op.drop_column("patient", "reminded")
    op.drop_column("user_account", "time_zone")


_A_YEAR = 365  # days for which the database itself keeps every entry, whoever asks
_ADDED_ONLY = ("audit_entry", "audit_seal")


def _trail() -> None:
    """Each entry's place in a chain of hashes; what is older than a year may go, from the front of the chain."""
    op.create_table(
        "audit_seal",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_seal_entry_id")),
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["at", "id"])
    op.create_index("ix_audit_entry_action", "audit_entry", ["action", "at", "id"])
    op.create_index(
        "ix_audit_entry_acted_by",
        "audit_entry",
        ["acted_by", "id"],
        postgresql_where=sa.text("acted_by IS NOT NULL"),
        sqlite_where=sa.text("acted_by IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"""CREATE OR REPLACE FUNCTION audit_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'DELETE' AND OLD.at < now() - interval '{_A_YEAR} days' THEN
                    RETURN OLD;
                END IF;
                RAISE EXCEPTION 'the audit trail is append-only' USING
                    ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
            END $$"""
        )
        op.execute(
            """CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
            FOR EACH ROW EXECUTE FUNCTION audit_entry_append_only()"""
        )
        op.execute(
            """CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal
            FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_append_only()"""
        )
    else:
        op.execute("DROP TRIGGER audit_entry_no_delete")
        op.execute(
            """CREATE TRIGGER audit_seal_no_update BEFORE UPDATE ON audit_seal
            BEGIN SELECT RAISE(ABORT, 'audit_seal_append_only'); END"""
        )
        for table in _ADDED_ONLY:
            op.execute(
                f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
                WHEN OLD.at >= datetime('now', '-{_A_YEAR} days')
                BEGIN SELECT RAISE(ABORT, '{table}_append_only'); END"""
            )


def _drop_trail() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("audit_seal")
        op.execute(
            """CREATE OR REPLACE FUNCTION audit_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'the audit trail is append-only' USING
                    ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_entry_append_only';
            END $$"""
        )
    else:
        op.drop_table("audit_seal")
        op.execute("DROP TRIGGER audit_entry_no_delete")
        op.execute(
            """CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry
            BEGIN SELECT RAISE(ABORT, 'audit_entry_append_only'); END"""
        )
    for name in ("acted_by", "action", "at"):
        op.drop_index(f"ix_audit_entry_{name}", table_name="audit_entry")


def _acting() -> None:
    """An administrator who acts as somebody else, in a login session of its own."""
    op.create_table(
        "acting",
        sa.Column("session_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("admin_id", sa.Integer(), nullable=False),
        sa.Column("admin_session_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["login_session.id"], name=op.f("fk_acting_session_id_login_session")),
        sa.ForeignKeyConstraint(["admin_id"], ["user_account.id"], name=op.f("fk_acting_admin_id_user_account")),
        sa.ForeignKeyConstraint(
            ["admin_session_id"], ["login_session.id"], name=op.f("fk_acting_admin_session_id_login_session")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_acting")),
    )


def _drop_acting() -> None:
    op.drop_table("acting")


def _second_factors() -> None:
    """Authenticator apps, passkeys and recovery codes; what is being set up, and logins that are not over."""
    op.create_table(
        "totp",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_secret", sa.String(length=400), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_totp_user_id_user_account")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp")),
    )
    op.create_table(
        "passkey",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("user_handle", sa.String(length=86), nullable=False),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_passkey_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    op.create_index("ix_passkey_user", "passkey", ["user_id"])
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_recovery_code_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_code_code_hash")),
    )
    op.create_index("ix_recovery_code_user", "recovery_code", ["user_id"])
    op.create_table(
        "factor_setup",
        sa.Column("session_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_secret", sa.String(length=400), nullable=False),
        sa.Column("challenge", sa.String(length=86), nullable=False),
        sa.Column("user_handle", sa.String(length=86), nullable=False),
        sa.Column("passkey_name", sa.String(length=60), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["login_session.id"], name=op.f("fk_factor_setup_session_id_login_session")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_factor_setup")),
    )
    op.create_table(
        "login_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("password_mark", sa.String(length=64), nullable=False),
        sa.Column("challenge", sa.String(length=86), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_login_step_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_step")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_step_token_hash")),
    )
    op.create_index("ix_login_step_expires_at", "login_step", ["expires_at"])


def _drop_second_factors() -> None:
    for table in ("login_step", "factor_setup", "recovery_code", "passkey", "totp"):
        op.drop_table(table)


def _violations() -> None:
    """How often browsers reported a breach of the content policy."""
    op.create_table(
        "policy_violation",
        sa.Column("directive", sa.String(length=30), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("directive", name=op.f("pk_policy_violation")),
    )


def _drop_violations() -> None:
    op.drop_table("policy_violation")
