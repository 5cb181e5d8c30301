"""Bars that keep their ids, found in the text of rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.tracker import Tracker
from pyrepl_stream.runtime.messages import OutputMessage, ProgressMessage


@pytest.fixture
def tracker() -> Tracker:
    numbers = count(1)
    tracker = Tracker()
    tracker.place = OutputMessage()
    tracker.name = lambda library: f"{library}-{next(numbers)}"
    return tracker


def bar(description: str, current: float, total: float | None = 10) -> Bar:
    return Bar(description, current, total)


def reported(updates: Iterator[ProgressMessage]) -> list[tuple[str, float | None, bool]]:
    return [(update.bar, update.current, update.finished) for update in updates]


def test_a_row_and_a_description_are_a_bar(tracker: Tracker) -> None:
    assert reported(tracker.sight(0, "x", bar("a", 1), "")) == [("x-1", 1, False)]
    assert reported(tracker.sight(1, "x", bar("b", 1), "")) == [("x-2", 1, False)]
    assert reported(tracker.sight(0, "x", bar("a", 2), "")) == [("x-1", 2, False)]
    assert reported(tracker.sight(0, "y", bar("a", 2), "")) == [("y-3", 2, False)]


def test_a_state_that_did_not_change_is_reported_once(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 1), ""))
    assert reported(tracker.sight(0, "x", bar("a", 1), "")) == []


def test_a_bar_that_was_cleared_comes_back_on_another_row(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 5), ""))
    assert reported(tracker.clear(0)) == []
    assert reported(tracker.sight(3, "x", bar("a", 5), "")) == []
    assert reported(tracker.sight(3, "x", bar("a", 6), "")) == [("x-1", 6, False)]


def test_two_of_one_name_that_both_begin_are_two(tracker: Tracker) -> None:
    assert reported(tracker.sight(0, "x", bar("a", 0), "")) == [("x-1", 0, False)]
    assert reported(tracker.sight(1, "x", bar("a", 0), "")) == [("x-2", 0, False)]
    assert reported(tracker.sight(0, "x", bar("a", 3), "")) == [("x-1", 3, False)]
    assert reported(tracker.sight(1, "x", bar("a", 4), "")) == [("x-2", 4, False)]


def test_the_description_may_change_while_it_goes_on(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 5), ""))
    assert reported(tracker.sight(0, "x", bar("b", 5), "")) == [("x-1", 5, False)]
    assert reported(tracker.sight(0, "x", bar("c", 4), "")) == [("x-2", 4, False)]


@pytest.mark.parametrize(
    ("before", "after", "same"), [(5, 0, False), (5, 4, True), (50, 2, False), (3, 2, True), (5, 5, True)]
)
def test_a_bar_that_falls_to_its_start_is_a_new_one(
    tracker: Tracker, before: float, after: float, same: bool
) -> None:
    reported(tracker.sight(0, "x", bar("a", before, 100), ""))
    (update,) = [*tracker.sight(0, "x", bar("a", after, 100), ""), *tracker.finish()][-1:]
    assert (update.bar == "x-1") == same


def test_at_its_end_a_bar_ends_when_its_row_is_left(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 9), ""))
    assert reported(tracker.leave(0)) == []
    reported(tracker.sight(0, "x", bar("a", 10), ""))
    assert reported(tracker.leave(0)) == [("x-1", 10, True)]
    assert reported(tracker.leave(0)) == []
    assert reported(tracker.sight(0, "x", bar("a", 10), "")) == [], "it is only shown again"
    assert reported(tracker.sight(0, "x", bar("a", 0), "")) == [("x-2", 0, False)]


def test_a_bar_at_its_end_finishes_when_something_else_is_drawn_over_it(tracker: Tracker) -> None:
    reported(tracker.sight(1, "x", bar("b", 10), ""))
    assert reported(tracker.cover(1)) == [("x-1", 10, True)]
    reported(tracker.sight(2, "x", bar("c", 10), ""))
    assert reported(tracker.sight(2, "y", bar("c", 1), "")) == [("x-2", 10, True), ("y-3", 1, False)]


def test_a_bar_at_its_end_that_was_cleared_may_be_drawn_again(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 10), ""))
    assert reported(tracker.clear(0)) == []
    assert reported(tracker.sight(0, "x", bar("a", 12), "")) == [("x-1", 12, False)]
    assert reported(tracker.clear(0)) == []
    assert reported(tracker.leave(0)) == [("x-1", 12, True)]


def test_tqdm_clears_a_bar_at_its_end_only_to_remove_it(tracker: Tracker) -> None:
    reported(tracker.sight(0, "tqdm", bar("a", 10), ""))
    assert reported(tracker.clear(0)) == [("tqdm-1", 10, True)]


def test_a_finished_bar_that_goes_beyond_its_total_is_the_same_bar(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 10), ""))
    assert reported(tracker.cover(0)) == [("x-1", 10, True)]
    assert reported(tracker.sight(1, "x", bar("a", 11), "")) == []


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("Read: 1.0 MiB / 28 MiB", "Read: 900 KiB / 28 MiB", True),
        ("file 3 of 30", "file 12 of 30", True),
        ("file 3 of 30", "train", False),
    ],
)
def test_a_label_may_count_while_the_bar_falls_back(
    tracker: Tracker, before: str, after: str, same: bool
) -> None:
    reported(tracker.sight(0, "x", bar(before, 50, 100), ""))
    (update,) = [*tracker.sight(0, "x", bar(after, 40, 100), ""), *tracker.finish()][-1:]
    assert (update.bar == "x-1") == same


def test_a_bar_ends_when_another_was_drawn_twice_since_it_was_cleared(tracker: Tracker) -> None:
    reported(tracker.sight(0, "x", bar("a", 1), ""))
    reported(tracker.sight(1, "x", bar("b", 1), ""))
    reported(tracker.clear(1))
    assert reported(tracker.sight(0, "x", bar("a", 2), "")) == [("x-1", 2, False)]
    assert reported(tracker.sight(0, "x", bar("a", 3), "")) == [("x-1", 3, False), ("x-2", 1, True)]


def test_a_line_that_says_it_is_the_last_ends_its_bar(tracker: Tracker) -> None:
    last = Bar("a", 5, 10, finished=True)
    assert reported(tracker.sight(0, "x", last, "")) == [("x-1", 5, True)]
    assert reported(tracker.sight(0, "x", last, "")) == []


def test_a_guess_becomes_the_bar_that_it_was_or_ends(tracker: Tracker) -> None:
    assert reported(tracker.guess(0, "x", bar("a", 1), "")) == [("x-1", 1, False)]
    assert reported(tracker.sight(0, "x", bar("a", 12, 100), "")) == [("x-1", 12, False)]
    assert reported(tracker.guess(0, "x", bar("a", 13, 100), "")) == [("x-1", 13, False)]
    assert reported(tracker.guess(0, "x", bar("a", 13, 1), "")) == [], "cut before the total was there"
    assert reported(tracker.guess(1, "x", bar("b", 1), "")) == [("x-2", 1, False)]
    assert reported(tracker.end_guess()) == [("x-2", 1, True)]


def test_when_all_is_over_or_out_of_reach_every_bar_ends(tracker: Tracker) -> None:
    for row in range(4):
        reported(tracker.sight(row, "x", bar(str(row), row), ""))
    assert reported(tracker.forget(2)) == [("x-1", 0, True), ("x-2", 1, True)]
    assert reported(tracker.finish()) == [("x-3", 2, True), ("x-4", 3, True)]
    assert not tracker


def test_of_too_many_the_oldest_ends(tracker: Tracker) -> None:
    updates = [update for row in range(300) for update in tracker.sight(row, "x", bar(str(row), 1), "")]
    assert [update.bar for update in updates if update.finished] == [f"x-{n}" for n in range(1, 45)]
