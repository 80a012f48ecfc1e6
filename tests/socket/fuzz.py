"""What may come over the wire from somebody who knows the application and means it no good, for Hypothesis.

Nothing here may change a row: what is random is refused by the gate, by the role, or only looks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from pydantic import ValidationError
from reflex_base.registry import RegistrationContext

from mhms_app.web import gate
from mhms_app.web.gate import policy_of
from tests.socket.cast import Cast
from tests.socket.hostile import HYDRATE
from tests.socket.matrix import REFLEX, WIRE_NAME, Entry, matrix

# Handlers that only look, or change nothing but their own page; whoever may call them may do so with any argument.
LOOKING = {
    "ask",
    "choose_day",
    "choose_department",
    "choose_part",
    "choose_weekday",
    "clear",
    "dismiss",
    "fill_in",
    "judge",
    "jump",
    "load",
    "narrow",
    "pick",
    "plan_stretch",
    "plan_weekday",
    "search",
    "show_day",
    "turn",
}
_UGLY = [
    "",
    "\0",
    "\ud800",
    "\u202e",
    "\r\n\r\n",
    "__class__",
    "__reflex_form_entries__",
    "constructor",
    "../../etc/passwd",
    "' OR 1=1 --",
    "{{7*7}}",
    "x" * 20_000,
]
TEXT = st.sampled_from(_UGLY) | st.text(max_size=20)
LEAF = st.none() | st.booleans() | st.integers() | st.integers(-3, 3) | st.floats() | TEXT
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
FORM = st.lists(st.tuples(TEXT, LEAF), max_size=4).map(lambda pairs: {"__reflex_form_entries__": pairs})


@dataclass(frozen=True, slots=True)
class Attack:
    """One connection and what is sent over it.

    Attributes:
        person: as whom: a key of ``Cast.cookie``.
        token: the tab's token, as it stands in the address of the socket.
        frames: texts and bytes.
    """

    person: str
    token: str
    frames: list[str | bytes]


def attacks(cast: Cast) -> st.SearchStrategy[Attack]:
    """Everything that somebody could try against this clinic."""
    people = st.sampled_from(sorted(cast.cookie))
    return people.flatmap(lambda person: _attacks_of(cast, person))


def _attacks_of(cast: Cast, person: str) -> st.SearchStrategy[Attack]:
    frame = st.one_of(_raw_frames(), _socket_io(), _events(cast, person), _events(cast, person))
    # A few tokens come again and again, as a browser's do: each new one is a State that is kept for a while.
    token = st.sampled_from([f"fuzz-{person}-{number}" for number in range(4)]) | st.sampled_from(_UGLY).map(quote_all)
    path = st.sampled_from(["/", "/login", f"/doctors/{cast.doctor}", "/doctors?page=-1", f"/{person}"])
    opening = path.map(lambda path: ["40/_event,", _opening(path)]) | st.sampled_from([["40/_event,"], []])
    frames = st.builds(list.__add__, opening, st.lists(frame, min_size=4, max_size=30))
    return st.builds(Attack, st.just(person), token, frames)


def _opening(path: str) -> str:
    """What a browser sends first."""
    address = {"pathname": path.partition("?")[0], "asPath": path}
    return _message(["event", {"name": HYDRATE, "payload": {"vars": {}}, "router_data": address}])


def quote_all(text: str) -> str:
    """As it may stand in an address."""
    return quote(text[:500].encode(errors="surrogatepass"), safe="")


def _raw_frames() -> st.SearchStrategy[str | bytes]:
    """Engine.IO and Socket.IO packets that are broken somewhere."""
    head = st.sampled_from(["", "0", "1", "2", "3", "5", "6", "4", "40", "41", "42", "43", "44", "450-", "451-", "46"])
    namespace = st.sampled_from(["", "/_event,", "/other,", "/_event", ",", "/_event,99"])
    body = st.sampled_from(["", "[", "[]", "{}", '["event"]', '["event",null]', "[" * 5_000]) | TEXT | _json(JSON)
    return st.builds("{}{}{}".format, head, namespace, body).map(_sendable) | st.binary(max_size=50)


def _socket_io() -> st.SearchStrategy[str]:
    """Well-formed messages with names of which only one is an event."""
    named = [
        "event",
        "connect",
        "disconnect",
        "client_error",
        "link_token_to_sid",
        "on_event",
        "emit_update",
        "__init__",
    ]
    name = st.sampled_from(named) | TEXT
    return st.tuples(name, JSON).map(list).map(_message)


def _events(cast: Cast, person: str) -> st.SearchStrategy[str]:
    """Events whose envelope is what it should be, but for some part of it."""
    lines = matrix(cast)
    known = st.sampled_from(sorted(lines)).flatmap(lambda name: _calls(name, lines[name], person))
    storage = st.dictionaries(st.sampled_from(_vars()) | TEXT, JSON, max_size=4).map(lambda found: {"vars": found})
    own = st.tuples(st.sampled_from(sorted(REFLEX)), storage | JSON)
    unknown = st.tuples(st.sampled_from(sorted(WIRE_NAME.values())).flatmap(_misspelt) | TEXT, JSON)
    return st.builds(_envelope, st.one_of(known, known, own, unknown), _router_data(), _extras()).map(_message)


def _calls(name: str, line: Entry, person: str) -> st.SearchStrategy[tuple[str, Any]]:
    """A handler with arguments that are nearly right, and change nothing."""
    some = sorted(line.arguments) or ["x"]
    value = JSON | FORM | st.sampled_from([9**9, -1, True, "2030-01-01", [[]], {}])
    changed = st.dictionaries(st.sampled_from(some), value, min_size=1, max_size=2).map(
        lambda new: {**line.arguments, **new}
    )
    in_a_form = st.tuples(st.sampled_from(some), TEXT, LEAF).map(lambda chosen: _in_form(line.arguments, *chosen))
    payload = st.one_of(changed, in_a_form, st.just(line.arguments), JSON)
    return payload.map(lambda found: (WIRE_NAME[name], _made_harmless(name, line, found, person)))


def _in_form(arguments: dict[str, Any], name: str, field: str, value: Any) -> dict[str, Any]:
    form = arguments.get(name)
    return {**arguments, name: {**form, field: value}} if isinstance(form, dict) else {**arguments, field: value}


def _made_harmless(name: str, line: Entry, payload: Any, person: str) -> Any:
    """The payload, or one that the gate refuses where this one could act."""
    may_call = line.who in ("everybody", person)
    if may_call and name.rpartition(".")[2] not in LOOKING and _passes_the_gate(WIRE_NAME[name], payload):
        return {**payload, "one too many": 1}
    return payload


def _passes_the_gate(wire_name: str, payload: Any) -> bool:
    policy = policy_of(RegistrationContext.get().event_handlers[wire_name].handler.fn)
    assert policy is not None
    try:
        policy.schema.model_validate(gate._plain(json.loads(json.dumps(payload))))
    except ValidationError:
        return False
    return True


def _misspelt(name: str) -> st.SearchStrategy[str]:
    """A name that is nearly one of a handler."""
    state, _, method = name.rpartition(".")
    own = ["setvar", "reset", "get_state", "_clean", "__init__", "__class__", "tell", "_introduce", "get_delta", "dict"]
    return st.sampled_from([f"{state}.{word}" for word in own]) | st.one_of(
        TEXT.map(lambda word: f"{name}.{word}"),
        TEXT.map(lambda word: f"{state}.{word}{method}"),
        st.integers(0, len(name)).map(lambda length: name[:length]),
    )


def _router_data() -> st.SearchStrategy[Any]:
    """Where the page says that it is, and what else the client may claim."""
    path = st.sampled_from(["/", "/admin", "/doctors/1?slot=1", "//evil.example", "/patient/appointments/MH-1"]) | TEXT
    claims = {"pathname": path | JSON, "asPath": path | JSON, "query": JSON, "headers": JSON, "ip": JSON}
    return st.fixed_dictionaries({}, optional={**claims, "token": TEXT, "sid": TEXT, "session_id": TEXT}) | JSON


def _extras() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={"token": TEXT, "state": JSON, "substate_token": TEXT, "backend": JSON})


def _envelope(call: tuple[str, Any], router_data: Any, extras: dict[str, Any]) -> list[Any]:
    return ["event", {"name": call[0], "payload": call[1], "router_data": router_data, **extras}]


def _vars() -> list[str]:
    """Names of vars as browser storage would bring them."""
    states = sorted({name.rpartition(".")[0] for name in WIRE_NAME.values()})
    return [f"{state}.{name}_rx_state_" for state in states for name in ("viewer_role", "is_hydrated", "_owner", "met")]


def _json(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return values.map(json.dumps)


def _message(content: list[Any]) -> str:
    return f"42/_event,{json.dumps(content)}"


def _sendable(text: str) -> str:
    """A websocket carries text without half characters; JSON escapes them."""
    return text.encode(errors="ignore").decode()
