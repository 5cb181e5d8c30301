"""The time that an import adds to the start of Python: whole processes, started in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyrepl_stream

from .report import Table, middle

ROUNDS = 15
IMPORTS = ("import pyrepl_stream", "from pyrepl_stream import Session")
_UNWANTED = "import sys; print(*sorted({'IPython', 'ipykernel', 'zmq', 'anyio', 'dask'} & set(sys.modules)))"


def run() -> Iterator[Table]:
    """Measure how much longer both imports take than a bare start."""
    table = Table(
        "Import",
        ("code", "process", "over bare Python", "IPython is not imported", "of the others imported"),
        f"{ROUNDS} rounds of processes; the difference is that of the same round.",
    )
    codes = ("pass", *IMPORTS)
    times: dict[str, list[float]] = {code: [] for code in codes}
    for code in codes:
        _python(code)  # so that all is compiled and in the file cache
    for _ in range(ROUNDS):
        for code in codes:
            times[code].append(_python(code)[0])
    table.row("pass", middle(times["pass"], _ms), "", "", "")
    for code in IMPORTS:
        over = [with_it - bare for with_it, bare in zip(times[code], times["pass"], strict=True)]
        loaded = _python(f"{code}; {_UNWANTED}")[1].split()
        table.row(
            f"`{code}`",
            middle(times[code], _ms),
            table.bounded(code, over, most=0.1, show=_ms),
            table.holds(code, "IPython" not in loaded, "IPython is imported"),
            ", ".join(loaded) or "none",
        )
    yield table


def _python(code: str) -> tuple[float, str]:
    home = str(Path(pyrepl_stream.__file__).parent.parent)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": home},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - started, done.stdout


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
