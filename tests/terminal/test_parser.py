from __future__ import annotations

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.terminal.parser import SEQUENCE, Escapes, has_escapes, runs, tokens, without_start


def tokens_of(chunks: list[str]) -> tuple[list[tuple[str, str]], str]:
    """Return all tokens, with adjacent texts joined, and the text that is held at the end."""
    escapes = Escapes()
    found: list[tuple[str, str]] = []
    for chunk in chunks:
        for text, control in tokens(escapes.complete(chunk)):
            if text and found and found[-1][0]:
                text = found.pop()[0] + text
            found.append((text, control))
    return found, escapes.flush()


def joined(found: list[tuple[str, str]]) -> str:
    return "".join(text or control for text, control in found)


# -- kinds -------------------------------------------------------------------------------------

SEQUENCES = [
    "\x1b[m",
    "\x1b[38;2;1;2;3m",
    "\x1b[4:3m",
    "\x1b[?25l",
    "\x1b[>4;2m",
    "\x1b[2 q",
    "\x9b31m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\",
    "\x9d0;title\x9c",
    "\x1bPq#0;2;0;0;0\n#0~~\x1b\\",
    "\x1b_Gi=1;AAAA\x1b\\",
    "\x1b^x\x1b\\",
    "\x1bXx\x1b\\",
    "\x1b7",
    "\x1bM",
    "\x1b(B",
    "\x1b#8",
    "\x1b\\",
]


@pytest.mark.parametrize("control", ["\n", "\r", "\x7f", "\x85", *SEQUENCES])
def test_each_control_and_sequence_is_one_token_wherever_it_is_cut(control: str) -> None:
    for place in range(len(control) + 1):
        found, held = tokens_of(["a", control[:place], control[place:], "\n"])
        assert found == [("a", ""), ("", control), ("", "\n")]
        assert held == ""
    assert bool(re.fullmatch(SEQUENCE, control)) == (control in SEQUENCES)


def test_text_has_tabs_and_any_other_character() -> None:
    text = "words\tand \N{GRINNING FACE}\ud800\u2028"
    for place in range(len(text) + 1):
        assert tokens_of(["a", text[:place], text[place:], "\n"]) == ([("a" + text, ""), ("", "\n")], "")
    assert not re.search(SEQUENCE, text)


@pytest.mark.parametrize(
    "start", ["\x1b", "\x1b[", "\x1b[3", "\x1b[3 ", "\x1b]0;t", "\x1b]0;t\x1b", "\x1b(", "\x9b", "\x9d0"]
)
def test_an_unfinished_sequence_is_held(start: str) -> None:
    escapes = Escapes()
    assert escapes.complete("a" + start) == "a"
    assert escapes
    assert escapes.flush() == start
    assert not escapes


@pytest.mark.parametrize("end", ["\x18", "\x1a", "\x1b[1m", "\x1b7", "\x1b\x1b\\", "\x9b1m", "\x84"])
def test_another_sequence_cancels_a_string(end: str) -> None:
    text = "\x1b]0;title" + end
    for place in range(len(text)):
        found, held = tokens_of([text[:place], text[place:]])
        assert found[0] == ("", "\x1b]0;title")
        assert joined(found[1:]) == end
        assert held == ""


@pytest.mark.parametrize("end", ["\x18", "\x1a", "\x1b[1m", "\x1b7", "\x1b\x1b\\", "\x9b1m", "\x84"])
@pytest.mark.parametrize("start", ["\x1b[", "\x1b[31", "\x9b?2 ", "\x1b(", "\x1b ##"])
def test_another_sequence_cancels_a_sequence(start: str, end: str) -> None:
    text = start + end
    for place in range(len(text)):
        found, held = tokens_of([text[:place], text[place:]])
        assert found[0] == ("", start)
        assert joined(found[1:]) == end
        assert held == ""


def test_text_that_is_not_a_sequence_loses_only_its_first_character_to_a_control() -> None:
    assert tokens_of(["\x1b[3\n1m"])[0] == [("", "\x1b"), ("[3", ""), ("", "\n"), ("1m", "")]
    assert tokens_of(["\x1bé"])[0] == [("", "\x1b"), ("é", "")]


def test_a_run_of_backspaces_is_one_control() -> None:
    assert runs("ab\b\b\rc\b") == [("ab", ""), ("", "\b\b"), ("", "\r"), ("c", ""), ("", "\b")]


def test_escapes_are_found() -> None:
    assert has_escapes("a\x1b[m") and has_escapes("\x9b1m")
    assert not has_escapes("text\r\n\b\ta\x07\u2028\xa0")


