"""Every action in the code has words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mhms_app.audit.words import GROUPS, WORDS, words_of
from mhms_app.booking.models import Status
from tests.databases import ROOT

ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
NO_ACTIONS = {"mhms.db"}  # what looks like one


def literals() -> Iterator[str]:
    """What looks like an action in every module that writes to the trail."""
    for path in (ROOT / "mhms_app").rglob("*.py"):
        source = path.read_text("utf-8")
        if "audit" not in source or path.name == "words.py":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ACTION.fullmatch(node.value):
                yield node.value


def test_every_action_in_the_code_has_words() -> None:
    written = {text for text in literals() if not text.endswith((".py", ".css", ".csv"))} - NO_ACTIONS
    assert len(written) > 50
    assert written <= set(WORDS)


def test_every_status_of_an_appointment_has_words() -> None:
    assert {f"appointment.{status}" for status in Status} - {"appointment.cancelled"} <= set(WORDS)


def test_no_action_is_in_two_groups() -> None:
    assert len(WORDS) == sum(len(actions) for _, actions in GROUPS.values())


def test_an_action_of_another_version_is_called_by_its_name() -> None:
    assert words_of("session.open") == "logged in"
    assert words_of("future.thing") == "future.thing"
