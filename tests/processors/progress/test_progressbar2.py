"""Lines of progressbar2."""

from __future__ import annotations

import pytest

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.progressbar2 import LIBRARY

START = "Elapsed Time: 0:00:02"


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        (f" 40% (2 of 5) |###   | {START} ETA:   0:00:03", Bar("", 2, 5, "", 40, None, 2, 3)),
        (f"  0% (0 of 5) |      | {START} ETA:  --:--:--", Bar("", 0, 5, "", 0, None, 2)),
        (f"100% (5 of 5) |######| {START} Time:  0:00:02", Bar("", 5, 5, "", 100, None, 2, finished=True)),
        (
            f"a b  20% of   4.8 MiB |#  | {START} ETA: 0:00:09",
            Bar("a b", None, 4.8 * 2**20, "B", 20, None, 2, 9),
        ),
        (f"/ |#     | 3 {START}", Bar("", 3, elapsed=2)),
        (f"| 1.0 MiB |#     | {START}", Bar("", 2**20, None, "B", elapsed=2)),
        (f"N/A% (3 of 5) |# | {START} ETA:  N/A", Bar("", 3, 5, elapsed=2)),
        (f" 40% |##  | {START} ETA: 0:00:03 2.0 MB/s", Bar("", None, None, "B", 40, 2e6, 2, 3)),
    ],
)
def test_a_line_says(line: str, bar: Bar) -> None:
    assert LIBRARY.parse(line) == bar


@pytest.mark.parametrize("line", ["", START, f"40% {START}", f" 40% (2 of 5) |###   | {START} ETA:   0:00:0"])
def test_other_lines_do_not_match(line: str) -> None:
    assert LIBRARY.parse(line) is None
