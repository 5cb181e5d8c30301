"""The model and a real terminal get the same output: their rows are equal, cell by cell and style by style."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence

import pexpect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live
from rich.table import Table
from support import recordings
from support.tmux import Cells, needs_tmux, screens

from pyrepl_stream.terminal import Page, Screen

COLUMNS, LINES = 120, 40


def shown(text: str, columns: int = COLUMNS, lines: int = LINES) -> list[Cells]:
    """Return the rows of the model in the form of those of tmux."""
    page = Page()
    screen = Screen(page, width=columns, height=lines)
    screen.feed(text)
    screen.finish()
    rows = [
        [
            (character, " ".join(sorted(style.words().split())))
            for cell, style in page.row(number).cells()
            for character in cell
        ]
        for number in range(page.first, page.end)
    ]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def framed(text: str, columns: int, lines: int) -> str:
    """Add a mark at the end of each row, without which tmux does not report erased blanks."""
    return text + "\x1b[0m" + "".join(f"\x1b[{line};{columns}H|" for line in range(1, lines + 1))


# -- a table -----------------------------------------------------------------------------------

LINES_OF_TEXT = "abcdef\nghijkl\nmnopqr\nstuvwx\n"

CASES = [
    "text",
    "one\ntwo\n\n\nfive\n",
    "\n\n\n",
    "one\r\ntwo\r\n",
    "one\vtwo\fthree\x1bDfour\x1bEfive",
    "abcdef\rxy",
    "abcdef\b\bx\b\b\b\b\b\b\b\b\by",
    "a\tb\t\tc\nabcdefgh\tx\r\ty\a",
    "".join(f"line {number}\n" for number in range(100)),
    "".join(f"line {number}\n" for number in range(39)) + "x\x1b[Hy",
    "".join(f"line {number}\n" for number in range(60)) + "\x1b[Htop\x1b[99;99Hbottom",
    # the cursor
    LINES_OF_TEXT + "\x1b[Ax\x1b[2Ay\x1b[99Az",
    LINES_OF_TEXT + "\x1b[Hx\x1b[By\x1b[2Bz\x1b[99Bw",
    "a\x1b[Cb\x1b[3Cc\x1b[0Cd\x1b[2De\x1b[99Df",
    "a\x1b[1;999Hx\x1b[999Dy",
    "a\x1b[999C\x1b[5Dx",
    LINES_OF_TEXT + "\x1b[2Fx\x1b[Ey\x1b[3Ez",
    "abc\x1b[2Gx\x1b[5`y\x1b[Gz",
    LINES_OF_TEXT + "\x1b[2;3Hx\x1b[3;1fy\x1b[Hz\x1b[4dw\x1b[;4Hv\x1b[3Hu",
    "a\x1b[5;5H\x1b7b\x1b[Hc\x1b8d\x1b[s\x1b[9;9H\x1b[ue",
    "\x1b[31m\x1b7\x1b[0;1mx\x1b8y",
    "a\x1b[3Cb\x1b[2Zc\td",
    "ab\x1b[5b\x1b[31mc\x1b[2b",
    # a line that is wrapped by blanks: readline's way, and that of zsh and of fish
    "$ " + "a" * 118 + " \rbcdef\nout",
    "$ " + "a" * 118 + " \r\x1b[Kbc\x1b[A!\x1b[2B",
    "\n" * 39 + "$ " + "a" * 118 + " \rbcdef \r",
    "\x1b[1m" + "a" * 119 + "\x1b[31mb\x1b[m \rc",
    "日" * 60 + " \rc\n",
    "foo bar\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m" + " " * 119 + "\r \rhost% ",
    "foo bar⏎" + " " * 119 + "\r⏎ \r\x1b[2K> ",
    "foo bar" + " " * 120 + "\rhost% ",
    "\x1b[7m%\x1b[m" + " " * 119 + "\r \rhost% ",
    # blanks that wrap nothing
    "50%" + " " * 117 + "\r60%",
    "a" * 120 + "\rbcdef",
    "a" * 119 + " \rbcdef",
    # erasing
    "abcdef\x1b[3D\x1b[Kx",
    "abcdef\x1b[3D\x1b[1Kx",
    "abcdef\x1b[3D\x1b[2Kx",
    "abcdef\r\x1b[Kxyz",
    LINES_OF_TEXT + "\x1b[2;3H\x1b[Jx",
    LINES_OF_TEXT + "\x1b[2;3H\x1b[1Jx",
    LINES_OF_TEXT + "\x1b[2;3H\x1b[2Jx",
    LINES_OF_TEXT + "\x1b[H\x1b[Jnew",
    "abcdef\x1b[4G\x1b[2Xx\x1b[99X",
    "abcdef\x1b[3G\x1b[Px\x1b[2Py\x1b[99P",
    "abcdef\x1b[3G\x1b[@x\x1b[2@y",
    "abc\x1b[4hxy\x1b[1Gz\x1b[4lw",
    # rows that move
    LINES_OF_TEXT + "\x1b[2;3H\x1b[Lx\x1b[2Ly",
    LINES_OF_TEXT + "\x1b[2;3H\x1b[Mx\x1b[99My",
    LINES_OF_TEXT + "\x1b[2Sx",
    LINES_OF_TEXT + "\x1b[Tx\x1b[3Ty",
    LINES_OF_TEXT + "\x1b[H\x1bMx\x1bMy",
    LINES_OF_TEXT + "\x1b[2;3r\x1b[3;1H\x1bMx\x1bMy\x1bMz",
    LINES_OF_TEXT + "\x1b[1;3r\x1b[3;1Hone\ntwo\nthree\x1b[r",
    LINES_OF_TEXT + "\x1b[2;3r\x1b[99Bx\x1b[4;1H\x1b[99Ay",
    LINES_OF_TEXT + "\x1b[2;4r\x1b[?6ha\x1b[9;9Hb\x1b[2dc\x1b[1;1Hd\x1b[9Be\x1b[?6lf",
    LINES_OF_TEXT + "\x1b[?6h\x1b[2;5r\x1b[1;1HA\x1b7\x1b[?6lB\x1b8\x1b[1;3HC\x1b[?6l",
    "progress\x1b7\x1b[1;39r\x1b8\x1b[1A" + "".join(f"\n{number}" for number in range(50)),
    # the alternate screen
    "one\ntwo\x1b[?1049h\x1b[Hover\nall\x1b[?1049lthree\nfour",
    "one\n\x1b[?47hover" + "\n" * 50 + "all\x1b[?47l",
    "one\n\x1b[?1049h\x1b[2;3r\x1b[3;1Ha\nb\x1b[r\x1b[?1049ltwo\n",
    "\x1b[1mone\x1b[31m\x1b(0\x1bcq two",
    # styles
    "\x1b[1mb\x1b[2md\x1b[3mi\x1b[4mu\x1b[7mv\x1b[8mh\x1b[9ms\x1b[21mw\x1b[0mx",
    "\x1b[1;2;3;4;7;8;9mall\x1b[22mb\x1b[23mi\x1b[24mu\x1b[27mv\x1b[28mh\x1b[29ms",
    "".join(f"\x1b[{code}m{code}" for code in (*range(30, 38), *range(40, 48), 39, 49)),
    "".join(f"\x1b[{code}m{code}" for code in (*range(90, 98), *range(100, 108), 39, 49)),
    "".join(f"\x1b[38;5;{code};48;5;{255 - code}m#" for code in range(0, 256, 5)),
    "\x1b[38;2;1;2;3;48;2;255;254;0mtrue\x1b[38:2::9:8:7mcolon\x1b[38:2:9:8:6mshort\x1b[48:5:99mindex",
    "\x1b[4:3mcurly\x1b[4:0mnone\x1b[4;58:2::1:2:3;3mslant\x1b[58;5;9;7mline\x1b[59mx",
    "\x1b[1mbold  \n\x1b[41m  red  \x1b[0m  \n\x1b[m\x1b[4m \x1b[24m",
    "\x1b[1m\n \n  bold  \n\x1b[m \n \n",
    "\x1b[31mred\nstill\x1b[Kred\x1b[;1mbold",
    framed("\x1b[44mab\x1b[K\n\x1b[3;5H\x1b[1K\x1b[4;9H\x1b[2K\x1b[5;9H\x1b[3X", COLUMNS, 8),
    framed("abc\nabc\nabc\n\x1b[41m\x1b[2;2H\x1b[J", COLUMNS, LINES),
    framed("abc\nabc\nabc\n\x1b[42m\x1b[2;2H\x1b[1J\x1b[3;2H\x1b[@\x1b[P\x1b[L\x1b[5M", COLUMNS, LINES),
    # characters
    "\x1b(0lqqk\nx  x\nmqqj\x1b(B lqk \x0e\x1b)0q\x0fq",
    "日本語\x1b[1Gx\x1b[5Gy\n日本語\x1b[3G\x1b[2Xz",
    "日本\x1b[1G\x1b[@\x1b[@x\n日本\x1b[1G\x1b[2Px",
    "e\u0301o\u0308\x1b[2Gx\ne\u0301\x1b[1Gf",
    "e|\x1b[2G\u0301\n\u0301start",
    "\N{GRINNING FACE}\N{ROCKET}\x1b[3Gx",
    "\N{HEAVY BLACK HEART}\ufe0f|\x1b[5Gx",
    "\U0001f1e9\U0001f1ea|\x1b[5Gx",
    "\u0e01\u0e33|\x1b[5Gx\n\u1112\u1161\u11ab|\x1b[9Gx",
    "zero\u200bwidth\x1b[4Gx",
    # invisible sequences, and text that is not a sequence
    "a\x1b]0;title\x07b\x1b]2;title\x1b\\c\x1b]8;;https://example.org\x1b\\d\x1b]8;;\x07e",
    "a\x1bPq#0~~\x1b\\b\x1b_app\x1b\\c\x1b^pm\x1b\\d\x1b[?25le\x1b[?2004hf\x1b[>4;1mg\x1b[ qh\x1b=i",
    "a\x00b\x1b[5nc\x1b[cd\x1b[38;5me",
    # what is cut off by another control
    "ab\x1b[1\x1b[31mx\x1b[?2 \x1b[my\x1b[\x1b7z\x1b(\x1b[1mw",
    "ab\x1b[1\x18Cx",
]


@pytest.fixture(scope="module")
def references() -> dict[str, list[Cells]]:
    needs_tmux()
    return dict(zip(CASES, screens(CASES, COLUMNS, LINES), strict=True))


@pytest.mark.parametrize("text", CASES, ids=[ascii(text)[1:61] for text in CASES])
def test_rows_are_those_of_tmux(text: str, references: dict[str, list[Cells]]) -> None:
    assert shown(text) == references[text]


# Each in a terminal of its own, as no sequence brings back the places that tabs had at the start.
TABS = [
    "tabs\x1b[3g\x1b[5G\x1bH\x1b[9G\x1bHx\r\ta\tb\tc\x1b[2Zd\x1b[Ze\t\t|",
    "\x1b[9G\x1b[g\ra\tb\n\tc\n" + "\tab\n" * 3 + "\x1b[3g\ra\tb",
    "\x1b[3g\tx\x1bc\ty",
]


@pytest.mark.parametrize("text", TABS, ids=ascii)
def test_tabs_go_where_those_of_tmux_go(text: str) -> None:
    needs_tmux()
    assert shown(text) == screens([text], COLUMNS, LINES)[0]


# -- programs ----------------------------------------------------------------------------------


def live() -> str:
    """Output of `rich.live`: a table that grows, and then gets smaller."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system="truecolor")
    with Live(console=console, auto_refresh=False) as view:
        for count in (1, 3, 5, 2):
            table = Table("name", "[red]state")
            for number in range(count):
                table.add_row(f"job {number}", "[green]done" if number % 2 else "[bold yellow]läuft 日本")
            view.update(table, refresh=True)
            console.print(f"{count} jobs")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


