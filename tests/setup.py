"""What the tests need beside Python packages: ``python -m tests.setup`` finds or installs Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
INSTALLERS = {
    "apt-get": [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]],
    "dnf": [["dnf", "install", "-y", "chromium"]],
    "pacman": [["pacman", "-Sy", "--noconfirm", "chromium"]],
    "apk": [["apk", "add", "chromium"]],
}


def chromium() -> str | None:
    """The path of a Chromium: ``MHMS_TEST_CHROMIUM`` or the first one found."""
    given = os.environ.get("MHMS_TEST_CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> None:
    """Install Chromium through the system's package manager when there is none."""
    if chromium():
        return
    manager = next((name for name in INSTALLERS if shutil.which(name)), None)
    if manager is None:
        sys.exit("The browser tests need Chromium: install it, or name it in MHMS_TEST_CHROMIUM.")
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in INSTALLERS[manager]:
        subprocess.run([*prefix, *command], check=True, env=environment)
    if not chromium():
        sys.exit("Chromium was installed but is not on the path: name it in MHMS_TEST_CHROMIUM.")


if __name__ == "__main__":
    main()
