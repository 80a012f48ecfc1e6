"""Around every answer: whose pages may ask, how much they may send, and what the browser is told."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mhms_app import routes
from mhms_app.api import wall
from tests.api.conftest import ADDRESS
from tests.running import RunningApp
from tests.socket.cast import Cast, tables
from tests.socket.hostile import tab

POSTS = ("/session", "/session/end", "/signup/account", "/", "/doctors", "/_event/", "/no/such/page")
FOREIGN = [
    None,
    "null",
    "",
    "https://evil.example",
    "http://localhost",
    "http://localhost:1",
    "https://localhost:{port}.x",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_nothing_can_be_posted_from_another_site(app: RunningApp, cast: Cast, origin: str | None) -> None:
    before = tables(app)
    headers = {} if origin is None else {"Origin": origin.format(port=app.port)}
    for path in POSTS:
        answer = httpx.post(f"{app.base_url}{path}", headers=headers, cookies={"mhms": cast.cookie["patient"]})
        assert answer.status_code == 403, path
        assert "set-cookie" not in answer.headers
    assert tables(app) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "LOCK"])
def test_nor_by_any_other_method(app: RunningApp, method: str) -> None:
    answer = httpx.request(method, f"{app.base_url}/session", headers={"Origin": "https://evil.example"})
    assert answer.status_code in (403, 404, 405)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_own_pages_may_post_by_any_name_of_the_machine(app: RunningApp, host: str) -> None:
    address = f"http://{host}:{app.port}"
    assert httpx.post(f"{address}/session/end", headers={"Origin": address}).status_code == 303


def test_in_production_only_the_clinics_own_address_may_post_and_connect(production: RunningApp) -> None:
    for origin in (production.base_url, "http://clinic.example", "https://clinic.example.evil.example", "null", None):
        headers = {"Origin": origin} if origin else {}
        assert httpx.post(f"{production.base_url}/session/end", headers=headers).status_code == 403
        with pytest.raises(InvalidStatus) as refusal, tab(production, origin=origin):
            pass
        assert refusal.value.response.status_code == 403
    assert httpx.post(f"{production.base_url}/session/end", headers={"Origin": ADDRESS}).status_code == 303
    with tab(production, origin=ADDRESS) as visitor:
        assert visitor.visit("/").page_data


@pytest.mark.parametrize("path", ["/", "/session", "/_events/", "/doctors/_event/"])
def test_there_are_sockets_in_one_place_only(app: RunningApp, path: str) -> None:
    with pytest.raises(InvalidStatus) as refusal, connect(f"ws://localhost:{app.port}{path}", origin=app.base_url):  # type: ignore[arg-type]
        pass
    assert refusal.value.response.status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/session", "/_event/", "/healthz", "/ping", "/admin/bookings.csv", "/calendar/x.ics"]
)
def test_no_other_site_may_read_an_answer(app: RunningApp, path: str) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (
            httpx.get(f"{app.base_url}{path}", headers={"Origin": origin}),
            httpx.options(f"{app.base_url}{path}", headers=asked),
        ):
            assert answer.headers.get("access-control-allow-origin") not in (origin, "*")


def test_there_is_no_other_way_in_than_the_websocket(app: RunningApp) -> None:
    answer = httpx.get(f"{app.base_url}/_event/?EIO=4&transport=polling", headers={"Origin": app.base_url})
    assert answer.status_code == 400
    assert "sid" not in answer.text


@pytest.mark.parametrize(
    "path", ["/_upload", "/_upload/", "/_upload/x", "/_all_routes", "/_all_routes/", "/admin/", "/.env", "/../.env"]
)
def test_what_the_framework_could_offer_is_absent(app: RunningApp, path: str) -> None:
    for answer in (
        httpx.get(f"{app.base_url}{path}"),
        httpx.post(f"{app.base_url}{path}", headers={"Origin": app.base_url}, files={"files": b"x"}),
    ):
        assert answer.status_code in (200, 307, 404, 405)
        assert "text/html" in answer.headers["content-type"] or answer.status_code != 200
    assert "MHMS_" not in httpx.get(f"{app.base_url}{path}").text


@pytest.mark.parametrize("path", ["/session", "/signup/account"])
def test_a_body_has_a_limit_whether_it_says_its_length_or_not(app: RunningApp, path: str) -> None:
    before = tables(app)
    headers = {"Origin": app.base_url, "Content-Type": "application/x-www-form-urlencoded"}
    body = b"email=" + b"x" * (wall.MAX_BODY + 1)
    assert httpx.post(f"{app.base_url}{path}", content=body, headers=headers).status_code == 413
    try:
        answer = httpx.post(f"{app.base_url}{path}", content=iter([body[:40_000]] * 10), headers=headers)
        assert answer.status_code >= 400
    except httpx.RemoteProtocolError:
        pass  # the server hangs up in the middle of it
    assert tables(app) == before
    assert httpx.get(f"{app.base_url}/healthz").is_success


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999", "+5", "0x10", "\xb2", "5, 5"], ids=ascii)
def test_a_length_that_is_no_number_breaks_nothing(app: RunningApp, length: str) -> None:
    request = (
        f"POST /session HTTP/1.1\r\nHost: localhost:{app.port}\r\nOrigin: {app.base_url}\r\nContent-Length: {length}"
    )
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as raw:
        raw.sendall(f"{request}\r\nConnection: close\r\n\r\nemail=a".encode("latin-1"))
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(100)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert httpx.get(f"{app.base_url}/healthz").is_success


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 49",
        "Content-Length: 4\r\nTransfer-Encoding: \tchunked",
        "Content-Length: 4\r\nTransfer-Encoding: xchunked",
    ],
    ids=ascii,
)
def test_no_request_is_smuggled_in_the_body_of_another(app: RunningApp, lengths: str) -> None:
    """A proxy and the server could see different ends of a body; what is in it must not be answered."""
    smuggled = f"GET /healthz HTTP/1.1\r\nHost: localhost:{app.port}\r\nX: x\r\n\r\n"
    request = f"POST /session HTTP/1.1\r\nHost: localhost:{app.port}\r\nOrigin: {app.base_url}\r\n{lengths}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as raw:
        raw.sendall(f"{request}{len(smuggled):x}\r\n{smuggled}\r\n0\r\n\r\n".encode())
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b'"status"' not in answer
    assert not answer.startswith(b"HTTP/1.1 5")


@pytest.mark.parametrize(
    "type_", ["multipart/form-data", "application/json", "text/plain", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_no_form_is_a_refused_form(app: RunningApp, type_: str) -> None:
    headers = {"Origin": app.base_url, "Content-Type": type_}
    for path in ("/session", "/signup/account"):
        answer = httpx.post(f"{app.base_url}{path}", content=b'--x\r\n\xff{"a": [1]}', headers=headers)
        assert answer.status_code in (303, 400)


# What the browser is told -----------------------------------------------------------------------------


@cache
def answers(app: RunningApp) -> dict[str, httpx.Response]:
    """One answer of each kind."""
    page = httpx.get(f"{app.base_url}/")
    script = next(part for part in page.text.split('"') if part.startswith("/assets/") and part.endswith(".js"))
    own = {"Origin": app.base_url if app.base_url.startswith("http") else ADDRESS}
    return {
        "page": page,
        "page of a doctor": httpx.get(f"{app.base_url}/doctors/1"),
        "no page": httpx.get(f"{app.base_url}/no/such/page"),
        "asset": httpx.get(f"{app.base_url}{script}"),
        "no asset": httpx.get(f"{app.base_url}/assets/none.js"),
        "health": httpx.get(f"{app.base_url}/healthz"),
        "readiness": httpx.get(f"{app.base_url}/readyz"),
        "login": httpx.post(f"{app.base_url}/session", headers=own, data={"email": "x"}),
        "refused post": httpx.post(f"{app.base_url}/session"),
        "wrong method": httpx.get(f"{app.base_url}/session"),
        "export": httpx.get(f"{app.base_url}/admin/bookings.csv"),
        "calendar": httpx.get(f"{app.base_url}/patient/appointments/MH-AAAAAA.ics"),
        "socket": httpx.get(f"{app.base_url}/_event/"),
    }


def test_every_answer_tells_the_browser_to_be_careful(app: RunningApp) -> None:
    for kind, answer in answers(app).items():
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", kind
        assert headers["referrer-policy"] == "same-origin", kind
        assert headers["cross-origin-resource-policy"] == "same-origin", kind
        assert "strict-transport-security" not in headers, kind
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'", kind
        if kind == "asset":  # never a document: what is said of pages would be longer than most of them
            assert policy.keys() == {"default-src", "frame-ancestors"}
            continue
        assert headers["x-frame-options"] == "DENY", kind
        assert headers["cross-origin-opener-policy"] == "same-origin", kind
        assert policy["base-uri"] == "'none'", kind
        assert policy["form-action"] == policy["connect-src"] == "'self'", kind
        assert "unsafe" not in policy["script-src"], kind
        assert all(source == "'self'" or source.startswith("'sha256-") for source in policy["script-src"].split()), kind
        assert "*" not in headers["content-security-policy"], kind
        assert policy["report-uri"] == routes.CSP_REPORTS, kind
        features = dict(part.split("=") for part in headers["permissions-policy"].split(", "))
        assert {name for name, whom in features.items() if whom != "()"} == {
            "publickey-credentials-create",
            "publickey-credentials-get",
        }, kind
        assert features.keys() >= {"camera", "geolocation", "microphone", "payment", "usb"}, kind


def test_a_page_may_run_its_own_inline_scripts_and_no_others(app: RunningApp) -> None:
    for path in ("/", "/login", "/login/code", "/admin/users", "/doctors/1", "/no/such/page", "/assets/none.js"):
        answer = httpx.get(f"{app.base_url}{path}")
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        inside = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", answer.text, re.DOTALL)
        hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inside}
        assert len(hashes) > 3, path
        assert set(policy["script-src"].split()) == {"'self'", *(f"'sha256-{one}'" for one in hashes)}, path


ENCODINGS = {
    "gzip, deflate, br, zstd": "br",
    "gzip": "gzip",
    "br;q=0.5, gzip": "gzip",
    "br;q=0, gzip;q=0": "",
    "identity": "",
    "": "",
}


@pytest.mark.parametrize("accepted", ENCODINGS)
def test_what_is_sent_is_compressed_as_the_browser_likes_it_and_is_the_same(app: RunningApp, accepted: str) -> None:
    page = httpx.get(app.base_url).text
    style = next(part for part in page.split('"') if part.startswith("/assets/") and part.endswith(".css"))
    script = next(part for part in page.split('"') if "/context-" in part)  # rewritten after the build: web/build.py
    for path in ("/", "/doctors/1", style, script):
        with httpx.stream("GET", f"{app.base_url}{path}", headers={"Accept-Encoding": accepted}) as answer:
            sent = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding", "") == ENCODINGS[accepted], path
        assert "Accept-Encoding" in answer.headers["vary"], path
        assert ("immutable" in answer.headers["cache-control"]) == path.startswith("/assets/"), path
        plain = {"br": _from_brotli, "gzip": gzip.decompress, "": bytes}[ENCODINGS[accepted]](sent)
        assert plain == httpx.get(f"{app.base_url}{path}", headers={"Accept-Encoding": "identity"}).content, path


def _from_brotli(sent: bytes) -> bytes:
    """As node reads it: Python's standard library cannot."""
    program = "process.stdout.write(zlib.brotliDecompressSync(fs.readFileSync(0)))"
    node = Path(sys.executable).with_name("node")
    return subprocess.run([node, "-e", program], input=sent, check=True, capture_output=True).stdout


