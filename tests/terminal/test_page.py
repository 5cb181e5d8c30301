from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.terminal import Page, Screen


def lines(start: int, end: int) -> str:
    return "".join(f"line {number}\n" for number in range(start, end))


def test_the_newest_rows_are_kept_and_keep_their_numbers() -> None:
    page = Page(10)
    Screen(page).feed(lines(0, 25))
    assert (page.first, page.end) == (15, 25)
    assert page.texts(0, 100) == [f"line {number}" for number in range(15, 25)]
    assert page.texts(16, 18) == ["line 16", "line 17"]
    assert page.row(24).text == "line 24"
    for number in (14, 25, -1):
        with pytest.raises(IndexError, match="is not one of 15 to 24"):
            page.row(number)


def test_an_empty_page_has_no_rows() -> None:
    page = Page()
    assert (page.first, page.end, page.texts(0, 10)) == (0, 0, [])


@pytest.mark.parametrize(("limit", "size"), [(0, 1), (-1, 1), (1, 0)])
def test_limits_below_one_are_refused(limit: int, size: int) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        Page(limit, size=size)


@given(
    st.integers(1, 30),
    st.lists(
        st.text("ab\n", max_size=20)
        | st.just("x\n" * 50)
        | st.sampled_from(["\x1b[2A", "\x1b[3B", "\r", "\x1b[2K", "\x1b[L", "\x1b[S", "\x1b[31m"]),
        max_size=20,
    ),
)
def test_all_rows_are_either_kept_or_were_retired_in_order(limit: int, chunks: list[str]) -> None:
    retired: list[str] = []

    def retire(number: int, texts: Sequence[str]) -> None:
        assert number == len(retired)
        retired.extend(texts)

    page = Page(limit, retire=retire)
    screen = Screen(page, height=5)
    for chunk in chunks:
        screen.feed(chunk)
        assert page.first == len(retired)
        assert page.end - page.first <= limit
    reference = Page(10_000)
    screen = Screen(reference, height=5)
    screen.feed("".join(chunks))
    if limit >= 5:  # rows that are reached again are still there
        assert retired + page.texts(0, page.end) == reference.texts(0, reference.end)


def test_a_flood_leaves_the_same_with_and_without_a_retire_function() -> None:
    text = "begun" + lines(0, 500) + "\x1b[31mred\n" + lines(500, 1000) + "\x1b[1mopen"
    pages = [Page(20), Page(20, retire=lambda number, texts: None), Page(20)]
    for page, cut in zip(pages, (1 << 20, 1 << 20, 100), strict=True):
        screen = Screen(page)
        for start in range(0, len(text), cut):
            screen.feed(text[start : start + cut])
    rows = [[page.row(number).json() for number in range(page.first, page.end)] for page in pages]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][-2:] == [[["line 999", "f1"]], [["open", "b f1"]]]
    assert {(page.first, page.end) for page in pages} == {(982, 1002)}


def test_changed_has_the_rows_that_changed_and_new_ones_are_those_up_to_the_end() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("one\ntwo\nthr")
    page.changed.clear()
    screen.feed("ee\nfour\n")
    assert page.changed == {2}
    page.changed.clear()
    screen.feed("\x1b[4Axx\n\x1b[2B")
    assert page.changed == {0}
    assert page.texts(0, 9) == ["xxe", "two", "three", "four"]


PIECES = ["a", "bb\n", "\n", "\r", "\x1b[A", "\x1b[2K", "\x1b[M", "\x1b[S", "\x1b[H\x1b[J"]


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from([*PIECES, "\x1b[?1049h", "\x1b[?1049l"])),
        max_size=40,
    )
)
def test_a_reader_who_takes_changes_and_new_rows_has_the_page(chunks: list[tuple[bool, bool, str]]) -> None:
    retired: list[str] = []
    page = Page(8, retire=lambda number, texts: retired.extend(texts))
    screens = Screen(page, height=4), Screen(page, height=4)
    seen: dict[int, str] = {}
    end = 0
    for which, looks, chunk in [*chunks, (False, True, "over\nall\n"), (True, True, "more\n" * 3)]:
        screens[which].feed(chunk)
        assert page.first == len(retired)
        if not looks:
            end = min(end, page.end)
            continue
        for number in {*page.changed, *range(end, page.end)}:
            if page.first <= number < page.end:
                seen[number] = page.row(number).text
        end = page.end
        page.changed.clear()
        assert [seen[number] for number in range(page.first, end)] == page.texts(page.first, end)


def test_an_alternate_screen_pushes_nothing_out_and_is_not_retired() -> None:
    retired: list[str] = []
    page = Page(20, retire=lambda number, texts: retired.extend(texts))
    screen = Screen(page)
    screen.feed("keep me\n")
    for number in range(3):
        screen.feed("\x1b[?1049h\x1b[H" + "".join(f"{number} {row}\n" for row in range(39)))
        assert page.texts(0, 3) == ["keep me", f"{number} 0", f"{number} 1"]
        screen.feed("\x1b[?1049l")
    screen.feed("new 1\nnew 2\n")
    assert page.texts(0, page.end) == ["keep me", "new 1", "new 2"]
    assert retired == []


def test_changes_do_not_pile_up_without_a_reader() -> None:
    page = Page(100)
    screen = Screen(page)
    for number in range(2000):
        screen.feed(f"{number}\rx")
        screen.feed("\n")
    assert len(page.changed) <= 200


def test_a_cleared_page_goes_on_with_the_next_number() -> None:
    retired: list[str] = []
    page = Page(retire=lambda number, texts: retired.extend(texts))
    screen = Screen(page)
    screen.feed("one\ntwo\nthr")
    page.clear()
    assert (page.first, page.end) == (3, 3)
    screen.feed("four\nfive")
    assert page.texts(0, 9) == ["four", "five"]
    assert (page.first, page.end) == (3, 5)
    assert retired == ["one", "two", "thr"]


def test_rows_that_are_too_large_together_leave_earlier() -> None:
    page = Page(10_000, size=1 << 20)
    screen = Screen(page)
    for number in range(1000):
        screen.feed(f"{number:>50000}\n")
    assert page.end == 1000
    assert sum(map(len, page.texts(0, 1000))) < 6 << 20
    assert page.texts(999, 1000)[0].endswith("999")


def test_links_are_weighed() -> None:
    page = Page(10_000, size=1 << 20)
    screen = Screen(page)
    for number in range(2000):
        screen.feed(f"\x1b]8;;https://example.org/{number:0>4000}\x07a\x1b]8;;\x07\n")
    links = {style.link for number in range(page.first, page.end) for _, style in page.row(number).cells()}
    assert page.end == 2000
    assert sum(map(len, links)) < 6 << 20


def test_styles_are_weighed_as_what_they_take() -> None:
    page = Page()
    screen = Screen(page, height=1)
    screen.feed("x\n")
    tracemalloc.start()
    for number in range(200):
        screen.feed("".join(f"\x1b[38;2;{place};{number};1m#" for place in range(120)) + "\n")
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 1.2 * sum(page.row(number).weight for number in range(page.end))


@pytest.mark.parametrize("alternate", ["", "\x1b[?1049h"])
def test_a_row_that_is_too_large_by_itself_loses_its_styles_and_links(alternate: str) -> None:
    page = Page(size=1 << 20)
    screen = Screen(page, source="a")
    screen.feed(alternate)
    for number in range(1100):
        screen.feed(f"\x1b]8;;https://example.org/{number:0>4000}\x07a")
    row = page.row(page.end - 1)
    assert row.weight < 1 << 20
    assert (row.text, row.source) == ("a" * 1100, "a")
