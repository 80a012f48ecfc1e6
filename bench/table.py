"""What the benchmarks print: figures with the ratio that matters, and the aim beside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass

WIDTHS = (52, 26, 28, 6)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison, both sides of it measured in the same run.

    Attributes:
        what: what was compared.
        ours: our figure, with its unit.
        other: the figure that it is compared with.
        ratio: how the two relate; what it should be is in ``aim``.
    """

    what: str
    ours: str = ""
    other: str = ""
    ratio: float | None = None
    aim: str = ""

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        cells = zip((self.what, self.ours, self.other, ratio), WIDTHS, strict=True)
        return "  ".join(f"{cell:<{width}}" for cell, width in cells) + f"  {self.aim}"


def say(title: str, rows: Iterable[Row]) -> None:
    """Print a section of the table, each row as soon as it is known."""
    print(f"\n{title}", flush=True)
    for row in rows:
        print(f"  {row}".rstrip(), flush=True)


def machine() -> str:
    """What this was measured on; absolute figures mean nothing without it."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def per_second(figure: float) -> str:
    """A rate."""
    return f"{figure:,.0f} a second"
