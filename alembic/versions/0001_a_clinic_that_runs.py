"""A clinic that runs: people, departments, slots, appointments, outbox and audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


# Two slots of one doctor, or two appointments of one patient, never overlap. On PostgreSQL exclusion
# constraints say so (both ranges have GiST support built in: no extension). On SQLite triggers do; as a
# slot lasts at most 12 hours, looking one day back is enough, and the index on the start stays usable.
_POSTGRESQL = (
    """ALTER TABLE slot ADD CONSTRAINT slot_no_overlap EXCLUDE USING gist (
        int8range(doctor_id, doctor_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&
    ) WHERE (state <> 'withdrawn')""",
    """ALTER TABLE slot ADD CONSTRAINT slot_too_long CHECK (ends_at <= starts_at + interval '12 hours')""",
    """ALTER TABLE appointment ADD CONSTRAINT appointment_patient_no_overlap EXCLUDE USING gist (
        int8range(patient_id, patient_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&
    ) WHERE (status IN ('booked', 'checked_in'))""",
    """CREATE FUNCTION audit_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit trail is append-only' USING
            ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_entry_append_only';
    END $$""",
    """CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_append_only()""",
    """CREATE TRIGGER audit_entry_no_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_append_only()""",
)


def _sqlite_no_overlap(name: str, table: str, owner: str, alive: str, event: str) -> str:
    return f"""CREATE TRIGGER {name}_{event.split(maxsplit=1)[0].lower()} BEFORE {event} ON {table}
    WHEN NEW.{alive}
    BEGIN
        SELECT RAISE(ABORT, '{name}') WHERE EXISTS (
            SELECT 1 FROM {table} WHERE {owner} = NEW.{owner} AND {alive} AND id IS NOT NEW.id
            AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at
            AND starts_at > datetime(NEW.starts_at, '-1 day'));
    END"""


def _sqlite() -> tuple[str, ...]:
    slot = ("slot_no_overlap", "slot", "doctor_id", "state <> 'withdrawn'")
    appointment = ("appointment_patient_no_overlap", "appointment", "patient_id", "status IN ('booked', 'checked_in')")
    return (
        _sqlite_no_overlap(*slot, "INSERT"),
        _sqlite_no_overlap(*slot, "UPDATE OF doctor_id, starts_at, ends_at, state"),
        _sqlite_no_overlap(*appointment, "INSERT"),
        _sqlite_no_overlap(*appointment, "UPDATE OF patient_id, starts_at, ends_at, status"),
        *(
            f"""CREATE TRIGGER slot_too_long_{event.split(maxsplit=1)[0].lower()} BEFORE {event} ON slot
            WHEN julianday(NEW.ends_at) - julianday(NEW.starts_at) > 0.50001
            BEGIN SELECT RAISE(ABORT, 'slot_too_long'); END"""
            for event in ("INSERT", "UPDATE OF starts_at, ends_at")
        ),
        *(
            f"""CREATE TRIGGER audit_entry_no_{event.lower()} BEFORE {event} ON audit_entry
            BEGIN SELECT RAISE(ABORT, 'audit_entry_append_only'); END"""
            for event in ("UPDATE", "DELETE")
        ),
    )


def _refuse_what_the_columns_cannot(dialect: str) -> None:
    for statement in _POSTGRESQL if dialect == "postgresql" else _sqlite():
        op.execute(statement)


def _create_waiting_list() -> None:
    op.create_table(
        "waiting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=True),
        sa.Column("weekdays", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=9), nullable=False),
        sa.Column("earliest", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.String(length=6), nullable=False),
        sa.CheckConstraint("weekdays BETWEEN 1 AND 127", name=op.f("ck_waiting_some_weekday")),
        sa.CheckConstraint("part IN ('any', 'morning', 'afternoon')", name=op.f("ck_waiting_part_known")),
        sa.CheckConstraint(
            "(ended_at IS NULL AND ended_why = '') OR (ended_at IS NOT NULL AND ended_why IN ('left', 'booked'))",
            name=op.f("ck_waiting_ended_why"),
        ),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_waiting_department_id_department")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_waiting_doctor_id_doctor")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_waiting_patient_id_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting")),
    )
    op.create_index(
        "ix_waiting_department_open",
        "waiting",
        ["department_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_waiting_patient_open",
        "waiting",
        ["patient_id", "id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "waiting_offer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("waiting_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('open', 'taken', 'expired', 'declined')", name=op.f("ck_waiting_offer_outcome_known")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_waiting_offer_patient_id_patient")),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_waiting_offer_slot_id_slot")),
        sa.ForeignKeyConstraint(["waiting_id"], ["waiting.id"], name=op.f("fk_waiting_offer_waiting_id_waiting")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_offer")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_waiting_offer_token_hash")),
    )
    op.create_index("ix_waiting_offer_slot", "waiting_offer", ["slot_id", "patient_id"], unique=False)
    op.create_index(
        "ix_waiting_offer_until",
        "waiting_offer",
        ["until"],
        unique=False,
        postgresql_where=sa.text("outcome = 'open'"),
        sqlite_where=sa.text("outcome = 'open'"),
    )
    op.create_index(
        "uq_waiting_offer_patient",
        "waiting_offer",
        ["patient_id"],
        unique=True,
        postgresql_where=sa.text("outcome = 'open'"),
        sqlite_where=sa.text("outcome = 'open'"),
    )
    op.create_index(
        "uq_waiting_offer_slot",
        "waiting_offer",
        ["slot_id"],
        unique=True,
        postgresql_where=sa.text("outcome = 'open'"),
        sqlite_where=sa.text("outcome = 'open'"),
    )


def _drop_waiting_list() -> None:
    for name in ("uq_waiting_offer_slot", "uq_waiting_offer_patient", "ix_waiting_offer_until"):
        op.drop_index(name, table_name="waiting_offer")
    op.drop_index("ix_waiting_offer_slot", table_name="waiting_offer")
    op.drop_table("waiting_offer")
    for name in ("ix_waiting_patient_open", "ix_waiting_department_open"):
        op.drop_index(name, table_name="waiting")
    op.drop_table("waiting")


def _leave() -> None:
    """The tables of leaves, and of what somebody at the desk has seen to."""
    op.create_table(
        "leave",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("message", sa.String(length=200), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_leave_last_after_first")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_leave_created_by_user_account")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_leave_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leave")),
    )
    op.create_index("ix_leave_doctor_days", "leave", ["doctor_id", "last_day"], unique=False)
    op.create_table(
        "leave_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("leave_id", sa.Integer(), nullable=False),
        sa.Column("appointment_id", sa.Integer(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("fate", sa.String(length=6), nullable=False),
        sa.Column("proposed_id", sa.Integer(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=9), nullable=True),
        sa.CheckConstraint("fate IN ('move', 'cancel', 'desk')", name=op.f("ck_leave_item_fate_known")),
        sa.CheckConstraint(
            "(outcome IS NULL) = (done_at IS NULL)"
            " AND (outcome IS NULL OR outcome IN ('moved', 'cancelled', 'desk', 'gone'))",
            name=op.f("ck_leave_item_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_leave_item_appointment_id_appointment")
        ),
        sa.ForeignKeyConstraint(["leave_id"], ["leave.id"], name=op.f("fk_leave_item_leave_id_leave")),
        sa.ForeignKeyConstraint(["proposed_id"], ["slot.id"], name=op.f("fk_leave_item_proposed_id_slot")),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_leave_item_slot_id_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leave_item")),
    )
    op.create_index(
        "ix_leave_item_desk",
        "leave_item",
        ["appointment_id"],
        unique=False,
        postgresql_where=sa.text("outcome = 'desk'"),
        sqlite_where=sa.text("outcome = 'desk'"),
    )
    op.create_index(
        "ix_leave_item_open",
        "leave_item",
        ["id"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.create_index("uq_leave_item_leave_appointment", "leave_item", ["leave_id", "appointment_id"], unique=True)
    op.create_table(
        "desk_note",
        sa.Column("appointment_id", sa.Integer(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("done_by", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_desk_note_appointment_id_appointment")
        ),
        sa.ForeignKeyConstraint(["done_by"], ["user_account.id"], name=op.f("fk_desk_note_done_by_user_account")),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_desk_note_slot_id_slot")),
        sa.PrimaryKeyConstraint("appointment_id", "slot_id", name=op.f("pk_desk_note")),
    )


def _drop_leave() -> None:
    op.drop_table("desk_note")
    op.drop_index("uq_leave_item_leave_appointment", table_name="leave_item")
    op.drop_index(
        "ix_leave_item_open",
        table_name="leave_item",
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.drop_index(
        "ix_leave_item_desk",
        table_name="leave_item",
        postgresql_where=sa.text("outcome = 'desk'"),
        sqlite_where=sa.text("outcome = 'desk'"),
    )
    op.drop_table("leave_item")
    op.drop_index("ix_leave_doctor_days", table_name="leave")
    op.drop_table("leave")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("object_type", sa.String(length=30), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_actor", "audit_entry", ["actor_id", "id"], unique=False)
    op.create_index("ix_audit_entry_object", "audit_entry", ["object_type", "object_id"], unique=False)
    op.create_table(
        "department",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_key", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("location", sa.String(length=120), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("horizon_weeks", sa.Integer(), nullable=False),
        sa.Column("notice_minutes", sa.Integer(), nullable=False),
        sa.Column("ahead_days", sa.Integer(), nullable=False),
        sa.Column("change_hours", sa.Integer(), nullable=False),
        sa.Column("most_active", sa.Integer(), nullable=False),
        sa.Column("most_missed", sa.Integer(), nullable=False),
        sa.Column("missed_days", sa.Integer(), nullable=False),
        sa.Column("hold_minutes", sa.Integer(), nullable=False),
        sa.Column("reminder_hours", sa.String(length=60), nullable=False),
        sa.Column("cancel_reasons", sa.String(length=500), nullable=False),
        sa.CheckConstraint("horizon_weeks BETWEEN 1 AND 52", name=op.f("ck_department_horizon_within_a_year")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("name_key", name=op.f("uq_department_name_key")),
    )
    op.create_table(
        "outbox_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("recipient_email", sa.String(length=254), nullable=False),
        sa.Column("recipient_name", sa.String(length=120), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'dead')", name=op.f("ck_outbox_message_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_message")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_outbox_message_idempotency_key")),
    )
    op.create_index(
        "ix_outbox_message_due",
        "outbox_message",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
        sqlite_where=sa.text("state IN ('waiting', 'sending')"),
    )
    op.create_index("ix_outbox_message_sent_at", "outbox_message", ["sent_at"], unique=False)
    op.create_index("ix_outbox_message_state", "outbox_message", ["state", "id"], unique=False)
    op.create_table(
        "user_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("full_name", sa.String(length=120), nullable=False),
        sa.Column("name_key", sa.String(length=120), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.String(length=80), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('patient', 'doctor', 'admin')", name=op.f("ck_user_account_role_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email_key", name=op.f("uq_user_account_email_key")),
    )
    op.create_index(
        "ix_user_account_closed",
        "user_account",
        ["name_key", "id"],
        unique=False,
        postgresql_where=sa.text("NOT active"),
        sqlite_where=sa.text("NOT active"),
    )
    op.create_index("ix_user_account_name", "user_account", ["name_key", "id"], unique=False)
    op.create_index("ix_user_account_role_name", "user_account", ["role", "name_key", "id"], unique=False)
    op.create_table(
        "doctor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("title_key", sa.String(length=80), nullable=False),
        sa.Column("bio", sa.String(length=600), nullable=False),
        sa.Column("languages", sa.String(length=120), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_doctor_department_id_department")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_doctor_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doctor")),
        sa.UniqueConstraint("user_id", name=op.f("uq_doctor_user_id")),
    )
    op.create_index("ix_doctor_department", "doctor", ["department_id", "id"], unique=False)
    op.create_table(
        "login_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_login_session_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_session_token_hash")),
    )
    op.create_index(
        "ix_login_session_user_open",
        "login_session",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("shows", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("shows IN ('own', 'busy', 'initials')", name=op.f("ck_calendar_feed_shows_known")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_calendar_feed_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feed_token_hash")),
    )
    op.create_index(
        "ix_calendar_feed_user",
        "calendar_feed",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
        sqlite_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_patient_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.UniqueConstraint("user_id", name=op.f("uq_patient_user_id")),
    )
    op.create_table(
        "slot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("held_by", sa.Integer(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("from_hours", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'held', 'booked', 'withdrawn')", name=op.f("ck_slot_state_known")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_slot_ends_after_start")),
        sa.CheckConstraint(
            "(state = 'held') = (held_by IS NOT NULL) AND (state = 'held') = (held_until IS NOT NULL)",
            name=op.f("ck_slot_held_for_somebody"),
        ),
        sa.CheckConstraint("state = 'held' OR NOT offered", name=op.f("ck_slot_offered_is_held")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_slot_doctor_id_doctor")),
        sa.ForeignKeyConstraint(["held_by"], ["patient.id"], name=op.f("fk_slot_held_by_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot")),
    )
    op.create_index("ix_slot_doctor_time", "slot", ["doctor_id", "starts_at"], unique=False)
    op.create_index(
        "ix_slot_open",
        "slot",
        ["doctor_id", "starts_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_slot_time", "slot", ["starts_at", "id", "state"], unique=False)
    op.create_index(
        "uq_slot_held_by",
        "slot",
        ["held_by"],
        unique=True,
        postgresql_where=sa.text("state = 'held' AND NOT offered"),
        sqlite_where=sa.text("state = 'held' AND NOT offered"),
    )
    op.create_index(
        "ix_slot_held",
        "slot",
        ["starts_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'held'"),
        sqlite_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "ix_slot_withdrawn",
        "slot",
        ["starts_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'withdrawn'"),
        sqlite_where=sa.text("state = 'withdrawn'"),
    )
    op.create_table(
        "working_hours",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("weekdays", sa.Integer(), nullable=False),
        sa.Column("start", sa.Time(), nullable=False),
        sa.Column("end", sa.Time(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("pause_minutes", sa.Integer(), nullable=False),
        sa.Column("break_start", sa.Time(), nullable=True),
        sa.Column("break_end", sa.Time(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.CheckConstraint("weekdays BETWEEN 1 AND 127", name=op.f("ck_working_hours_some_weekday")),
        sa.CheckConstraint('"end" > start', name=op.f("ck_working_hours_end_after_start")),
        sa.CheckConstraint("slot_minutes BETWEEN 5 AND 480", name=op.f("ck_working_hours_slot_length")),
        sa.CheckConstraint("pause_minutes BETWEEN 0 AND 240", name=op.f("ck_working_hours_pause_length")),
        sa.CheckConstraint(
            "(break_start IS NULL AND break_end IS NULL) OR (break_start IS NOT NULL AND break_end > break_start)",
            name=op.f("ck_working_hours_break_whole"),
        ),
        sa.CheckConstraint("valid_until >= valid_from", name=op.f("ck_working_hours_valid_until_after_from")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_working_hours_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_hours")),
    )
    op.create_index("ix_working_hours_doctor", "working_hours", ["doctor_id"], unique=False)
    op.create_table(
        "hours_exception",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("start", sa.Time(), nullable=True),
        sa.Column("end", sa.Time(), nullable=True),
        sa.Column("slot_minutes", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('off', 'extra')", name=op.f("ck_hours_exception_kind_known")),
        sa.CheckConstraint(
            """(start IS NULL AND "end" IS NULL) OR (start IS NOT NULL AND "end" > start)""",
            name=op.f("ck_hours_exception_hours_whole"),
        ),
        sa.CheckConstraint(
            "(kind = 'off' AND slot_minutes IS NULL)"
            " OR (kind = 'extra' AND start IS NOT NULL AND slot_minutes BETWEEN 5 AND 480)",
            name=op.f("ck_hours_exception_kind_complete"),
        ),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_hours_exception_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hours_exception")),
    )
    op.create_index("ix_hours_exception_doctor_day", "hours_exception", ["doctor_id", "day"], unique=False)
    op.create_table(
        "appointment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=12), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("idempotency_key", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.Integer(), nullable=True),
        sa.Column("cancel_reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "status IN ('booked', 'checked_in', 'completed', 'no_show', 'cancelled')",
            name=op.f("ck_appointment_status_known"),
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_appointment_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["cancelled_by"], ["user_account.id"], name=op.f("fk_appointment_cancelled_by_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_appointment_department_id_department")
        ),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_appointment_doctor_id_doctor")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_appointment_patient_id_patient")),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_appointment_slot_id_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
        sa.UniqueConstraint("reference", name=op.f("uq_appointment_reference")),
    )
    op.create_index("ix_appointment_created", "appointment", ["created_at"], unique=False)
    op.create_index("ix_appointment_department_time", "appointment", ["department_id", "starts_at"], unique=False)
    op.create_index("ix_appointment_doctor_time", "appointment", ["doctor_id", "starts_at"], unique=False)
    op.create_index("ix_appointment_patient_time", "appointment", ["patient_id", "starts_at"], unique=False)
    op.create_index("ix_appointment_time", "appointment", ["starts_at", "id", "status"], unique=False)
    op.create_index("uq_appointment_patient_key", "appointment", ["patient_id", "idempotency_key"], unique=True)
    op.create_index(
        "uq_appointment_slot_active",
        "appointment",
        ["slot_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'cancelled'"),
        sqlite_where=sa.text("status <> 'cancelled'"),
    )
    op.create_table(
        "appointment_move",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("appointment_id", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_by", sa.Integer(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_appointment_move_appointment_id_appointment")
        ),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_appointment_move_doctor_id_doctor")),
        sa.ForeignKeyConstraint(
            ["moved_by"], ["user_account.id"], name=op.f("fk_appointment_move_moved_by_user_account")
        ),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_appointment_move_slot_id_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_move")),
    )
    op.create_index("ix_appointment_move_appointment", "appointment_move", ["appointment_id", "id"], unique=False)
    _leave()
    op.create_table(
        "reminder_mark",
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("done_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_reminder_mark_department_id_department")
        ),
        sa.PrimaryKeyConstraint("department_id", "hours", name=op.f("pk_reminder_mark")),
    )
    _create_waiting_list()

    _refuse_what_the_columns_cannot(op.get_bind().dialect.name)


def downgrade() -> None:
    """Undo; dropping a table drops its triggers and constraints."""
    _drop_waiting_list()
    op.drop_table("reminder_mark")
    _drop_leave()
    op.drop_table("appointment_move")
    op.drop_index(
        "uq_appointment_slot_active",
        table_name="appointment",
        postgresql_where=sa.text("status <> 'cancelled'"),
        sqlite_where=sa.text("status <> 'cancelled'"),
    )
    op.drop_index("uq_appointment_patient_key", table_name="appointment")
    op.drop_index("ix_appointment_time", table_name="appointment")
    op.drop_index("ix_appointment_patient_time", table_name="appointment")
    op.drop_index("ix_appointment_doctor_time", table_name="appointment")
    op.drop_index("ix_appointment_department_time", table_name="appointment")
    op.drop_index("ix_appointment_created", table_name="appointment")
    op.drop_table("appointment")
    op.drop_index("ix_hours_exception_doctor_day", table_name="hours_exception")
    op.drop_table("hours_exception")
    op.drop_index("ix_working_hours_doctor", table_name="working_hours")
    op.drop_table("working_hours")
    op.drop_index(
        "ix_slot_held",
        table_name="slot",
        postgresql_where=sa.text("state = 'held'"),
        sqlite_where=sa.text("state = 'held'"),
    )
    op.drop_index(
        "ix_slot_withdrawn",
        table_name="slot",
        postgresql_where=sa.text("state = 'withdrawn'"),
        sqlite_where=sa.text("state = 'withdrawn'"),
    )
    op.drop_index(
        "uq_slot_held_by",
        table_name="slot",
        postgresql_where=sa.text("state = 'held' AND NOT offered"),
        sqlite_where=sa.text("state = 'held' AND NOT offered"),
    )
    op.drop_index("ix_slot_time", table_name="slot")
    op.drop_index(
        "ix_slot_open",
        table_name="slot",
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.drop_index("ix_slot_doctor_time", table_name="slot")
    op.drop_table("slot")
    op.drop_table("patient")
    op.drop_index(
        "ix_calendar_feed_user",
        table_name="calendar_feed",
        postgresql_where=sa.text("revoked_at IS NULL"),
        sqlite_where=sa.text("revoked_at IS NULL"),
    )
    op.drop_table("calendar_feed")
    op.drop_index(
        "ix_login_session_user_open", table_name="login_session", postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.drop_table("login_session")
    op.drop_index("ix_doctor_department", table_name="doctor")
    op.drop_table("doctor")
    op.drop_index("ix_user_account_role_name", table_name="user_account")
    op.drop_index("ix_user_account_name", table_name="user_account")
    op.drop_index(
        "ix_user_account_closed",
        table_name="user_account",
        postgresql_where=sa.text("NOT active"),
        sqlite_where=sa.text("NOT active"),
    )
    op.drop_table("user_account")
    op.drop_index("ix_outbox_message_state", table_name="outbox_message")
    op.drop_index("ix_outbox_message_sent_at", table_name="outbox_message")
    op.drop_index(
        "ix_outbox_message_due",
        table_name="outbox_message",
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
        sqlite_where=sa.text("state IN ('waiting', 'sending')"),
    )
    op.drop_table("outbox_message")
    op.drop_table("department")
    op.drop_index("ix_audit_entry_object", table_name="audit_entry")
    op.drop_index("ix_audit_entry_actor", table_name="audit_entry")
    op.drop_table("audit_entry")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entry_append_only()")
