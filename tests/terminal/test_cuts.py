"""However output is cut into chunks, the page is the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support import recordings

from pyrepl_stream.terminal import Page, Screen

PIECES = [
    *"\n\n\n\r\b\tax ",
    "\r\n",
    "some text\n",
    "ü日\N{ROCKET}",
    "e\u0301\u0302",
    "\u200d",
    "\N{WOMAN}\u200d\N{GIRL}",
    "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}",
    "\U0001f1e9\U0001f1ea",
    "e\u0301 and \N{HEAVY BLACK HEART}\ufe0f\n日\u0301\n",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[44m",
    "\x1b[A",
    "\x1b[2B",
    "\x1b[C",
    "\x1b[2K",
    "\x1b[K",
    "\x1b[J",
    "\x1b[P",
    "\x1b[3@",
    "\x1b[L",
    "\x1b[M",
    "\x1b[2S",
    "\x1b[T",
    "\x1b[1;3r",
    "\x1b[H",
    "\x1b[4h",
    "\x1b[4l",
    "\x1b(0",
    "\x1b(B",
    "\x1b[3b",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\",
    "\x1b]8;;\x1b\\",
    "\x1bM",
    "\x1bc",
    "\x1b[3",
    "\x1b(",
    "\x18",
    "\x1b[?6h",
    "\x1b[?6l",
    "\x1b[3g",
    "\x1bH",
    "a\tb\nc\t\td\n",
    "\x1b[1mbold\x1b[0m plain \x1b[32mgreen\nline\x1b[m  \n",
]

# Lines that are wrapped by blanks. Without insertion, of which a line that is too long makes something else
# where it comes in parts.
WRAPS = [
    *(piece for piece in PIECES if piece != "\x1b[4h"),
    "x" * 20 + " \r",
    "x" * 20 + " ",
    "%" + " " * 19 + "\r",
]


def state(page: Page, screen: Screen) -> object:
    rows = [page.row(number) for number in range(page.first, page.end)]
    return page.first, screen.title, [(row.json(), row.cells(), row.cut) for row in rows]


def come_of(chunks: list[str], limit: int, error: bool) -> object:
    page = Page(limit)
    screen = Screen(page, height=5, width=20)
    for chunk in chunks:
        screen.feed(chunk, error=error)
    screen.finish()
    return state(page, screen)


@settings(deadline=None)
@given(st.data(), st.sampled_from([PIECES, WRAPS]), st.sampled_from([6, 10_000]), st.booleans())
def test_any_text_in_any_chunks(data: st.DataObject, pieces: list[str], limit: int, error: bool) -> None:
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=30)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=10)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert come_of(chunks, limit, error) == come_of([text], limit, error) == come_of([*text], limit, error)


@settings(deadline=None)
@given(st.sampled_from(recordings.names()), st.integers(1, 500))
def test_recordings_in_chunks_of_any_size(name: str, size: int) -> None:
    text = recordings.read(name)
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert come_of(chunks, 10_000, False) == come_of([text], 10_000, False)


def test_a_return_after_a_sequence_without_an_end_is_the_same_in_chunks() -> None:
    for text in ("a\x1b[3\r\nb\x1b(\rc\n", "a\x1b]0;b\r\x1b[1mc\rd"):
        assert come_of([*text], 10, False) == come_of([text], 10, False)


def test_sequences_that_are_too_long_are_the_same_in_chunks() -> None:
    text = "a\x1b[" + "1;" * 512 + "mb\x1b[" + "1;" * 513 + "mc\n"
    chunks = [text[start : start + 99] for start in range(0, len(text), 99)]
    assert come_of(chunks, 10, False) == come_of([text], 10, False)


def test_lines_that_are_too_long_are_the_same_in_chunks() -> None:
    text = "x" * 65_530 + "日" * 20 + "\n" + "ü" * 70_000 + "\rab\n\x1b[31m" + "y" * 70_000 + "\n"
    chunks = [text[start : start + 999] for start in range(0, len(text), 999)]
    assert come_of(chunks, 10, False) == come_of([text], 10, False)
