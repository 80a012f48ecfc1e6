"""The Lambda's settings, read from MHMS_* variables and turned into the parts that they choose."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from typing import Any

from .senders import FolderSender, Sender, SesSender, SmtpSender
from .store import DynamoStore, SqliteStore, Store

SECRET_BYTES = 32
"""The shortest secret accepted: the output length of SHA-256, as RFC 2104, section 3, advises."""
SECRET_LIFE = 300
"""Seconds after which a secret from SSM is read again, so that it can be changed without a deployment."""


class Misconfigured(Exception):
    """A setting is missing or wrong; the text names the variable and never its value."""


@dataclass(frozen=True)
class Settings:
    """The chosen parts; see ``handler.Mailer``."""

    secret: Callable[[], bytes]
    store: Store
    sender: Sender
    from_address: str


def read(env: Mapping[str, str]) -> Settings:
    """Turn the variables into parts.

    Raises:
        Misconfigured: a variable is missing or wrong.
    """
    return Settings(
        secret=_secret(env),
        store=_store(env),
        sender=_sender(env),
        from_address=_address(_required(env, "MHMS_EMAIL_FROM")),
    )


class SsmSecret:
    """A SecureString of the AWS Systems Manager parameter store, kept for ``SECRET_LIFE`` seconds."""

    def __init__(self, client: Any, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._name = name
        self._clock = clock
        self._kept: tuple[float, bytes] | None = None

    def __call__(self) -> bytes:
        """Return the secret.

        Raises:
            Misconfigured: it is too short.
        """
        if self._kept is None or self._clock() >= self._kept[0]:
            parameter = self._client.get_parameter(Name=self._name, WithDecryption=True)["Parameter"]
            secret = _long_enough(parameter["Value"], "the parameter MHMS_EMAIL_SECRET_PARAMETER")
            self._kept = (self._clock() + SECRET_LIFE, secret)
        return self._kept[1]


def _secret(env: Mapping[str, str]) -> Callable[[], bytes]:
    if name := env.get("MHMS_EMAIL_SECRET_PARAMETER"):
        return SsmSecret(_aws("ssm"), name)
    secret = _long_enough(_required(env, "MHMS_EMAIL_SECRET"), "MHMS_EMAIL_SECRET")
    return lambda: secret


def _store(env: Mapping[str, str]) -> Store:
    if table := env.get("MHMS_EMAIL_TABLE"):
        return DynamoStore(_aws("dynamodb"), table)
    return SqliteStore(Path(_required(env, "MHMS_EMAIL_FOLDER")) / ".keys.sqlite3")


def _sender(env: Mapping[str, str]) -> Sender:
    match env.get("MHMS_EMAIL_SENDER"):
        case "ses":
            return SesSender(_aws("sesv2", attempts=1))
        case "smtp":
            return SmtpSender(
                host=_required(env, "MHMS_SMTP_HOST"),
                port=_port(env.get("MHMS_SMTP_PORT", "587")),
                username=env.get("MHMS_SMTP_USERNAME", ""),
                password=env.get("MHMS_SMTP_PASSWORD", ""),
                starttls=env.get("MHMS_SMTP_STARTTLS", "true").lower() not in ("false", "0", "no"),
            )
        case "folder":
            return FolderSender(Path(_required(env, "MHMS_EMAIL_FOLDER")))
    raise Misconfigured("MHMS_EMAIL_SENDER must be ses, smtp or folder")


def _aws(service: str, *, attempts: int = 3) -> Any:
    """Return a client with time limits in seconds well below the Lambda's own.

    boto3 is imported only here: without AWS nobody needs it.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=3, read_timeout=8, retries={"total_max_attempts": attempts})
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def _required(env: Mapping[str, str], name: str) -> str:
    if value := env.get(name):
        return value
    raise Misconfigured(f"{name} is not set")


def _address(value: str) -> str:
    try:
        return Address(addr_spec=value).addr_spec
    except (ValueError, HeaderParseError):
        raise Misconfigured("MHMS_EMAIL_FROM must be a bare e-mail address") from None


def _long_enough(secret: str, name: str) -> bytes:
    if len(secret.encode()) < SECRET_BYTES:
        raise Misconfigured(f"{name} must hold at least {SECRET_BYTES} bytes")
    return secret.encode()


def _port(value: str) -> int:
    if value.isdecimal() and 0 < int(value) < 65536:
        return int(value)
    raise Misconfigured("MHMS_SMTP_PORT must be a port number")
