"""Passwords: bcrypt over a pre-hash, and how hard one is to guess.

bcrypt looks at 72 bytes and refuses longer input. The password is hashed with SHA-384 first and handed
over as 64 base64 characters, so every character of any length counts and no NUL byte is left.
Everything here takes long on purpose: call it in a thread and outside a transaction.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache

import bcrypt
from zxcvbn import zxcvbn

from mhms_app.accounts import breached
from mhms_app.accounts.rules import password_length_problem
from mhms_app.settings import settings

# zxcvbn's time grows steeply with length (5 seconds for 72 hostile characters); what is beyond only makes a
# password stronger. And it keeps the context words in a global: one judgement at a time.
_JUDGED_LENGTH = 32
_judging = threading.Lock()
_BREACHED = "This password is known from breaches, so it is among the first that are tried. Please choose another."


@dataclass(frozen=True, slots=True)
class Strength:
    """What to tell somebody about a password.

    Attributes:
        score: 0 (guessed at once) to 4 (very hard); 3 and more is accepted.
        sentence: how good it is, or what to do about it.
        acceptable: whether an account may have it.
    """

    score: int
    sentence: str
    acceptable: bool


def _prehash(password: str) -> bytes:
    normal = unicodedata.normalize("NFC", password)
    octets = normal.encode(errors="surrogatepass")  # a hostile client can send half a character
    return base64.b64encode(hashlib.sha384(octets).digest())


def hash_password(password: str) -> str:
    """Hash a password with the configured bcrypt cost."""
    return bcrypt.hashpw(_prehash(password), bcrypt.gensalt(settings().bcrypt_cost)).decode()


@cache
def _nobody(cost: int) -> bytes:
    """A hash of this cost that no password fits."""
    return bcrypt.hashpw(_prehash(secrets.token_urlsafe(32)), bcrypt.gensalt(cost))


def verify(password: str, password_hash: str | None) -> bool:
    """Check a password; for an unknown user (None) do the same work and say no.

    A hash of a lower cost than is configured now is quicker to check. One more check of each cost between makes up for
    it, because each cost is twice the work of the one below: otherwise old accounts could be told from none.
    """
    typed, wanted = _prehash(password), settings().bcrypt_cost
    fits = bcrypt.checkpw(typed, password_hash.encode() if password_hash else _nobody(wanted))
    for cost in range(_cost(password_hash) if password_hash else wanted, wanted):
        bcrypt.checkpw(typed, _nobody(cost))
    return fits and password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Say whether a hash was made with a lower cost than is configured now."""
    return _cost(password_hash) < settings().bcrypt_cost


def _cost(password_hash: str) -> int:
    return int(password_hash.split("$")[2])


def judge(password: str, *, context: tuple[str, ...] = ()) -> Strength:
    """Judge a password by a list of breached ones, then with zxcvbn (ASVS 6.2.4, 6.2.11, 6.2.12).

    Args:
        context: the person's e-mail address and name, which count as known words.
    """
    if problem := password_length_problem(password):
        return Strength(0, problem, acceptable=False)
    if breached.is_known(password):
        return Strength(0, _BREACHED, acceptable=False)
    words = [
        word for text in (*context, "mhms", settings().clinic_name) for word in (text, *text.split(), *text.split("@"))
    ]
    with _judging:
        result = zxcvbn(password[:_JUDGED_LENGTH], user_inputs=[word for word in words if len(word) > 2])
    score = int(result["score"])
    if score >= 3:
        return Strength(score, "Very good." if score == 4 else "Good.", acceptable=True)
    warning = str(result["feedback"]["warning"] or "This is too easy to guess").rstrip(".")
    return Strength(score, f"{warning}. Add a few words that do not belong together.", acceptable=False)


def new_temporary() -> tuple[str, str]:
    """Make a temporary password of 80 random bits, easy to type, and its hash."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))
    password = "-".join(groups)
    return password, hash_password(password)
