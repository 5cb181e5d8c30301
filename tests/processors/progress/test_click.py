"""Lines of click.progressbar."""

from __future__ import annotations

import pytest

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.click import LIBRARY


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        ("Copying files  [##----]   20%", Bar("Copying files", percentage=20)),
        ("Copying files  [######]  100%", Bar("Copying files", percentage=100)),
        ("  [##----]  100/500  file.txt", Bar("", 100, 500)),
        ("a  [##----]  1/9   11%  1d 00:00:05  b c", Bar("a", 1, 9, percentage=11, remaining=86405)),
        ("Scanning  [--#---]", Bar("Scanning")),
        ("Scanning  [######]", Bar("Scanning", finished=True)),
        ("Scanning  [--#---]  7", Bar("Scanning", 7)),
    ],
)
def test_a_line_says(line: str, bar: Bar) -> None:
    assert LIBRARY.parse(line) == bar


@pytest.mark.parametrize(
    "line", ["", "[]", "a [--]", "[#-#---]", "a  [------] text", "a  [------]  text", "[------]x"]
)
def test_other_lines_do_not_match(line: str) -> None:
    assert LIBRARY.parse(line) is None
