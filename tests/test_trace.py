"""One id for everything that belongs to one request or event: in the logs, in the trail, in the answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers

from mhms_app import trace
from mhms_app.api.wall import request_id
from mhms_app.logs import OneLine

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def line() -> dict[str, str]:
    record = logging.LogRecord("mhms_app.web", logging.INFO, "gate.py", 1, "done", (), None)
    read: dict[str, str] = json.loads(OneLine().format(record))
    return read


def test_a_line_that_is_logged_names_the_event_that_is_under_way() -> None:
    assert "id" not in line()
    with trace.under_way("aaaa0000bbbb"):
        assert line()["id"] == "aaaa0000bbbb"
    assert "id" not in line()


def test_events_beside_each_other_are_told_apart_also_in_threads() -> None:
    async def event(number: int) -> tuple[str, str]:
        trace.begin(f"{number:012d}")
        await asyncio.sleep(0.01)
        with ThreadPoolExecutor(1) as pool:
            elsewhere = await asyncio.get_running_loop().run_in_executor(pool, trace.carried(trace.current))
        return trace.current(), elsewhere

    async def all_at_once() -> list[tuple[str, str]]:
        return await asyncio.gather(*(event(number) for number in range(20)))

    assert asyncio.run(all_at_once()) == [(f"{number:012d}",) * 2 for number in range(20)]


@pytest.mark.parametrize(
    ("traceparent", "given", "expected"),
    [
        (PARENT, "", TRACE_ID),
        (PARENT, "0f0f0f0f", TRACE_ID),
        (f"cc-{TRACE_ID}-00f067aa0ba902b7-01-what the future adds", "", TRACE_ID),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", "", ""),
        (f"00-{TRACE_ID}-{'0' * 16}-01", "", ""),
        (PARENT.upper(), "", ""),
        (f"{PARENT}\nforged", "", ""),
        ("", "AAAABBBB-aaaa-4444-8888-aaaabbbb0000", "aaaabbbbaaaa44448888aaaabbbb0000"),
        ("", "4f2a9c1b", "4f2a9c1b"),
        ("", "jo@example.com", ""),
        ("", "4f2a9c1b\n", ""),
        ("", "f" * 33, ""),
        ("", "１２３４５６７８", ""),
    ],
)
def test_only_what_is_an_id_is_taken_from_a_proxy(traceparent: str, given: str, expected: str) -> None:
    assert trace.told(traceparent, given) == expected


def test_only_a_proxy_that_is_believed_names_a_request(configure: Callable[[str, str], None]) -> None:
    sent = Headers({"traceparent": PARENT})
    assert request_id(sent) != request_id(sent)
    assert len(request_id(sent)) == 12
    configure("MHMS_TRUSTED_PROXY_HOPS", "1")
    assert request_id(sent) == TRACE_ID
    assert request_id(Headers({"x-request-id": "<script>"})).isalnum()
