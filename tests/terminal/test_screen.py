"""Rows that cannot be compared with tmux, because it lacks the feature or differs from xterm."""

from __future__ import annotations

import pytest

from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.terminal import Page, Screen


def rows(text: str, *, height: int = 40, width: int = 120) -> list[object]:
    page = Page()
    screen = Screen(page, height=height, width=width)
    screen.feed(text)
    return shown(page)


def shown(page: Page) -> list[object]:
    return [page.row(number).json() for number in range(page.first, page.end)]


@pytest.mark.parametrize("options", [{"height": 0}, {"width": 0}])
def test_a_screen_has_rows_and_columns(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        Screen(Page(), **options)


# -- where tmux differs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # tmux 3.3 leaves the other half of a wide character where it was; xterm has blanks in its place.
        ("日本\x1b[2Gx", " x本"),
        ("日本\x1b[3Gx", "日x"),
        ("日本\x1b[2G\x1b[X", "  本"),
        ("日本\x1b[2G\x1b[K", ""),
        ("日本\x1b[3G\x1b[1K", ""),
        ("日本\x1b[2G\x1b[P|", " |"),
        ("日本\x1b[2G\x1b[@|", " | 本"),
        # tmux 3.3 shows nothing of characters that are joined to one; later ones and xterm.js do.
        ("\N{WOMAN}\u200d\N{GIRL}x\x1b[5GY", "\N{WOMAN}\u200d\N{GIRL}x Y"),
        ("\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}x\x1b[5GY", "👍🏽x Y"),
        ("a\u200db\x1b[4GY", "a\u200db Y"),
        ("a\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", "a🏽"),
        # tmux keeps no more than 21 bytes of a cell.
        ("e" + "\u0301" * 40 + "x", "e" + "\u0301" * 31 + "x"),
        # tmux moves nothing where all is pushed over the edge.
        ("abc\r\x1b[120@", ""),
        # tmux has neither CHT nor VPR.
        ("a\x1b[2Ib", "a               b"),
        # tmux forgets what REP repeats at any sequence.
        ("a\x1b[C\x1b[3b", "a aaa"),
        # tmux takes the 8-bit forms of controls for characters, as it reads UTF-8.
        ("a\x9b2Cb\x9d0;title\x9cc", "a  bc"),
        # tmux takes the rest of an invalid colour for styles.
        ("\x1b[38;2;1;2mx\x1b[38;5;300my", "xy"),
        # tmux shows neither, but a page might break the line.
        ("a\u2028b\u2029c", "abc"),
        # tmux knows neither of these two.
        ("abcdef\x1b[3D\x1b[?K", "abc"),
        ("abcdef\x1b[3D\x1b[?J", "abc"),
        # tmux does not read the 8-bit forms.
        ("ab\x1b[1\x9b3Cx", "ab   x"),
        ("ab\x1b(\x1ax", "abx"),
    ],
)
def test_a_row_is_that_of_xterm(text: str, expected: str) -> None:
    assert rows(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x85b\x84c\x8dd", ["a", "b d", " c"]),
        ("a\x1b[2eb", ["a", "", " b"]),
        # tmux keeps rows that scroll away below the first one, and moves rows outside of the margins.
        ("a\nb\nc\x1b[2;3r\x1b[2S", ["a", "", ""]),
        ("a\nb\nc\nd\x1b[1;2r\x1b[4;1H\x1b[L\x1b[M", ["a", "b", "c", "d"]),
        # tmux moves the cursor, though nothing was saved.
        ("a\nb\x1b[?1049lc", ["a", "bc"]),
        # xterm paints a row that comes into view at the bottom; this depends on how much was there before.
        ("\x1b[41m" + "\n" * 50 + "\x1b[mx", [""] * 50 + ["x"]),
    ],
)
def test_rows_are_those_of_xterm(text: str, expected: list[str]) -> None:
    assert rows(text) == expected


def test_the_last_character_of_whole_lines_can_be_repeated() -> None:
    assert rows("one\ntwo\x1b[m\n\n\x1b[2b") == ["one", "two", "", "oo"]


# -- what a terminal has not ----------------------------------------------------------------------


