"""An ended session closes its sockets, in every worker.

At once where its end is announced. Nobody announces that its time is over, and while the channel between workers is
down nothing is heard of the others: so the database is asked too, once a minute and when something was missed.

The browser opens a new one by itself, with which the tab is nobody's: it is cleared before anything is sent, and its
page leads to the login (``web.bridge.forget_strangers``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from mhms_app import db, pulse
from mhms_app.accounts import cookies, sessions
from mhms_app.accounts.sessions import SessionsEnded, hash_token
from mhms_app.facts import EVERYTHING, LookAgain

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

LAST_WORDS = 1.0  # seconds in which what somebody has asked for is still answered
LOOK_SECONDS = 60.0
_NOBODY = hash_token("")

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Visit:
    """One socket, until its client leaves or is shown out."""

    _receive: _Receive
    _is_open: bool = False
    _arriving: asyncio.Future[_Message] | None = None
    _over: asyncio.Event | None = None  # there is none for as long as the client is listened to

    async def receive(self) -> _Message:
        """The client's next message; once it has to leave, the one that says that it is gone.

        The first one opens the socket, and is handed on even so: else the server would refuse the socket with a 403.
        """
        if not self._is_open:
            self._is_open = True
            return await self._receive()
        if self._over is None:
            self._arriving = asyncio.ensure_future(self._receive())
            try:
                return await self._arriving
            except asyncio.CancelledError:
                if self._over is None:
                    raise
        await self._over.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    def stop_listening(self) -> asyncio.Event:
        """Take no further message; what was taken is still answered.

        Returns what shows the client out once it is set.
        """
        self._over = self._over or asyncio.Event()
        if self._arriving:
            self._arriving.cancel()
        return self._over

    def end(self) -> None:
        """Show the client out. The server hangs up once nobody waits for a message any more."""
        self.stop_listening().set()


@dataclass(slots=True)
class Doorman:
    """Who is inside this worker, by the hash of the session token with which their socket was opened.

    Whoever comes with the token of a session that is over already is nobody: they are not shown out again and again.
    """

    _inside: dict[str, set[_Visit]] = field(default_factory=lambda: defaultdict(set))
    _over: frozenset[str] = frozenset()

    async def serve(self, app: _App, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve one socket (ASGI 3.0) for as long as its session stands."""
        cookie = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
        token_hash = hash_token(cookies.read(cookie.decode("latin-1"), cookies.session_cookie()))
        visit = _Visit(receive)
        self._inside[token_hash].add(visit)
        try:
            await app(scope, visit.receive, send)
        finally:
            self._inside[token_hash].discard(visit)
            if not self._inside[token_hash]:
                del self._inside[token_hash]

    async def close(self) -> None:
        """Listen to nobody any more, let what they have asked for be answered, then show everybody out.

        So whatever was acted upon was also answered: what nobody listened to was not done.
        """
        visits = [visit for inside in self._inside.values() for visit in inside]
        for visit in visits:
            visit.stop_listening()
        await asyncio.sleep(LAST_WORDS)
        for visit in visits:
            visit.end()

    async def run(self) -> None:
        """The lifespan task: hear of ended sessions, and look for them, until the worker ends."""
        loop, wake = asyncio.get_running_loop(), asyncio.Event()

        def hear(fact: object) -> None:
            if isinstance(fact, SessionsEnded):
                loop.call_soon_threadsafe(self._show_out, fact)
            elif isinstance(fact, LookAgain) and EVERYTHING in fact.topics:
                loop.call_soon_threadsafe(wake.set)

        def look() -> None:
            loop.call_soon_threadsafe(self._know_over, self._find_over())

        stop = db.listen(hear, everywhere=True)
        trouble = "nobody can see whose session is over (%s)"
        try:
            await pulse.keep_doing("sessions", look, every=LOOK_SECONDS, log=log, trouble=trouble, wake=wake)
        finally:
            stop()

    def _find_over(self) -> frozenset[str]:
        """Ask the database who of those inside is nobody by now."""
        with db.transaction(read_only=True) as session:
            return sessions.over(session, set(self._inside) - {_NOBODY})

    def _know_over(self, over: frozenset[str]) -> None:
        self._show_out(SessionsEnded(over - self._over))
        self._over = over

    def _show_out(self, fact: SessionsEnded) -> None:
        ended = fact.token_hashes & self._inside.keys()
        for token_hash in ended:
            for visit in tuple(self._inside[token_hash]):
                visit.end()
        self._over |= ended


doorman = Doorman()
