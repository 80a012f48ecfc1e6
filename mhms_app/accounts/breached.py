"""Passwords that are known from breaches and long enough for an account (OWASP ASVS 5.0, 6.2.4 and 6.2.12).

``breached.bin`` holds five bytes of the BLAKE2b hash of each, in order; ``breached.md`` says where they come from.
``python -m mhms_app.accounts.breached LIST`` makes it anew from a file with one password a line.
"""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from bisect import bisect_left
from functools import cache
from pathlib import Path

from mhms_app.accounts.rules import PASSWORD_LENGTH

_STORE = Path(__file__).with_name("breached.bin")
_WIDTH = 5  # bytes: of 44 000 passwords one in 25 million others looks like one of them


def is_known(password: str) -> bool:
    """Say whether a password, in capitals or not, is on the list."""
    digest, stored = _digest(password), _stored()
    count = len(stored) // _WIDTH
    place = bisect_left(range(count), digest, key=lambda number: _at(stored, number))
    return place < count and _at(stored, place) == digest


@cache
def _stored() -> bytes:
    """The list as it is on disk; read when the first password is judged."""
    return _STORE.read_bytes()


def _at(stored: bytes, number: int) -> bytes:
    return stored[number * _WIDTH : (number + 1) * _WIDTH]


def _digest(password: str) -> bytes:
    return hashlib.blake2b(_plain(password).encode(errors="surrogatepass"), digest_size=_WIDTH).digest()


def _plain(password: str) -> str:
    """What is left of a password when case, width and surrounding space do not count."""
    return unicodedata.normalize("NFKC", password).casefold().strip()


def write(passwords: Path) -> None:
    """Write the list anew from the lines of a file; shorter ones are refused for their length."""
    lines = passwords.read_text(encoding="utf-8", errors="ignore").splitlines()
    found = {_digest(line) for line in lines if len(_plain(line)) in PASSWORD_LENGTH}
    _STORE.write_bytes(b"".join(sorted(found)))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
