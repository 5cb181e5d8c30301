"""The model of a screen: what rows show after text, movements and erases."""

from __future__ import annotations

import pytest

from pyrepl_stream.processors.progress.screen import LONGEST_ROW, WINDOW, Screen


def screen_of(*rows: str) -> Screen:
    """With the cursor behind the last row's text."""
    screen = Screen()
    for number, row in enumerate(rows):
        if number:
            screen.line_feed()
        screen.begin()
        screen.write(row)
    return screen


def shown(screen: Screen) -> list[str]:
    return [screen.rows[number].cells for number in sorted(screen.rows)]


def test_text_is_written_over_what_is_there() -> None:
    screen = screen_of("abcdef")
    screen.to_column(2)
    screen.write("XY")
    assert shown(screen) == ["abXYef"]
    screen.to_column(8)
    screen.write("!")
    assert shown(screen) == ["abXYef  !"]


def test_a_drawing_is_what_was_written_since_the_cursor_went_back() -> None:
    screen = screen_of("Downloading 10%")
    assert screen.line() == "Downloading 10%"
    screen.to_column(0)
    screen.begin()
    screen.write("Done ")
    assert screen.line() == "Done", "without what is left of the older one"
    screen.to_column(12)
    screen.begin()
    screen.write("20%")
    assert screen.line() == "Done oading 20%", "a part shows with all of its row"


def test_a_row_is_drawn_over_when_the_cursor_comes_back() -> None:
    screen = screen_of("ab", "cd")
    assert not screen.here().drawn_over
    screen.to_row(0)
    assert screen.here().drawn_over
    screen = screen_of("ab")
    screen.to_column(1)
    assert not screen.here().drawn_over, "bold print in manual pages"
    screen.to_column(0)
    assert screen.here().drawn_over


@pytest.mark.parametrize(("how", "left"), [(0, "ab"), (1, "   def"), (2, "")])
def test_lines_are_erased(how: int, left: str) -> None:
    screen = screen_of("abcdef")
    screen.to_column(2)
    screen.erase_line(how)
    assert shown(screen) == [left]


def test_what_is_below_is_erased() -> None:
    screen = screen_of("a", "b", "c")
    screen.to_row(0)
    assert screen.erase_below() == [1, 2]
    assert shown(screen) == ["a", "", ""]


def test_characters_are_deleted_inserted_and_blanked() -> None:
    screen = screen_of("abcdef")
    screen.to_column(1)
    screen.delete(2)
    assert shown(screen) == ["adef"]
    screen.insert(2)
    assert shown(screen) == ["a  def"]
    screen.to_column(3)
    screen.blank(2)
    assert shown(screen) == ["a    f"]
    screen.blank(10**6)
    assert shown(screen) == ["a     "]


def test_the_cursor_stays_within_the_window() -> None:
    screen = screen_of("a")
    screen.to_row(-(10**9))
    assert screen.row == -WINDOW
    screen.to_row(10**9)
    assert screen.row == 0
    screen.line_feed(1000)
    screen.to_row(0)
    assert screen.row == 1000 - WINDOW


def test_home_is_a_new_page_and_then_the_same_one() -> None:
    screen = screen_of("a", "b")
    screen.home(0, 0)
    screen.write("first")
    screen.home(3, 4)
    assert (screen.row, screen.column) == (5, 4)
    screen.home(0, 0)
    assert screen.here().cells == "first"


def test_rows_are_bounded_and_old_ones_are_forgotten() -> None:
    screen = screen_of("x" * (LONGEST_ROW + 10))
    assert len(screen.here().cells) == LONGEST_ROW
    screen.insert(10**6)
    screen.write("y")
    assert len(screen.here().cells) == LONGEST_ROW
    assert screen.column == LONGEST_ROW + 11
    screen.line_feed()
    screen.write("next")
    screen.forget(1)
    assert shown(screen) == ["next"]
