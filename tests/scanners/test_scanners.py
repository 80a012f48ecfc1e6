"""What `make check` looks for, it finds: our semgrep rules by their samples, a secret that was just written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import ROOT

RULES = ROOT / "tests" / "scanners" / "rules"
TOOLS = Path(sys.executable).parent.parent / "tools" / "bin"


def test_every_rule_has_a_sample_that_it_finds_and_one_that_it_lets_through() -> None:
    ids = {name for path in RULES.glob("*.yml") for name in re.findall(r"- id: ([\w-]+)", path.read_text("utf-8"))}
    samples = "".join(path.read_text("utf-8") for path in RULES.glob("*.py"))
    assert len(ids) >= 5
    for sign in ("ruleid", "ok"):
        assert set(re.findall(rf"# {sign}: ([\w-]+)", samples)) == ids


def test_every_rule_finds_its_samples_and_nothing_else() -> None:
    command = (TOOLS / "semgrep", "scan", "--test", "--metrics", "off", "--config", RULES, RULES)
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "All tests passed" in done.stdout


@pytest.mark.parametrize(
    "line",
    [
        'password = "a-real-one-of-somebody"',
        'AWS_KEY = "AKIA' + 'QYLPMN5HFIQR7XYA"',
        "-----BEGIN RSA PRIVATE " + "KEY-----",
        'DATABASE = "postgresql://mhms:' + 'hW3kPq9zL@db.clinic.example/mhms"',
    ],
)
def test_a_secret_in_a_new_file_is_found(tmp_path: Path, line: str) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "harmless.py").write_text('greeting = "Good morning"\n')
    (tmp_path / "settings.py").write_text(f"{line}\n")
    program = (
        "from pathlib import Path; from tests.scanners.secrets import look, tracked; "
        f"root = Path({str(tmp_path)!r}); print(*look(root, tracked(root)))"
    )
    done = subprocess.run([TOOLS / "python", "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "settings.py" in done.stdout
    assert "harmless" not in done.stdout
