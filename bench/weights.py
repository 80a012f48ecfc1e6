"""What a first visit has to load: the built front end, compressed as it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.table import Row
from mhms_app.launch import PAGES

KINDS = {"scripts": ".js", "styles": ".css", "fonts": ".woff2", "pages": ".html"}


def measure() -> Iterator[Row]:
    """The sum of all built files of each kind, and the largest; nothing when the pages are not built."""
    for name, suffix in KINDS.items():
        sizes = [_sent(file).stat().st_size / 1024 for file in PAGES.rglob(f"*{suffix}")]
        if sizes:
            yield Row(
                f"{name}, as sent", f"{sum(sizes):,.0f} kB in {len(sizes)} files", f"largest {max(sizes):,.0f} kB"
            )


def _sent(file: Path) -> Path:
    """What a browser of today is sent: the Brotli twin, where there is one."""
    twin = file.with_name(f"{file.name}.br")
    return twin if twin.exists() else file
