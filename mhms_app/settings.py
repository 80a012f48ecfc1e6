"""Every setting of MHMS: one frozen, validated value, read once from ``MHMS_*`` variables.

``.env.example`` describes each variable. A wrong one stops the start with one sentence that names it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

DEFAULT_EMAIL_SECRET = "development-only-secret-not-for-real-patients"  # noqa: S105 - refused in production below

_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")  # 32 bytes, as cryptography.fernet writes them

_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")

# The Lambda's own variables: `.env` may hold them too, for the local Lambda.
OF_THE_LAMBDA = (
    "MHMS_EMAIL_FROM",
    "MHMS_EMAIL_SENDER",
    "MHMS_EMAIL_FOLDER",
    "MHMS_EMAIL_TABLE",
    "MHMS_EMAIL_SECRET_PARAMETER",
    "MHMS_SMTP_HOST",
    "MHMS_SMTP_PORT",
    "MHMS_SMTP_USERNAME",
    "MHMS_SMTP_PASSWORD",
    "MHMS_SMTP_STARTTLS",
)

Flag = Annotated[bool, BeforeValidator(lambda value: {"1": True, "0": False, "": False}.get(value, value))]


class SettingsError(Exception):
    """One setting is missing or wrong; the message is a sentence that names it."""


class Settings(BaseModel):
    """The settings of one installation. Field ``x`` is read from ``MHMS_X``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    base_url: str = ""
    data_dir: Path = Path("var")
    database_url: str = ""
    database_direct_url: str = ""
    database_replica_url: str = ""
    database_connections: Annotated[int, Field(ge=2, le=500)] = 34
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    time_zone: str = "Europe/Berlin"
    holidays: str = ""
    clinic_name: Annotated[str, Field(min_length=1, max_length=60)] = "Linden Clinic"
    email_url: str = ""
    email_port: Annotated[int, Field(ge=1, le=65535)] = 3001
    email_secret: Annotated[str, Field(min_length=32)] = DEFAULT_EMAIL_SECRET
    google_client_id: str = ""
    google_client_secret: SecretStr = SecretStr("")
    google_url: str = ""
    encryption_keys: SecretStr = SecretStr("")
    redis_url: str = ""
    state: Literal["memory", "redis"] = "memory"
    drain_seconds: Annotated[int, Field(ge=0, le=300)] = 0
    trusted_proxy_hops: Annotated[int, Field(ge=0, le=5)] = 0
    metrics_token: SecretStr = SecretStr("")
    traces_url: str = ""
    traces_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    bcrypt_cost: Annotated[int, Field(ge=4, le=16)] = 12
    verify_email: Flag = False
    require_two_factor: Flag = False
    keep_sessions_days: Annotated[int, Field(ge=1, le=3650)] = 90
    keep_messages_days: Annotated[int, Field(ge=1, le=3650)] = 30
    keep_audit_days: Annotated[int, Field(ge=365, le=36500)] = 3650
    backup_max_age_days: Annotated[int, Field(ge=0, le=365)] = 0
    demo: Flag = False

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone name such as Europe/Berlin") from None
        return value

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, value: str) -> str:
        if not value:
            return value
        from holidays import list_supported_countries  # noqa: PLC0415 - read only where somebody asks for it

        country, _, region = value.partition("-")
        regions = list_supported_countries().get(country)
        if regions is None or (region and region not in regions):
            raise ValueError("is not a country or region such as DE or DE-BE")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32 or not value.get_secret_value().isascii():
            raise ValueError("must be at least 32 plain characters, such as from `openssl rand -hex 32`")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _fernet_keys(cls, value: SecretStr) -> SecretStr:
        keys = [key.strip() for key in value.get_secret_value().split(",") if key.strip()]
        if not all(_FERNET_KEY.fullmatch(key) for key in keys):
            raise ValueError("must be keys from `python -m mhms_app.cli new-key`, with commas between them")
        return SecretStr(",".join(keys))

    @field_validator("base_url", "email_url", "google_url", "traces_url")
    @classmethod
    def _http_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an address such as https://clinic.example")
        return value.rstrip("/")

    @field_validator("database_url", "database_direct_url", "database_replica_url")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        return value.replace("postgresql://", "postgresql+psycopg://", 1)

    @model_validator(mode="before")
    @classmethod
    def _derived(cls, values: dict[str, object]) -> dict[str, object]:
        """Fill in what follows from other settings when it was not given."""
        filled = dict(values)
        filled.setdefault("base_url", f"http://localhost:{filled.get('port', 3000)}")
        filled.setdefault("database_url", f"sqlite:///{Path(str(filled.get('data_dir', 'var'))) / 'mhms.db'}")
        filled.setdefault("email_url", f"http://127.0.0.1:{filled.get('email_port', 3001)}/")
        filled.setdefault("database_direct_url", filled["database_url"])
        filled.setdefault("state", "redis" if filled.get("redis_url") else "memory")
        is_production = filled.get("env", "development") == "production"
        filled.setdefault("drain_seconds", 10 if is_production else 0)
        filled.setdefault("backup_max_age_days", 2 if is_production else 0)
        filled.setdefault("demo", not is_production)
        filled.setdefault("verify_email", is_production)
        filled.setdefault("require_two_factor", is_production)
        return filled

    @model_validator(mode="after")
    def _several_workers(self) -> Self:
        if self.workers > 1 and self.uses_sqlite:
            raise ValueError("MHMS_WORKERS above 1 needs PostgreSQL: set MHMS_DATABASE_URL")
        if self.workers > 1 and not self.redis_url:
            raise ValueError("MHMS_WORKERS above 1 needs Redis: set MHMS_REDIS_URL")
        if self.workers > 1 and self.state == "memory":
            raise ValueError("MHMS_WORKERS above 1 needs MHMS_STATE=redis: no balancer chooses among workers")
        if self.state == "redis" and not self.redis_url:
            raise ValueError("MHMS_STATE=redis needs Redis: set MHMS_REDIS_URL")
        if self.database_replica_url and self.uses_sqlite:
            raise ValueError("MHMS_DATABASE_REPLICA_URL needs PostgreSQL: set MHMS_DATABASE_URL")
        return self

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if bool(self.google_client_id) != bool(self.google_client_secret):
            raise ValueError("MHMS_GOOGLE_CLIENT_ID and MHMS_GOOGLE_CLIENT_SECRET must be given together")
        if self.env == "production":
            if not self.encryption_keys:
                raise ValueError("MHMS_ENCRYPTION_KEYS must be set in production: run mhms_app.cli new-key")
            if self.google_url:
                raise ValueError("MHMS_GOOGLE_URL must not be set in production: it stands in for Google in tests")
            if self.email_secret == DEFAULT_EMAIL_SECRET:
                raise ValueError("MHMS_EMAIL_SECRET must be set in production")
            if not self.base_url.startswith("https://"):
                raise ValueError("MHMS_BASE_URL must begin with https:// in production")
            if self.email_url.startswith("http://") and urlsplit(self.email_url).hostname not in _THIS_MACHINE:
                raise ValueError("MHMS_EMAIL_URL must begin with https:// in production, or be on this machine")
            if self.demo:
                raise ValueError("MHMS_DEMO must be 0 in production: the demo accounts have a public password")
        return self

    @property
    def has_google(self) -> bool:
        """Whether doctors can connect a Google calendar."""
        return bool(self.google_client_id)

    @property
    def uses_sqlite(self) -> bool:
        """Whether the embedded database is used."""
        return self.database_url.startswith("sqlite")

    @property
    def is_pooled(self) -> bool:
        """Whether the database is reached through a pooler, which gives every transaction another connection."""
        return self.database_direct_url != self.database_url

    @property
    def is_production(self) -> bool:
        """Whether real patients use this installation."""
        return self.env == "production"

    @property
    def local_email(self) -> bool:
        """Whether ``serve`` runs the e-mail Lambda beside the app."""
        return self.email_url == f"http://127.0.0.1:{self.email_port}"

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's time zone: every wall-clock time is in it."""
        return ZoneInfo(self.time_zone)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and validate the settings from environment variables; empty ones count as not set.

    Raises:
        SettingsError: a variable is unknown or wrong; the message is one sentence that names it.
    """
    given = {
        name.removeprefix("MHMS_").lower(): value.strip()
        for name, value in environ.items()
        if name.startswith("MHMS_") and not name.startswith(("MHMS_TEST_", *OF_THE_LAMBDA)) and value.strip()
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as refusal:
        first = refusal.errors(include_url=False, include_input=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(f"{reason}.") from None
        name = f"MHMS_{str(first['loc'][0]).upper()}"
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{name} is not a setting of MHMS: see .env.example.") from None
        raise SettingsError(f"{name} is wrong: {reason[0].lower()}{reason[1:]}.") from None


def read_env_file(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines, ignoring blank lines and ``#`` comments; a missing file is empty."""
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


@cache
def settings() -> Settings:
    """The settings of this process: the environment, completed by the file ``.env``."""
    return read_settings({**read_env_file(Path(".env")), **os.environ})
