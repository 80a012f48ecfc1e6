"""A wrong setting stops the start with one sentence that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mhms_app.settings import OF_THE_LAMBDA, Settings, SettingsError, read_env_file, read_settings
from tests.databases import ROOT

EXAMPLE = ROOT / ".env.example"
KEY = "fHbmyHKbBVKQ7xOFqvrhkyrgpRMbuzOAWLRDDtBN0MA="
PRODUCTION = {
    "MHMS_ENV": "production",
    "MHMS_BASE_URL": "https://clinic.example",
    "MHMS_DATABASE_URL": "postgresql://mhms@db.example/mhms",
    "MHMS_EMAIL_URL": "https://mail.clinic.example/send",
    "MHMS_EMAIL_SECRET": "0123456789abcdef0123456789abcdef",
    "MHMS_ENCRYPTION_KEYS": KEY,
}
GOOGLE = {
    "MHMS_GOOGLE_CLIENT_ID": "clinic.apps.googleusercontent.com",
    "MHMS_GOOGLE_CLIENT_SECRET": "GOCSPX-hunter2",
}


def example() -> dict[str, str]:
    """What ``.env.example`` shows, as if no line were commented out."""
    return dict(re.findall(r"^#(MHMS_\w+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))


def test_without_any_variable_a_clinic_runs_on_this_machine() -> None:
    settings = read_settings({})
    assert settings.host == "127.0.0.1"
    assert settings.base_url == "http://localhost:3000"
    assert settings.uses_sqlite
    assert settings.demo
    assert settings.local_email
    assert not settings.is_production
    assert not settings.verify_email
    assert not settings.require_two_factor


def test_some_settings_follow_from_others() -> None:
    settings = read_settings({"MHMS_PORT": "8080", "MHMS_DATA_DIR": "/srv/mhms", "MHMS_EMAIL_PORT": "8081"})
    assert settings.base_url == "http://localhost:8080"
    assert settings.database_url == "sqlite:////srv/mhms/mhms.db"
    assert settings.email_url == "http://127.0.0.1:8081"
    assert settings.local_email


def test_production_is_accepted_when_it_is_safe() -> None:
    settings = read_settings(PRODUCTION)
    assert settings.is_production
    assert not settings.demo
    assert not settings.local_email
    assert settings.verify_email
    assert settings.require_two_factor
    assert settings.database_url == "postgresql+psycopg://mhms@db.example/mhms"
    assert read_settings({**PRODUCTION, "MHMS_WORKERS": "4", "MHMS_REDIS_URL": "redis://localhost"}).workers == 4
    assert settings.drain_seconds == 10
    assert settings.backup_max_age_days == 2


def test_a_database_that_has_another_direct_address_is_behind_a_pooler() -> None:
    assert not read_settings(PRODUCTION).is_pooled
    assert not read_settings({**PRODUCTION, "MHMS_DATABASE_DIRECT_URL": PRODUCTION["MHMS_DATABASE_URL"]}).is_pooled
    assert read_settings({**PRODUCTION, "MHMS_DATABASE_DIRECT_URL": "postgresql://mhms@behind.example/mhms"}).is_pooled


def test_tabs_are_kept_in_redis_where_there_is_one_unless_said_otherwise() -> None:
    redis = {"MHMS_REDIS_URL": "redis://localhost"}
    assert read_settings({}).state == "memory"
    assert read_settings(redis).state == "redis"
    assert read_settings({**redis, "MHMS_STATE": "memory"}).state == "memory"


@pytest.mark.parametrize(
    ("name", "value", "also"),
    [
        ("MHMS_ENV", "prod", {}),
        ("MHMS_PORT", "http", {}),
        ("MHMS_PORT", "0", {}),
        ("MHMS_PORT", "65536", {}),
        ("MHMS_BASE_URL", "clinic.example", {}),
        ("MHMS_BASE_URL", "ftp://clinic.example", {}),
        ("MHMS_BASE_URL", "https://clinic.example/?a=b", {}),
        ("MHMS_BASE_URL", "http://[clinic", {}),
        ("MHMS_DATABASE_URL", "mysql://localhost/mhms", {}),
        ("MHMS_WORKERS", "0", {}),
        ("MHMS_TIME_ZONE", "Berlin", {}),
        ("MHMS_TIME_ZONE", "../etc/passwd", {}),
        ("MHMS_HOLIDAYS", "Germany", {}),
        ("MHMS_HOLIDAYS", "DE-XX", {}),
        ("MHMS_HOLIDAYS", "de", {}),
        ("MHMS_CLINIC_NAME", "x" * 61, {}),
        ("MHMS_EMAIL_URL", "mail.example", {}),
        ("MHMS_EMAIL_PORT", "-1", {}),
        ("MHMS_EMAIL_SECRET", "short", {}),
        ("MHMS_GOOGLE_CLIENT_ID", "somebody", {}),
        ("MHMS_GOOGLE_CLIENT_SECRET", "something", {}),
        ("MHMS_GOOGLE_URL", "google", {}),
        ("MHMS_GOOGLE_URL", "https://google.example", PRODUCTION),
        ("MHMS_ENCRYPTION_KEYS", "", PRODUCTION),
        ("MHMS_ENCRYPTION_KEYS", "short", GOOGLE),
        ("MHMS_VERIFY_EMAIL", "perhaps", {}),
        ("MHMS_REQUIRE_TWO_FACTOR", "perhaps", {}),
        ("MHMS_KEEP_SESSIONS_DAYS", "0", {}),
        ("MHMS_KEEP_MESSAGES_DAYS", "0", {}),
        ("MHMS_KEEP_AUDIT_DAYS", "364", {}),
        ("MHMS_BACKUP_MAX_AGE_DAYS", "-1", {}),
        ("MHMS_BACKUP_MAX_AGE_DAYS", "366", {}),
        ("MHMS_TRUSTED_PROXY_HOPS", "6", {}),
        ("MHMS_METRICS_TOKEN", "short", {}),
        ("MHMS_TRACES_URL", "collector:4318", {}),
        ("MHMS_TRACES_SHARE", "2", {}),
        ("MHMS_METRICS_TOKEN", "ü" * 40, {}),
        ("MHMS_BCRYPT_COST", "3", {}),
        ("MHMS_BCRYPT_COST", "17", {}),
        ("MHMS_DEMO", "perhaps", {}),
        ("MHMS_DATABSE_URL", "sqlite:///x", {}),
        ("MHMS_WORKERS", "2", {}),
        ("MHMS_WORKERS", "2", PRODUCTION),  # without Redis
        ("MHMS_WORKERS", "2", {**PRODUCTION, "MHMS_REDIS_URL": "redis://localhost", "MHMS_STATE": "memory"}),
        ("MHMS_STATE", "redis", {}),
        ("MHMS_STATE", "disk", {}),
        ("MHMS_DATABASE_DIRECT_URL", "mysql://localhost/mhms", {}),
        ("MHMS_DATABASE_REPLICA_URL", "postgresql://localhost/mhms", {}),  # of SQLite
        ("MHMS_DATABASE_CONNECTIONS", "1", {}),
        ("MHMS_DRAIN_SECONDS", "-1", {}),
        ("MHMS_EMAIL_SECRET", "", PRODUCTION),
        ("MHMS_EMAIL_SECRET", Settings().email_secret, PRODUCTION),
        ("MHMS_BASE_URL", "http://clinic.example", PRODUCTION),
        ("MHMS_BASE_URL", "", PRODUCTION),
        ("MHMS_EMAIL_URL", "http://mail.clinic.example", PRODUCTION),
        ("MHMS_EMAIL_URL", "http://127.0.0.1.clinic.example:3001", PRODUCTION),
        ("MHMS_DEMO", "1", PRODUCTION),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(name: str, value: str, also: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({**also, name: value})
    sentence = str(refusal.value)
    assert sentence.startswith("MHMS_GOOGLE_CLIENT_ID" if name == "MHMS_GOOGLE_CLIENT_SECRET" else name)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_secret_is_never_repeated() -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({"MHMS_EMAIL_SECRET": "hunter2"})
    assert "hunter2" not in str(refusal.value)


def test_google_calendar_needs_its_credentials_and_a_key_and_shows_none_of_them() -> None:
    assert not read_settings({}).has_google
    settings = read_settings({**GOOGLE, **PRODUCTION, "MHMS_ENCRYPTION_KEYS": f"{KEY}, {KEY}"})
    assert settings.has_google
    assert settings.encryption_keys.get_secret_value() == f"{KEY},{KEY}"
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", ["HOME", "MHMS_TEST_DATABASE_URL", "MHMS_SMTP_HOST", "MHMS_EMAIL_FROM"])
def test_other_variables_are_others_business(name: str) -> None:
    assert read_settings({name: "anything"}) == read_settings({})


@pytest.mark.parametrize(("value", "demo"), [("1", True), ("0", False), ("true", True), ("false", False)])
def test_a_flag_is_read_as_people_write_it(value: str, demo: bool) -> None:
    assert read_settings({"MHMS_DEMO": value}).demo is demo


def test_the_example_describes_every_setting_and_nothing_else() -> None:
    settings = {f"MHMS_{field.upper()}" for field in Settings.model_fields}
    assert set(example()) == settings | set(OF_THE_LAMBDA)


def test_the_example_shows_the_defaults() -> None:
    assert read_settings(example()) == read_settings({})
    assert read_env_file(EXAMPLE) == {}


def test_the_example_lists_what_the_lambda_reads() -> None:
    source = "".join((ROOT / "email_lambda" / name).read_text(encoding="utf-8") for name in ("settings.py", "local.py"))
    assert set(re.findall(r'"(MHMS_[A-Z_]+)"', source)) == set(OF_THE_LAMBDA) | {"MHMS_EMAIL_SECRET"}


def test_an_env_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nMHMS_PORT = 8080\nMHMS_CLINIC_NAME='Klinik Süd'\nMHMS_DEMO=\n", encoding="utf-8")
    assert read_env_file(file) == {"MHMS_PORT": "8080", "MHMS_CLINIC_NAME": "Klinik Süd", "MHMS_DEMO": ""}
    assert read_env_file(tmp_path / "missing") == {}
