"""Rows that are taken off the page and put back, while several screens write to the page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.terminal import Page, Screen


def texts(page: Page) -> list[str]:
    return page.texts(page.first, page.end)


def test_a_lifted_row_leaves_nothing_and_comes_back_to_its_place() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("one\ntwo\nthree\n")
    window = screen.terminal.window
    window.lift(1)
    assert texts(page) == ["one", "three"]
    screen.feed("\x1b[2A2\x1b[2B\r")
    assert texts(page) == ["one", "three"], "it is written to, but not shown"
    window.land(1)
    assert texts(page) == ["one", "2wo", "three"]


def test_a_lifted_row_goes_when_it_scrolls_out_of_reach() -> None:
    page = Page()
    screen = Screen(page, height=3)
    screen.feed("one\ntwo")
    screen.terminal.window.lift(1)
    screen.feed("\nthree\nfour\nfive\nsix")
    assert texts(page) == ["one", "three", "four", "five", "six"]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(
            ["a", "\n", "bc\n", "\r", "\x1b[A", "\x1b[K", "\x1b[L", "\x1b[2J", "lift", "land", "clear"]
        ),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([3, 1000]))
def test_a_reader_that_follows_changes_has_the_rows_of_the_page(
    steps: list[tuple[int, str]], limit: int
) -> None:
    retired: list[int] = []
    page = Page(limit, retire=lambda first, rows: retired.extend(range(first, first + len(rows))))
    pair = [Screen(page, height=4, source=source) for source in ("", "other")]
    copy: dict[int, object] = {}
    known = 0
    for which, step in steps:
        terminal = pair[which].terminal
        if step == "lift":
            terminal.window.lift(terminal.y)
        elif step == "land":
            terminal.window.land(terminal.y)
        elif step == "clear":
            page.clear()
        else:
            pair[which].feed(step)
        for number in page.changed | set(range(known, page.end)):
            if page.first <= number < page.end:
                copy[number] = page.row(number).json()
        page.changed.clear()
        known = page.end
        copy = {number: row for number, row in copy.items() if page.first <= number < page.end}
        assert copy == {number: page.row(number).json() for number in range(page.first, page.end)}
    assert retired == list(range(len(retired)))
