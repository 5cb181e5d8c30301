"""From what rows show to bars that keep their names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from pyrepl_stream.processors.progress import Bar
from pyrepl_stream.processors.progress.tracker import Throttle, Tracker, Update


@pytest.fixture
def tracker() -> Tracker:
    numbers = count(1)
    tracker = Tracker(Throttle())
    tracker.name = lambda library: f"{library}-{next(numbers)}"
    return tracker


def bar(description: str, current: float, total: float | None = 10) -> Bar:
    return Bar(description, current, total)


def told(updates: Iterator[Update]) -> list[tuple[str, float | None, bool]]:
    return [(update.name, update.bar.current, update.finished) for update in updates]


def test_a_row_and_a_description_are_a_bar(tracker: Tracker) -> None:
    assert told(tracker.sight(0, "x", bar("a", 1), "")) == [("x-1", 1, False)]
    assert told(tracker.sight(1, "x", bar("b", 1), "")) == [("x-2", 1, False)]
    assert told(tracker.sight(0, "x", bar("a", 2), "")) == [("x-1", 2, False)]
    assert told(tracker.sight(0, "y", bar("a", 2), "")) == [("y-3", 2, False)]


def test_a_state_that_did_not_change_is_told_once(tracker: Tracker) -> None:
    told(tracker.sight(0, "x", bar("a", 1), ""))
    assert told(tracker.sight(0, "x", bar("a", 1), "")) == []


def test_a_bar_that_was_cleared_comes_back_on_another_row(tracker: Tracker) -> None:
    told(tracker.sight(0, "x", bar("a", 5), ""))
    assert told(tracker.clear(0)) == []
    assert told(tracker.sight(3, "x", bar("a", 5), "")) == []
    assert told(tracker.sight(3, "x", bar("a", 6), "")) == [("x-1", 6, False)]


def test_two_of_one_name_that_both_begin_are_two(tracker: Tracker) -> None:
    assert told(tracker.sight(0, "x", bar("a", 0), "")) == [("x-1", 0, False)]
    assert told(tracker.sight(1, "x", bar("a", 0), "")) == [("x-2", 0, False)]
    assert told(tracker.sight(0, "x", bar("a", 3), "")) == [("x-1", 3, False)]
    assert told(tracker.sight(1, "x", bar("a", 4), "")) == [("x-2", 4, False)]


def test_the_description_may_change_while_it_goes_on(tracker: Tracker) -> None:
    told(tracker.sight(0, "x", bar("a", 5), ""))
    assert told(tracker.sight(0, "x", bar("b", 5), "")) == [("x-1", 5, False)]
    assert told(tracker.sight(0, "x", bar("c", 4), "")) == [("x-2", 4, False)]


@pytest.mark.parametrize(
    ("before", "after", "same"), [(5, 0, False), (5, 4, True), (50, 2, False), (3, 2, True), (5, 5, True)]
)
def test_a_bar_that_falls_to_its_start_is_a_new_one(
    tracker: Tracker, before: float, after: float, same: bool
) -> None:
    told(tracker.sight(0, "x", bar("a", before, 100), ""))
    (update,) = [*tracker.sight(0, "x", bar("a", after, 100), ""), *tracker.finish()][-1:]
    assert (update.name == "x-1") == same


def test_at_its_end_a_bar_ends_when_its_row_is_left(tracker: Tracker) -> None:
    told(tracker.sight(0, "x", bar("a", 9), ""))
    assert told(tracker.leave(0)) == []
    told(tracker.sight(0, "x", bar("a", 10), ""))
    assert told(tracker.leave(0)) == [("x-1", 10, True)]
    assert told(tracker.leave(0)) == []
    assert told(tracker.sight(0, "x", bar("a", 10), "")) == [], "it is only shown again"
    assert told(tracker.sight(0, "x", bar("a", 0), "")) == [("x-2", 0, False)]


def test_at_its_end_a_bar_ends_when_it_is_cleared_or_drawn_over(tracker: Tracker) -> None:
    told(tracker.sight(0, "x", bar("a", 10), ""))
    assert told(tracker.clear(0)) == [("x-1", 10, True)]
    told(tracker.sight(1, "x", bar("b", 10), ""))
    assert told(tracker.cover(1)) == [("x-2", 10, True)]
    told(tracker.sight(2, "x", bar("c", 10), ""))
    assert told(tracker.sight(2, "y", bar("c", 1), "")) == [("x-3", 10, True), ("y-4", 1, False)]


def test_a_bar_ends_when_another_was_drawn_twice_since_it_was_cleared(tracker: Tracker) -> None:
    told(tracker.sight(0, "x", bar("a", 1), ""))
    told(tracker.sight(1, "x", bar("b", 1), ""))
    told(tracker.clear(1))
    assert told(tracker.sight(0, "x", bar("a", 2), "")) == [("x-1", 2, False)]
    assert told(tracker.sight(0, "x", bar("a", 3), "")) == [("x-1", 3, False), ("x-2", 1, True)]


def test_a_line_that_says_it_is_the_last_ends_its_bar(tracker: Tracker) -> None:
    last = Bar("a", 5, 10, finished=True)
    assert told(tracker.sight(0, "x", last, "")) == [("x-1", 5, True)]
    assert told(tracker.sight(0, "x", last, "")) == []


def test_a_guess_becomes_the_bar_that_it_was_or_ends(tracker: Tracker) -> None:
    assert told(tracker.guess(0, "x", bar("a", 1), "")) == [("x-1", 1, False)]
    assert told(tracker.sight(0, "x", bar("a", 12, 100), "")) == [("x-1", 12, False)]
    assert told(tracker.guess(0, "x", bar("a", 13, 100), "")) == [("x-1", 13, False)]
    assert told(tracker.guess(0, "x", bar("a", 13, 1), "")) == [], "cut before the total was there"
    assert told(tracker.guess(1, "x", bar("b", 1), "")) == [("x-2", 1, False)]
    assert told(tracker.end_guess()) == [("x-2", 1, True)]


def test_when_all_is_over_or_out_of_reach_every_bar_ends(tracker: Tracker) -> None:
    for row in range(4):
        told(tracker.sight(row, "x", bar(str(row), row), ""))
    assert told(tracker.forget(2)) == [("x-1", 0, True), ("x-2", 1, True)]
    assert told(tracker.finish()) == [("x-3", 2, True), ("x-4", 3, True)]
    assert not tracker


def test_of_too_many_the_oldest_ends(tracker: Tracker) -> None:
    updates = [update for row in range(300) for update in tracker.sight(row, "x", bar(str(row), 1), "")]
    assert [update.name for update in updates if update.finished] == [f"x-{n}" for n in range(1, 45)]