@pytest.mark.parametrize(
    ("unfinished", "text"),
    [
        ("\x1b[31", ""),
        ("\x1b", ""),
        ("\x1b(", ""),
        ("\x9b1", ""),
        ("\x1b]0;title", "0;title"),
        ("\x9d8;;", "8;;"),
        ("", ""),
    ],
)
def test_the_text_of_an_unfinished_sequence_is_what_a_string_holds(unfinished: str, text: str) -> None:
    assert without_start(unfinished) == text


# -- any text, any cuts ------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["\x1b", "[", "]", "31", ";", "m", "\\", "\x07", "P", "(", "B", " ", "\n", "\r", "a", "é", "\x18"]
    + ["\x9b", "\x9d", "\x9c", "\x90", "\x85", "\x7f", "\x1b[1m", "\x1b]0;t\x07", "\N{GRINNING FACE}"]
)
OUTPUT = st.lists(PIECES | st.text(max_size=3), max_size=20).map("".join)
CUTS = st.lists(st.integers(0, 60), max_size=12)


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    return [text[start:end] for start, end in zip(places, places[1:], strict=False)]


@given(OUTPUT, CUTS)
def test_any_text_cut_anywhere_gives_the_same_tokens_and_all_of_it(text: str, at: list[int]) -> None:
    whole, held = tokens_of([text])
    assert joined(whole) + held == text
    assert tokens_of(cut(text, at)) == (whole, held)
    assert tokens_of(list(text)) == (whole, held)


@given(OUTPUT)
def test_complete_text_has_the_sequences_that_the_tokens_have(text: str) -> None:
    found = re.findall(SEQUENCE, Escapes().complete(text))
    controls = [control for _, control in tokens_of([text])[0]]
    # A single character may be a control or a cancelled sequence.
    assert [one for one in found if len(one) > 1] == [one for one in controls if len(one) > 1]


@pytest.mark.parametrize("end", ["\x07", "\x1b\\", "\x9c", "\x1b[m", "\n"])
@pytest.mark.parametrize("over", [0, 1, 2])
@pytest.mark.parametrize("start", ["\x1b]", "\x9d"])
def test_where_a_string_becomes_too_long_does_not_depend_on_the_cuts(start: str, over: int, end: str) -> None:
    text = start + "x" * ((1 << 16) - 1 + over) + end
    whole = tokens_of([text])
    ended = end != "\n" and over < 2
    if whole[0]:
        shown, control = whole[0][0]
        assert not shown and text.startswith(control)
        assert (len(control) > 1) == ended
    for place in (1, 2, 3, len(text) // 2, *range(len(text) - len(end) - 3, len(text))):
        assert tokens_of([text[:place], text[place:]]) == whole
        assert tokens_of([text[:place], text[place : place + 1], text[place + 1 :]]) == whole


@pytest.mark.parametrize("size", [1023, 1024, 1025])
def test_where_a_control_sequence_becomes_too_long_does_not_depend_on_the_cuts(size: int) -> None:
    text = "\x1b[" + "1" * size + "m"
    whole = tokens_of([text])
    assert whole[0][0] == ("", text if size <= 1024 else "\x1b")
    assert tokens_of(list(text)) == whole


# -- hostile input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["\x1b[31m", "\x1b", "\x1b]", "\x9d", "\x1b[1", "\x1b]0;\x1b", "\x9b ;"],
)
@pytest.mark.parametrize("size", [1, 65_536])
def test_a_million_sequences_take_linear_time(piece: str, size: int) -> None:
    text = piece * (1_000_000 if size > 1 else 30_000)
    started = time.process_time()
    found, held = tokens_of([text[place : place + size] for place in range(0, len(text), size)])
    assert time.process_time() - started < 20
    assert joined(found) + held == text


@pytest.mark.parametrize("start", ["\x1b]0;", "\x9d", "\x1bP", "\x1b["])
@pytest.mark.parametrize("size", [1, 100, 32_768])
def test_a_sequence_without_an_end_takes_linear_time_and_bounded_memory(start: str, size: int) -> None:
    escapes = Escapes()
    chunk = "1" * size
    tracemalloc.start()
    try:
        started = time.process_time()
        passed = sum(
            len(escapes.complete(text)) for text in [start, *[chunk] * (100_000 if size == 1 else 1000)]
        )
        took = time.process_time() - started
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert passed + len(escapes.flush()) == len(start) + size * (100_000 if size == 1 else 1000)
    assert took < 20
    assert peak < 16 << 20
