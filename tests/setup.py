"""What the tests need beside Python packages: ``python -m tests.setup`` finds or installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

SHELL = "chromium-headless-shell"  # Chromium without the windows that nobody sees: a third less work
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
REDIS = ("redis-server", "valkey-server")
SBIN = ("/usr/sbin", "/usr/local/sbin")  # where Debian puts servers, which is not on everybody's path
INSTALLERS = {
    "apt-get": [
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "chromium", SHELL, "redis-server", "nginx-light", "pgbouncer"],
    ],
    "dnf": [["dnf", "install", "-y", "chromium", "/usr/bin/redis-server", "nginx", "pgbouncer"]],
    "pacman": [["pacman", "-Sy", "--noconfirm", "chromium", "valkey", "nginx", "pgbouncer"]],
    "apk": [["apk", "add", "chromium", "redis", "nginx", "pgbouncer"]],
}


def chromium() -> str | None:
    """The path of a Chromium: ``MHMS_TEST_CHROMIUM`` or the first one found."""
    return os.environ.get("MHMS_TEST_CHROMIUM") or _first(CHROMIUM)


def headless() -> str | None:
    """The path of a Chromium for journeys: ``MHMS_TEST_CHROMIUM``, the headless shell, or the one with windows."""
    return os.environ.get("MHMS_TEST_CHROMIUM") or _first((SHELL, *CHROMIUM))


def redis() -> str | None:
    """The path of a Redis server: ``MHMS_TEST_REDIS`` or the first one found."""
    return os.environ.get("MHMS_TEST_REDIS") or _first(REDIS)


def nginx() -> str | None:
    """The path of nginx: ``MHMS_TEST_NGINX`` or the first one found."""
    return os.environ.get("MHMS_TEST_NGINX") or _first(("nginx",))


def pgbouncer() -> str | None:
    """The path of PgBouncer: ``MHMS_TEST_PGBOUNCER`` or the first one found."""
    return os.environ.get("MHMS_TEST_PGBOUNCER") or _first(("pgbouncer",))


NEEDED = {"Chromium": chromium, "Redis": redis, "nginx": nginx, "PgBouncer": pgbouncer}


def _missing() -> list[str]:
    return [name for name, find in NEEDED.items() if not find()]


def _first(names: tuple[str, ...]) -> str | None:
    folders = os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN))
    return next((path for name in names if (path := shutil.which(name, path=folders))), None)


def main() -> None:
    """Install what is missing through the system's package manager."""
    if not (missing := _missing()):
        return
    manager = next((name for name in INSTALLERS if shutil.which(name)), None)
    if manager is None:
        sys.exit(f"The tests need {', '.join(missing)}: install them, or name them in MHMS_TEST_* variables.")
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in INSTALLERS[manager]:
        subprocess.run([*prefix, *command], check=True, env=environment)
    if missing := _missing():
        sys.exit(f"{', '.join(missing)} cannot be found: name the programs in MHMS_TEST_* variables.")


if __name__ == "__main__":
    main()
