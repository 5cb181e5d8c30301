"""Tables of figures, each with its bound."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

__all__ = ("Table", "environment", "middle")


@dataclass
class Table:
    """Rows of text under a title; ``missed`` names the figures that are beyond their bound."""

    title: str
    columns: Sequence[str]
    note: str = ""
    rows: list[Sequence[str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def row(self, name: str, *cells: str) -> None:
        self.rows.append((name, *cells))

    def bounded(
        self,
        name: str,
        values: Sequence[float],
        *,
        most: float | None = None,
        least: float | None = None,
        show: Callable[[float], str] = "{:.2f}x".format,
    ) -> str:
        """Return a cell with the median and the range of ``values``, and whether the median is in bounds."""
        value = statistics.median(values)
        cell = f"{show(value)} ({show(min(values))}..{show(max(values))})" if len(values) > 1 else show(value)
        for bound, kept, word in (
            (most, most is None or value <= most, "at most"),
            (least, least is None or value >= least, "at least"),
        ):
            if bound is not None:
                cell += f", {word} {show(bound)}: {'yes' if kept else '**NO**'}"
            if not kept:
                self.missed.append(f"{self.title}, {name}: {show(value)}, expected {word} {show(bound or 0)}")
        return cell

    def holds(self, name: str, fact: bool, otherwise: str = "NO") -> str:
        """Return a cell with "yes", or with the actual result, which counts as a miss."""
        if not fact:
            self.missed.append(f"{self.title}, {name}: {otherwise}")
        return "yes" if fact else f"**{otherwise}**"

    def __str__(self) -> str:
        rule = ["---"] * len(self.columns)
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, rule, *self.rows)]
        return "\n".join((f"## {self.title}", "", *((self.note, "") if self.note else ()), *lines, ""))


def middle(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return the median and the range of a figure without a bound."""
    return f"{show(statistics.median(values))} ({show(min(values))}..{show(max(values))})"


def environment() -> Iterator[str]:
    """Return the conditions that the figures depend on, one line each."""
    yield f"Python {platform.python_version()} ({platform.python_implementation()}), {platform.system()}"
    yield f"cores: {os.cpu_count()}, switch interval: {sys.getswitchinterval() * 1000:g} ms"
    for name in ("pyrepl-stream", "ipykernel", "jupyter_client", "anyio"):
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: not installed" if name != "pyrepl-stream" else "pyrepl-stream from this directory"
