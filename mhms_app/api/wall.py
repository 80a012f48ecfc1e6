"""The wall around everything that answers HTTP or a socket: origins, sizes, response headers."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mhms_app import metrics, routes, spans, trace
from mhms_app.accounts import cookies
from mhms_app.accounts.rules import network_of, tidy_address
from mhms_app.api.pace import Crowd, Paced
from mhms_app.errors import Busy
from mhms_app.live.doorman import doorman
from mhms_app.live.leaving import leaving
from mhms_app.settings import settings

MAX_BODY = 64 * 1024
MAX_SOCKETS_PER_ADDRESS = 500
MAX_SOCKETS = 5000
MAX_NEW_SOCKETS_PER_ADDRESS = 2000  # a minute
MAX_POSTS_PER_ADDRESS = 32  # at once
# What a browser could do and no page of ours needs. Passkeys are asked for after a change of page without a load, so
# the policy of every page has to allow them.
_UNUSED = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "geolocation"),
    *("gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment"),
    *("picture-in-picture", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
_ASSETS = ("/assets/", "/fonts/")
_PASSKEYS = ("publickey-credentials-create", "publickey-credentials-get")
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class Wall:
    """An ASGI wrapper that refuses foreign origins and oversized bodies, and sets the security headers.

    Args:
        app: what is behind the wall.
        sockets: what serves sockets, and where. They are led there past everything that routes requests: it would stand
            around each of them, with 7 kB of its own, for as long as the tab is open.
        pages: the folder of the built pages, each of which may run its own inline scripts.
        separate_pages: development: pages and backend have different ports of one host.
        crowd: who waits for an answer of this worker, and who stands in line for that.
    """

    def __init__(self, app: ASGIApp, sockets: Mount, *, pages: Path, separate_pages: bool, crowd: Crowd) -> None:
        self._app, self._sockets = app, sockets
        self._separate_pages = separate_pages
        self._crowd = crowd
        self._open: Counter[str] = Counter()
        self._opened: Counter[str] = Counter()
        self._minute = 0
        self._posts: Counter[str] = Counter()
        self._page_headers = {  # by the address without the slash at its end
            f"/{page.parent.relative_to(pages)}".removesuffix("/."): page_headers(inline_script_hashes(page))
            for page in pages.glob("**/index.html")
        }
        self._other_headers = page_headers(inline_script_hashes(pages / "404.html"))  # also of pages about one of many
        self._asset_headers = asset_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or a socket through, or refuse it; it has an id of its own from here on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        with trace.under_way(request_id(headers)):
            if scope["type"] == "websocket" or scope["path"].startswith(_ASSETS):  # each event has a span of its own
                await self._let_through(scope, receive, send)
                return
            with spans.span(scope["method"], parent=headers if settings().trusted_proxy_hops else None):
                await self._let_through(scope, receive, send)

    async def _let_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "client": (client_address(HTTPConnection(scope)), 0)}  # for everybody behind the wall
        headers = Headers(scope=scope)
        guarded = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if guarded and not self._is_own_origin(headers) and not _is_nobodys_report(scope, headers):
            await self._refuse(scope, receive, send, 403, "This request comes from another site.")
        elif not (length := headers.get("content-length", "0")).isdecimal() or int(length) > MAX_BODY:
            await self._refuse(scope, receive, send, 413, "This is too large.")
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif guarded:
            await self._post(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(self._as_page(scope), _capped(receive), self._with_headers(scope, send))

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that acts, and no more than so many at once of one address."""
        address = network_of(scope["client"][0])
        if self._posts[address] >= MAX_POSTS_PER_ADDRESS:
            await self._refuse(scope, receive, send, 503, Busy.sentence)
            return
        with _counted(self._posts, address):
            await self._serve(scope, receive, send)

    def _as_page(self, scope: Scope) -> Scope:
        """Serve a page under the address that people see, instead of leading them to its folder's (``/login/``)."""
        return {**scope, "path": f"{scope['path']}/"} if scope["path"] in self._page_headers else scope

    def _is_own_origin(self, headers: Headers) -> bool:
        """Say whether the browser sent this from one of our own pages; a missing Origin is foreign."""
        origin = headers.get("origin", "")
        if settings().is_production:
            return origin == settings().base_url
        ours, theirs = urlsplit(f"//{headers.get('host', '')}"), urlsplit(origin)
        if not theirs.hostname or theirs.scheme not in ("http", "https"):
            return False
        return theirs.hostname == ours.hostname if self._separate_pages else theirs.netloc == ours.netloc

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, and no more than so many: open in all, open from one address, and new from it a minute."""
        if self._sockets.matches(scope)[0] is Match.NONE:
            await self._refuse(scope, receive, send, 404, "Nothing is here.")
            return
        if leaving.is_closed:  # a balancer tries another machine
            await self._refuse(scope, receive, send, 503, "This server is about to end.")
            return
        address = network_of(scope["client"][0])
        if self._is_too_much(address):
            metrics.SOCKETS_REFUSED.inc()
            await self._refuse(scope, receive, send, 429, "Too many connections.")
            return
        self._opened[address] += 1
        has_session = cookies.session_cookie() in Headers(scope=scope).get("cookie", "")
        paced = Paced(receive, send, crowd=self._crowd, has_session=has_session)
        with _counted(self._open, address), metrics.SOCKETS.track_inprogress(), closing(paced):
            await doorman.serve(self._sockets.app, scope, paced, send)

    def _is_too_much(self, address: str) -> bool:
        if (minute := int(time.monotonic() // 60)) != self._minute:
            self._minute, self._opened = minute, Counter()
        return (
            self._open[address] >= MAX_SOCKETS_PER_ADDRESS
            or self._open.total() >= MAX_SOCKETS
            or self._opened[address] >= MAX_NEW_SOCKETS_PER_ADDRESS
        )

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
        """Answer without the application; to a socket that was not opened yet, as to any request."""
        if scope["type"] == "websocket":
            await receive()
            await PlainTextResponse(sentence, status)(scope, receive, send)
            return
        headers = {"Retry-After": str(Busy.retry_after)} if status == 503 else {}
        await PlainTextResponse(sentence, status, headers)(scope, receive, self._with_headers(scope, send))

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        """Add the security headers to a response; nothing but built assets may be kept by a cache."""
        is_asset = scope["path"].startswith(_ASSETS)
        page_headers = self._page_headers.get(scope["path"].removesuffix("/"), self._other_headers)
        event_id, began = trace.current(), time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = str(message["status"])
                route = _route(scope)
                metrics.HTTP_SECONDS.labels(route, status).observe(time.perf_counter() - began)
                spans.rename(f"{scope['method']} {route}", **{"http.response.status_code": status})
                headers = MutableHeaders(scope=message)
                is_kept = is_asset and message["status"] == 200
                headers.update(self._asset_headers if is_kept else page_headers)
                if leaving.is_announced:
                    headers["Connection"] = "close"
                headers[trace.HEADER] = event_id
                if is_kept:
                    headers["Cache-Control"] = "public, max-age=31536000, immutable"
                elif "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store" if scope["method"] == "POST" else "no-cache"
            await send(message)

        return sending


def _route(scope: Scope) -> str:
    """What a request asked for, as its route says it: never the address itself."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else "asset" if scope["path"].startswith(_ASSETS) else "page"


