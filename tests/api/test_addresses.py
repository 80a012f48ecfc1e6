"""Whose address it is: a forged header changes nothing, and only so many proxies are believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from mhms_app.accounts.rules import network_of, tidy_address
from mhms_app.api.pace import Crowd
from mhms_app.api.wall import Wall

PEER = "10.1.1.1"
Configure = Callable[[str, str], None]


def address_behind_the_wall(tmp_path: Path, *forwarded: str, kind: str = "http", peer: str = PEER) -> str:
    """What the application sees of a request with these ``X-Forwarded-For`` lines."""
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"][0])

    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    headers += [(b"host", b"clinic.example"), (b"origin", b"http://clinic.example")]
    scope: dict[str, Any] = {"type": kind, "method": "GET", "path": "/", "headers": headers, "client": (peer, 4711)}
    nothing: Any = None
    wall = Wall(inner, Mount("/", inner), pages=tmp_path, separate_pages=False, crowd=Crowd())
    asyncio.run(wall(scope, nothing, nothing))
    return seen[0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("forwarded", [("192.0.2.1",), ("192.0.2.1, 192.0.2.2", "192.0.2.3"), ("",), ()])
def test_without_a_proxy_no_header_is_believed(tmp_path: Path, kind: str, forwarded: tuple[str, ...]) -> None:
    assert address_behind_the_wall(tmp_path, *forwarded, kind=kind) == PEER


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("hops", "forwarded", "client"),
    [
        (1, ("192.0.2.1",), "192.0.2.1"),
        (1, ("6.6.6.6, 192.0.2.1",), "192.0.2.1"),
        (1, ("6.6.6.6", "192.0.2.1"), "192.0.2.1"),  # a proxy that adds a line and does not look at what was there
        (1, ("6.6.6.6,", ",192.0.2.1"), "192.0.2.1"),
        (2, ("6.6.6.6, 192.0.2.1, 10.0.0.2",), "192.0.2.1"),
        (2, ("6.6.6.6", "192.0.2.1", "10.0.0.2"), "192.0.2.1"),
        (3, ("192.0.2.1, 10.0.0.2, 10.0.0.3",), "192.0.2.1"),
        (2, ("6.6.6.6",), PEER),  # it has come past a proxy
        (1, (), PEER),
        (1, ("192.0.2.1, ",), PEER),
        (1, ("192.0.2.1, unknown",), PEER),
        (1, ("192.0.2.1, 6.6.6.6\xff",), PEER),
        (1, ("x" * 5000,), PEER),
        (1, ("192.0.2.1:4711",), "192.0.2.1"),
        (1, ("2001:DB8::0:1",), "2001:db8::1"),
        (1, ("[2001:db8::1]:4711",), "2001:db8::1"),
        (1, ("::ffff:192.0.2.1",), "192.0.2.1"),
    ],
)
def test_so_many_proxies_are_believed_and_no_forged_header(
    tmp_path: Path, configure: Configure, kind: str, hops: int, forwarded: tuple[str, ...], client: str
) -> None:
    configure("MHMS_TRUSTED_PROXY_HOPS", str(hops))
    assert address_behind_the_wall(tmp_path, *forwarded, kind=kind) == client


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", ""),
        ("192.0.2.256", ""),
        ("٣.٣.٣.٣", ""),
    ],
)
def test_one_host_cannot_be_many(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "garbage", ["", "[", "]", "[]", "[]:1", ":", "1.2.3.4:x", "[1.2.3.4", "1:2", "a.b:1", "1.2.3:4", "\0"]
)
def test_garbage_is_no_address(garbage: str) -> None:
    assert tidy_address(garbage) == ""
