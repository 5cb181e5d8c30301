"""Lines with a percentage that nobody else knows."""

from __future__ import annotations

import pytest

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.generic import LIBRARY


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        ("50%", Bar("", percentage=50, doubtful=True)),
        ("Reading packages... 50%", Bar("Reading packages", percentage=50, doubtful=True)),
        ("Installing [=====>    ]  45.5 %", Bar("Installing", percentage=45.5, doubtful=True)),
        ("100% done", Bar("", percentage=100, doubtful=True)),
        ("build: 12% [34/280] 3.4s", Bar("build", percentage=12, doubtful=True)),
        ("pull ▕██  ▏ 45% ETA 3s", Bar("pull", percentage=45, doubtful=True)),
        ("(45%) 3 of 7", Bar("", percentage=45, doubtful=True)),
    ],
)
def test_a_line_says(line: str, bar: Bar) -> None:
    assert LIBRARY.parse(line) == bar


@pytest.mark.parametrize(
    "line", ["", "%", "accuracy 93% on test", "101%", "CPU 10% memory 20%", "v1.50%", "x50%", "50%x"]
)
def test_other_lines_are_none_of_its(line: str) -> None:
    assert LIBRARY.parse(line) is None
