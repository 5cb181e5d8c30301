from __future__ import annotations

import random
import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tmux import Tmux, needs_tmux

from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.terminal.palette import (
    DEPTHS,
    after_sgr,
    check_depth,
    convert_sgr,
    rgb_of,
    sgr_off,
    to_16,
    to_256,
)

CHANNEL = st.integers(0, 255)
SGR = re.compile(r"\x1b\[([0-9;:]*)m")


# -- against a real terminal -------------------------------------------------------------------


def colours_of_words(sent: str) -> dict[str, tuple[str, str]]:
    """Return the colours of the text and the background of each word, as the parameters that set them."""
    words = {}
    text, background = "39", "49"
    for shown, parameters in re.findall(r"(c[0-9a-f]{4})|\x1b\[([0-9;:]*)m", sent):
        if shown:
            words[shown] = (text, background)
        for one in re.findall(r"[34]8;5;\d+|\d+", parameters) or ["0"] * (not shown):
            if one == "0":
                text, background = "39", "49"
            elif re.match("3|9", one):
                text = one
            elif re.match("4|10", one):
                background = one
    return words


def words_in(styles: list[str]) -> str:
    cells = [f"\x1b[{style}mc{number:04x}\x1b[0m " for number, style in enumerate(styles)]
    return "\n".join("".join(cells[start : start + 20]) for start in range(0, len(cells), 20))


TRUE_COLOURS = [
    *product(range(0, 256, 51), repeat=3),
    *product(random.Random(1).sample(range(256), 5), repeat=3),
]
GREYS = [(level, level, level) for level in range(256)]


@pytest.mark.parametrize(("term", "depth"), [("xterm-256color", 256), ("xterm-16", 16)])
def test_true_colours_are_converted_as_tmux_does(term: str, depth: int) -> None:
    needs_tmux()
    rgb = [*TRUE_COLOURS, *GREYS]
    styles = [
        f"38;2;{r};{g};{b};48;2;{b};{r};{g}" if number % 2 else f"38:2::{r}:{g}:{b};48:2:{b}:{r}:{g}"
        for number, (r, g, b) in enumerate(rgb)
    ]
    ours = [convert_sgr(style, depth) or "" for style in styles]
    with Tmux(words_in(styles), term) as tmux:
        shown = colours_of_words(tmux.sent)
    assert len(shown) == len(rgb)
    assert shown == colours_of_words(words_in(ours))


def test_the_256_colours_become_the_16_that_tmux_shows() -> None:
    needs_tmux()
    styles = [f"38;5;{index};48:5:{255 - index}" for index in range(256)]
    with Tmux(words_in(styles), "xterm-16") as tmux:
        shown = colours_of_words(tmux.sent)
    assert len(shown) == 256
    assert shown == colours_of_words(words_in([convert_sgr(style, 16) or "" for style in styles]))


# -- colours -----------------------------------------------------------------------------------


def test_colours_of_the_palette_do_not_change() -> None:
    for index in range(16, 256):
        assert rgb_of(to_256(*rgb_of(index))) == rgb_of(index)
    for index in range(16):
        assert to_16(index) == index


@given(CHANNEL, CHANNEL, CHANNEL)
def test_no_colour_of_the_256_is_nearer(red: int, green: int, blue: int) -> None:
    def distance(index: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(rgb_of(index), (red, green, blue), strict=True))

    assert distance(to_256(red, green, blue)) == min(map(distance, range(16, 256)))


@pytest.mark.parametrize("depth", [*DEPTHS, 8, -1])
def test_an_unknown_depth_is_refused(depth: int) -> None:
    if depth in DEPTHS:
        check_depth(depth)
    else:
        with pytest.raises(UsageError, match=f"depth is {depth}, but must be one of 0, 16, 256, 16777216"):
            check_depth(depth)


# -- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "at_256", "at_16"),
    [
        ("", "", ""),
        ("0", "0", "0"),
        ("1;31", "1;31", "1;31"),
        ("97;107", "97;107", "97;107"),
        ("4:3", "4:3", "4:3"),
        ("38;2;255;0;0", "38;5;196", "91"),
        ("48;2;0;0;95", "48;5;17", "44"),
        ("1;38;2;255;0;0;4", "1;38;5;196;4", "1;91;4"),
        ("038;02;255;0;0", "38;5;196", "91"),
        ("38:2::255:0:0", "38;5;196", "91"),
        ("38:2:255:0:0", "38;5;196", "91"),
        ("48:2:0:0:255:0:1:2", "48;5;46", "102"),
        ("38;2;;;", None, None),
        ("38;5;9", "38;5;9", "91"),
        ("38;5;", None, None),
        ("48:5:100", "48:5:100", "43"),
        ("58;2;255;0;0;4", "58:5:196;4", "4"),
        ("58:2::255:0:0", "58:5:196", None),
        ("58;5;9", "58;5;9", None),
        ("38;2;300;0;0;1", "1", "1"),
        ("38;5;256", None, None),
        ("38;5;99999999999999999999;1", "1", "1"),
        ("38", None, None),
        ("38;2;1", None, None),
        ("38;3;1", "1", "1"),
        ("0;38:6:1", "0", "0"),
        ("138;1", "138;1", "138;1"),
    ],
)
def test_colours_that_cannot_be_shown_are_converted(
    parameters: str, at_256: str | None, at_16: str | None
) -> None:
    assert convert_sgr(parameters, 256) == at_256
    assert convert_sgr(parameters, 16) == at_16
    assert convert_sgr(parameters, 1 << 24) is parameters


@given(
    st.text("0123456789;:", max_size=40)
    | st.from_regex(r"(38|48|58|1)([;:](2|5|255|0|9)){0,6}", fullmatch=True)
)
def test_conversion_is_idempotent(parameters: str) -> None:
    for depth in (16, 256):
        once = convert_sgr(parameters, depth)
        if once is not None:
            assert convert_sgr(once, depth) == once
            if depth == 16:
                assert not re.search(r"(^|;)0*[345]8($|[;:])", once)


@pytest.mark.parametrize(
    ("parameters", "off"),
    [
        ("32", "39"),
        ("1;31", "22;39"),
        ("38;5;22", "39"),
        ("48;2;1;2;3;91", "39;49"),
        ("4:3;58:5:1", "24;59"),
        ("0", ""),
        ("7;27", ""),
    ],
)
def test_sgr_off_ends_only_the_styles_that_were_begun(parameters: str, off: str) -> None:
    assert sgr_off(parameters) == off
    assert not after_sgr(after_sgr(frozenset(), parameters), off or "0")


def test_styles_accumulate_and_end_one_by_one() -> None:
    styles = after_sgr(frozenset(), "1;31;44;4")
    assert styles == {22, 39, 49, 24}
    assert after_sgr(styles, "39;22") == {49, 24}
    assert after_sgr(styles, "4:0") == {22, 39, 49}
    assert after_sgr(styles, "0;7") == {27}
    assert after_sgr(styles, "") == after_sgr(styles, "1;;7;0") == frozenset()
