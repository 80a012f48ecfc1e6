"""A client that sends whatever it likes: no browser, no front end, only the wire (docs/security.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from reflex.state import BaseState, State
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State as Connection
from websockets.sync.client import ClientConnection, connect

from mhms_app.web.screen import Screen
from tests.running import RunningApp

HYDRATE = f"{State.get_full_name()}.hydrate_and_load"
_PAGES = f"{Screen.get_full_name()}.mhms_app___"
_PATIENCE = 30


@dataclass(slots=True)
class Said:
    """What the server answered.

    Attributes:
        vars: the vars that were sent, by ``state.var``; of one that was sent twice the last value.
        events: what the browser was asked to do, such as ``_redirect``.
        text: every frame as it came.
    """

    vars: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    def var(self, state: type[BaseState], name: str) -> Any:
        """The last value of a var; None when it was not sent."""
        return self.vars.get(f"{state.get_full_name()}.{name}")

    @property
    def page_data(self) -> dict[str, Any]:
        """What pages show, of all that was sent: without messages, the viewer and the address."""
        return {key: value for key, value in self.vars.items() if key.startswith(_PAGES)}

    @property
    def notice(self) -> str:
        """The message of the page; ``""`` when none was sent."""
        return self.var(Screen, "notice") or ""

    @property
    def redirect(self) -> str:
        """Where the browser was led, or ``""``."""
        return next((str(event["payload"]["path"]) for event in self.events if event["name"] == "_redirect"), "")


class Tab:
    """One socket, opened with any cookie, origin and token."""

    def __init__(self, socket: ClientConnection, token: str) -> None:
        self._socket, self.token = socket, token
        self._path, self._flag = "/", True

    def join(self) -> None:
        """Enter the namespace of the events."""
        self.send_raw("40/_event,")
        frame = ""
        while not frame.startswith("40/_event,"):
            frame = self._receive(_PATIENCE) or ""
            assert frame, "the namespace was not joined"
            self._take(Said(), frame)

    def send(self, handler: str, payload: Any = None) -> None:
        """Send an event by the full name of its handler, from the page that was visited last."""
        address = {"pathname": self._path.partition("?")[0], "asPath": self._path}
        event = {"name": handler, "payload": {} if payload is None else payload, "router_data": address}
        self.send_raw(f"42/_event,{json.dumps(['event', event])}")

    def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        self._socket.send(frame)

    def call(self, handler: str, payload: Any = None) -> Said:
        """Send an event and return what it led to."""
        self.send(handler, payload)
        return self.settle()

    def visit(self, path: str) -> Said:
        """Open a page, as the front end does when it connects; its load handler has run when this returns."""
        self._path = path
        self.send(HYDRATE, {"vars": {}})
        return self._until(True)

    def go(self, path: str) -> None:
        """Turn to another page, as a link within the app does, and do not wait for it."""
        self._path = path
        self.send(f"{State.get_full_name()}.reflex___state____on_load_internal_state.on_load_internal")

    def hears_of(self, state: type[BaseState], name: str) -> Any:
        """The value of a var as soon as one arrives."""
        said = Said()
        while (value := said.var(state, name)) is None:
            frame = self._receive(_PATIENCE)
            assert frame is not None, f"nothing was heard of {name}; so far: {said.text[-2000:]}"
            self._take(said, frame)
        return value

    def listen(self, seconds: float) -> Said:
        """Everything that arrives for so long."""
        said, deadline = Said(), time.monotonic() + seconds
        while (frame := self._receive(max(0, deadline - time.monotonic()))) is not None:
            self._take(said, frame)
        return said

    def settle(self) -> Said:
        """Wait until everything sent so far is done: events of one tab are handled in their order."""
        self.send(f"{State.get_full_name()}.set_is_hydrated", {"value": not self._flag})
        return self._until(not self._flag)

    def is_closed(self) -> bool:
        """Whether the server hangs up; what it still says is not looked at."""
        while self._receive(_PATIENCE) is not None:
            pass
        return self._socket.state is Connection.CLOSED

    def wait(self, seconds: float) -> None:
        """Wait until what was sent is done, so long at most: whoever sends anything at all may be hung up on."""
        for value in (False, True):
            self.send(f"{State.get_full_name()}.set_is_hydrated", {"value": value})
        said = Said()
        while (frame := self._receive(0.05 if said.var(State, "is_hydrated") else seconds)) is not None:
            self._take(said, frame)

    def drain(self) -> Said:
        """What arrives without having been asked for, until nothing comes for a moment."""
        said = Said()
        while (frame := self._receive(0.7)) is not None:
            self._take(said, frame)
        return said

    def hears_that(self, is_it: Callable[[Said], Any], seconds: float = _PATIENCE) -> Said:
        """What arrives without having been asked for, until something is true of it."""
        said, deadline = Said(), time.monotonic() + seconds
        while not is_it(said):
            frame = self._receive(deadline - time.monotonic())
            assert frame is not None, f"it never came; so far: {said.text[-2000:]}"
            self._take(said, frame)
        return said

    def _until(self, hydrated: bool) -> Said:
        said = Said()
        while said.var(State, "is_hydrated") is not hydrated:
            frame = self._receive(_PATIENCE)
            assert frame is not None, f"no answer; so far: {said.text[-2000:]}"
            self._take(said, frame)
        self._flag = hydrated
        return said

    def _receive(self, seconds: float) -> str | None:
        """The next frame, pings answered; None when nothing comes any more."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                frame = self._socket.recv(timeout=max(0, deadline - time.monotonic()))
            except (TimeoutError, ConnectionClosed):
                return None
            if frame != "2":
                return str(frame)
            self._socket.send("3")

    def _take(self, said: Said, frame: str) -> None:
        said.text += frame
        if not frame.startswith("42/_event,"):
            return
        kind, content = json.loads(frame.partition(",")[2])
        if kind == "new_token":
            self.token = content
        if kind != "event":
            return
        for state, values in (content.get("delta") or {}).items():
            said.vars.update({f"{state}.{name.removesuffix('_rx_state_')}": value for name, value in values.items()})
        said.events += content.get("events") or []


@contextmanager
def tab(
    app: RunningApp,
    cookie: str = "",
    *,
    token: str | None = None,
    origin: str | None = "",
    host: str = "localhost",
    source: str = "127.0.0.1",
    joined: bool = True,
) -> Iterator[Tab]:
    """Open a socket.

    Args:
        cookie: the session's token; ``""`` is nobody.
        token: the tab's token; None is a new one.
        origin: ``""`` is the app's own, None sends none.
        host: the name by which the app is asked for.
        source: the address that it comes from.
        joined: enter the namespace of the events; False leaves the socket idle.
    """
    token = token or str(uuid4())
    with connect(
        f"ws://{host}:{app.port}/_event/?EIO=4&transport=websocket&token={token}",
        origin=f"http://{host}:{app.port}" if origin == "" else origin,  # type: ignore[arg-type]
        additional_headers={"Cookie": f"mhms={cookie}"} if cookie else {},
        max_size=2**24,
        source_address=(source, 0),
        compression=None,
    ) as socket:
        opened = Tab(socket, token)
        if joined:
            opened.join()
        yield opened
