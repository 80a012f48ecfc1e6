"""Something that speaks Google's documented APIs over HTTP: OAuth 2.0 with PKCE, and the Calendar API v3.

It does what the references say, errors included: keys must be base32hex and unique for good, removed events stay
as ``cancelled`` for whoever reads changes, a sync token goes with no time filter and may be forgotten (410).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "clinic.apps.googleusercontent.com", "GOCSPX-of-the-tests"
KEY = "6_Ri9TIUbOZ8k_a8tPM1qSjMmVmfGyxeuwnBE2W9kb8="
_KEY = re.compile(r"[a-v0-9]{5,1024}")


@dataclass
class Answer:
    """What the next fitting request is answered with instead."""

    status: int
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class Google(ThreadingHTTPServer):
    """One account with some calendars.

    Attributes:
        requests: method and path of every request to the Calendar API.
        instead: by the beginning of ``METHOD /path``: what the next requests are answered with.
        declines, grants: what the person does when they are asked.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calendars: dict[str, dict[str, dict[str, Any]]] = {"jo@example.com": {}, "clinic@group": {}}
        self.names = {"jo@example.com": "Jo Moreau", "clinic@group": "Clinic"}
        self.requests: list[str] = []
        self.instead: list[tuple[str, Answer]] = []
        self.page_size = 100
        self.declines = False
        self.grants: list[str] | None = None
        self.revoked: list[str] = []
        self.refresh_tokens = {"refresh-0"}
        self.access_tokens = {"access-0"}
        self.oldest_sync_token = 0
        self._codes: dict[str, dict[str, str]] = {}
        self._number = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next(self) -> int:
        self._number += 1
        return self._number

    def event(self, calendar: str, key: str, **fields: Any) -> None:
        """Somebody enters or changes an event."""
        before = self.calendars[calendar].get(key, {"id": key, "status": "confirmed"})
        self.calendars[calendar][key] = before | fields | {"n": self.next()}

    def cancel(self, calendar: str, key: str) -> None:
        """Somebody removes an event."""
        self.calendars[calendar][key] = {"id": key, "status": "cancelled", "n": self.next()}

    def standing(self, calendar: str) -> dict[str, dict[str, Any]]:
        """The events that are not cancelled."""
        return {key: event for key, event in self.calendars[calendar].items() if event["status"] != "cancelled"}

    def fail(self, beginning: str, answer: Answer, *, times: int = 1) -> None:
        self.instead += [(beginning, answer)] * times

    def consent(self, query: dict[str, str]) -> str:
        """What the browser is sent back with."""
        assert query["client_id"] == CLIENT_ID
        assert (query["response_type"], query["access_type"]) == ("code", "offline")
        assert query["code_challenge_method"] == "S256"
        if self.declines:
            return urlencode({"error": "access_denied", "state": query["state"]})
        code = f"code-{self.next()}"
        self._codes[code] = query
        return urlencode({"state": query["state"], "code": code, "scope": query["scope"]})

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in self.refresh_tokens:
                return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return 200, self._tokens()
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not asked or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        refresh = f"refresh-{self.next()}"
        self.refresh_tokens.add(refresh)
        scope = asked["scope"] if self.grants is None else " ".join(self.grants)
        return 200, {**self._tokens(), "refresh_token": refresh, "scope": scope}

    def _tokens(self) -> dict[str, Any]:
        access = f"access-{self.next()}"
        self.access_tokens.add(access)
        return {"access_token": access, "expires_in": 3599, "token_type": "Bearer"}

    def list_events(self, calendar: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        assert query["singleEvents"] == "true"
        events = sorted(self.calendars[calendar].values(), key=lambda event: event["n"])
        if token := query.get("syncToken"):
            if {"timeMin", "timeMax"} & query.keys():
                return _error(400, "badRequest")
            since = int(token.removeprefix("sync-"))
            if since < self.oldest_sync_token:
                return _error(410, "fullSyncRequired")
            found = [event for event in events if event["n"] > since]
        else:
            first, last = (datetime.fromisoformat(query[name]) for name in ("timeMin", "timeMax"))
            found = [e for e in events if e["status"] != "cancelled" and first < _end(e) and _start(e) < last]
        at = int(query.get("pageToken", "page-0").removeprefix("page-"))
        page: dict[str, Any] = {"kind": "calendar#events", "items": found[at : at + self.page_size]}
        if at + self.page_size < len(found):
            return 200, page | {"nextPageToken": f"page-{at + self.page_size}"}
        return 200, page | {"nextSyncToken": f"sync-{self._number}"}

    def change(self, method: str, calendar: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        events = self.calendars[calendar]
        if method == "POST":
            if not _KEY.fullmatch(body["id"]):
                return _error(400, "invalid")
            if body["id"] in events:
                return _error(409, "duplicate")
            key = body["id"]
        elif key not in events:
            return _error(404, "notFound")
        if method == "DELETE":
            if events[key]["status"] == "cancelled":
                return _error(410, "deleted")
            self.cancel(calendar, key)
            return 204, {}
        events[key] = body | {"n": self.next()}
        return 200, events[key]

    def api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/users/me/calendarList":
            assert query["minAccessRole"] == "owner"
            primary = next(iter(self.calendars))
            rows = [{"id": key, "summary": self.names[key], "primary": key == primary} for key in self.calendars]
            return 200, {"items": rows[::-1]}
        _, _, calendar, _, *rest = path.split("/")
        calendar = unquote(calendar)
        if calendar not in self.calendars:
            return _error(404, "notFound")
        if method == "GET":
            return self.list_events(calendar, query)
        return self.change(method, calendar, rest[0] if rest else "", body)


def credentials(google: Google) -> dict[str, str]:
    """The variables of a clinic that knows this Google."""
    return {
        "OAUTHLIB_INSECURE_TRANSPORT": "1",  # it has no certificate
        "MHMS_GOOGLE_URL": google.url,
        "MHMS_GOOGLE_CLIENT_ID": CLIENT_ID,
        "MHMS_GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
        "MHMS_ENCRYPTION_KEYS": KEY,
    }


def _start(event: dict[str, Any]) -> datetime:
    return _instant(event["start"])


def _end(event: dict[str, Any]) -> datetime:
    return _instant(event["end"])


def _instant(at: dict[str, str]) -> datetime:
    return datetime.fromisoformat(at.get("dateTime") or f"{at['date']}T00:00:00+01:00")


def _error(status: int, reason: str) -> tuple[int, dict[str, Any]]:
    errors = [{"domain": "global", "reason": reason, "message": "what was done"}]
    return status, {"error": {"code": status, "message": "what was done", "errors": errors}}


class _Handler(BaseHTTPRequestHandler):
    server: Google
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        line = f"{self.command} {parts.path.removeprefix('/calendar/v3')}"
        for number, (beginning, answer) in enumerate(self.server.instead):
            if line.startswith(beginning):
                del self.server.instead[number]
                time.sleep(answer.delay)
                self._answer(*_error(answer.status, answer.reason), answer.headers)
                return
        if parts.path == "/auth":
            back = f"{query['redirect_uri']}?{self.server.consent(query)}"
            self._answer(302, {}, {"Location": back})
        elif parts.path == "/token":
            form = {name: values[0] for name, values in parse_qs(raw).items()}
            self._answer(*self.server.token(form | self._client()))
        elif parts.path == "/revoke":
            self.server.revoked += parse_qs(raw)["token"]
            self._answer(200, {})
        else:
            self.server.requests.append(line)
            if self.headers["Authorization"].removeprefix("Bearer ") not in self.server.access_tokens:
                self._answer(*_error(401, "authError"))
                return
            path = parts.path.removeprefix("/calendar/v3")
            self._answer(*self.server.api(self.command, path, query, json.loads(raw) if raw else {}))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _client(self) -> dict[str, str]:
        """The client's credentials, when they come as a header (RFC 6749, section 2.3.1)."""
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return {}
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return {"client_id": name, "client_secret": secret}

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        content = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def running() -> Iterator[Google]:
    """One that answers."""
    with Google() as google:
        thread = threading.Thread(target=google.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield google
        google.shutdown()
        thread.join()
