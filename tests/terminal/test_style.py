from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.terminal import Style
from pyrepl_stream.terminal.style import PLAIN, after, safe_link


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("", ""),
        ("1", "b"),
        ("9;8;7;4;3;2;1", "b d i u s v h"),
        ("31;42", "f1 g2"),
        ("97;100", "f15 g8"),
        ("38;5;9;48;5;15", "f9 g15"),
        ("38;5;16;48;5;255", "f#000000 g#eeeeee"),
        ("38;2;1;2;255", "f#0102ff"),
        ("38:2::1:2:3;48:2:4:5:6;4", "u f#010203 g#040506"),
        ("4:3", "u"),
        ("4;4:0", ""),
        ("21", "u"),
        ("1;31;0;2", "d"),
        ("31;39;41;49", ""),
        ("58;5;9;58;2;7;7;7;58:2::8:8:8;3", "i"),
        ("53;5;6;10;73;99", ""),
        ("0031;001", "b f1"),
    ],
)
def test_parameters_become_words(parameters: str, words: str) -> None:
    assert after(PLAIN, parameters).words() == words


@pytest.mark.parametrize(
    "parameters",
    [
        "38",
        "38;5",
        "38;5;256",
        "38;2;1;2",
        "38;2;1;2;256",
        "38;2;;;",
        "38:5",
        "38:9:1",
        "38;7",
        "9" * 999,
        "38:5:²",
    ],
)
def test_an_invalid_colour_changes_nothing(parameters: str) -> None:
    assert after(after(PLAIN, "32"), parameters).words() == "f2"


@given(st.text("0123456789;:", max_size=30), st.text("0123456789;:", max_size=30))
def test_any_parameters_are_accepted_and_can_be_reset(first: str, second: str) -> None:
    style = after(after(PLAIN, first), second)
    assert after(style, "0") is PLAIN
    assert after(style, "22;23;24;27;28;29;39;49") is PLAIN


def test_a_reset_keeps_the_link_and_the_flag_of_stderr() -> None:
    style = Style(foreground="1", flags="be", link="https://example.org")
    assert after(style, "") == Style(flags="e", link="https://example.org")


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/a?b=c#d", True),
        ("HTTP://example.org", True),
        ("mailto:someone@example.org", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("https:example.org", False),
        ('https://example.org/" onclick="x', False),
        ("https://example.org/<b>", False),
        ("https://example.org/\n", False),
        ("https://" + "a" * 5000, False),
        ("", False),
    ],
)
def test_only_safe_addresses_are_links(address: str, safe: bool) -> None:
    assert safe_link(address) == (address if safe else "")
