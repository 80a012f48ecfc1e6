"""Facts: what a commit has changed, told to whoever shows it, in other workers too.

A fact is a frozen dataclass. One that is ``shared`` also travels as JSON through PostgreSQL's NOTIFY, whose payloads
are shorter than 8 000 bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter

Fact = TypeVar("Fact", bound=type)
Topic = tuple[str, int]
"""What a screen is about: ``("doctor", 7)``; a fact names every topic that it is news for."""

EVERYTHING: Topic = ("everything", 0)
"""What every screen is about."""

MOST_BYTES = 7900
_kinds: dict[str, tuple[type, TypeAdapter[Any]]] = {}
_names: dict[type, str] = {}


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Something was missed: nobody knows what, if anything, has changed."""

    topics: tuple[Topic, ...] = ()


def shared(name: str) -> Callable[[Fact], Fact]:
    """Let a dataclass travel under a name, which is part of the wire: old and new workers run side by side."""

    def register(kind: Fact) -> Fact:
        _kinds[name], _names[kind] = (kind, TypeAdapter(kind)), name
        return kind

    return register


def is_shared(fact: object) -> bool:
    """Whether workers tell each other of it."""
    return type(fact) in _names


def encode(facts: Iterable[object]) -> Iterator[str]:
    """The payloads that carry those facts that are shared, in order: as few as their size allows."""
    batch: list[str] = []
    for one in facts:
        if is_shared(one):
            for text in _texts(one):
                if batch and sum(map(len, batch)) + len(batch) + len(text) > MOST_BYTES:
                    yield _payload(batch)
                    batch = []
                batch.append(text)
    if batch:
        yield _payload(batch)


def decode(payload: str) -> list[object]:
    """The facts of a payload; a kind that only a newer worker knows is left out.

    Raises:
        ValueError: it is no such payload.
    """
    found = json.loads(payload)
    return [_kinds[name][1].validate_python(values, strict=False) for name, values in found if name in _kinds]


def _payload(texts: list[str]) -> str:
    return f"[{','.join(texts)}]"


def _texts(fact: Any) -> list[str]:
    """A fact as JSON of ASCII characters; one that is too long for a payload as several that are about less each."""
    name = _names[type(fact)]
    text = json.dumps([name, _kinds[name][1].dump_python(fact, mode="json")], separators=(",", ":"))
    if len(text) <= MOST_BYTES:
        return [text]
    halves: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for field in fields(fact):
        value = getattr(fact, field.name)
        if isinstance(value, tuple | frozenset):
            items, kind = tuple(value), type(value)
            halves[0][field.name], halves[1][field.name] = kind(items[::2]), kind(items[1::2])
    return [text for half in halves for text in _texts(replace(fact, **half))]
