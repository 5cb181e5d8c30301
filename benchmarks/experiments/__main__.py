"""``python -m benchmarks.experiments [name...] [--quick] [--out DIR]``: run, print, and write the results."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..report import environment
from .findings import Findings, plot

NAMES = ("buffers", "stalls", "load", "json_lines", "terminals")
RESULTS = Path(__file__).parent.parent / "results"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="fewer runs, to check that the experiments work")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results go (%(default)s)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no experiment {', '.join(unknown)}; there are {', '.join(NAMES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in options.names or NAMES:
        started = time.monotonic()
        findings = import_module(f"{__package__}.{name}").run(options.quick)
        _write(name, findings, options.out, quick=options.quick)
        print(findings)
        print(f"Took {time.monotonic() - started:.0f} s.\n", flush=True)
        missed += findings.missed
    _write_all(options.out)
    for miss in missed:
        print(f"- MISSED: {miss}")
    print(f"Written to {options.out}")
    return 1 if missed else 0


def _write(name: str, findings: Findings, folder: Path, *, quick: bool) -> None:
    try:
        plot(findings, folder / f"{name}.svg")
        picture = f"![{findings.title}]({name}.svg)"
    except ImportError as exc:
        picture = f"(No plot: {exc}. Run `pip install matplotlib` to get one.)"
    command = f"python -m benchmarks.experiments {name}{' --quick' if quick else ''}"
    text = f"{findings}\n{picture}\n\n`{command}`: {'; '.join(_versions())}."
    if quick:
        text += " This was a quick run: the figures are not reliable."
    (folder / f"{name}.md").write_text(text + "\n")


def _versions() -> list[str]:
    lines = [line for line in environment() if not line.startswith(("ipykernel", "jupyter_client"))]
    try:
        lines.append(f"matplotlib {version('matplotlib')}")
    except PackageNotFoundError:
        pass
    return [*lines, f"kernel {platform.release()}"]


def _write_all(folder: Path) -> None:
    """Write one page with all results, including those of earlier runs."""
    about = (
        "Written by `python -m benchmarks.experiments`; each section names its method and its environment."
    )
    parts = ["# Experiments", about]
    for name in NAMES:
        path = folder / f"{name}.md"
        if path.exists():
            parts.append(path.read_text().strip())
    (folder / "README.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
