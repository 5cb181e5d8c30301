"""The scanner agrees with the parser of the standard library, character by character."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.processors.json_scanner import DEEPEST, JsonScanner, Scan, parse

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


def scanned(chunks: list[str]) -> tuple[Scan, int]:
    """What is known after these chunks, and how many characters were accepted."""
    scanner, before = JsonScanner(), 0
    scan = Scan.OPEN
    for chunk in chunks:
        scan, position = scanner.feed(chunk)
        if scan is not Scan.OPEN:
            return scan, before + position
        before += len(chunk)
    return scan, before


def can_go_on(text: str) -> bool:
    """Whether some text that begins like this is JSON: the parser reads it with one of these ends."""
    scalars = [
        "",
        '"',
        '0"',
        "\\",
        '"',
        "0",
        "1}",
        "e",
        "rue",
        "ue",
        "alse",
        "lse",
        "se",
        "ull",
        "ll",
        "l",
        "aN",
    ]
    scalars += [
        "N",
        "nfinity",
        "finity",
        "inity",
        "nity",
        "ity",
        "ty",
        "y",
        'n"',
        '0000"',
        '000"',
        '00"',
        '1"',
    ]
    brackets = brackets_of(text)
    for scalar in scalars:
        for before in ("", ":0", ",0", '"":0', "0", '":0', '0":0', 'n":0', '0000":0', '000":0', '00":0'):
            try:
                json.loads(text + scalar + before + brackets)
            except ValueError:
                continue
            return True
    return False


def brackets_of(text: str) -> str:
    """What closes the brackets that are open."""
    stack, in_string, position = [], False, 0
    while position < len(text):
        char = text[position]
        if in_string:
            position += char == "\\"
            in_string = char != '"'
        elif char in "{[":
            stack.append("}" if char == "{" else "]")
        elif char in "}]" and stack:
            stack.pop()
        else:
            in_string = char == '"'
        position += 1
    return "".join(reversed(stack))


@given(JSON)
def test_what_is_json_is_read_to_its_end_and_no_further(text: str) -> None:
    for chunks in ([text], list(text), [text + text], [text + "x"]):
        assert scanned(chunks) == (Scan.ENDED, len(text))


@given(JSON)
def test_every_beginning_of_json_is_open(text: str) -> None:
    for end in range(len(text)):
        assert scanned([text[:end]]) == (Scan.OPEN, end)


@given(NEARLY)
def test_what_is_refused_is_refused_at_the_first_character_that_cannot_be(text: str) -> None:
    whole = scanned([text])
    assert scanned(list(text)) == whole
    scan, position = whole
    if scan is Scan.ENDED:
        json.loads(text[:position])
    elif position:
        assert can_go_on(text[:position])
        if scan is Scan.REFUSED:
            assert not can_go_on(text[: position + 1])


@given(NEARLY, st.lists(st.integers(0, 60), max_size=6))
def test_the_cuts_do_not_matter(text: str, at: list[int]) -> None:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    chunks = [text[start:end] for start, end in zip(places, places[1:], strict=False)]
    assert scanned(chunks) == scanned([text])


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("x", 0),
        ("{1", 1),
        ('{"a" 1', 5),
        ('{"a":1,}', 7),
        ("[1,]", 3),
        ("[1}", 2),
        ("[01", 2),
        ("[1.]", 3),
        ("[1e+]", 4),
        ("[-]", 2),
        ("[+1", 1),
        ('["\n', 2),
        ('["\\x', 3),
        ('["\\u12g', 6),
        ("[tru]", 4),
        ("[true1", 5),
        ("[1 2", 3),
        ("[\x0b", 1),
        ("[-Infinit]", 9),
    ],
)
def test_it_is_refused_where_the_grammar_says(text: str, accepted: int) -> None:
    for chunks in ([text], list(text)):
        assert scanned(chunks) == (Scan.REFUSED, accepted)


def test_too_many_levels_are_known_at_the_bracket() -> None:
    assert scanned(["[" * DEEPEST]) == (Scan.OPEN, DEEPEST)
    assert scanned(["[" * 1_000_000]) == (Scan.TOO_DEEP, DEEPEST)
    assert scanned(['{"a":' * 1000]) == (Scan.TOO_DEEP, DEEPEST * 5)


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
def test_what_python_or_others_cannot_hold_is_not_parsed(text: str, size: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many texts
        parse(text + " " * size)


def test_parsed_is_the_same_whether_short_or_long() -> None:
    for text in ('{"a": [1e308, "1e999", 1e-999]}', "[" * 200 + "]" * 200):
        for end in ("", " " * 1000):
            assert parse(text + end) == (json.loads(text), len(text))
            assert parse("x" + text + end, 1) == (json.loads(text), len(text) + 1)
    looks_infinite = {"a": 0x7FF0 << 45, "b": 1.5}
    assert parse(json.dumps(looks_infinite) + " " * 1000)[0] == looks_infinite