def test_nothing_wraps() -> None:
    long = "abcdefghij" * 50
    assert rows(f"{long}\n{long}\rx\tyz", width=80) == [long, f"x{long[1:8]}yz{long[10:]}"]


@pytest.mark.parametrize(
    "redraw",
    [
        "50% " + "#" * 30 + " " * 60 + "\r",
        "50% " + "#" * 87 + " \r",
        "50% " + "#" * 87 + "\r" + " " * 91 + "\r",
        "50% " + "#" * 60 + "\r" + " " * 81 + "\r" + " " * 80 + "\r" + " " * 79 + "\r",
        "50% " + "#" * 77 + "\r",
        "50%\t" + "\t" * 10 + "\r",
    ],
)
def test_programs_that_take_the_terminal_for_wider_draw_on_one_row(redraw: str) -> None:
    assert rows(redraw * 5 + "\x1b[2Kdone", width=80) == ["done"]


def test_a_line_that_was_wrapped_ends_once() -> None:
    row = "a" * 80 + " "
    for end in ("\n", "\r\n", "\r"):
        page = Page()
        screen = Screen(page, width=80)
        for text in (row, end, "next"):
            screen.feed(text)
        assert page.texts(0, page.end) == [row.rstrip(), "next"]
    page = Page()
    screen = Screen(page, width=80)
    screen.feed(row + "\r")
    screen.feed("\n")
    screen.place("one")
    assert shown(page) == [row.rstrip(), {"t": "", "d": "one"}]


def test_a_long_line_is_wrapped_at_its_end() -> None:
    assert rows("a" * 240 + " \rb", width=80) == ["a" * 240, "b"]
    assert rows("a" * 200 + "%" + " " * 79 + "\r \r$ ", width=80) == ["a" * 200 + "%", "$"]


def test_columns_beyond_the_width_are_reached_by_text_only() -> None:
    assert rows(f"{'a' * 100}\x1b[99G|\x1b[999C|", width=50) == [
        f"{'a' * 49}|{'a' * 50}"[:49] + "||" + "a" * 49
    ]


def test_rows_appear_when_something_is_in_them_or_the_cursor_leaves_them() -> None:
    page = Page()
    screen = Screen(page)
    for text, end in (
        ("\x1b[3B", 0),
        ("\x1b[m", 0),
        ("\x1b[A", 0),
        ("x", 3),
        ("\n", 3),
        ("\n", 4),
        ("\x1b[9B", 4),
    ):
        screen.feed(text)
        assert page.end == end


def test_the_title_is_what_the_program_said_last() -> None:
    page = Page()
    screen = Screen(page)
    assert screen.title == ""
    screen.feed("\x1b]0;first\x07\x1b]1;icon\x07text")
    assert screen.title == "first"
    screen.feed("\x1b]2;second; and more\x1b\\")
    assert screen.title == "second; and more"
    screen.feed("\x1b]2;" + "x" * 5000 + "\x07")
    assert screen.title == "x" * 1024
    assert shown(page) == ["text"]


# -- stderr, sources, displays ---------------------------------------------------------------------


def test_text_from_stderr_says_so() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("out\n")
    screen.feed("one\n\n\x1b[31mred\x1b[0m two  \n", error=True)
    screen.feed("half ")
    screen.feed("err", error=True)
    screen.feed(" out\n")
    assert shown(page) == [
        "out",
        [["one", "e"]],
        "",
        [["red", "e f1"], [" two", "e"]],
        [["half ", ""], ["err", "e"], [" out", ""]],
    ]


def test_sequences_of_stdout_and_stderr_are_read_each_by_itself() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("a\x1b[3")
    screen.feed("b\x1b[1", error=True)
    screen.feed("1mc")
    screen.feed("md", error=True)
    assert shown(page) == [[["a", ""], ["b", "e"], ["c", "f1"], ["d", "b e f1"]]]


def test_a_saved_pen_does_not_say_where_text_came_from() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("\x1b[1m\x1b7", error=True)
    screen.feed("\x1b8a\x1b7")
    screen.feed("\x1b8b", error=True)
    assert shown(page) == [[["a", "b"], ["b", "b e"]]]


