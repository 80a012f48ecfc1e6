"""A small TCP proxy that can cut, stall and swallow what passes through it."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum

_PIECE = 65_536


class Line(Enum):
    """What becomes of what is sent."""

    OPEN = "it passes"
    CUT = "connections are reset and new ones refused"
    STALLED = "nothing passes, and nobody is told"
    ONE_WAY = "requests pass and answers do not: the connection is reset instead"


class FaultProxy:
    """Listens on ``port`` of 127.0.0.1 and passes everything on to ``target``.

    Args:
        target: an address as ``socket.connect`` takes it: a path of a Unix socket, or host and port.
    """

    def __init__(self, target: str | tuple[str, int]) -> None:
        self._target = target
        self._line = Line.OPEN
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, line: Line) -> None:
        """From now on this becomes of what is sent."""
        self._line = line
        if line is Line.CUT:
            self._reset_all()

    def close(self) -> None:
        """Reset everything and listen no more."""
        self._listener.close()
        self.set(Line.CUT)

    def _reset_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _reset(*pair)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._line is Line.CUT:
                _reset(client)
                continue
            server = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
            try:
                server.connect(self._target)
            except OSError:
                _reset(client, server)
                continue
            with self._lock:
                self._pairs.add((client, server))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, ValueError):  # the other side has gone, or the line was cut
            while True:
                ready, _, _ = select.select([client, server], [], [], 0.05)
                if self._line is Line.STALLED:
                    threading.Event().wait(0.05)
                    continue
                for source in ready:
                    piece = source.recv(_PIECE)
                    if not piece or (source is server and self._line is Line.ONE_WAY):
                        raise ConnectionResetError
                    (server if source is client else client).sendall(piece)
        with self._lock:
            self._pairs.discard((client, server))
        _reset(client, server)


def _reset(*sockets: socket.socket) -> None:
    """Close without a goodbye, as a network does that is gone."""
    for one in sockets:
        with suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.close()


@contextmanager
def proxy_to(target: str | tuple[str, int]) -> Iterator[FaultProxy]:
    """A proxy until the block ends."""
    proxy = FaultProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
