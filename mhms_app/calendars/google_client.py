"""Talking to Google: consent, tokens, calendars and events, through Google's own libraries.

They are loaded by the first doctor who needs them. Whatever goes wrong comes out as ``Failed`` with one of a few
troubles; none of its texts reaches a log or a page, for they may quote what is in a calendar.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from mhms_app import routes
from mhms_app.calendars import google_rules
from mhms_app.calendars.google_rules import Trouble
from mhms_app.settings import settings

if TYPE_CHECKING:
    from google_auth_oauthlib.flow import Flow

TIMEOUT = 10.0  # seconds of silence
PAGE_SIZE = 2500
SCOPES = (
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",  # to offer a choice
    "https://www.googleapis.com/auth/calendar.events.owned",  # to write and to read, in calendars of their own only
)
_FIELDS = "nextPageToken,nextSyncToken,items(id,status,transparency,start,end,attendees(self,responseStatus))"


class Failed(Exception):
    """Google did not do what was asked.

    Attributes:
        retry_after: how long Google asked us to wait.
    """

    def __init__(self, trouble: Trouble, *, retry_after: timedelta | None = None) -> None:
        self.trouble, self.retry_after = trouble, retry_after
        super().__init__(trouble.value)


class SyncTokenGone(Exception):
    """Google no longer knows what we have read; everything is to be read anew (410)."""


class ScopeMissing(Exception):
    """The person has not allowed all that is needed."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What opens an account: a lasting token, and one for an hour."""

    refresh: str = field(repr=False)
    access: str = field(default="", repr=False)
    expires_at: datetime | None = None

    def to_json(self) -> str:
        """As text, to be sealed."""
        at = self.expires_at.isoformat() if self.expires_at else ""
        return json.dumps({"refresh": self.refresh, "access": self.access, "expires_at": at})

    @classmethod
    def from_json(cls, text: str) -> Tokens:
        """From what ``to_json`` wrote."""
        found = json.loads(text)
        at = found["expires_at"]
        return cls(found["refresh"], found["access"], datetime.fromisoformat(at) if at else None)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar that somebody can choose."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Events that changed since a sync token, or all of them; ``sync_token`` is for the next time."""

    events: tuple[dict[str, Any], ...]
    sync_token: str


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Where Google answers."""

    consent: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    revoke: str = "https://oauth2.googleapis.com/revoke"
    api: str = ""

    @classmethod
    def current(cls) -> _Addresses:
        """Google's own, or those of what stands in for it."""
        there = settings().google_url
        return cls(f"{there}/auth", f"{there}/token", f"{there}/revoke", there) if there else cls()


def consent(state: str) -> tuple[str, str]:
    """The address at which Google asks the person, and the PKCE verifier with which the answer is redeemed."""
    flow = _flow()
    address, _ = flow.authorization_url(state=state, prompt="consent")
    return address, flow.code_verifier


def redeem(code: str, *, verifier: str) -> Tokens:
    """Exchange what Google sent the person back with for tokens.

    Raises:
        ScopeMissing: they have not allowed all that is needed.
        Failed: Google refuses, or cannot be reached.
    """
    from oauthlib.oauth2 import OAuth2Error  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    flow = _flow(verifier)
    try:
        with flow.oauth2session:
            flow.fetch_token(code=code, timeout=TIMEOUT)
    except Warning:  # oauthlib's way of saying that the scopes are not those that were asked for
        raise ScopeMissing from None
    except OAuth2Error:
        raise Failed(Trouble.RECONNECT) from None
    except (RequestException, ValueError):
        raise Failed(Trouble.OUTAGE) from None
    found = flow.credentials
    if not found.refresh_token:
        raise Failed(Trouble.RECONNECT)
    return _tokens_of(found)


def revoke(tokens: Tokens) -> None:
    """Tell Google that the access is no longer wanted; that it does not hear us changes nothing here."""
    from requests import RequestException, post  # noqa: PLC0415

    try:
        post(_Addresses.current().revoke, data={"token": tokens.refresh}, timeout=TIMEOUT)
    except RequestException:
        return


class Patience(Protocol):
    """How long somebody waits for all pages."""

    @property
    def is_over(self) -> bool:
        """Whether they wait no longer."""


