"""What a first visit has to load: the built front end, compressed as it is sent."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from bench.table import Row
from mhms_app.launch import PAGES

KINDS = {"scripts": ".js", "styles": ".css", "fonts": ".woff2", "pages": ".html"}


def measure() -> Iterator[Row]:
    """The sum of all built files of each kind, and the largest; nothing when the pages are not built."""
    for name, suffix in KINDS.items():
        sizes = [len(gzip.compress(file.read_bytes())) / 1024 for file in PAGES.rglob(f"*{suffix}")]
        if sizes:
            yield Row(
                f"{name}, gzipped", f"{sum(sizes):,.0f} kB in {len(sizes)} files", f"largest {max(sizes):,.0f} kB"
            )
