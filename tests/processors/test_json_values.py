"""Values at the start of a text: decoded, wrong at the first character that cannot be JSON, or cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.processors.json_values import DEEPEST, Brackets, Stop, decode, error_position

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CONTAINERS = st.lists(VALUES, max_size=4) | st.dictionaries(st.text(), VALUES, max_size=4)
JSON = st.builds(json.dumps, CONTAINERS, ensure_ascii=st.booleans(), indent=st.none() | st.integers(0, 2))
# Text that is nearly JSON: a part of some, then something else.
NEARLY = st.tuples(
    JSON, st.integers(0, 60), st.text(st.sampled_from('{}[]":,\\u1-+.eEtrN \n\x00x'), max_size=8)
).map(lambda one: one[0][: one[1]] + one[2])


def stopped(chunks: list[str]) -> tuple[Stop, int]:
    """Return the state after these chunks, and how many characters were accepted."""
    brackets, before = Brackets(), 0
    stop = Stop.OPEN
    for chunk in chunks:
        stop, position = brackets.read(chunk)
        if stop is not Stop.OPEN:
            return stop, before + position
        before += len(chunk)
    return stop, before


@given(JSON)
def test_brackets_close_at_the_end_of_a_value(text: str) -> None:
    for chunks in ([text], list(text), [text + text], [text + "x"]):
        assert stopped(chunks) == (Stop.CLOSED, len(text))


@given(JSON)
def test_every_beginning_of_json_is_open(text: str) -> None:
    for end in range(1, len(text)):
        assert stopped([text[:end]]) == (Stop.OPEN, end)
        assert error_position(text[:end]) is None


@given(NEARLY, st.lists(st.integers(0, 60), max_size=6))
def test_brackets_do_not_depend_on_the_cuts(text: str, at: list[int]) -> None:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    chunks = [text[start:end] for start, end in zip(places, places[1:], strict=False)]
    assert stopped(chunks) == stopped([text])


@given(NEARLY)
def test_the_position_of_an_error_stays_when_more_text_comes(text: str) -> None:
    if text[:1] not in ("{", "["):
        return
    found = {error_position(text[:end]) for end in range(1, len(text) + 1)} - {None}
    assert len(found) <= 1
    stop, position = stopped([text])
    if stop is Stop.WRONG:
        wrong = error_position(text[: position + 1])
        assert wrong is not None
        assert wrong <= position
        assert found == {wrong}


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("{1", 1),
        ('{"a" 1', 5),
        ("[1}", 2),
        ("[01", 2),
        ("[+1", 1),
        ('["\n', 2),
        ("[trux", 1),
        ("[true1", 5),
        ("[1 2", 3),
        ("[\x0b", 1),
        ("[-x", 1),
        ('{"a": {"b": [1, 2}', 17),
    ],
)
def test_a_text_is_wrong_where_the_parser_says(text: str, position: int) -> None:
    assert error_position(text) == position
    assert error_position(text + '"{}[]x') == position


def test_too_many_levels_are_known_at_the_bracket() -> None:
    assert stopped(["[" * DEEPEST]) == (Stop.OPEN, DEEPEST)
    assert stopped(["[" * 1_000_000]) == (Stop.TOO_DEEP, DEEPEST)
    assert stopped(['{"a":' * 1000]) == (Stop.TOO_DEEP, DEEPEST * 5)
    assert error_position("[" * 1_000_000) is None


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "[NaN]",
        "[-Infinity]",
        "[1e999]",
        "[1E+309]",
        f"[{'9' * 400}.0]",
        f"[{'9' * 5000}]",
        "[" * 201 + "]" * 201,
        '{"a":' * 201 + "1" + "}" * 201,
        "[" * 100_000,
        "[1",
        "",
        "x",
    ],
)
def test_a_value_that_python_or_others_cannot_hold_is_not_decoded(text: str, size: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many texts
        decode(text + " " * size)


def test_short_and_long_texts_are_decoded_alike() -> None:
    for text in ('{"a": [1e308, "1e999", 1e-999]}', "[" * 200 + "]" * 200):
        for end in ("", " " * 1000):
            assert decode(text + end) == (json.loads(text), len(text))
            assert decode("x" + text + end, 1) == (json.loads(text), len(text) + 1)
    looks_infinite = {"a": 0x7FF0 << 45, "b": 1.5}
    assert decode(json.dumps(looks_infinite) + " " * 1000)[0] == looks_infinite