def test_only_what_never_changes_is_kept_by_caches(app: RunningApp) -> None:
    kept = {kind for kind, answer in answers(app).items() if "no-" not in answer.headers["cache-control"]}
    assert kept == {"asset"}
    for kind in ("login", "refused post", "export"):
        assert answers(app)[kind].headers["cache-control"] in ("no-store", "no-cache"), kind
    assert answers(app)["login"].headers["cache-control"] == "no-store"


def test_behind_tls_the_browser_is_told_to_stay_there(production: RunningApp) -> None:
    for kind, answer in answers(production).items():
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", kind
        if kind == "asset":
            continue
        assert answer.headers["content-security-policy"].endswith("report-to csp"), kind
        assert answer.headers["reporting-endpoints"] == f'csp="{routes.CSP_REPORTS}"', kind


def test_no_answer_shows_what_is_inside(app: RunningApp, cast: Cast) -> None:
    for kind, answer in answers(app).items():
        assert answer.status_code < 500, kind
        for word in ("Traceback", "sqlalchemy", "starlette", "/site-packages/", "line "):
            assert word not in answer.text or kind in ("page", "page of a doctor", "no page", "asset"), kind
        assert "x-powered-by" not in answer.headers
        assert answer.headers["server"] == "granian", kind  # without a version


def test_every_answer_says_what_it_is_and_in_which_alphabet(app: RunningApp) -> None:
    for kind, answer in answers(app).items():
        type_ = answer.headers.get("content-type", "")
        assert bool(type_) == bool(answer.content), kind
        in_ascii = kind == "socket"  # a word of engine.io
        assert "charset=utf-8" in type_ or in_ascii or not type_.startswith("text/"), kind


def test_health_says_nothing_but_health(app: RunningApp) -> None:
    assert httpx.get(f"{app.base_url}/healthz").json() == {"status": "ok"}
    ready = httpx.get(f"{app.base_url}/readyz")
    assert ready.json() == {"status": "ready", "checks": {"database": True, "migrations": True}}
    assert app.database_url not in json.dumps(ready.json())


def test_it_listens_on_this_machine_only(app: RunningApp) -> None:
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        own = "127.0.0.1"
    with socket.socket() as probe:
        probe.settimeout(5)
        reached = probe.connect_ex((own, app.port)) == 0
    assert reached == own.startswith("127.")
