"""Lines of rich.progress."""

from __future__ import annotations

import pytest

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.rich import LIBRARY

FULL, PART = "━" * 10, "━━━━╺━━━━━"


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        (f"download {PART}  40% 0:00:03", Bar("download", percentage=40, remaining=3)),
        (f"download {PART}  40% -:--:--", Bar("download", percentage=40)),
        (f"⠋ a b {PART} 3/7 0:00:01 0:00:02", Bar("a b", 3, 7, elapsed=1, remaining=2)),
        (f"x {PART} 1.5/5.0 MB 2.5 MB/s 0:00:02", Bar("x", 1.5e6, 5e6, "B", None, 2.5e6, None, 2)),
        (f"x {PART} 512/1,024 bytes ?", Bar("x", 512, 1024, "B")),
        (f"{PART} 1.0/? GiB • 1 day, 0:00:01", Bar("", 2**30, None, "B", remaining=86401)),
        (f"wait {FULL}", Bar("wait", doubtful=True)),
        (f"{FULL} 100%", Bar("", percentage=100)),
        (f"{PART} 3/7", Bar("", 3, 7, doubtful=True)),  # pip may go on with ` [name]`
        (f"{PART} 1.5/5.0 MB 2.5 MB/s", Bar("", 1.5e6, 5e6, "B", None, 2.5e6, doubtful=True)),
    ],
)
def test_a_line_says(line: str, bar: Bar) -> None:
    assert LIBRARY.parse(line) == bar


@pytest.mark.parametrize(
    "line", ["", f"┏{FULL}┳{FULL}┓", f"x {FULL} and more", f"x{FULL} 40%", f"{FULL}40%", "━━━ 40%", "40%"]
)
def test_other_lines_do_not_match(line: str) -> None:
    assert LIBRARY.parse(line) is None
