from __future__ import annotations

import json
from typing import Any

import pytest

from pyrepl_stream.terminal import Page, Row, Screen, Style


def row_of(text: str, source: str = "") -> Row:
    page = Page()
    screen = Screen(page, source=source)
    screen.feed(text)
    screen.finish()
    return page.row(0)


def test_a_plain_row_is_its_text() -> None:
    for text in ("text", "", "日本 é", '<b>&"'):
        assert row_of(f"{text}\n").json() == row_of(f"{text}\n").text == text


def test_a_row_with_styles_is_a_list_of_parts() -> None:
    assert row_of("a \x1b[1;31mb\x1b[0m c").json() == [["a ", ""], ["b", "b f1"], [" c", ""]]
    assert row_of("\x1b[32mall").json() == [["all", "f2"]]


def test_neighbours_of_one_style_are_one_part() -> None:
    assert row_of("a\x1b[1mb\x1b[0;1mc\x1b[m\x1b[md").json() == [["a", ""], ["bc", "b"], ["d", ""]]
    assert row_of("a\x1b[md").json() == "ad"


def test_a_part_with_a_link_has_its_address() -> None:
    row = row_of("see \x1b]8;id=1;https://example.org/a\x1b\\here\x1b]8;;\x1b\\.")
    assert row.json() == [["see ", ""], ["here", "", "https://example.org/a"], [".", ""]]


def test_an_address_that_no_page_should_have_is_dropped() -> None:
    assert row_of("\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07").json() == "click"


def test_a_row_with_a_source_says_so() -> None:
    assert row_of("text", source="git").json() == {"t": "text", "s": "git"}
    assert row_of("\x1b[1mtext", source="git").json() == {"t": [["text", "b"]], "s": "git"}
    assert row_of("\n", source="git").json() == {"t": "", "s": "git"}


def test_blanks_at_the_end_stay_where_they_have_a_style() -> None:
    assert row_of("text   \n").json() == "text"
    assert row_of("text  \x1b[41m  \x1b[m  ").json() == [["text  ", ""], ["  ", "g1"]]
    assert row_of("text  \x1b[41m  \x1b[m  ").text == "text    "


def test_blanks_that_were_cut_from_the_end_come_back_before_text() -> None:
    page = Page()
    screen = Screen(page)
    for text in ("a  ", "\x1b[m", "b\t", "c"):
        screen.feed(text)
    assert page.row(0).json() == "a  b    c"


def test_cells_are_columns() -> None:
    plain, bold = Style(), Style(flags="b")
    assert row_of("a\x1b[1m日e\u0301").cells() == [("a", plain), ("日", bold), ("", bold), ("e\u0301", bold)]
    assert row_of("\n").cells() == []


def test_what_is_to_the_right_of_64_ki_columns_is_cut_and_said() -> None:
    row = row_of("x" * 70_000 + "\n")
    assert row.cut == 70_000 - (1 << 16)
    assert len(row.cells()) == 1 << 16
    assert row.text == "x" * (1 << 16) + "… 4,464 more columns"
    assert row.json() == [["x" * (1 << 16), ""], ["… 4,464 more columns", "d"]]


def test_what_a_limit_leaves_out_counts_what_is_cut() -> None:
    row = row_of("x" * 70_000 + "\n")
    assert [row.left_out(limit) for limit in (1, 1000, 1 << 16)] == [69_999, 69_000, 4_464]
    assert row.left_out(70_000) == 0  # as the note is there
    assert row_of("\x1b[1m" + "x" * 5_000_000).left_out(1011) == 5_000_000 - 1000


@pytest.mark.parametrize("end", ["\n", "\ry", "   \b\b"])
@pytest.mark.parametrize(
    "text", ["plain text", "a \x1b[1;31mb\x1b[0m  c", "\x1b[41m" + "日x" * 40, "a  \x1b[1m "]
)
def test_json_with_a_limit_is_its_beginning(text: str, end: str) -> None:
    for source in ("", "git"):
        row = row_of(text + end, source=source)
        parts = segments(row.json())
        for limit in range(1, 200):
            begun = segments(row.json(limit))
            assert len(json.dumps(begun, ensure_ascii=False, separators=(",", ":"))) <= limit + 12
            texts = "".join(part[0] for part in begun)
            assert row.text == texts + row.text[len(texts) :]
            assert row.left_out(limit) == len(row.text) - len(texts)
            assert [part[1:] for part in begun] == [part[1:] for part in parts[: len(begun)]]
        assert row.json(1000) == row.json() and row.left_out(1000) == 0


def segments(row: Any) -> list[list[str]]:
    content = row["t"] if isinstance(row, dict) else row
    return [[content, ""]] if content and isinstance(content, str) else [*content]


def test_a_row_that_is_cleared_is_cut_no_longer() -> None:
    for clear in ("\x1b[2K", "\r\x1b[K"):
        row = row_of("x" * 70_000 + clear + "\rnew")
        assert (row.json(), row.cut) == ("new", 0)


def test_styles_that_nothing_has_any_more_are_forgotten() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("\x1b[31mstart\x1b[m 0123456789")
    for number in range(5_000):
        screen.feed(f"\x1b[{7 + number % 4}G\x1b[38;2;{number % 256};{number >> 8};7mxx\x1b[m")
    row = page.row(0)
    assert row.weight < 100_000
    assert row.text == "start xxxxx56789"
    assert row.json() == [
        ["start", "f1"],
        [" ", ""],
        ["x", "f#841307"],
        ["x", "f#851307"],
        ["x", "f#861307"],
        ["xx", "f#871307"],
        ["56789", ""],
    ]
