"""Shows the differences of a target: ``PYTHONPATH=tests python -m fidelity TARGET [TEXT]``.

TEXT selects the cases whose id contains it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

from .outcomes import CASES, Outcome, differences
from .places import TARGETS

FIELDS = ("stdout", "stderr", "shown", "error", "traceback")


def main(target: str, text: str = "") -> None:
    """Print each case that differs, first as the reference shows it, then as the target does."""
    chosen = TARGETS[target]
    known = differences(target)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = f"{folder}/ipython"
        left, right = Path(folder, "reference"), Path(folder, "place")
        left.mkdir()
        right.mkdir()
        with chosen.reference(left) as reference, chosen.place(right) as place:
            for case in CASES:
                if text in case.id and (case.is_plain_python or not chosen.plain):
                    expected, found = reference(case), place(case)
                    if (expected != found) != (case.id in known) or (text and expected != found):
                        print(f"{'-' if expected == found else '+'} {case.id}", flush=True)
                    if expected != found:
                        _show(expected, found)


def _show(expected: list[Outcome], found: list[Outcome]) -> None:
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        for field, value, seen in zip(FIELDS, astuple(one), astuple(other), strict=True):
            if value != seen:
                print(f"    cell {number} {field}:\n      {value!r}\n      {seen!r}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
