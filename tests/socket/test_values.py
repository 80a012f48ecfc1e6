"""What no screen of ours would send, sent to every handler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from mhms_app.web import gate
from mhms_app.web.pages import PAGES
from tests.running import RunningApp
from tests.socket.cast import Cast, tables
from tests.socket.hostile import Tab, tab
from tests.socket.matrix import REFLEX, WIRE_NAME, Entry, matrix, page_of

NAN = float("nan")
NO_TEXT: list[Any] = [None, 0, 1.5, True, NAN, [], ["a"], {}, {"a": "b"}, "\0", "a\0b", "\ud800", "x" * 100_000]
NO_NUMBER: list[Any] = [None, "", "5", "abc", "\0", [], [1], {}, {"a": 1}, 1.5, True, NAN, 10**30, -(10**30), 2**31]
NO_FLAG: list[Any] = [None, "", "true", "\0", 0, 1, 1.5, NAN, 10**30, [], [True], {}, {"a": True}]
NO_FORM: list[Any] = [None, "", "text", 5, True, [], [["name", "x"]], {"__reflex_form_entries__": 5}]

STRANGE_TEXT = [
    "",
    " ",
    "\u202eeman\u202c\u200b",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "%_\\",
    "=cmd|'/c calc'!A0",
    "../../etc/passwd",
    "\r\nSet-Cookie: mhms=x",
    "٣",
    "x" * 5_000,
]
STRANGE_NUMBERS = [-1, 0, 2**31 - 1, -(2**31) + 1]
STRANGE_ADDRESSES = [
    "",
    "\u202eeman",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "-1",
    "0",
    "9" * 9,
    "9" * 30,
    "²",
    "٣",
    "0001-01-01",
    "9999-12-31",
    "x" * 500,
]
_RAW = ["a%00b", "%ED%A0%80", "%FF%FE", "%"]  # bytes that are no text
FILTERS = ("q", "department", "doctor", "day", "week", "page", "slot", "status", "state", "role", "from", "to")
QUERY = (*FILTERS, "group", "person", "object", "next", "google")

# What these take is stored as it was typed.
KEEP_WHAT_IS_TYPED = {
    "account.profile.Account.save",
    "patient.booked.Booked.cancel",
    "admin.departments.Departments.save",
    "admin.users.Users.create",
    "admin.users.Users.save",
    "doctor.profile.Profile.save",
}
MAY_BE_MISSING = {"role", "department", "choice", "reason", "who", "part", "earliest", "slot", "message", "old_code"}


def test_what_has_the_wrong_type_is_not_even_looked_at(app: RunningApp, cast: Cast) -> None:
    before = tables(app)
    for name, line in matrix(cast).items():
        for payloads in wrong(line):
            with a_tab(app, cast, name) as hostile:
                for payload in payloads:
                    hostile.send(WIRE_NAME[name], payload)
                said = hostile.settle()
            assert set(said.vars) == {"reflex___state____state.is_hydrated"}, (name, said.vars)
            assert not said.events, name
    assert tables(app) == before


@pytest.mark.parametrize("name", sorted(REFLEX))
@pytest.mark.parametrize("payload", [[], ["a"], "text", 5, {"extra": 1}, {"vars": []}, {"value": "x"}, {"info": 5}])
def test_nor_are_the_events_of_reflex_taken_with_other_arguments(app: RunningApp, name: str, payload: Any) -> None:
    written = len(app.log())
    with tab(app) as hostile:
        hostile.visit("/")
        said = hostile.call(name, payload)
    assert set(said.vars) == {"reflex___state____state.is_hydrated"}
    assert not said.events
    assert "an event failed" not in app.log()[written:]


def test_strange_words_and_numbers_are_only_words_and_numbers(app: RunningApp, cast: Cast) -> None:
    before = tables(app)
    for name in sorted(set(matrix(cast)) - KEEP_WHAT_IS_TYPED):
        assert_answered(app, cast, name)
    assert tables(app) == before


@pytest.mark.parametrize("name", sorted(KEEP_WHAT_IS_TYPED))
def test_strange_words_in_a_form_are_kept_or_refused_in_a_sentence(app: RunningApp, cast: Cast, name: str) -> None:
    assert_answered(app, cast, name)


def test_strange_addresses_lead_to_pages(app: RunningApp, cast: Cast) -> None:
    before = tables(app)
    for page in PAGES:
        person = page.route.split("/")[1] if page.route.startswith(("/patient", "/doctor/", "/admin")) else "patient"
        words = [quote(word, safe="") for word in STRANGE_ADDRESSES] + _RAW
        paths = [f"{path_of(page.route, '1')}?" + "&".join(f"{name}={word}" for name in QUERY) for word in words]
        paths += [path_of(page.route, word) for word in words if "[" in page.route]
        for some in (paths[start : start + 20] for start in range(0, len(paths), 20)):
            with tab(app, cast.cookie[person]) as hostile:
                for path in some:
                    said = hostile.visit(path)
                    assert not said.notice.startswith(gate.UNEXPECTED), path
                    assert "Traceback" not in said.text
    assert tables(app) == before


def path_of(route: str, word: str) -> str:
    head, bracket, _ = route.partition("[")
    return f"{head}{word}" if bracket else f"/{route.strip('/')}"


@pytest.mark.parametrize(
    "address",
    [
        None,
        [],
        "text",
        5,
        {"pathname": 5},
        {"pathname": {"a": 1}, "asPath": ["b"]},
        {"pathname": "/admin", "asPath": "\0\ud800"},
        {"query": "text"},
        {"query": {"page": {"a": 1}}},
    ],
)
def test_a_broken_address_breaks_nothing(app: RunningApp, cast: Cast, address: Any) -> None:
    with tab(app, cast.cookie["patient"]) as hostile:
        event = {"name": WIRE_NAME["public.doctors.Directory.load"], "payload": {}, "router_data": address}
        hostile.send_raw(f"42/_event,{json.dumps(['event', event])}")
    assert_serving(app)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "2probe",
        "3",
        "4",
        "40",
        "40/other,",
        "41/_event,",
        "42",
        "42[]",
        '42["event",{}]',
        "42/_event,",
        "42/_event,{}",
        "42/_event,[]",
        '42/_event,["event"]',
        '42/_event,["event",null]',
        '42/_event,["event","{}"]',
        '42/_event,["event","not json"]',
        '42/_event,["event",{"name":5}]',
        '42/_event,["event",{"name":"a","payload":[]}]',
        '42/_event,["event",{"payload":{}}]',
        '42/_event,["event",{"name":"x","payload":{},"router_data":{}},5,6,7]',
        '42/_event,["connect",{"QUERY_STRING":"token=x"},null]',
        '42/_event,["disconnect"]',
        '42/_event,["client_error",{"error_type":"x","message":"y"}]',
        '42/_event,["link_token_to_sid","x"]',
        '42/_event,["emit_update","x","y"]',
        "42/_event,[" * 2000,
        '42/_event,["event",' + "[" * 50_000 + "]" * 50_000 + "]",
        '451-/_event,["event",{"_placeholder":true,"num":0}]',
        "5\x00",
        "9",
        "x" * 200_000,
    ],
)
def test_a_broken_frame_breaks_nothing(app: RunningApp, cast: Cast, frame: str) -> None:
    with tab(app, cast.cookie["patient"]) as hostile:
        hostile.send_raw(frame)
    assert_serving(app)


@contextmanager
def a_tab(app: RunningApp, cast: Cast, name: str) -> Iterator[Tab]:
    """A tab of somebody who may call the handler, on its page."""
    with tab(app, cast.cookie[matrix(cast)[name].somebody]) as hostile:
        hostile.visit(page_of(name, cast))
        if name == "admin.users.Users.save":
            hostile.call(WIRE_NAME["admin.users.Users.open"], {"user_id": cast.bystander})
        yield hostile


def wrong(line: Entry) -> Iterator[list[Any]]:
    """Payloads that are refused as a whole, some for each argument."""
    if not line.arguments:
        yield [{"extra": 1}, {"self": 1}, [], [1], "text", 5]
    for argument, value in line.arguments.items():
        others = {key: kept for key, kept in line.arguments.items() if key != argument}
        bad_ones = [
            bad for bad in wrong_for(value) if (argument, bad) != ("by", True)
        ]  # True is the 1 of Literal[-1, 1]
        yield [others, {**line.arguments, "extra": 1}, *({**others, argument: bad} for bad in bad_ones)]
        for field, text in value.items() if isinstance(value, dict) else ():
            rest = {key: kept for key, kept in value.items() if key != field}
            forms = [{**value, "extra": "x"}, *({**rest, field: bad} for bad in wrong_for(text))]
            forms += [] if field in MAY_BE_MISSING else [rest]
            yield [{**others, argument: form} for form in forms]


def wrong_for(value: Any) -> list[Any]:
    """What an argument must never be, where ``value`` is one that it may be."""
    kinds = {bool: NO_FLAG, int: NO_NUMBER, str: NO_TEXT, dict: NO_FORM}
    return kinds[type(value)]


def strange(line: Entry) -> Iterator[dict[str, Any]]:
    """Arguments of the right types that nobody would choose."""
    for argument, value in line.arguments.items():
        if isinstance(value, dict):
            for field in value:
                yield from ({argument: {**value, field: text}} for text in STRANGE_TEXT)
        elif not isinstance(value, bool):
            odd = STRANGE_TEXT if isinstance(value, str) else STRANGE_NUMBERS
            yield from ({**line.arguments, argument: bad} for bad in odd)


def assert_answered(app: RunningApp, cast: Cast, name: str) -> None:
    """The server takes what is strange or refuses it, and nothing goes wrong inside."""
    payloads = list(strange(matrix(cast)[name]))
    for some in (payloads[start : start + 20] for start in range(0, len(payloads), 20)):
        with a_tab(app, cast, name) as hostile:
            for payload in some:
                said = hostile.call(WIRE_NAME[name], payload)
                assert not said.notice.startswith(gate.UNEXPECTED), (name, payload)
                assert "Traceback" not in said.text


def assert_serving(app: RunningApp) -> None:
    """Somebody else is served as ever."""
    with tab(app) as visitor:
        assert visitor.visit("/").page_data
