"""The containers: what the Containerfile and compose.yaml promise, as far as it can be seen without a registry.

The app is run from nothing but what the last stage of the Containerfile copies, and changes none of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.servers import free_port
from mhms_app import db, launch
from mhms_app.settings import Settings, settings
from tests import builders
from tests.databases import ROOT

STAGES = (ROOT / "Containerfile").read_text().split("\nFROM ")[1:]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def sources() -> list[str]:
    """What the last stage takes over of the app's folder, by its place in there."""
    copied = " ".join(re.findall(r"^COPY --from=build (.+) \S+$", STAGES[-1], re.M)).split()
    return [name.removeprefix("/app/") for name in copied if name.startswith("/app/")]


def test_everything_that_the_pages_are_built_from_is_there_to_be_compared() -> None:
    taken = sources()
    for pattern in launch._BUILT_FROM:
        assert any(pattern.startswith(name) for name in taken), pattern


def test_the_image_runs_as_nobody_in_particular_and_says_whether_it_is_ready() -> None:
    assert re.search(r"^USER 10001:10001$", STAGES[-1], re.M)
    assert "readyz" in STAGES[-1].partition("HEALTHCHECK")[2]
    assert "--requirement requirements.txt" in STAGES[0]  # and no other: neither tests nor tools


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_locked_down_watched_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert set(service["networks"]) <= set(COMPOSE["networks"])


def test_only_caddy_is_reached_from_outside_and_the_data_reaches_nobody() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["caddy"]
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert all(SERVICES[name]["networks"] == ["data"] for name in ("postgres", "redis"))


def test_the_app_is_told_settings_that_exist_and_every_secret_comes_from_outside() -> None:
    given = SERVICES["app1"]["environment"]
    assert {name.removeprefix("MHMS_").lower() for name in given} <= set(Settings.model_fields)
    for name, value in given.items():
        if any(word in name for word in ("SECRET", "KEY", "TOKEN")):
            assert re.fullmatch(r"\$\{[A-Z_]+(:\?.+|:-)\}", value), name
    assert not re.search(r"://\w+:[^$@]+@", str(COMPOSE))
    assert SERVICES["app1"] == SERVICES["app2"]


@pytest.fixture
def unpacked(tmp_path: Path) -> Iterator[Path]:
    """The app's folder as the image has it."""
    launch.build_pages(settings())
    app = tmp_path / "app"
    for name in sources():
        target = app / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    subprocess.run(["chmod", "-R", "a-w,a+rX", app], check=True)
    yield app
    subprocess.run(["chmod", "-R", "u+w", app], check=True)


def look(app: Path) -> dict[Path, int]:
    """When each of its files was changed last."""
    return {path: path.lstat().st_mtime_ns for path in app.rglob("*")}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_it_serves_from_files_that_it_may_not_change(unpacked: Path, tmp_path: Path, database: str) -> None:
    before, port, writable = look(unpacked), free_port(), tmp_path / "tmp"
    writable.mkdir()
    with db.transaction() as session:
        builders.user(session)  # so no demo clinic is loaded
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(writable),
        "TMPDIR": str(writable),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MHMS_PORT": str(port),
        "MHMS_DATA_DIR": str(writable),
        "MHMS_DATABASE_URL": database,
        "MHMS_EMAIL_URL": "http://127.0.0.1:9",
    }
    command, log = [sys.executable, "-m", "mhms_app.cli", "serve"], tmp_path / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=unpacked, env=environment, stdout=out, stderr=out) as server,
    ):
        try:
            assert launch.wait_until_ready(settings().model_copy(update={"port": port}), seconds=240), log.read_text()[
                -3000:
            ]
            assert "Linden Clinic" in httpx.get(f"http://127.0.0.1:{port}/").text
        finally:
            server.terminate()
    assert look(unpacked) == before
