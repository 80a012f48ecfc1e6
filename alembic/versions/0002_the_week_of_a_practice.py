"""The week of a practice: what calendars outside and the waiting list need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _day_summary()
    _waiting_list()
    _google_calendar()


def downgrade() -> None:
    _drop_google_calendar()
    _drop_waiting_list()
    _drop_day_summary()


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


def _day_summary() -> None:
    """Which doctors are told each morning who comes, and until when that is done."""
    op.create_table(
        "day_summary",
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("done_until", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_day_summary_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("doctor_id", name=op.f("pk_day_summary")),
    )
    op.create_index("ix_day_summary_done", "day_summary", ["done_until"])


def _drop_day_summary() -> None:
    op.drop_index("ix_day_summary_done", table_name="day_summary")
    op.drop_table("day_summary")


def _google_calendar() -> None:
    """Doctors' own calendars: when they are busy elsewhere, and what is written to them."""
    op.add_column("slot", sa.Column("busy", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "busy_time",
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(length=1024), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_busy_time_ends_after_start")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_busy_time_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("doctor_id", "event_id", name=op.f("pk_busy_time")),
    )
    op.create_table(
        "google_consent",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_verifier", sa.String(length=400), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["login_session.id"], name=op.f("fk_google_consent_session_id_login_session")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_google_consent")),
    )
    op.create_table(
        "google_connection",
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("sealed_tokens", sa.Text(), nullable=False),
        sa.Column("calendar_id", sa.String(length=1024), nullable=False),
        sa.Column("calendar_name", sa.String(length=1024), nullable=False),
        sa.Column("shows", sa.String(length=10), nullable=False),
        sa.Column("sync_token", sa.String(length=2048), nullable=False),
        sa.Column("read_afresh_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(length=10), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leaving", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("shows IN ('busy', 'initials')", name=op.f("ck_google_connection_shows_known")),
        sa.CheckConstraint(
            "trouble IN ('', 'outage', 'slow_down', 'calendar', 'too_much', 'reconnect')",
            name=op.f("ck_google_connection_trouble_known"),
        ),
        sa.CheckConstraint(
            "next_sync_at IS NULL OR calendar_id <> '' OR leaving", name=op.f("ck_google_connection_calendar_chosen")
        ),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctor.id"], name=op.f("fk_google_connection_doctor_id_doctor")),
        sa.PrimaryKeyConstraint("doctor_id", name=op.f("pk_google_connection")),
    )
    due = sa.text("next_sync_at IS NOT NULL")
    op.create_index(
        "ix_google_connection_due", "google_connection", ["next_sync_at"], postgresql_where=due, sqlite_where=due
    )
    op.create_table(
        "google_event",
        sa.Column("doctor_id", sa.Integer(), nullable=False),
        sa.Column("appointment_id", sa.Integer(), nullable=False),
        sa.Column("calendar_id", sa.String(length=1024), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("shows", sa.String(length=10), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["doctor_id"], ["google_connection.doctor_id"], name=op.f("fk_google_event_doctor_id_google_connection")
        ),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_google_event_appointment_id_appointment")
        ),
        sa.PrimaryKeyConstraint("doctor_id", "appointment_id", "calendar_id", name=op.f("pk_google_event")),
    )
    op.create_index("ix_google_event_end", "google_event", ["doctor_id", "ends_at"])


def _drop_google_calendar() -> None:
    for table in ("google_event", "google_connection", "google_consent", "busy_time"):
        op.drop_table(table)
    op.drop_column("slot", "busy")
