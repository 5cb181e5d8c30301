"""Checks of arguments, and the errors that name the way out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.runtime.errors import CursorError, UsageError
from pyrepl_stream.runtime.validation import (
    check_after,
    check_environment,
    check_identifier,
    check_path,
    check_seconds,
    encode_text,
    short_repr,
    suggest,
)


def test_the_nearest_name_is_suggested() -> None:
    assert suggest("jsno", ["text", "json", "yaml"]) == "did you mean 'json'?"


def test_without_a_similar_name_all_are_listed_in_order() -> None:
    assert suggest("qqq", ["text", "json"]) == "known: json, text"
    assert suggest("qqq", []) == "none are known"


def test_a_long_list_of_names_is_cut() -> None:
    names = [f"name{n:03}" for n in range(1100)]
    assert suggest("qqq", names).endswith("name028, name029 and 1,070 more")
    assert suggest("qqq", names, most=2) == "known: name000, name001 and 1,098 more"


@given(st.text(max_size=200))
def test_a_short_repr_has_at_most_60_characters(text: str) -> None:
    assert len(short_repr(text)) <= 60


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, 10**400, True, "3", None, [1]])
def test_seconds_must_be_positive_and_finite(value: object) -> None:
    with pytest.raises(UsageError, match="timeout must be a positive number of seconds, not "):
        check_seconds("timeout", value)


def test_seconds_are_a_float_and_may_be_optional() -> None:
    assert check_seconds("timeout", 3) == 3.0
    assert check_seconds("timeout", None, optional=True) is None


@pytest.mark.parametrize("value", ["a", "train-1", "_x.y", "0" * 64])
def test_identifiers(value: str) -> None:
    assert check_identifier("execution id", value) == value


@pytest.mark.parametrize("value", ["", ".", "-x", "a/b", "a b", "ä", "0" * 65, 3, None, "a\n"])
def test_other_values_are_not_identifiers(value: object) -> None:
    with pytest.raises(UsageError, match="is not a valid session name: use 1 to 64"):
        check_identifier("session name", value)


def test_a_path_is_text_or_a_path_object_without_nul() -> None:
    assert check_path("cwd", Path("/tmp")) == "/tmp"
    for value in (3, b"/tmp", "a\0b"):
        with pytest.raises(UsageError, match="cwd must be a path without NUL"):
            check_path("cwd", value)


@pytest.mark.parametrize(
    "env", [3, {"": "x"}, {"a=b": "x"}, {"a": 3}, {"a": "x\0"}, {3: "x"}, {"a": "\ud800"}]
)
def test_a_wrong_environment_is_an_error(env: object) -> None:
    with pytest.raises(UsageError):
        check_environment(env)


def test_an_environment_may_remove_names_and_have_any_bytes() -> None:
    check_environment({"A": None, "B": "", "C": "\udcff"})
    assert encode_text("x", "\udcff") == b"\xff"


@pytest.mark.parametrize("after", [-1, 1.0, True, "1", None])
def test_after_must_be_a_sequence_number(after: object) -> None:
    with pytest.raises(CursorError, match="after must be a sequence number"):
        check_after(after, 10)


def test_after_must_not_be_beyond_the_last_message() -> None:
    assert check_after(10, 10) == 10
    with pytest.raises(CursorError, match="after is 11, but the last message is 10"):
        check_after(11, 10)