def test_sources_share_a_page_and_stay_in_their_own_rows() -> None:
    page = Page()
    first, second = Screen(page, source="a"), Screen(page, source="b")
    first.feed("0%")
    second.feed("start\n")
    first.feed("\r50%")
    second.feed("\x1b[3Astop\nnew")
    first.feed("\r100%\ndone\n")
    assert shown(page) == [
        {"t": "100%", "s": "a"},
        {"t": "stopt", "s": "b"},
        {"t": "new", "s": "b"},
        {"t": "done", "s": "a"},
    ]


def test_a_source_whose_row_has_left_the_ring_begins_a_new_one() -> None:
    page = Page(5)
    first, second = Screen(page, source="a"), Screen(page, source="b")
    first.feed("outer\nbar 0%")
    second.feed("x\n" * 10)
    first.feed("\rbar 5%")
    assert page.row(page.end - 1).json() == {"t": "bar 5%", "s": "a"}
    first.feed("\rbar 9%\nend")
    assert [page.row(number).text for number in range(page.first, page.end)] == [
        "x",
        "x",
        "x",
        "bar 9%",
        "end",
    ]


def test_a_display_has_a_row_of_its_own() -> None:
    page = Page()
    screen = Screen(page)
    assert screen.place("one") == 0
    screen.feed("text")
    assert screen.place("two") == 2
    assert screen.place("three") == 3
    screen.feed("more\n\n")
    assert screen.place("four") == 6
    screen.feed("\x1b[9A")
    assert screen.place("five") == 7
    assert shown(page) == [
        {"t": "", "d": "one"},
        "text",
        {"t": "", "d": "two"},
        {"t": "", "d": "three"},
        "more",
        "",
        {"t": "", "d": "four"},
        {"t": "", "d": "five"},
    ]


def test_text_does_not_take_the_display_away() -> None:
    page = Page()
    screen = Screen(page, source="a")
    screen.place("one")
    screen.feed("\x1b[Atext\x1b[31m!\x1b[2K\rnew")
    assert shown(page) == [{"t": [["new", "f1"]], "s": "a", "d": "one"}]
    screen.feed("\x1b[41m\x1b[2K")
    assert shown(page) == [{"t": [[" " * 120, "g1"]], "s": "a", "d": "one"}]


# -- screens that go ----------------------------------------------------------------------------


def test_the_alternate_screen_stands_at_the_end_while_it_is_on() -> None:
    page = Page()
    screen = Screen(page, height=5)
    screen.feed("one\ntwo\n\x1b[?1049h\x1b[Htop\x1b[5Hbottom\n\n")
    assert shown(page) == ["one", "two", "", "", "bottom", "", ""]
    screen.feed("\x1b[?1049lthree\n")
    assert shown(page) == ["one", "two", "three"]


# As xterm's "Control Sequences" say: 1048 acts as DECSC and DECRC, 1049 as 1048 and 1047. Each screen has a
# saved cursor, which is at the top left until there is one. (tmux has a single one for both.)
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("ab\x1b[?1048hcd\x1b[?1048lx", ["abxd"]),
        ("ab\x1b[31m\x1b[?1048h\x1b[m\x1b[?1048l\x1b[?1048lx", [[["ab", ""], ["x", "f1"]]]),
        ("ab\x1b[?1048;1047h\x1b[3;3Hx\x1b[?1047;1048lc", ["abc"]),
        ("ab\x1b7\x1b[?47h\x1b[3;3H\x1b7x\x1b[?47l\x1b8c", ["abc"]),
        ("ab\x1b7\x1b[?47h\x1b8over", ["ab", "over"]),
        ("ab\x1b[?1049h\x1b[3;3H\x1b7\x1b[?1049lc", ["abc"]),
        ("ab\x1b[?1049h\x1b[3;3H\x1b7\x1b[?1049l\x1b8c", ["abc"]),
        ("a\x1b7b\x1b[?1049h\x1b[?1049l\x1b8c", ["abc"]),
        ("ab\x1b[?1049h\x1b[2;3H\x1b7\x1b[?1049l\x1b[?1049h\x1b8over", ["ab", "", "  over"]),
        ("ab\x1b[?1049h\x1b[2;3H\x1b[?1048h\x1b[H\x1b[?1048lover", ["ab", "", "  over"]),
    ],
)
def test_each_screen_has_a_saved_cursor(text: str, rows: list[object]) -> None:
    page = Page()
    Screen(page).feed(text)
    assert shown(page) == rows


