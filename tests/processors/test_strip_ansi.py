from __future__ import annotations

import re
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tmux import Tmux, needs_tmux

from pyrepl_stream import Session
from pyrepl_stream.processors.strip_ansi import StripAnsi, stripped
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
    StreamType,
)


def stripped_output(chunks: Iterable[str | bytes]) -> str | bytes:
    """Return the joined output for the chunks of one stream, up to its end."""
    processor = StripAnsi()
    messages: list[Message] = []
    sequence = 0
    for sequence, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage(execution_id="job", sequence=sequence, data=chunk))
    messages += processor(CompleteMessage(execution_id="job", sequence=sequence + 1))
    data = [message.data for message in messages if isinstance(message, OutputMessage)]
    assert "" not in data and b"" not in data
    return type(data[0])().join(data) if data else ""  # type: ignore[arg-type]


# -- removed and kept characters ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m text\n", "red text\n"),
        ("\x1b[38:2::1:2:3mred\x1b[m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1bPq#0~~\n\x1b\\text", "text"),
        ("\x1b[2K\x1b[1A\x1b(B\x1b7text\x1b8", "text"),
        ("bell\x07, null\x00, delete\x7f, next line\x85", "bell, null, delete, next line"),
        ("a\r\nb\rc\td\be", "a\r\nb\rc\td\be"),
        ("\x1b", ""),
        ("text\x1b[31", "text"),
        ("text\x1b]0;never ended\n", "text0;never ended\n"),
        ("\x1b]0;title\x1b[1mtext", "text"),
        ("é\N{GRINNING FACE}\u2028\xa0\x1b[m", "é\N{GRINNING FACE}\u2028\xa0"),
    ],
)
def test_sequences_and_controls_are_removed_at_every_cut(text: str, shown: str) -> None:
    for place in range(1, len(text)):
        assert stripped_output([text[:place], text[place:]]) == shown
    assert stripped_output(text) == stripped_output([text]) == stripped(text) == shown


def test_text_without_sequences_passes_as_the_same_message() -> None:
    processor = StripAnsi()
    for data in ("text\n", "a\r\n\tb\b\rc", "", "é\u2028", b"\xff\x9b31m"):
        message = OutputMessage(data=data)
        (passed,) = processor(message)
        assert passed is message


def test_a_message_that_becomes_empty_is_dropped() -> None:
    assert list(StripAnsi()(OutputMessage(data="\x1b[0m"))) == []


def test_bytes_lose_their_sequences_and_nothing_else() -> None:
    assert stripped_output([b"\x1b[31mcaf\xe9\x1b[0m\n"]) == b"caf\xe9\n"
    assert stripped_output([b"\xe9\x1b[3", b"1m\xe9\xc3", b"\xa9\x07"]) == b"\xe9\xe9\xc3\xa9"


def test_a_sequence_does_not_continue_from_text_to_bytes() -> None:
    processor = StripAnsi()
    assert list(processor(OutputMessage("job", 1, data="a\x1b]0;b"))) == [OutputMessage("job", 1, data="a")]
    assert list(processor(OutputMessage("job", 2, data=b"\xff\x1b"))) == [
        OutputMessage("job", 2, data="0;b"),
        OutputMessage("job", 2, data=b"\xff"),
    ]
    assert list(processor(OutputMessage("job", 3, data="[1m"))) == [OutputMessage("job", 3, data="[1m")]


def test_streams_and_sources_are_read_separately() -> None:
    processor = StripAnsi()
    places = [(StreamType.STDOUT, ""), (StreamType.STDERR, ""), (StreamType.STDOUT, "worker")]
    for stream, source in places:
        assert list(processor(OutputMessage(stream=stream, source=source, data="\x1b["))) == []
    for stream, source in places:
        expected = OutputMessage(stream=stream, source=source, data="a")
        assert list(processor(OutputMessage(stream=stream, source=source, data="1ma"))) == [expected]


@pytest.mark.parametrize("between", [GapMessage("job", 2, first=2), InputRequestMessage("job", 2)])
def test_held_text_is_released_before_a_gap_and_a_question(between: Message) -> None:
    processor = StripAnsi()
    assert list(processor(OutputMessage("job", 1, data="\x1b]Name? "))) == []
    released, passed = processor(between)
    assert isinstance(released, OutputMessage)
    assert released.data == "Name? "
    assert passed is between
    assert list(processor(OutputMessage("job", 3, data="31m"))) == [OutputMessage("job", 3, data="31m")]


