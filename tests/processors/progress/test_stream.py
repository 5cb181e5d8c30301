"""The text that passes next to bars: its lines, and the parts of a bar that pass."""

from __future__ import annotations

import pytest
from support import recordings

from pyrepl_stream.processors.progress import Names, Progress, ScreenProgress
from pyrepl_stream.runtime.messages import CompleteMessage, Message, OutputMessage, ProgressMessage
from pyrepl_stream.terminal import Page, Screen

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
TITLE = "\x1b]0;title\x07"


def tqdm(current: int, name: str = "load") -> str:
    return f"{name}: {current * 10:3}%|####    | {current}/10 [00:01<00:02, 3.00it/s]"


def run(*chunks: str) -> list[Message]:
    processor = Progress(every_seconds=0)
    messages: list[Message] = []
    for sequence, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage("job", sequence, float(sequence), data=chunk))
    return [*messages, *processor(CompleteMessage("job", len(chunks) + 1))]


def text(messages: list[Message]) -> str:
    return "".join(message.text for message in messages if isinstance(message, OutputMessage))


def rows_of(whole: str) -> list[str]:
    """Return what a terminal shows."""
    page = Page()
    screen = Screen(page)
    screen.feed(whole)
    return page.texts(0, page.end)


def last_states(messages: list[Message] | list[ProgressMessage]) -> dict[str, list[object]]:
    return {
        message.bar: [message.description, message.current, message.total, message.percentage, message.raw]
        for message in messages
        if isinstance(message, ProgressMessage)
    }


# -- the rows of one terminal ------------------------------------------------------------------


@pytest.mark.parametrize("name", recordings.names())
@pytest.mark.parametrize("whole", [True, False])
def test_a_stream_and_a_screen_have_the_same_bars(name: str, whole: bool) -> None:
    chunks = [recordings.read(name)] if whole else recordings.chunks(name)
    screen = Screen(Page())
    progress = ScreenProgress(screen, Names(), every_seconds=0)
    found: list[ProgressMessage] = []
    for sequence, chunk in enumerate(chunks, 1):
        found += progress.feed(
            OutputMessage("job", sequence, float(sequence), data=chunk), chunk, error=False
        )
    found += progress.finish(OutputMessage("job", len(chunks) + 1))
    assert last_states(run(*chunks)) == last_states(found)


def test_a_row_that_returns_between_others_is_inserted_there() -> None:
    chunks = ["a\n", f"\r{tqdm(1)}\n", "b\n", "\x1b[2A\r\x1b[2Kx\x1b[2B\r", "end\n"]
    assert rows_of(text(run(*chunks))) == ["a", "x", "b", "end"] == rows_of("".join(chunks))


def test_the_cursor_goes_up_to_lines_that_passed_long_before_a_bar() -> None:
    chunks = ["a\n" * 1000, f"\r{tqdm(1)}\n", "\x1b[3A\rx\x1b[3B\r", "end\n"]
    assert rows_of(text(run(*chunks))) == [*["a"] * 998, "x", "a", "end"]


def test_a_control_of_eight_bits_moves_the_cursor_as_its_longer_form_does() -> None:
    for index, csi in (("\x1bD", "\x1b["), ("\x84", "\x9b")):
        chunks = ["a", f"\r{index}{tqdm(1)}", f"\r{csi}2K{csi}Ab\n", "end\n"]
        messages = run(*chunks)
        assert rows_of(text(messages)) == ["b", "end"]
        assert len(last_states(messages)) == 1


def test_a_movement_after_a_bar_passes_only_with_text() -> None:
    assert text(run("a\nb\n", f"\r{tqdm(1)}\n", "\x1b[2A", "\x1b[2B")) == "a\nb\n"


@pytest.mark.parametrize("before", ["", f"\r{tqdm(1)}\n"])
def test_an_alternate_screen_passes_unchanged(before: str) -> None:
    shown = "\x1b[?1049h\x1b[2J\x1b[H50%\r60%\n\x1b[?25hfull\x1b[?1049l"
    for chunks in ([shown], list(shown)):
        messages = run(before + "a\n", *chunks, "b\n")
        assert text(messages) == f"a\n{shown}b\n"
        assert set(last_states(messages)) == ({"tqdm-1"} if before else set())


# -- what passes of a bar ----------------------------------------------------------------------


def test_a_title_that_is_set_beside_a_bar_passes() -> None:
    assert text(run(f"\r{tqdm(1)}{TITLE}\r", f"{tqdm(2)}\n")) == TITLE
    assert text(run(f"\r{tqdm(1)}", f"\r{TITLE}")) == TITLE


def test_what_erases_a_bar_does_not_pass_with_the_text_after_it() -> None:
    assert text(run(f"\r{tqdm(1)}", "\x1b[2K\rdone\n")) == "done\n"


def test_the_cursor_is_not_hidden_for_a_bar() -> None:
    assert text(run(f"{HIDE}\r{tqdm(1)}", f"\r{tqdm(2)}{SHOW}\n")) == ""


def test_text_after_a_bar_with_wide_characters_passes_from_its_first_column() -> None:
    messages = run(f"\r{tqdm(1, '训练')}text\n")
    assert text(messages) == "text\n"
    assert list(last_states(messages).values()) == [["训练", 1, 10, 10, tqdm(1, "训练")]]


def test_a_bar_that_ends_in_a_colour_is_not_whole() -> None:
    processor = Progress(every_seconds=0)
    drawn = "\rone \x1b[31m━━━━━━━━\x1b[0m \x1b[35m  5%"
    assert list(processor(OutputMessage("job", 1, data=drawn))) == []
    (bar,) = processor(OutputMessage("job", 2, data="\x1b[0m"))
    assert isinstance(bar, ProgressMessage) and bar.percentage == 5


@pytest.mark.parametrize("part", ["x" * 80_000, "\x1b[1m\x07" * 4000])
def test_a_very_long_row_passes_before_its_end(part: str) -> None:
    processor = Progress()
    assert text(list(processor(OutputMessage("job", 1, data=f"\r%{part}")))) == f"\r%{part}"
