"""How soon a page is there, on a phone and at a desk: Lighthouse's judgement of the demo clinic, in a real Chromium."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from bench.table import Row
from mhms_app import demo, routes
from mhms_app.accounts import cookies, sessions
from mhms_app.accounts.models import User
from mhms_app.availability.models import Slot
from tests.running import running_app
from tests.setup import chromium

RUNS = 3  # of which the middle one counts
AIMS = {"desktop": 95, "mobile": 85}
_LOCKED = Path(__file__).parent / "lighthouse"
_INSTALLED = Path(sys.prefix) / "share" / "lighthouse"


@dataclass(frozen=True, slots=True)
class Seen:
    """One page as Lighthouse saw it: scores out of 100, seconds, and kilobytes as they were sent."""

    performance: int
    accessibility: int
    largest_paint: float
    blocked: float
    kilobytes: float


def measure() -> Iterator[Row]:
    """The landing page, the directory, a doctor's week and a patient's own page."""
    _install()
    with running_app("sqlite") as app:
        with app.database() as session:
            pages = _pages(session)
        for name, path, token in pages:
            for profile, aim in AIMS.items():
                seen = _look(app.base_url + path, profile, f"{cookies.session_cookie()}={token}" if token else "")
                yield Row(
                    f"{name}, {profile}",
                    f"performance {seen.performance}",
                    f"accessibility {seen.accessibility}",
                    aim=f"{aim} and 100; largest paint {seen.largest_paint:.1f} s, main thread blocked "
                    f"{seen.blocked * 1000:.0f} ms, {seen.kilobytes:,.0f} kB",
                )


def _pages(session: Session) -> list[tuple[str, str, str]]:
    """What is looked at: its name, its path, and the session of whoever looks."""
    doctor_id = session.exec(select(Slot.doctor_id).where(Slot.state == "open")).first() or 0
    patient = session.exec(select(User).where(User.email_key == demo.PATIENT)).one()
    return [
        ("landing page", routes.HOME, ""),
        ("directory", routes.DOCTORS, ""),
        ("a doctor's week", routes.doctor_profile(doctor_id), ""),
        ("a patient's page", routes.PATIENT, sessions.open_session(session, user_id=patient.id or 0)),
    ]


def _install() -> None:
    """Put the locked Lighthouse beside the environment's other programs."""
    if not (_INSTALLED / "node_modules").is_dir():
        _INSTALLED.mkdir(parents=True, exist_ok=True)
        for file in _LOCKED.iterdir():
            (_INSTALLED / file.name).write_bytes(file.read_bytes())
        _run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")


def _look(url: str, profile: str, cookie: str) -> Seen:
    """Look at a page some times with an empty cache, and take the middle one by its performance."""
    seen = sorted((_look_once(url, profile, cookie) for _ in range(RUNS)), key=lambda one: one.performance)
    return seen[RUNS // 2]


def _look_once(url: str, profile: str, cookie: str) -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = (
            str(_INSTALLED / "node_modules" / ".bin" / "lighthouse"),
            url,
            *(["--preset=desktop"] if profile == "desktop" else []),
            *([f"--extra-headers={json.dumps({'Cookie': cookie})}"] if cookie else []),
            "--only-categories=performance,accessibility",
            "--chrome-flags=--headless=new --no-sandbox",
            "--output=json",
            f"--output-path={report}",
            "--quiet",
        )
        try:
            _run(*command)
        except subprocess.CalledProcessError:  # it sometimes loses Chromium's trace, and asks to be run again
            _run(*command)
        found: dict[str, Any] = json.loads(report.read_text())
    scores, audits = found["categories"], found["audits"]
    return Seen(
        performance=round(scores["performance"]["score"] * 100),
        accessibility=round(scores["accessibility"]["score"] * 100),
        largest_paint=audits["largest-contentful-paint"]["numericValue"] / 1000,
        blocked=audits["total-blocking-time"]["numericValue"] / 1000,
        kilobytes=audits["total-byte-weight"]["numericValue"] / 1024,
    )


def _run(*command: str) -> None:
    """Run a program of the environment's node."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path, "CHROME_PATH": chromium() or ""}
    subprocess.run(command, check=True, cwd=_INSTALLED, env=environment)