def test_a_display_moves_the_cursor_that_the_alternate_screen_has_saved() -> None:
    page = Page()
    screen = Screen(page, height=4)
    screen.feed("one\x1b[?1049hover")
    screen.place("a")
    screen.feed("\x1b[?1049ltwo\x1b8th")
    assert shown(page) == ["one", {"t": "", "d": "a"}, "tho"]


def test_what_others_write_stands_before_an_alternate_screen() -> None:
    page = Page()
    first, second = Screen(page), Screen(page)
    first.feed("one\n\x1b[?1049h\x1b[Hover\nall")
    second.feed("text\n")
    second.feed("more")
    assert shown(page) == ["one", "text", "more", "over", "all"]
    assert page.texts(2, 4) == ["more", "over"]
    first.feed("!\x1b[?1049lback")
    assert shown(page) == ["one", "text", "more", "back"]


def test_there_may_be_several_alternate_screens() -> None:
    page = Page()
    first, second = Screen(page), Screen(page)
    first.feed("\x1b[?1049ha\nb")
    second.feed("\x1b[?1049hc\nd")
    first.feed("!\x1b[?1049l")
    second.feed("!")
    assert shown(page) == ["c", "d!"]
    second.finish()
    assert shown(page) == []


def test_a_display_is_never_on_the_alternate_screen() -> None:
    page = Page()
    screen = Screen(page, height=4)
    screen.feed("one\ntwo\x1b[?1049h\x1b[Hover\nall")
    assert [screen.place(name) for name in "abc"] == [2, 3, 4]
    assert shown(page) == ["one", "two", *({"t": "", "d": name} for name in "abc"), "over", "all"]
    screen.feed("!\x1b[?1049lback")
    assert shown(page) == ["one", "two", *({"t": "", "d": name} for name in "abc"), "back"]


@pytest.mark.parametrize("error", [False, True])
@pytest.mark.parametrize("source", ["", "a"])
@pytest.mark.parametrize(
    "clear",
    [
        "\x1b[H\x1b[2J",
        "\x1b[2J\x1b[H",
        "\x1b[H\x1b[J",
        "\x1b[30A\x1b[J",
        "\x1b[2K" + "\x1b[1A\x1b[2K" * 30,
        "\x1b[H\x1b[99M",
        "\x1bc",
        "\x1b[A    \r" * 30,
    ],
)
def test_rows_at_the_end_go_when_they_are_erased(clear: str, source: str, error: bool) -> None:
    page = Page()
    screen = Screen(page, source=source)
    screen.feed("".join(f"{number:4}\n" for number in range(30)) + f"{clear}done\n$ next\n", error=error)
    assert page.texts(0, page.end) == ["done", "$ next"]


def test_an_unknown_way_to_erase_makes_no_row() -> None:
    page = Page()
    Screen(page).feed("one\n\x1b[44m\x1b[3K")
    assert shown(page) == ["one"]


def test_a_blank_row_with_the_cursor_goes_at_the_end() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("one\nbar\nbar\x1b[2K\x1b[A\r\x1b[2K")
    assert shown(page) == ["one", ""]
    screen.finish()
    assert shown(page) == ["one"]


def test_what_has_scrolled_away_stays_when_a_screen_is_cleared() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("".join(f"line {number}\n" for number in range(60)) + "\x1b[H\x1b[2Jhi there\n")
    assert page.texts(0, page.end) == [*(f"line {number}" for number in range(21)), "hi there"]


def test_erased_rows_stay_where_displays_or_other_rows_follow() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("one\ntwo\n")
    screen.place("a")
    screen.feed("three\x1b[H\x1b[J")
    assert shown(page) == ["", "", {"t": "", "d": "a"}]
    Screen(page).feed("other\n")
    screen.feed("\x1b[H\x1b[J")
    assert shown(page) == ["", "", {"t": "", "d": "a"}, "other"]


