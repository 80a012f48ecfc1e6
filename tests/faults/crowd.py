"""A crowd of tabs that ask for more than can be answered.

    python -m tests.faults.crowd PORT TABS PATH HANDLER PAYLOAD PAUSE

Each tab opens ``PATH`` and then sends the event every ``PAUSE`` seconds without waiting for an answer. ``inside`` is
printed when all of them are in; it ends with its standard input, and prints how often it was told to wait (JSON).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from mhms_app.web import meanwhile

_HYDRATE = "reflex___state____state.hydrate_and_load"
_PER_ADDRESS = 400


async def main(port: int, tabs: int, path: str, handler: str, payload: dict[str, Any], pause: float) -> None:
    """Come in, ask until standard input ends, and say what was heard."""
    heard: Counter[str] = Counter()
    frame = "42/_event," + json.dumps(["event", _event(handler, payload, path)])
    sockets = await asyncio.gather(*(_come_in(port, path, number) for number in range(tabs)))
    print("inside", flush=True)
    tasks = [asyncio.create_task(_ask(socket, frame, pause, heard)) for socket in sockets]
    tasks += [asyncio.create_task(_listen(socket, heard)) for socket in sockets]
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    print(json.dumps(heard), flush=True)


async def _come_in(port: int, path: str, number: int) -> ClientConnection:
    socket = await connect(
        f"ws://localhost:{port}/_event/?EIO=4&transport=websocket&token={uuid4()}",
        origin=f"http://localhost:{port}",  # type: ignore[arg-type]
        compression=None,
        open_timeout=60,
        local_addr=(f"127.0.0.{50 + number // _PER_ADDRESS}", 0),
    )
    await socket.recv()
    await socket.send("40/_event," + json.dumps({"event": _event(_HYDRATE, {"vars": {}}, path)}))
    return socket


async def _ask(socket: ClientConnection, frame: str, pause: float, heard: Counter[str]) -> None:
    with suppress(WebSocketException):
        while True:
            await socket.send(frame)
            heard["asked"] += 1
            await asyncio.sleep(pause)
    heard["hung up"] += 1


async def _listen(socket: ClientConnection, heard: Counter[str]) -> None:
    with suppress(WebSocketException):
        async for message in socket:
            text = str(message)
            if text == "2":
                await socket.send("3")
            heard["busy"] += meanwhile.BUSY in text
            heard["answered"] += text.startswith("42")


def _event(name: str, payload: dict[str, Any], path: str) -> dict[str, Any]:
    return {"name": name, "payload": payload, "router_data": {"pathname": path, "asPath": path}}


if __name__ == "__main__":
    port, tabs, path, handler, payload, pause = sys.argv[1:]
    asyncio.run(main(int(port), int(tabs), path, handler, json.loads(payload), float(pause)))