def test_after_complete_nothing_is_held() -> None:
    processor = StripAnsi()
    list(processor(CompleteMessage("job", 1)))
    assert list(processor(OutputMessage("job", 2, data="a\x1b]b"))) == [
        OutputMessage("job", 2, data="a"),
        OutputMessage("job", 2, data="b"),
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (LogMessage(text="\x1b[31ma\x1b"), LogMessage(text="a")),
        (
            ErrorMessage(value="\x1b[1ma", traceback=("\x1b[0;31mb", "c")),
            ErrorMessage(value="a", traceback=("b", "c")),
        ),
        (InputRequestMessage(prompt="\x1b[1m? "), InputRequestMessage(prompt="? ")),
        (
            ResultMessage(data={"text/plain": "\x1b[1ma", "b": 1}),
            ResultMessage(data={"text/plain": "a", "b": 1}),
        ),
        (DisplayMessage(data={"text/plain": "\x1b[1ma"}), DisplayMessage(data={"text/plain": "a"})),
    ],
)
def test_text_in_other_messages_is_stripped_too(message: Message, expected: Message) -> None:
    (passed,) = StripAnsi()(message)
    assert passed == expected
    (again,) = StripAnsi()(passed)
    assert again is passed


@pytest.mark.parametrize(
    "message", [EventMessage(data="\x1b[1m"), DisplayMessage(data={"text/html": "\x1b[1m"})]
)
def test_other_messages_pass_unchanged(message: Message) -> None:
    (passed,) = StripAnsi()(message)
    assert passed is message


def test_each_reader_has_its_own_processor() -> None:
    processor = StripAnsi()
    list(processor(OutputMessage(data="\x1b[")))
    assert list(processor.for_reader()(OutputMessage(data="1m"))) == [OutputMessage(data="1m")]


# -- against a real terminal -------------------------------------------------------------------


def test_the_remaining_text_is_what_a_terminal_shows() -> None:
    needs_tmux()
    lines = [
        "plain",
        "\x1b[1;38;2;1;2;3mbold\x1b[0m and \x1b[4:3munderlined\x1b[m",
        "a \x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\ and a \x1b]0;title\x07title",
        "\x1bPq#0~~\x1b\\device \x1b_application\x1b\\\x1b^private\x1b\\\x1bXstart\x1b\\strings",
        "\x1b(Bcharacter set\x1b=, keypad\x1b>, cursor\x1b[?25l\x1b[?25h and its shape\x1b[2 q\x1b[>4;2m",
        "bell\x07, null\x00, shift\x0f, query\x1b[c",
        "a title that is cancelled\x1b]0;title\x1b[1m, and one more\x1b]0;title\x18",
        "a colour that is cancelled\x1b[1\x1b[31m, and one more\x1b[1\x18, and a set\x1b(\x1b[m",
        "\N{SNOWMAN} wide \u4f60\u597d e\u0301 \x1b[7m\u4f60\x1b[m",
    ]
    with Tmux("\n".join(lines)) as tmux:
        shown = tmux.captured()
    assert shown == str(stripped_output(["\n".join(lines)])).split("\n")


# -- any text, any cuts ------------------------------------------------------------------------

OUTPUT = st.lists(
    st.sampled_from(
        [
            "\x1b",
            "\x1b[1m",
            "\x1b]0;",
            "\x07",
            "\x1b\\",
            "\x9b",
            "\x9c",
            "[",
            "m",
            "1",
            "a",
            "é",
            "\n",
            "\r",
            "\b",
        ]
    ),
    max_size=20,
).map("".join)


@given(OUTPUT, st.lists(st.integers(0, 40), max_size=8))
def test_any_text_cut_anywhere_gives_the_same_without_escapes(text: str, at: list[int]) -> None:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    whole = stripped_output([text] if text else [])
    assert stripped_output([text[start:end] for start, end in zip(places, places[1:], strict=False)]) == whole
    assert whole == stripped(text)
    assert not re.search(r"[^\n\r\b -~é]", whole)
    kept = iter(text)
    assert all(character in kept for character in whole), "the remaining text keeps its order"


@pytest.mark.parametrize("piece", ["\x1b[31m", "\x1b]0;\x1b", "\x1b", "\x9d", "\x07", "\x1b[31mx\n"])
def test_a_million_sequences_are_stripped_in_linear_time(piece: str) -> None:
    processor = StripAnsi()
    chunk = piece * (32_768 // len(piece))
    started = time.process_time()
    for sequence in range(1, 1_000_000 * len(piece) // 32_768 + 2):
        list(processor(OutputMessage("job", sequence, data=chunk)))
    assert time.process_time() - started < 20


def test_a_title_without_an_end_comes_as_text_after_64_ki_characters() -> None:
    processor = StripAnsi()
    shown = ""
    for sequence in range(1, 100):
        for message in processor(
            OutputMessage("job", sequence, data="x" * 1000 if sequence > 1 else "\x1b]0;")
        ):
            assert isinstance(message, OutputMessage)
            shown += message.text
    assert shown == "]0;" + "x" * 98_000


def test_an_execution_is_stripped() -> None:
    with Session() as session:
        messages = list(session.execute("print('\\x1b[31mred\\x1b[0m')", processors=[StripAnsi]))
    assert "".join(m.text for m in messages if isinstance(m, OutputMessage)) == "red\n"
