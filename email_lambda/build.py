"""Build .build/email_lambda.zip, the file that serverless.yml deploys.

The dependencies are wheels for the Lambda's own platform, whatever machine this runs on. Files are
sorted and carry no date, so an unchanged build is not deployed again.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARTIFACT = HERE / ".build" / "email_lambda.zip"
ONLY_HERE = {"build.py", "local.py"}


def main() -> None:
    """Install the pinned wheels beside a copy of the package, and zip both."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        _install(root)
        shutil.rmtree(root / "bin", ignore_errors=True)
        for source in _sources():
            target = root / "email_lambda" / source.relative_to(HERE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        ARTIFACT.parent.mkdir(exist_ok=True)
        _zip(root, ARTIFACT)


def _install(root: Path) -> None:
    subprocess.run(  # noqa: S603 - every word is ours
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--target", str(root), "--requirement", str(HERE / "requirements.txt")),
            *("--platform", "manylinux2014_x86_64", "--python-version", "3.12", "--only-binary", ":all:"),
        ],
        check=True,
    )


def _sources() -> Iterator[Path]:
    yield from (path for path in HERE.glob("*.py") if path.name not in ONLY_HERE)
    yield from (HERE / "templates").iterdir()


def _zip(root: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
