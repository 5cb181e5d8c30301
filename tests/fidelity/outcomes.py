"""The cells, and a common form for what the places show for them.

The cells are in ``cells/*.txt``: a case begins with ``## NAME``, and ``---`` separates its cells. A line
``# answer: TEXT`` in a cell answers its next question, and ``# interrupt at: TEXT`` interrupts it once it
has printed TEXT.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ("CASES", "NAMES", "Case", "Outcome", "differences", "normal")

# Runs after each case: prints the names that the case has defined.
_OWN = ("In", "Out", "exit", "quit", "open", "get_ipython")
NAMES = f"print(*sorted(name for name in globals() if name[0] != '_' and name not in {_OWN}))"
# Found in cells that need IPython or an answer: magics, shell commands, help, history.
_IPYTHON = re.compile(
    r"(?m)^\s*[%!?]|\?$|= *[%!]|get_ipython|IPython|\bIn\b|\bOut\b|\b_i+\b|# answer: |# interrupt at: "
)
_HERE = Path(__file__).parent


class Case(NamedTuple):
    """Cells that run one after the other."""

    group: str
    name: str
    cells: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"

    @property
    def is_plain_python(self) -> bool:
        return self.group != "displays" and not any(map(_IPYTHON.search, self.cells))


@dataclass
class Outcome:
    """The output of one cell. ``shown`` has results and displays: kind, data, metadata."""

    stdout: str = ""
    stderr: str = ""
    shown: tuple[tuple[str, Any, Any], ...] = ()
    error: str = ""
    traceback: str = ""


def _cases() -> Iterator[Case]:
    for path in sorted((_HERE / "cells").glob("*.txt")):
        for text in re.split(r"(?m)^## ", path.read_text(encoding="utf-8"))[1:]:
            name, _, body = text.partition("\n")
            yield Case(path.stem, name, tuple(re.split(r"(?m)^---\n", body)))


CASES = tuple(_cases())


def differences(target: str) -> dict[str, str]:
    """Return the cases that are known to differ in a target, each with the key of the reason.

    A line that ends with a version of Python is for some versions: ``[3.12]`` for this one and later ones,
    ``[to 3.12]`` for this one and earlier ones.
    """
    found, reason = {}, ""
    for line in (_HERE / "differences" / f"{target}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reason = line[2:]
            continue
        case, first, last = re.fullmatch(r"(.*?)(?: \[3\.(\d+)\])?(?: \[to 3\.(\d+)\])?", line).groups()
        if int(first or 0) <= sys.version_info[1] <= int(last or 99):
            found[case] = reason
    return found


# Text that is not compared, because it differs between two runs in the same place: addresses, numbers of cells,
# processes and threads, times. Also the line that sends a cell to a session.
_VARIES = (
    (r"0x[0-9a-f]{6,}", "0x…"),
    (r"In\[\d+\]|\[\d+\]:|In \[\d+\]", "In[n]"),
    (r"ipykernel_\d+[/\\]\d+\.py", "ipykernel_n/n.py"),
    (r"<cell \w+>", "<cell>"),
    (r"\b[\d.e+]+ ?(ns|µs|μs|us|ms|s|seconds)\b", "t"),
    (r"(?m)^.*ResourceWarning.*\n.*\n.*\n", ""),
    # When garbage is collected.
    (r"(?m)^.*RuntimeWarning: coroutine .*\n(  .*\n)?(RuntimeWarning: Enable .*\n)?", ""),
    (r"%%remote_stream [^\n]*\n", ""),
    (r"(?m)^ +\d+: marker", "n: marker"),  # of the history
    (r"(?m)^.*DeprecationWarning: This process .*\n(  .*\n)?", ""),  # of a fork, from CPython 3.12 on
)


def steady(text: str) -> str:
    """Return a text without the parts that differ between two runs in the same place."""
    for pattern, replacement in _VARIES:
        text = re.sub(pattern, replacement, text)
    return text


def normal(outcome: Outcome, folder: Path) -> Outcome:
    """Return an outcome without the parts that differ between two runs in the same place."""

    def text(value: str) -> str:
        return steady(value.replace(str(folder), "FOLDER"))

    stdout, stderr, shown, error, traceback = astuple(outcome)
    shown = json.loads(text(json.dumps(shown, ensure_ascii=False)))
    return Outcome(text(stdout), text(stderr), tuple(map(tuple, shown)), text(error), text(traceback))
