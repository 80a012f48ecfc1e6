"""The codes of an authenticator app (RFC 6238: SHA-1, six digits, a new one every thirty seconds)."""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp
import segno

from mhms_app.settings import settings

DIGITS, _STEP = 6, 30
_DRIFT = (0, -1, 1)  # steps by which a phone's clock may be wrong, or its owner slow (RFC 6238, section 5.2)


def new_secret() -> str:
    """A secret of 160 random bits, in base32 (RFC 4226, section 4)."""
    return pyotp.random_base32()


def in_groups(secret: str) -> str:
    """A secret as people type it: ``ABCD EFGH``."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def qr_code(secret: str, *, email: str) -> str:
    """What an app scans, as a ``data:`` address of an SVG image: dark on white, whatever the page's colours are."""
    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=settings().clinic_name)
    return str(segno.make(address, error="m").svg_data_uri(border=2, dark="#000", light="#fff", unit="", scale=4))


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The time step of which this is the code, now or one before or after; None when it is of none.

    Args:
        code: six digits, without spaces.
        now: aware UTC.
    """
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    step, right = int(now.timestamp()) // _STEP, pyotp.HOTP(secret, digits=DIGITS)
    found = [step + drift for drift in _DRIFT if hmac.compare_digest(right.at(step + drift), code)]
    return found[0] if found else None
