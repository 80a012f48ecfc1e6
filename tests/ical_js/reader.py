"""The second reader of iCalendar files: npm's ical.js, run by the node of the virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Read = Callable[[Sequence[bytes]], list[list[dict[str, Any]]]]
_INSTANTS = ("stamp", "starts_at", "ends_at")


def install(folder: Path) -> Read:
    """Install it below ``folder``; returns what reads calendars, each into its events, instants as aware UTC."""
    program = folder / "ical_js"
    shutil.copytree(HERE, program, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    env = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}

    def run(*command: str, given: str = "") -> str:
        return subprocess.run(
            command, cwd=program, env=env, input=given, capture_output=True, text=True, check=True
        ).stdout

    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")

    def read(calendars: Sequence[bytes]) -> list[list[dict[str, Any]]]:
        found = json.loads(run("node", "read.js", given=json.dumps([calendar.decode() for calendar in calendars])))
        return [
            [event | {name: datetime.fromisoformat(event[name]) for name in _INSTANTS} for event in events]
            for events in found
        ]

    return read
