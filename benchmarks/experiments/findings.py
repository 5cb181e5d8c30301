"""The result of an experiment: a table, the method, and a plot."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..report import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = (
    "Findings",
    "child",
    "grouped_bars",
    "in_process",
    "legend_below",
    "ms",
    "peak_memory",
    "percentile",
    "plot",
)

_COLORS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#9c6b4e", "#97bbf5")
_STYLE = {
    "svg.hashsalt": "pyrepl-stream",  # the same figures make the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
}


@dataclass
class Findings(Table):
    """The table, method and plot of one experiment.

    ``note`` is the method in a sentence or two; ``draw`` fills a figure that is 8 by 4 inches.
    """

    draw: Callable[[Figure], object] = lambda figure: None


def plot(findings: Findings, path: Path) -> None:
    """Draw the findings to an SVG file. Raises :class:`ImportError` without matplotlib."""
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "axes.prop_cycle": cycler(color=_COLORS)}):
        figure = Figure(figsize=(8, 4))
        findings.draw(figure)
        figure.savefig(path, format="svg", metadata={"Date": None})


def grouped_bars(
    axes: Any, groups: Sequence[str], series: dict[str, Sequence[float]], *, log: bool = False
) -> None:
    """Draw bars side by side: a group for each of ``groups``, with a bar for each of the series."""
    width = 0.8 / len(series)
    for number, (name, values) in enumerate(series.items()):
        places = [place + (number - (len(series) - 1) / 2) * width for place in range(len(groups))]
        axes.bar(places, values, width, label=name)
    axes.set_xticks(range(len(groups)), groups)
    if log:
        axes.set_yscale("log")
    legend_below(axes)


def legend_below(axes: Any) -> None:
    """Draw the legend where it hides nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7)


def child(code: str) -> list[str]:
    """Return a command that runs ``code`` in a Python that starts fast."""
    return [sys.executable, "-I", "-S", "-c", code]


def in_process(module: str, *arguments: object) -> dict[str, Any]:
    """Run ``module`` in a process of its own, to measure memory and CPU time; return the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=Path(__file__).parent.parent.parent,
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def peak_memory() -> float:
    """Return the peak of resident memory of this process in bytes."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("VmHWM:"))


def percentile(values: Sequence[float], number: int) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[number - 1]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.01 else f"{seconds * 1000:,.0f} ms"
