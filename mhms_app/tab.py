"""The open tab behind an event, as Reflex knows it.

``state.router`` is put together out of five vars at every access; here only the one that is asked for is read.
"""

from __future__ import annotations

from typing import Any


def token(state: Any) -> str:
    """The tab's own token: the key of its state, and no secret."""
    return str(state.rx_router_session.client_token)


def connection(state: Any) -> str:
    """The socket over which the tab is connected."""
    return str(state.rx_router_session.session_id)


def address(state: Any) -> str:
    """The network address of the browser, as the wall has found it."""
    return str(state.rx_router_session.client_ip)


def cookies(state: Any) -> str:
    """The cookies with which the socket was opened."""
    return str(state.rx_router_headers.cookie or "")
