"""Secrets at rest: what is written to the database so that a copy of it alone opens nothing.

Fernet (AES-128-CBC with HMAC-SHA-256) with the keys of ``MHMS_ENCRYPTION_KEYS``: the first one seals, each of them
opens. Whoever puts a new key in front changes the key; what is sealed again from then on needs the old one no more.
Where none is given, which production refuses, a key is made once and kept beside the database.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mhms_app.settings import settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Unreadable(Exception):
    """It was sealed with a key that is not there, or it was changed."""

    def __str__(self) -> str:
        return "Something was sealed with a key that is not in MHMS_ENCRYPTION_KEYS."


def new_key() -> str:
    """A key for ``MHMS_ENCRYPTION_KEYS``."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - it is heavy, and few clinics need it

    return Fernet.generate_key().decode()


def seal(secret: str) -> str:
    """Encrypt a text; the same text never looks the same twice."""
    return seal_bytes(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Read what ``seal`` has written.

    Raises:
        Unreadable: none of the keys opens it.
    """
    return unseal_bytes(sealed.encode()).decode()


def seal_bytes(secret: bytes) -> bytes:
    """Encrypt bytes; what comes of it is printable ASCII without line breaks."""
    return _keys().encrypt(secret)


def unseal_bytes(sealed: bytes) -> bytes:
    """Read what ``seal_bytes`` has written.

    Raises:
        Unreadable: none of the keys opens it.
    """
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    try:
        return _keys().decrypt(sealed)
    except InvalidToken:
        raise Unreadable from None


def _keys() -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

    given = settings().encryption_keys.get_secret_value() or _kept_key(settings().data_dir / "encryption.key")
    return MultiFernet([Fernet(key) for key in given.split(",")])


def _kept_key(file: Path) -> str:
    """The key in a file that only its owner may read, made when there is none; of two makers one wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(new_key())
    return file.read_text()