def test_at_the_end_the_alternate_screen_is_left() -> None:
    page = Page()
    screen = Screen(page)
    screen.feed("one\n\x1b[?1049hover")
    screen.finish()
    assert shown(page) == ["one"]


def test_at_the_end_the_text_of_an_unfinished_string_is_shown() -> None:
    for text, expected in (("a\x1b[3", "a"), ("a\x1b", "a"), ("a\x1b]0;never ended", "a0;never ended")):
        page = Page()
        screen = Screen(page)
        screen.feed(text)
        assert shown(page) == ["a"]
        screen.finish()
        assert shown(page) == [expected]


def test_what_has_scrolled_away_can_be_cleared_by_the_only_screen() -> None:
    clear = "\x1b[H\x1b[2J\x1b[3Jnew"
    page = Page()
    screen = Screen(page, height=3)
    screen.feed("x\n" * 10 + clear)
    assert shown(page) == ["new"]
    other = Screen(page)
    other.feed("other\n")
    screen.feed("x\n" * 10 + clear)
    assert "other" in shown(page)


def test_a_reset_terminal_is_as_at_the_start() -> None:
    page = Page()
    screen = Screen(page, height=4)
    screen.feed("one\ntwo\x1b[1;31m\x1b(0\x1b[2;3r\x1b[4h\x1b[?1049hover\x1bcqq\rx\n\n\n\nend")
    assert shown(page) == ["xq", "", "", "", "end"]


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    assert rows("a\ud800b") == ["a?b"]


# -- characters that share a cell ------------------------------------------------------------------

MARKS = [
    "e\u0301o\u0308",
    "\N{HEAVY BLACK HEART}\ufe0f ok",
    "日e\u0301本",
    "\N{WOMAN}\u200d\N{GIRL}x",
    "\N{WOMAN}\u200dx\N{GIRL}",
    "\u0e01\u0e33 \u1112\u1161\u11ab",
    "a\u2028b\u0301",
    "e" + "\u0301" * 40 + "x\u0302",
    "\N{WOMAN}" + "\u200d\N{GIRL}" * 40,
]


@pytest.mark.parametrize("text", MARKS)
@pytest.mark.parametrize(
    "before",
    [
        "",
        "\u0301",
        "\x1b[1mo\x1b[m\u0301\x1b[3m",
        "\x1b[1m\N{ROCKET}\u200d\x1b[m",
        "a",
        "\x1b[1m",
        "a\x1b[1m",
    ],
)
@pytest.mark.parametrize("behind", ["", "\x1b[A!\n", "\x1b[A\x1b[3Gx\n", "\x1b[A\x1b[9G\u0301x\n"])
def test_whole_lines_come_to_the_same_as_their_characters(text: str, before: str, behind: str) -> None:
    whole, single = Page(), Page()
    screens = Screen(whole), Screen(single)
    text = f"one\n{before}{text}\n{before}{text}\n{behind}end"
    screens[0].feed(text)
    for character in text:
        screens[1].feed(character)
    assert shown(whole) == shown(single)
    rows = [[page.row(number).cells() for number in range(page.end)] for page in (whole, single)]
    assert rows[0] == rows[1]


def test_lines_in_which_characters_share_cells_are_kept_as_text() -> None:
    page = Page()
    screen = Screen(page)
    for text in ("e\u0301 one\n", "ok \N{HEAVY BLACK HEART}\ufe0f\n日e\u0301\nplain\n"):
        screen.feed(text)
    assert [page.content(number) for number in range(page.end)] == [
        "e\u0301 one",
        "ok \N{HEAVY BLACK HEART}\ufe0f",
        "日e\u0301",
        "plain",
    ]


def test_emoji_are_joined_after_a_line_that_was_kept_as_text() -> None:
    assert rows("\N{WOMAN}\u200d\n\x1b[A\x1b[3G\N{GIRL}|") == ["\N{WOMAN}\u200d\N{GIRL}|"]
