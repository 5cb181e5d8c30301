"""Output designed to waste time or memory. These tests take seconds; with a wrong bound they take hours."""

from __future__ import annotations

import pytest

from pyrepl_stream.terminal import Page, Screen

LONG = "x" * 70_000


@pytest.mark.parametrize(
    "text",
    [
        *(f"abc\x1b[999999999{final}x" for final in "@ABCDEFGHIJKLMPSTXZ`abdefrsu"),
        "\x1b[999999999;999999999Hx",
        "\x1b[999999999;999999999rx\x1b[9999999999999999999Sx",
        f"\x1b[{'9' * 900}Cx",
        "\x1b[" + "1;" * 400 + "mx",
        "日\x1b[99999999@\x1b[99999999P\x1b[99999999X\x1b[99999999b",
        "\x1b[41m\x1b[99999999@\x1b[99999999X\x1b[99999999L\x1b[99999999S\x1b[99999999T\x1b[2J",
        "\t" * 100_000 + "x\u0301\x1b[41m\x1b[K\x1b[1K\x1b[X\x1b[@\x1b[P",
    ],
    ids=lambda text: ascii(text)[1:41],
)
def test_huge_parameters_make_nothing_huge(text: str) -> None:
    page = Page()
    screen = Screen(page, height=40, width=120)
    screen.feed(text * 10)
    assert page.end <= 500
    assert all(len(text) < 70_000 for text in page.texts(0, page.end))


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301" * 30_000,
        "\u0301" * 30_000,
        "\N{WOMAN}" + "\u200d\N{WOMAN}" * 30_000,
        "a\x1b[1mb\x1b[m" * 70_000,
        "ü\x1b[1mb\x1b[m" * 70_000,
        LONG + "\rab\x1b[41m\x1b[K" * 20_000,
        LONG + "\r" + "\x1b[@" * 30_000 + "\x1b[P" * 30_000,
        LONG + "\r" + "日x\b\b" * 30_000,
        LONG + "\x1b[A\n" * 70_000,
        " " * 70_000 + "x\rx" + "\x1b[1K" * 10_000,
        "\n" * 39 + "\x1b[H\x1b[J\x1b[40B\n" * 5_000,
        "\x1b[K\n" * 30_000,
        "\x1b[" + "1;" * 500 + "mx\x1b[" + "1;" * 600 + "mx",
        "x\u0301\u0302" * 30_000 + "\n" + "\u0301\n" * 30_000,
        "\x1b[?1049h\n\n\x1b[?1049l" * 20_000,
        "\x1b[L" * 30_000 + "\x1b[M" * 30_000,
        "\x1b7\x1b[2;3r\x1b8\x1b[S" * 20_000,
        "\x1b]8;;https://example.org/" + "x" * 4000 + "\x07a" * 30_000,
        "".join(f"\x1b]8;;https://example.org/{number:0>4000}\x07a" for number in range(2000)),
        "".join(f"\x1b[38;5;{number % 256};48;2;1;{number >> 8 & 255};1mx" for number in range(70_000)),
        "\x1b]0;" + "x" * 30_000,
        "\x1b[" * 30_000,
        "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x30000)])),
    ],
    ids=lambda text: ascii(text[:20] + text[70_000:70_020])[1:-1],
)
def test_it_is_read_in_bounded_memory(text: str) -> None:
    page = Page(100)
    screen = Screen(page)
    for start in range(0, len(text), 1 << 16):
        screen.feed(text[start : start + (1 << 16)])
    screen.finish()
    assert sum(map(len, page.texts(0, page.end))) < 3_000_000


def test_a_line_that_comes_character_by_character_is_read() -> None:
    page = Page()
    screen = Screen(page)
    for _ in range(70_000):
        screen.feed("ü")
    assert page.row(0).cut == 70_000 - (1 << 16)
