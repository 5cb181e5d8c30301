"""Movements are made anew where the reader does not have all rows."""

from __future__ import annotations

from pyrepl_stream.processors.progress.passed import Passed

UP, DOWN = "\x1b[1A", "\x1b[1B"


def passed_lines(*lines: str) -> Passed:
    """Each on a row of its own, from 0; the cursor is on the row behind them."""
    passed = Passed()
    for row, line in enumerate(lines):
        passed.emit(line, row, 0, len(line))
        passed.line_feed(row, row, "\n")
    passed.out.clear()
    return passed


def test_movements_pass_as_they_came_where_nothing_was_dropped() -> None:
    passed = passed_lines("a", "b")
    passed.move("\x1b[2F")
    assert passed.out == [], "not before something is written"
    passed.emit("x", 0, 0, 1)
    assert passed.out == ["\x1b[2F", "x"]


def test_movements_after_which_nothing_came_pass_at_the_end() -> None:
    passed = passed_lines("a", "b")
    passed.move(UP)
    passed.flush(1, 0)
    passed.flush(1, 0)
    assert passed.out == [UP]


def test_the_line_feed_of_a_row_that_was_dropped_does_not_pass() -> None:
    passed = passed_lines("a")
    passed.drop(1)
    passed.line_feed(1, 1, "\n")
    passed.emit("b", 2, 0, 1)
    assert passed.out == ["b"]
    assert passed.has(0) and not passed.has(1) and passed.has(2)


def test_the_way_up_leaves_out_the_rows_that_were_dropped() -> None:
    passed = passed_lines("a")
    passed.drop(1)
    passed.line_feed(1, 1, "\n")
    passed.emit("b", 2, 0, 1)
    passed.out.clear()
    passed.move("\x1b[2A")
    passed.emit("x", 0, 3, 4)
    assert passed.out == [UP, "\r\x1b[3C", "x"]


def test_a_row_that_comes_back_between_others_goes_to_a_new_line_at_the_bottom() -> None:
    passed = passed_lines("a")
    passed.drop(1)
    passed.line_feed(1, 1, "\n")
    passed.emit("b", 2, 0, 1)
    passed.out.clear()
    passed.move(UP)
    passed.emit("x", 1, 0, 1)
    assert passed.out == ["\n", "x"]
    assert passed.has(1)


def test_what_is_written_on_the_lowest_row_is_on_the_lowest_line() -> None:
    passed = passed_lines("a", "b")
    assert passed.is_lowest(2)
    assert not passed.is_lowest(0)
    passed.drop(2)
    assert not passed.is_lowest(2)


def test_many_lines_are_the_readers_up_to_what_is_forgotten() -> None:
    passed = Passed()
    passed.lines(0, 1000, 0, "a\n" * 1000)
    passed.move("\x1b[1000A")
    passed.drop(1000)
    passed.emit("x", 998, 0, 1)
    assert passed.out == ["a\n" * 1000, "\x1b[2A", "x"]
    passed.forget(990)
    assert passed.has(100) and passed.has(999)