class Client:
    """One person's calendars. Not for two threads at once.

    Args:
        tokens: theirs; when Google renews them while this works, ``tokens`` are the new ones.
    """

    def __init__(self, tokens: Tokens) -> None:
        import httplib2  # noqa: PLC0415
        from google.oauth2.credentials import Credentials  # noqa: PLC0415
        from google_auth_httplib2 import AuthorizedHttp  # noqa: PLC0415
        from googleapiclient.discovery import build  # noqa: PLC0415

        addresses = _Addresses.current()
        self._credentials = Credentials(  # type: ignore[no-untyped-call]
            token=tokens.access or None,
            refresh_token=tokens.refresh,
            token_uri=addresses.token,
            client_id=settings().google_client_id,
            client_secret=settings().google_client_secret.get_secret_value(),
            expiry=tokens.expires_at.astimezone(UTC).replace(tzinfo=None) if tokens.expires_at else None,
        )
        http = AuthorizedHttp(self._credentials, http=httplib2.Http(timeout=TIMEOUT))
        self._api = build(
            "calendar",
            "v3",
            http=http,
            static_discovery=True,  # the description of the API that comes with the library
            client_options={"api_endpoint": f"{addresses.api}/calendar/v3/"} if addresses.api else None,
        )

    def close(self) -> None:
        """Close the connections to Google."""
        self._api.close()

    @property
    def tokens(self) -> Tokens:
        """The tokens as they are now."""
        return _tokens_of(self._credentials)

    def calendars(self) -> tuple[Calendar, ...]:
        """The calendars that are the person's own, their main one first.

        Raises:
            Failed: Google refuses, or cannot be reached.
        """
        answer = self._do(self._api.calendarList().list(minAccessRole="owner", maxResults=250))
        rows = sorted(answer.get("items", ()), key=lambda row: not row.get("primary", False))
        return tuple(Calendar(row["id"], row.get("summaryOverride") or row.get("summary", "")) for row in rows)

    def changes(
        self, calendar_id: str, *, sync_token: str, since: datetime, until: datetime, patience: Patience
    ) -> Changes:
        """What changed since ``sync_token``; without one, everything from ``since`` to ``until``.

        Raises:
            SyncTokenGone: Google has forgotten the token.
            Failed: Google refuses, or cannot be reached, or there is no end of pages.
        """
        wanted: dict[str, Any] = {"calendarId": calendar_id, "singleEvents": True, "maxResults": PAGE_SIZE}
        if sync_token:
            wanted |= {"syncToken": sync_token}
        else:
            wanted |= {"timeMin": since.isoformat(), "timeMax": until.isoformat()}
        events: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        for _ in range(google_rules.MOST_PAGES):
            if patience.is_over:
                raise Failed(Trouble.OUTAGE)
            request = self._api.events().list(**wanted, pageToken=page.get("nextPageToken"), fields=_FIELDS)
            page = self._do(request, {410: SyncTokenGone})
            events += page.get("items", ())
            if "nextPageToken" not in page:
                return Changes(tuple(events), page.get("nextSyncToken", ""))
        raise Failed(Trouble.TOO_MUCH)

    def put(self, calendar_id: str, event: dict[str, Any], *, is_new: bool) -> None:
        """Write an event under its own key, whether it is there or not.

        Args:
            is_new: it is most probably not there; only the number of requests depends on it.

        Raises:
            Failed: Google refuses, or cannot be reached.
        """
        events = self._api.events()
        there = {"calendarId": calendar_id, "body": event}
        change, insert = events.update(eventId=event["id"], **there), events.insert(**there)
        try:
            self._do(insert if is_new else change, _OTHERWISE)
        except _Otherwise:
            self._do(change if is_new else insert)

    def remove(self, calendar_id: str, key: str) -> None:
        """Remove an event; one that is not there is removed already.

        Raises:
            Failed: Google refuses, or cannot be reached.
        """
        try:
            self._do(self._api.events().delete(calendarId=calendar_id, eventId=key), _OTHERWISE)
        except _Otherwise:
            return

    def _do(self, request: Any, instead: Mapping[int, type[Exception]] | None = None) -> dict[str, Any]:
        """Send a request.

        Args:
            instead: what to raise at an HTTP status that is no trouble here.
        """
        from googleapiclient.errors import HttpError  # noqa: PLC0415

        with _troubles():
            try:
                found: dict[str, Any] | str = request.execute()
            except HttpError as error:
                status = int(error.resp.status)
                if instead and status in instead:
                    raise instead[status] from None
                raise Failed(
                    google_rules.meaning(status, _reason(error.content)),
                    retry_after=_seconds(error.resp.get("retry-after", "")),
                ) from None
        return found if isinstance(found, dict) else {}


class _Otherwise(Exception):
    """The event is there although it should not be, or the other way round."""


_OTHERWISE = dict.fromkeys((404, 409, 410), _Otherwise)


@contextmanager
def _troubles() -> Iterator[None]:
    """Name what goes wrong on the way to an answer."""
    import httplib2  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError, RefreshError  # noqa: PLC0415

    try:
        yield
    except RefreshError as error:
        answer = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
        final = answer.get("error") in ("invalid_grant", "unauthorized_client", "invalid_scope")
        raise Failed(Trouble.RECONNECT if final else Trouble.OUTAGE) from None
    except (GoogleAuthError, httplib2.HttpLib2Error, OSError):
        raise Failed(Trouble.OUTAGE) from None


def _flow(verifier: str | None = None) -> Flow:
    from google_auth_oauthlib.flow import Flow  # noqa: PLC0415

    addresses = _Addresses.current()
    return Flow.from_client_config(
        {
            "web": {
                "client_id": settings().google_client_id,
                "client_secret": settings().google_client_secret.get_secret_value(),
                "auth_uri": addresses.consent,
                "token_uri": addresses.token,
            }
        },
        scopes=SCOPES,
        redirect_uri=settings().base_url + routes.GOOGLE_CALLBACK,
        code_verifier=verifier,
    )


def _tokens_of(credentials: Any) -> Tokens:
    expiry = credentials.expiry
    return Tokens(credentials.refresh_token, credentials.token or "", expiry.replace(tzinfo=UTC) if expiry else None)


def _reason(content: bytes) -> str:
    """``error.errors[0].reason`` of an answer of the API."""
    try:
        return str(json.loads(content)["error"]["errors"][0]["reason"])
    except (ValueError, LookupError, TypeError):
        return ""


def _seconds(text: str) -> timedelta | None:
    """``Retry-After`` as Google gives it: a number of seconds."""
    return timedelta(seconds=min(int(text), 86_400)) if text.isdecimal() else None
