"""What the tests need beside Python packages: ``python -m tests.setup`` finds or installs Chromium and Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
REDIS = ("redis-server", "valkey-server")
INSTALLERS = {
    "apt-get": [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium", "redis-server"]],
    "dnf": [["dnf", "install", "-y", "chromium", "/usr/bin/redis-server"]],
    "pacman": [["pacman", "-Sy", "--noconfirm", "chromium", "valkey"]],
    "apk": [["apk", "add", "chromium", "redis"]],
}


def chromium() -> str | None:
    """The path of a Chromium: ``MHMS_TEST_CHROMIUM`` or the first one found."""
    return os.environ.get("MHMS_TEST_CHROMIUM") or _first(CHROMIUM)


def redis() -> str | None:
    """The path of a Redis server: ``MHMS_TEST_REDIS`` or the first one found."""
    return os.environ.get("MHMS_TEST_REDIS") or _first(REDIS)


def _first(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def main() -> None:
    """Install what is missing through the system's package manager."""
    if chromium() and redis():
        return
    manager = next((name for name in INSTALLERS if shutil.which(name)), None)
    if manager is None:
        sys.exit("The tests need Chromium and Redis: install them, or name MHMS_TEST_CHROMIUM and MHMS_TEST_REDIS.")
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in INSTALLERS[manager]:
        subprocess.run([*prefix, *command], check=True, env=environment)
    if not (chromium() and redis()):
        sys.exit("What was installed is not on the path: name it in MHMS_TEST_CHROMIUM and MHMS_TEST_REDIS.")


if __name__ == "__main__":
    main()
