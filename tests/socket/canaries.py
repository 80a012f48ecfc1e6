"""Marked secrets: how they come into the application, every shape in which they could leak, and where to look."""

from __future__ import annotations

import base64
import email
import email.policy
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pyotp
from sqlalchemy import text
from sqlmodel import select

from mhms_app import launch
from mhms_app.accounts.models import User
from mhms_app.web.account.security import Security
from tests.databases import ROOT
from tests.running import RunningApp
from tests.socket.cast import Cast
from tests.socket.hostile import tab
from tests.socket.matrix import WIRE_NAME

_LINK = re.compile(r"/(?:reset|confirm)/([\w-]{20,64})")
_TEMPORARY = re.compile(r"\b(?:[a-z2-9]{4}-){3}[a-z2-9]{4}\b")


def lead_lives(app: RunningApp, cast: Cast, mark: str, phone: str) -> set[str]:
    """Let somebody whose every word is marked use the clinic; returns the secrets that it made for them."""
    address, password = f"{mark}@example.com", f"{mark}: seven lanterns"
    secrets: set[str] = set()
    with httpx.Client(base_url=app.base_url, headers={"Origin": app.base_url}) as browser:

        def post(path: str, **fields: str) -> None:
            browser.post(path, data=fields)
            secrets.update(cookie.value for cookie in browser.cookies.jar if cookie.value)

        post("/signup/account", role="patient", full_name=f"{mark} K\u00e4fer", email=address, password=password)
        _change(app, cast, address, mark, phone)
        _book(app, cast, browser.cookies["mhms"], mark)
        secrets |= _two_factors(app, browser.cookies["mhms"], password)
        post("/session/end")
        post("/session", email=address, password=f"{password}, but wrong")
        post("/session", email=address, password=password)
        post("/password/forgotten", email=address)
        (link,) = _mailed(app, address, _LINK)[-1:]
        post("/password/reset", token=link, password=f"{password} and eight")
        secrets |= {link, *_temporary_password(app, cast, address)}
    return {secret for secret in secrets if len(secret) > 8}


def _change(app: RunningApp, cast: Cast, address: str, mark: str, phone: str) -> None:
    """An administrator edits the account."""
    with tab(app, cast.cookie["admin"]) as admin:
        admin.visit("/admin/users")
        admin.call(WIRE_NAME["admin.users.Users.open"], {"user_id": _user_id(app, address)})
        typed = {"full_name": f"{mark} K\u00e4fer", "email": address, "phone": phone}
        admin.call(WIRE_NAME["admin.users.Users.save"], {"typed": typed})


def _book(app: RunningApp, cast: Cast, cookie: str, mark: str) -> None:
    """An appointment for a marked reason, which is then cancelled for another."""
    with tab(app, cookie) as patient:
        patient.visit(f"/doctors/{cast.doctor}?slot={cast.free[-1]}")
        patient.call(WIRE_NAME["public.doctor_profile.Profile.choose"], {"slot_id": cast.free.pop()})
        said = patient.call(WIRE_NAME["public.doctor_profile.Profile.confirm"], {"form": {"reason": mark}})
        assert said.redirect
        patient.visit(said.redirect)
        form = {"choice": "I am ill", "note": mark}
        patient.call(WIRE_NAME["patient.booked.Booked.cancel"], {"form": form})


def _two_factors(app: RunningApp, cookie: str, password: str) -> set[str]:
    """An authenticator app is set up; returns its secret and the recovery codes, and takes it away again."""
    with tab(app, cookie) as patient:
        patient.visit("/account/security")
        secret = patient.call(WIRE_NAME["account.security.Security.begin"], {"what": "app"}).var(Security, "secret")
        form = {"code": pyotp.TOTP(secret.replace(" ", "")).now(), "current": password}
        codes = patient.call(WIRE_NAME["account.security.Security.add_app"], {"form": form}).var(Security, "codes")
        assert codes
        off = {"form": {"code": codes[0], "current": password}}
        patient.call(WIRE_NAME["account.security.Security.remove_app"], off)
    return {secret, secret.replace(" ", ""), *codes}


def _temporary_password(app: RunningApp, cast: Cast, address: str) -> set[str]:
    with tab(app, cast.cookie["admin"]) as admin:
        admin.visit("/admin/users")
        admin.call(WIRE_NAME["admin.users.Users.open"], {"user_id": _user_id(app, address)})
        admin.call(WIRE_NAME["admin.users.Users.send_password"])
    return set(_mailed(app, address, _TEMPORARY))


def _user_id(app: RunningApp, address: str) -> int:
    with app.database() as session:
        return session.exec(select(User.id).where(User.email == address)).one() or 0


def _mailed(app: RunningApp, address: str, pattern: re.Pattern[str]) -> list[str]:
    """What stands in the messages to somebody, once one has come."""
    for _ in range(200):
        messages = [_text(path) for path in sorted(app.mail.glob("*.eml")) if address in _text(path)]
        if found := [match for message in messages for match in pattern.findall(message)]:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no message with {pattern.pattern}")


def _text(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    return f"{message['to']}\n{body.get_content() if body else ''}"


@contextmanager
def no_mail(app: RunningApp) -> Iterator[None]:
    """The e-mail service cannot put messages anywhere."""
    kept = app.mail.with_name("kept")
    app.mail.rename(kept)
    app.mail.write_text("no folder")
    try:
        yield
    finally:
        app.mail.unlink()
        kept.rename(app.mail)


@contextmanager
def away(app: RunningApp, table: str) -> Iterator[None]:
    """A table is not there, so every statement on it fails."""
    _rename(app, table, f"{table}_away")
    try:
        yield
    finally:
        _rename(app, f"{table}_away", table)


def _rename(app: RunningApp, old: str, new: str) -> None:
    with app.database() as session:
        session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def disguises(secret: str) -> set[bytes]:
    """The shapes in which a secret could stand somewhere."""
    octets = secret.encode()
    encoders: list[Callable[[str], str]] = [
        str.upper,
        str.lower,
        str.swapcase,
        quote,
        quote_plus,
        html.escape,
        _escaped,
    ]
    shapes = {octets, octets.hex().encode(), secret.encode("utf-16-le")}
    shapes |= {encode(secret).encode() for encode in encoders}
    for skipped in range(3):  # base64 looks different at each of three places
        inner = octets[skipped : skipped + (len(octets) - skipped) // 3 * 3]
        shapes |= {base64.b64encode(inner), base64.urlsafe_b64encode(inner)}
    return shapes


def _escaped(secret: str) -> str:
    return json.dumps(secret)[1:-1]


def written_down(app: RunningApp) -> Iterator[tuple[str, bytes]]:
    """Every file that the clinic writes or serves, but for the database itself and the messages to people."""
    for folder in (app.folder, ROOT / ".states", launch.PAGES):
        for path in sorted(folder.rglob("*")):
            if (
                path.is_file()
                and path.parent not in (app.mail, app.mail.with_name("kept"))
                and "mhms.db" not in path.name
            ):
                yield str(path), path.read_bytes()