def _is_nobodys_report(scope: Scope, headers: Headers) -> bool:
    """Whether a browser reports a breach of the policy without saying for which page, as some do; it only counts."""
    is_report = scope["type"] == "http" and scope["path"] == routes.CSP_REPORTS
    return is_report and headers.get("origin", "null") == "null"


def client_address(connection: HTTPConnection) -> str:
    """The client's address; the configured number of proxies is believed, nobody else.

    Each proxy appends by whom it was asked, some of them in a header line of their own.
    """
    hops = settings().trusted_proxy_hops
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    told = tidy_address(forwarded[-hops]) if 0 < hops <= len(forwarded) else ""
    return told or (connection.client.host if connection.client else "")


def request_id(headers: Headers) -> str:
    """What a request is called: as a proxy that is believed has called it, or by a name of our own."""
    told = ""
    if settings().trusted_proxy_hops:
        told = trace.told(headers.get("traceparent", ""), headers.get("x-request-id", ""))
    return told or trace.new_id()


@contextmanager
def _counted(counter: Counter[str], address: str) -> Iterator[None]:
    counter[address] += 1
    try:
        yield
    finally:
        counter[address] -= 1
        if not counter[address]:
            del counter[address]


def _capped(receive: Receive) -> Receive:
    """Stop reading a body that is longer than it said, or that never said how long it is."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            return {"type": "http.disconnect"}
        return message

    return receiving


def inline_script_hashes(page: Path) -> tuple[str, ...]:
    """The CSP hashes of the inline scripts of a built page; none in development, where it is not built."""
    bodies = set(_INLINE_SCRIPT.findall(page.read_bytes())) if page.is_file() else set()
    return tuple(sorted(f"'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'" for body in bodies))


def asset_headers() -> dict[str, str]:
    """The headers of a script, a style or a font: what is said of pages would be longer than most of them."""
    return {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        **_stay_behind_tls(),
    }


def page_headers(script_hashes: tuple[str, ...]) -> dict[str, str]:
    """The headers of a page, and of every other answer but an asset (OWASP ASVS 5.0, 3.4).

    Styles are allowed inline because React writes style attributes; scripts are not, and nothing may be
    evaluated.
    """
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(("'self'", *script_hashes)),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
        "report-uri": routes.CSP_REPORTS,
    }
    behind_tls = settings().base_url.startswith("https://")
    if behind_tls:
        policy["report-to"] = "csp"  # what replaces the other; browsers that know it report over TLS only
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(
            (*(f"{feature}=()" for feature in _UNUSED), *(f"{feature}=(self)" for feature in _PASSKEYS))
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if behind_tls:
        headers["Reporting-Endpoints"] = f'csp="{routes.CSP_REPORTS}"'
    return headers | _stay_behind_tls()


def _stay_behind_tls() -> dict[str, str]:
    behind_tls = settings().base_url.startswith("https://")
    return {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"} if behind_tls else {}
