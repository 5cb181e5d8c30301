"""Lines with a percentage that no other format matches."""

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
        ("[download]  42.0% of 3.00MiB", Bar("download", percentage=42, doubtful=True)),
        ("(L9) Buffered: 31 MiB => 45%", Bar("(L9) Buffered: 31 MiB", percentage=45, doubtful=True)),
        ("(45%) 3 of 7", Bar("", percentage=45, doubtful=True)),
        ("| ####5    | 45%", Bar("", percentage=45, doubtful=True)),
        ("Fit |####5    | 45%", Bar("Fit", percentage=45, doubtful=True)),
        ("Fit |5        | 5%", Bar("Fit", percentage=5, doubtful=True)),
        ("⠋ Loading 30%", Bar("Loading", percentage=30, doubtful=True)),
        ("\\ Loading 30%", Bar("Loading", percentage=30, doubtful=True)),
        ("| Loading 30%", Bar("Loading", percentage=30, doubtful=True)),
        ("Epoch [1/3]  20%|##", Bar("Epoch [1/3]", percentage=20, doubtful=True)),
        ("Epoch [1/3]|##    | 20%", Bar("Epoch [1/3]", percentage=20, doubtful=True)),
        ("Epoch [1/3] [##    ] 20%", Bar("Epoch [1/3]", percentage=20, doubtful=True)),
        ("[INFO] Epoch {1/3}... 20%", Bar("[INFO] Epoch {1/3}", percentage=20, doubtful=True)),
        ("Train (fold [2]) 20%", Bar("Train (fold [2])", percentage=20, doubtful=True)),
        ("[Epoch (1/3): 20%]", Bar("Epoch (1/3)", percentage=20, doubtful=True)),
        ("Load (step 1, 20%)", Bar("Load (step 1)", percentage=20, doubtful=True)),
        ('Copy "a b: 20%"', Bar('Copy "a b"', percentage=20, doubtful=True)),
        ("Copy 'a b'... 20%", Bar("Copy 'a b'", percentage=20, doubtful=True)),
        ("don't stop 20%", Bar("don't stop", percentage=20, doubtful=True)),
        ("<epoch 1> 20%", Bar("epoch 1", percentage=20, doubtful=True)),
        ("a < b 20%", Bar("a < b", percentage=20, doubtful=True)),
        ("--fast 30%", Bar("--fast", percentage=30, doubtful=True)),
        ("/tmp/x 30%", Bar("/tmp/x", percentage=30, doubtful=True)),
    ],
)
def test_a_line_says(line: str, bar: Bar) -> None:
    assert LIBRARY.parse(line) == bar


@pytest.mark.parametrize(
    "line", ["", "%", "accuracy 93% on test", "101%", "CPU 10% memory 20%", "v1.50%", "x50%", "50%x"]
)
def test_other_lines_do_not_match(line: str) -> None:
    assert LIBRARY.parse(line) is None
