"""What is held of a row: let go as text, or dropped with its bar."""

from __future__ import annotations

from pyrepl_stream.processors.progress.held import Held, Kind
from pyrepl_stream.processors.progress.passed import Passed

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
WIPE = "\x1b[2K"
TITLE = "\x1b]0;title\x07"


def held_with(*pieces: tuple[str, Kind, int]) -> tuple[Held, Passed]:
    passed = Passed()
    held = Held(passed)
    for piece in pieces:
        held.add(*piece)
    return held, passed


def test_text_passes_with_all_that_came_with_it() -> None:
    held, passed = held_with((WIPE, Kind.MOVE, 0), ("\x1b[1m", Kind.STYLE, 0), ("text", Kind.SHOWN, 0))
    held.let_go(0, 4)
    held.let_go(0, 4)
    assert passed.out == [f"{WIPE}\x1b[1mtext"]
    assert not held


def test_of_a_bar_only_that_passes_which_has_nothing_to_do_with_places() -> None:
    held, passed = held_with(("50%", Kind.SHOWN, 0), (TITLE, Kind.OTHER, 3), ("\r", Kind.MOVE, 3))
    held.drop(0)
    assert passed.out == [TITLE]
    assert passed.hidden == {0}
    assert not held


def test_what_wiped_a_bar_away_does_not_pass_with_the_text_that_follows_it() -> None:
    held, passed = held_with(("50%", Kind.SHOWN, 0))
    held.drop(0)
    held.add(WIPE, Kind.MOVE, 3)
    held.add("\r", Kind.MOVE, 3)
    held.add("done", Kind.SHOWN, 0)
    held.let_go(0, 4)
    assert passed.out == ["done"]


def test_movements_alone_do_not_pass_on_a_row_that_the_reader_does_not_have() -> None:
    held, passed = held_with(("50%", Kind.SHOWN, 0))
    held.drop(0)
    held.add("\r", Kind.MOVE, 3)
    held.add(TITLE, Kind.OTHER, 0)
    held.let_go(0, 0)
    assert passed.out == [TITLE]


def test_a_cursor_that_is_hidden_for_a_bar_stays_visible() -> None:
    held, passed = held_with((HIDE, Kind.OTHER, 0), ("50%", Kind.SHOWN, 0), (SHOW, Kind.OTHER, 3))
    assert held.hides_cursor
    held.drop(0)
    assert passed.out == []
    assert not held.cursor_hidden


def test_a_cursor_that_was_hidden_in_text_is_shown_again_by_a_bar() -> None:
    held, passed = held_with()
    held.pass_by(HIDE, 0, 0, 0)
    assert held.cursor_hidden
    held.add("50%", Kind.SHOWN, 0)
    held.add(SHOW, Kind.OTHER, 3)
    held.drop(0)
    assert passed.out == [HIDE, SHOW]
    assert not held.cursor_hidden


def test_it_is_cut_within_a_piece_and_counts_from_there() -> None:
    held, passed = held_with(("50%", Kind.SHOWN, 0), (" 1/2text", Kind.SHOWN, 3), ("\x1b[0m", Kind.STYLE, 11))
    rest = held.cut(7)
    assert rest == [("text", Kind.SHOWN, 0), ("\x1b[0m", Kind.STYLE, 4)]
    held.drop(0)
    held.add_all(rest)
    held.let_go(0, 4)
    assert passed.out == ["text\x1b[0m"]


def test_it_is_not_cut_where_nothing_was_shown_before() -> None:
    held, _ = held_with(("\r", Kind.MOVE, 0), ("text", Kind.SHOWN, 7))
    assert held.cut(7) is None


def test_it_ends_in_a_colour_until_that_is_reset() -> None:
    held, _ = held_with(("\x1b[32m", Kind.STYLE, 0), ("50", Kind.SHOWN, 0))
    assert held.ends_in_colour
    held.add("\x1b[0m", Kind.STYLE, 2)
    assert not held.ends_in_colour


def test_it_is_full_of_one_long_text_and_of_many_pieces() -> None:
    held, _ = held_with(("x" * (1 << 16), Kind.SHOWN, 0))
    assert not held.is_full
    held.add("x", Kind.SHOWN, 1 << 16)
    assert held.is_full
    held, _ = held_with(*[("", Kind.STYLE, 0)] * (1 << 12))
    assert not held.is_full
    held.add("", Kind.STYLE, 0)
    assert held.is_full
