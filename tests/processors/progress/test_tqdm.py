"""Lines of tqdm, made by tqdm itself."""

from __future__ import annotations

from typing import Any

import pytest
from tqdm.std import tqdm

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.tqdm import LIBRARY


def line(**values: Any) -> str:
    return str(tqdm.format_meter(**values))


@pytest.mark.parametrize(
    ("values", "bar"),
    [
        ({"n": 0, "total": 10, "elapsed": 0}, Bar("", 0, 10, "it", 0, None, 0)),
        (
            {"n": 5, "total": 10, "elapsed": 200, "prefix": "a: b", "postfix": "x=[1, 2]", "ncols": 80},
            Bar("a: b", 5, 10, "it", 50, 0.025, 200, 200),
        ),
        (
            {"n": 5e6, "total": 1e9, "elapsed": 4000, "unit": "B", "unit_scale": True, "ncols": 70},
            Bar("", 5e6, 1e9, "B", 0, 1250, 4000, 796000),
        ),
        ({"n": 1, "total": 4, "elapsed": 3, "ncols": 0}, Bar("", 1, 4, "it", 25, 1 / 3, 3, 9)),
        ({"n": 1, "total": 4, "elapsed": 3, "ascii": True}, Bar("", 1, 4, "it", 25, 1 / 3, 3, 9)),
        ({"n": 2.5, "total": 10.0, "elapsed": 9, "unit": " s"}, Bar("", 2.5, 10, "s", 25, 1 / 3.6, 9, 27)),
        ({"n": 5, "total": None, "elapsed": 2, "unit": " rows"}, Bar("", 5, None, "rows", None, 2.5, 2)),
        (
            {"n": 1500, "total": None, "elapsed": 2, "unit_scale": True},
            Bar("", 1500, None, "it", None, 750, 2),
        ),
        ({"n": 0, "total": None, "elapsed": 0, "prefix": "z"}, Bar("z", 0, None, "it", None, None, 0)),
        ({"n": 2, "total": None, "elapsed": 9}, Bar("", 2, None, "it", None, 1 / 4.5, 9)),
        ({"n": 3, "total": 2, "elapsed": 1, "unit": "img"}, Bar("", 3, None, "img", None, 3, 1)),
    ],
)
def test_a_line_says(values: dict[str, Any], bar: Bar) -> None:
    assert LIBRARY.parse(line(**values)) == bar


def test_a_line_that_was_too_wide_says_what_is_left_and_is_doubted() -> None:
    narrow = line(n=2, total=10, elapsed=61, prefix="load", ncols=35)
    assert not narrow.endswith("]")
    assert LIBRARY.parse(narrow) == Bar("load", 2, 10, "", 20, None, 61, 244, doubtful=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "50%",
        "[00:01]",
        "  0%|          | 0/3 [00:00<?, ?it/s]hello",
        "step 3 [00:12, ok]",
        "job [00:00<00:01, 5 of 6]",
        "100%|####| done [00:00<00:00, 1.00it/s]",
        "  0%|          | 0/3 [00:00<?, ?it/s, loss=0]INFO loss [0.5]",
    ],
)
def test_other_lines_do_not_match(text: str) -> None:
    assert LIBRARY.parse(text) is None
