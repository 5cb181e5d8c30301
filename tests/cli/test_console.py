from __future__ import annotations

import unicodedata

import pytest

from pyrepl_stream.cli.console import Console, printable


def test_characters_that_a_terminal_obeys_are_escaped() -> None:
    assert printable("\x1b[2J\x07\x7f\x9b\r") == "\\x1b[2J\\x07\\x7f\\x9b\\x0d"
    assert printable("a\u202eb\u2066") == "a\\u202eb\\u2066"
    every = "".join(map(chr, range(0x110000)))
    kept = {character for character in printable(every) if unicodedata.category(character) == "Cc"}
    assert kept == {"\t", "\n"}


def test_other_text_is_unchanged() -> None:
    text = "naïve café — 日本語 \N{FAMILY}\N{ZERO WIDTH JOINER}\tend\n"
    assert printable(text) == text


def test_each_line_of_a_report_has_the_name_of_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    Console().report("one\n\x1b]0;title\x07two")
    assert capfd.readouterr() == ("", "pyrepl-stream: one\npyrepl-stream: \\x1b]0;title\\x07two\n")