PROGRAMS = {**{name: recordings.read(name) for name in recordings.names()}, "rich.live": live()}


@pytest.fixture(scope="module")
def programs() -> dict[str, list[Cells]]:
    needs_tmux()
    return dict(zip(PROGRAMS, screens([*PROGRAMS.values()], 200, 50), strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_programs_draw_is_what_tmux_shows(name: str, programs: dict[str, list[Cells]]) -> None:
    assert shown(PROGRAMS[name], 200, 50) == programs[name]


def bash() -> str:
    """Output of bash, with command lines as long as a row and longer."""
    environ = {"TERM": "xterm-256color", "PS1": "$ ", "PATH": os.defpath, "LANG": "C.UTF-8", "HISTFILE": ""}
    shell = pexpect.spawn(
        "bash", ["--norc"], env=environ, dimensions=(LINES, COLUMNS), encoding="utf-8", timeout=60
    )
    drawn = ""
    for line in (": " + "a" * 116, "\x1b[A\x01\x05", "\x1b[Abcdef", "exit"):
        shell.expect_exact("$ ")
        drawn += shell.before + "$ "
        shell.send(f"{line}\n")
    shell.expect(pexpect.EOF)
    shell.close()
    return drawn + shell.before


def test_what_bash_draws_at_the_end_of_a_row_is_what_tmux_shows() -> None:
    needs_tmux()
    drawn = bash()
    assert "a \r" in drawn  # that is how it wraps a line
    assert shown(drawn) == screens([drawn], COLUMNS, LINES)[0]


# -- anything ----------------------------------------------------------------------------------


def sequences(finals: str, *counts: int) -> st.SearchStrategy[str]:
    return st.builds("\x1b[{}{}".format, st.sampled_from(["", *counts]), st.sampled_from(finals))


# No piece goes more than 8 columns to the right, so that none of them reaches the edge, where a terminal
# would wrap the line and the model does not.
WIDTH, HEIGHT, PIECES = 128, 8, 12
TEXT = st.text("abcdef ", min_size=1, max_size=6)
MOVES = (
    sequences("ABEFd", 0, 1, 2, 3, 40)
    | sequences("CDG`", 0, 1, 2, 5)
    | st.builds("\x1b[{};{}H".format, st.integers(0, 10), st.integers(0, 20))
    | st.sampled_from(["\r", "\b", "\t"])
)
# Not together with the alternate screen: there tmux has one saved cursor for both screens, xterm has two.
SAVES = st.sampled_from(["\x1b7", "\x1b8", "\x1b[s", "\x1b[u"])
FEEDS = st.sampled_from(["\n", "\n", "\r\n", "\v", "\x1bD", "\x1bE", "\x1bM"])
ERASES = sequences("KJ", 0, 1, 2) | sequences("PX@", 1, 2, 5)
STYLES = st.sampled_from(["\x1b[m", "\x1b[1m", "\x1b[7;4m", "\x1b[31m", "\x1b[38;5;100m"])
GROUNDS = st.sampled_from(["\x1b[m", "\x1b[41m", "\x1b[48;2;1;2;3m", "\x1b[32m", "\x1b[1;4;7m"])
ROWS = sequences("LMST", 1, 2, 3, 40)
ALTERNATE = st.lists(TEXT | MOVES | FEEDS | ERASES | ROWS, max_size=4).map(
    lambda pieces: f"\x1b[?1049h{''.join(pieces)}\x1b[?1049l"
)
# tmux scrolls rows away also where the margins do not begin at the top, and moves rows also outside of
# them; xterm does neither.
MARGINS = st.sampled_from(["\x1b[r", "\x1b[1;5r", "\x1b[1;7r"])
# All of two columns, and moved by two: tmux 3.3 leaves halves of wide characters.
WIDE = (
    st.sampled_from(["日本", "语", "\N{ROCKET}", "ab", "e\u0301o\u0308", "  "])
    | sequences("CDXP@", 2, 4, 8).filter(lambda text: len(text) > 3)
    | sequences("ABKJ", 0)
    | st.sampled_from(["\r", "\n", "\x1b[5G", "\x1b[9G", "\x1b[2;3H"])
)


def cases(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Return many cases for one tmux, because starting one for each would take too long."""
    case = st.lists(pieces, min_size=1, max_size=PIECES).map("".join)
    return st.lists(case, min_size=30, max_size=60)


def assert_alike(texts: Sequence[str], change: Callable[[str], str] = str) -> None:
    texts = [change(text) for text in texts]
    needs_tmux()
    for text, expected in zip(texts, screens(texts, WIDTH, HEIGHT), strict=True):
        assert shown(text, WIDTH, HEIGHT) == expected, ascii(text)


@settings(max_examples=10, deadline=None)
@given(cases(TEXT | MOVES | SAVES | FEEDS | ERASES | STYLES))
def test_any_text_moves_and_erasing(texts: list[str]) -> None:
    assert_alike(texts)


@settings(max_examples=10, deadline=None)
@given(cases(TEXT | MOVES | FEEDS | ERASES | ROWS | ALTERNATE))
def test_any_moves_of_rows(texts: list[str]) -> None:
    assert_alike(texts)


@settings(max_examples=10, deadline=None)
@given(cases(TEXT | MOVES | SAVES | FEEDS | MARGINS | sequences("ST", 1, 2, 40)))
def test_any_margins(texts: list[str]) -> None:
    assert_alike(texts)


@settings(max_examples=10, deadline=None)
@given(cases(TEXT | MOVES | SAVES | ERASES | GROUNDS | sequences("LMT", 1, 2, 40)))
def test_any_backgrounds(texts: list[str]) -> None:
    assert_alike(texts, lambda text: framed(text, WIDTH, HEIGHT))


@settings(max_examples=10, deadline=None)
@given(cases(WIDE))
def test_any_wide_characters(texts: list[str]) -> None:
    assert_alike(texts)
