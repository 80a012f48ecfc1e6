"""No secret stands in the tree: ``make check`` runs detect-secrets over every file that is committed, or could be.

What only looks like a secret is listed here with its reason, by file and the first digits of its SHA-1 (as in the
tool's own baselines), so that another one in the same file is found. An entry that nothing answers to any more is an
error too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[2]

HARMLESS = {
    (".env.example", "5baa61e4"): "the form of a database's address",
    ("mhms_app/accounts/passwords.py", "cbcdf156"): "the letters of temporary passwords",
    ("mhms_app/booking/rules.py", "b1fe677d"): "the letters of references",
    ("mhms_app/demo.py", "1c950f13"): "the demo clinic's password: public, and refused in production",
    ("mhms_app/demo.py", "b1fe677d"): "the letters of references",
    ("mhms_app/settings.py", "9dfd33b6"): "the secret of a local e-mail service: refused in production",
    ("tests/accounts/test_passwords.py", "afc83e57"): "a password that is refused",
    ("tests/calendars/google_stand_in.py", "1fc14c65"): "a key of tests",
    ("tests/test_settings.py", "b1775a78"): "a secret of tests",
    ("tests/test_settings.py", "c91c6f6c"): "a key of tests",
}

# What a project of this kind could hold, and whatever looks random.
DETECTORS = (
    *("AWSKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "GitLabTokenDetector", "JwtTokenDetector"),
    *("KeywordDetector", "PrivateKeyDetector", "PypiTokenDetector", "Base64HighEntropyString", "HexHighEntropyString"),
)
BY_NAME = "Secret Keyword"  # the value of something that is called password, secret or token: tests are full of these
MADE_UP = ("tests/", "bench/")
# A name or a sentence about a password. One of random letters and nothing else is left to the entropy's detectors.
WORDS = re.compile(r"[A-Za-z][a-z]*([ _,.'][A-Za-z]*)*")
GENERATED = ("requirements.txt", "requirements-dev.txt", "requirements-tools.txt", "package-lock.json")  # hashes only


def main() -> None:
    """Print what looks like a secret and is not known to be harmless; exit 1 if there is any."""
    found = look(ROOT, tracked(ROOT))
    new, gone = found.keys() - HARMLESS.keys(), HARMLESS.keys() - found.keys()
    for path, digits in sorted(new):
        print(f"{path}:{found[path, digits]} looks like a secret ({digits})")
    for path, digits in sorted(gone):
        print(f"{path}: {digits} is listed in {Path(__file__).name} and is not there any more")
    sys.exit(bool(new or gone))


def tracked(root: Path) -> list[str]:
    """Every file that is committed or could be, but what tools have written."""
    listing = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    paths = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    return [path for path in paths if not path.endswith(GENERATED) and (root / path).is_file()]


def look(root: Path, paths: list[str]) -> dict[tuple[str, str], str]:
    """What looks like a secret: by its file and the digits of its hash, its line and kind."""
    secrets = SecretsCollection(str(root))
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        secrets.scan_files(*paths)
    return {
        (path, secret.secret_hash[:8]): f"{secret.line_number} {secret.type}"
        for path, secret in secrets
        if secret.type != BY_NAME or not (path.startswith(MADE_UP) or WORDS.fullmatch(secret.secret_value or ""))
    }


if __name__ == "__main__":
    main()
