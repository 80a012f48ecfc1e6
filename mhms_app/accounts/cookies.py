"""The session cookie: its name, how it is set, how it is read from a request."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Any

from mhms_app.accounts import rules
from mhms_app.settings import settings


def is_secure() -> bool:
    """Whether the clinic's address has TLS, so that cookies must have it too."""
    return settings().base_url.startswith("https://")


def session_cookie() -> str:
    """The cookie's name; behind TLS the ``__Host-`` prefix ties it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-mhms" if is_secure() else "mhms"


def attributes() -> dict[str, Any]:
    """The attributes for ``Response.set_cookie``: no script reads it, no other site sends it with a form."""
    return {
        "max_age": int(rules.ABSOLUTE.total_seconds()),
        "path": "/",
        "secure": is_secure(),
        "httponly": True,
        "samesite": "lax",
    }


def read(header: str, name: str) -> str:
    """Return the value of a cookie in a ``Cookie`` header, or ``""``."""
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""
