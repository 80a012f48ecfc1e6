"""The cookies: a session's, and the short-lived one in which a refused form travels back to its page."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field, replace
from http.cookies import CookieError, SimpleCookie
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from mhms_app.accounts import rules
from mhms_app.settings import settings


def is_secure() -> bool:
    """Whether the clinic's address has TLS, so that cookies must have it too."""
    return settings().base_url.startswith("https://")


def session_cookie() -> str:
    """The cookie's name; behind TLS the ``__Host-`` prefix ties it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-mhms" if is_secure() else "mhms"


def device_cookie() -> str:
    """The name of the cookie by which a browser is known from earlier logins."""
    return "__Host-mhms_device" if is_secure() else "mhms_device"


def step_cookie() -> str:
    """The name of the cookie of a login that has begun and is not over: no session."""
    return "__Host-mhms_step" if is_secure() else "mhms_step"


def attributes() -> dict[str, Any]:
    """The attributes for ``Response.set_cookie``: no script reads it, no other site sends it with a form."""
    return {
        "max_age": int(rules.ABSOLUTE.total_seconds()),
        "path": "/",
        "secure": is_secure(),
        "httponly": True,
        "samesite": "lax",
    }


def device_attributes() -> dict[str, Any]:
    """The attributes of the device's cookie: as the session's, for a year."""
    return {**attributes(), "max_age": 365 * 24 * 3600}


def read(header: str, name: str) -> str:
    """Return the value of a cookie in a ``Cookie`` header, or ``""``."""
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


FORM_COOKIE = "mhms_form"
FormName = Literal["act", "login", "signup", "code", "forgot", "reset", "password", "close"]
_TYPED_BYTES = 480  # longer than any name or address that could be accepted
_COOKIE_BYTES = 3900  # a browser drops cookies over 4 kB


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """What a form that was refused brings back.

    Attributes:
        form: which one.
        typed: what was typed, by field; never a password.
        errors: a sentence by field; ``form`` is the form as a whole.
        number: unlike that of any other refusal, so that each is shown once.
    """

    form: FormName
    typed: dict[str, str]
    errors: dict[str, str]
    number: str = field(default_factory=lambda: secrets.token_hex(8))

    def to_cookie(self) -> str:
        """The cookie's value; what nobody types in earnest is cut, or left out."""
        typed = {
            name: text.encode(errors="ignore")[:_TYPED_BYTES].decode(errors="ignore")
            for name, text in self.typed.items()
        }
        whole = self._encoded(typed)
        return whole if len(whole) <= _COOKIE_BYTES else self._encoded({})

    def _encoded(self, typed: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(_REFUSED.dump_json(replace(self, typed=typed))).decode()


_REFUSED = TypeAdapter(RefusedForm)


def refused_form(header: str, form: str) -> RefusedForm | None:
    """The refusal of this form in a ``Cookie`` header; None when there is none, or one that we never wrote."""
    value = read(header, FORM_COOKIE)
    try:
        refused = _REFUSED.validate_json(base64.urlsafe_b64decode(value), strict=True) if value else None
    except (ValueError, ValidationError):
        return None
    return refused if refused and refused.form == form else None
