from __future__ import annotations

import argparse

import pytest

from pyrepl_stream.config import parse_assignment, parse_seconds


def test_seconds_are_positive_and_finite() -> None:
    assert parse_seconds("1.5") == 1.5
    for text in ("0", "-1", "nan", "inf", "1e999", "soon", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is not a positive number of seconds"):
            parse_seconds(text)


def test_an_assignment_is_split_at_the_first_equals_sign() -> None:
    assert parse_assignment("B=x=y") == ("B", "x=y")
    assert parse_assignment("EMPTY=") == ("EMPTY", "")
    for text in ("A", "=x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is not NAME=VALUE"):
            parse_assignment(text)
