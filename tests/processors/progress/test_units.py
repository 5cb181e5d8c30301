"""Sizes, rates and times."""

from __future__ import annotations

import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.processors.progress.units import (
    DURATION,
    NUMBER,
    RATE,
    SIZE,
    duration,
    number,
    percentage,
    rate,
    size,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("12.5", 12.5),
        ("12,5", 12.5),
        ("12,345", 12345),
        ("12.345", 12.345),
        ("1,234,567", 1234567),
        ("1.234.567", 1234567),
        ("1,234.5", 1234.5),
        ("1.234,56", 1234.56),
    ],
)
def test_commas_and_full_stops_are_read_as_they_are_meant(text: str, value: float) -> None:
    assert re.fullmatch(NUMBER, text)
    assert number(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "decimal", "binary"),
    [
        ("345", 345, 345),
        ("345B", 345, 345),
        ("12 bytes", 12, 12),
        ("1 byte", 1, 1),
        ("1.5k", 1500, 1536),
        ("1.5K", 1500, 1536),
        ("1.5 kB", 1500, 1536),
        ("2MB", 2e6, 2 * 1024**2),
        ("2 MiB", 2 * 1024**2, 2 * 1024**2),
        ("2Gi", 2 * 1024**3, 2 * 1024**3),
        ("3T", 3e12, 3 * 1024**4),
        ("1,234,567B", 1234567, 1234567),
    ],
)
def test_a_size_is_of_1000_unless_it_or_its_tool_says_1024(text: str, decimal: float, binary: float) -> None:
    assert re.fullmatch(SIZE, text)
    assert size(text) == decimal
    assert size(text, binary=True) == binary


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1.2MB/s", 1.2e6, "B"),
        ("1.5 KiB/s", 1536, "B"),
        ("345 bytes/s", 345, "B"),
        ("3it/s", 3, "it"),
        ("3.4 kit/s", 3400, "it"),
        ("2k/s", 2000, ""),
        ("5 keys/s", 5, "keys"),
        ("5 steps/sec", 5, "steps"),
        ("2.00s/it", 0.5, "it"),
        ("0.00s/it", None, "it"),
        ("?it/s", None, "it"),
        ("? B/s", None, "B"),
    ],
)
def test_a_rate_is_of_something_in_each_second(text: str, value: float | None, unit: str) -> None:
    assert re.fullmatch(RATE, text)
    assert rate(text) == (value, unit)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:12", 12),
        ("1:02:03", 3723),
        ("0:00:12.5", 12.5),
        ("1 day, 0:00:01", 86401),
        ("2 days, 1:00:00", 2 * 86400 + 3600),
        ("1-02:03:04", 86400 + 7384),
        ("2.8s", 2.8),
        ("3m 2s", 182),
        ("36m51s", 2211),
        ("1h 5m", 3900),
        ("4d 05h", 4 * 86400 + 5 * 3600),
        ("--:--:--", None),
        ("-:--:--", None),
        ("--:--", None),
        ("?", None),
        ("N/A", None),
    ],
)
def test_a_duration_is_in_seconds(text: str, seconds: float | None) -> None:
    assert re.fullmatch(DURATION, text)
    assert duration(text) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("2,8s", 2.8), ("1d 02:03:04", 86400 + 7384), ("", None)])
def test_durations_of_single_tools_are_read_as_well(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


def test_a_share_is_known_where_both_numbers_are() -> None:
    assert percentage(1, 4) == 25
    assert percentage(5, 4) == 100
    assert percentage(None, 4) is None
    assert percentage(1, None) is None
    assert percentage(0, 0) is None


@given(st.from_regex(f"(?:{SIZE}|{RATE}|{DURATION})", fullmatch=True))
def test_matching_text_is_a_finite_number_or_unknown(text: str) -> None:
    values = [
        size(text) if re.fullmatch(SIZE, text) else None,
        rate(text)[0] if re.fullmatch(RATE, text) else None,
        duration(text) if re.fullmatch(DURATION, text) else None,
    ]
    assert all(value is None or (math.isfinite(value) and value >= 0) for value in values)


@pytest.mark.parametrize("text", ["9" * 4096, "9," * 2048, " " * 4096, "-" * 4096, "1:" * 2048, "1d" * 2048])
def test_no_line_makes_the_expressions_slow(text: str) -> None:
    started = time.process_time()
    for expression in (NUMBER, SIZE, RATE, DURATION):
        assert not re.fullmatch(f"{expression} {expression}", text)
    assert time.process_time() - started < 1  # only something that is not linear takes that long
