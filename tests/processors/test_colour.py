from __future__ import annotations

import random
import re
import time
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tmux import Tmux, needs_tmux

from pyrepl_stream import Session
from pyrepl_stream.processors.colour import SCHEMES, Colour, Scheme
from pyrepl_stream.processors.colour_policy import ColourPolicy
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    StreamType,
)
from pyrepl_stream.terminal.palette import rgb_of

PAGE = ColourPolicy.page()
TERMINAL_256 = ColourPolicy(256, cursor=True)
TERMINAL_16 = ColourPolicy(16, cursor=True)
NO_COLOUR = ColourPolicy(0, cursor=True)
FILE = ColourPolicy(0, cursor=False)
COLOURED_FILE = ColourPolicy(256, cursor=False)


def shown(
    chunks: Iterable[str], processor: Colour, stream: StreamType = StreamType.STDOUT, source: str = ""
) -> str:
    """Return the joined output for the chunks of one stream, up to its end."""
    messages: list[Message] = []
    sequence = 0
    for sequence, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage("job", sequence, source=source, stream=stream, data=chunk))
    messages += processor(CompleteMessage("job", sequence + 1))
    return "".join(message.text for message in messages if isinstance(message, OutputMessage))


def everywhere(text: str, policy: ColourPolicy) -> str:
    """Return the output for ``text``, after checking that it is the same at every cut."""
    whole = shown([text], Colour(policy))
    assert shown(text, Colour(policy)) == whole
    for place in range(1, len(text)):
        assert shown([text[:place], text[place:]], Colour(policy)) == whole
    return whole


# -- colours -----------------------------------------------------------------------------------

RICH = "\x1b[1;38;2;255;0;0mred\x1b[0m \x1b[38;5;114m\x1b[4:3;58:2::1:2:3mgreen\x1b[m \x1b]0;title\x07\x1b[2K\x1b[1Aup\rback\b\x07\n"


def test_a_view_that_shows_everything_gets_the_same_message() -> None:
    processor = Colour(PAGE)
    for data in (RICH, "\x1b[", "text", b"\xff\x1b[1m"):
        message = OutputMessage("job", 1, data=data)
        (passed,) = processor(message)
        assert passed is message


@given(st.text(st.sampled_from("\x1b[]38;2m\x07\r\n\x9bab")), st.integers(0, 30))
def test_colours_survive_a_round_trip(text: str, place: int) -> None:
    assert shown([text[:place], text[place:]], Colour(PAGE)) == text


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            TERMINAL_256,
            "\x1b[1;38;5;196mred\x1b[0m \x1b[38;5;114m\x1b[4:3;58:5:16mgreen\x1b[m \x1b]0;title\x07\x1b[2K\x1b[1Aup\rback\b\x07\n",
        ),
        (
            TERMINAL_16,
            "\x1b[1;91mred\x1b[0m \x1b[92m\x1b[4:3mgreen\x1b[m \x1b]0;title\x07\x1b[2K\x1b[1Aup\rback\b\x07\n",
        ),
        (NO_COLOUR, "red green \x1b]0;title\x07\x1b[2K\x1b[1Aup\rback\b\x07\n"),
        (FILE, "red green up\nback\n"),
        (COLOURED_FILE, "\x1b[1;38;5;196mred\x1b[0m \x1b[38;5;114m\x1b[4:3;58:5:16mgreen\x1b[m up\nback\n"),
    ],
)
def test_text_is_converted_to_what_the_view_can_show(policy: ColourPolicy, expected: str) -> None:
    assert everywhere(RICH, policy) == expected


def test_a_style_without_any_parameter_left_is_removed() -> None:
    assert everywhere("\x1b[1m\x1b[38;2;300;0;0mbold\x1b[58:5:1m", TERMINAL_16) == "\x1b[1mbold"


def test_8_bit_sequences_and_links_are_recognized() -> None:
    assert everywhere("\x9b38;2;255;0;0mred\x9b0m", TERMINAL_256) == "\x1b[38;5;196mred\x9b0m"
    assert everywhere("\x9b31mred\x9b2K\x85", FILE) == "red"
    assert everywhere("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", FILE) == "link"


def test_a_cancelled_sequence_is_not_shown_as_text() -> None:
    text = "a\x1b[1\x1b[38;2;255;0;0mred\x1b[3\x18 more"
    assert everywhere(text, FILE) == "ared more"
    assert painted("a\x1b[1\x18b") == f"{GREEN}a{OFF}\x1b[1\x18{GREEN}b{OFF}"


def test_private_sequences_that_look_like_colours_are_removed() -> None:
    assert everywhere("\x1b[>4;2m\x1b[?38;5m", TERMINAL_16) == "\x1b[>4;2m\x1b[?38;5m"


def test_text_without_sequences_passes_as_the_same_message() -> None:
    for policy in (TERMINAL_256, TERMINAL_16, NO_COLOUR, FILE):
        processor = Colour(policy)
        for data in ("text\n", "a\r\nb\t", "é\u2028"):
            message = OutputMessage("job", 1, data=data)
            (passed,) = processor(message)
            assert passed is message


def test_bytes_stay_bytes() -> None:
    processor = Colour(FILE, colour_streams=True)
    (passed,) = processor(OutputMessage("job", 1, data=b"\x1b[31m\xe9\r50%\r\n"))
    assert passed == OutputMessage("job", 1, data=b"\xe9\n50%\r\n")
    (passed,) = Colour(PAGE, colour_streams=True)(OutputMessage("job", 1, data=b"\xe9\xc3"))
    assert passed == OutputMessage("job", 1, data=b"\xe9\xc3")


def test_a_carriage_return_is_held_from_text_to_bytes() -> None:
    processor = Colour(FILE)
    assert list(processor(OutputMessage("job", 1, data="10%\r"))) == [OutputMessage("job", 1, data="10%")]
    assert list(processor(OutputMessage("job", 2, data=b"\n\xff\r"))) == [
        OutputMessage("job", 2, data=b"\r\n\xff")
    ]
    assert list(processor(OutputMessage("job", 3, data="20%"))) == [OutputMessage("job", 3, data="\n20%")]


def test_errors_logs_and_prompts_are_converted_too() -> None:
    processor = Colour(TERMINAL_16)
    red = "\x1b[38;5;196mred\x1b[0m"
    (error,) = processor(ErrorMessage(value=red, traceback=(red, "plain")))
    assert error == ErrorMessage(value="\x1b[91mred\x1b[0m", traceback=("\x1b[91mred\x1b[0m", "plain"))
    assert list(processor(LogMessage(text=red))) == [LogMessage(text="\x1b[91mred\x1b[0m")]
    assert list(processor(InputRequestMessage(prompt=red))) == [
        InputRequestMessage(prompt="\x1b[91mred\x1b[0m")
    ]


# -- views without a cursor --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10%\r20%\r30%\n", "10%\n20%\n30%\n"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\r\r\nb", "a\r\nb"),
        ("a\r\r\rb", "a\nb"),
        ("\ra\r", "a\n"),
        ("a\n\rb", "a\nb"),
        ("\r\n\r\r\n", "\r\n\r\n"),
        ("\r\x1b[K10%\r\x1b[K20%\r\x1b[K\r30%", "10%\n20%\n30%"),
        ("10%\r\x1b[31m20%\x1b[0m\r\x1b[0m\n", "10%\n20%\r\n"),
        ("a\x1b[1A\x1b[2Kb\bc\x1b7\x1b8\x1b[?25l", "abc"),
        ("a\x0bb\x0cc", "abc"),
        ("a\x1b", "a"),
        ("a\r\x1b[", "a\n"),
        ("a\x1b]never ended", "anever ended"),
    ],
)
def test_a_carriage_return_becomes_a_new_line(text: str, expected: str) -> None:
    assert everywhere(text, FILE) == expected


def test_colours_between_carriage_returns_are_kept() -> None:
    text = "\x1b[31m\r10%\x1b[0m\r\x1b[32m\r20%\r\x1b[0m\n\x1b[0m\rend"
    assert everywhere(text, COLOURED_FILE) == "\x1b[31m10%\x1b[0m\x1b[32m\n20%\x1b[0m\r\n\x1b[0mend"


def test_the_last_carriage_return_is_held_until_the_next_character() -> None:
    processor = Colour(FILE)
    assert list(processor(OutputMessage("job", 1, data="10%\r"))) == [OutputMessage("job", 1, data="10%")]
    assert list(processor(OutputMessage("job", 2, data="\r"))) == []
    assert list(processor(OutputMessage("job", 3, data="20%"))) == [OutputMessage("job", 3, data="\n20%")]


def test_the_line_of_a_question_continues_after_the_answer() -> None:
    processor = Colour(FILE)
    list(processor(OutputMessage("job", 1, data="Name? ")))
    list(processor(InputRequestMessage("job", 2)))
    assert list(processor(OutputMessage("job", 3, data="\rnext"))) == [OutputMessage("job", 3, data="\nnext")]


@given(
    st.lists(
        st.sampled_from(
            ["\r", "\n", "é", "\x1b[1m", "\x1b[38;5;200m", "\x1b[K", "\x1b]t\x07", "\b", "\x9b", "\x1b"]
        ),
        max_size=20,
    ),
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from([TERMINAL_256, NO_COLOUR, FILE, COLOURED_FILE]),
)
def test_any_text_cut_anywhere_gives_the_same(pieces: list[str], at: list[int], policy: ColourPolicy) -> None:
    text = "".join(pieces)
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    chunks = [text[start:end] for start, end in zip(places, places[1:], strict=False)]
    whole = shown([text], Colour(policy))
    assert shown(chunks, Colour(policy)) == whole
    assert whole.count("é") == text.count("é")
    if not policy.cursor:
        assert not re.search(r"\r(?!\n)|[\b]|\x1b(?!\[[0-9;]*m)", whole)
        assert not re.search(r"\n\n", re.sub(r"\x1b\[[0-9;]*m", "", whole)) or "\n" in text


# -- colours of streams ----------------------------------------------------------------------------------

GREEN, RED, YELLOW, OFF = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[39m"


def painted(text: str, stream: StreamType = StreamType.STDOUT, source: str = "") -> str:
    return shown([text], Colour(TERMINAL_16, colour_streams=True), stream, source)


def test_streams_have_their_colours() -> None:
    assert painted("out\n") == f"{GREEN}out{OFF}\n"
    assert painted("err\n\nerr", StreamType.STDERR) == f"{RED}err{OFF}\n\n{RED}err{OFF}"
    assert painted("err\r\n", StreamType.STDERR, "git") == f"{YELLOW}err{OFF}\r\n"
    assert painted("out", source="git") == f"{GREEN}out{OFF}"
    (log,) = Colour(TERMINAL_16, colour_streams=True)(LogMessage(text="one\ntwo"))
    assert log == LogMessage(text=f"{YELLOW}one{OFF}\n{YELLOW}two{OFF}")
    (error,) = Colour(TERMINAL_16, colour_streams=True)(ErrorMessage(value="one"))
    assert error == ErrorMessage(value="one")


def test_styled_lines_keep_their_styles() -> None:
    assert painted("\x1b[31mred\x1b[0m rest\nnext\n") == f"\x1b[31mred\x1b[0m rest\n{GREEN}next{OFF}\n"
    assert painted("12:00 \x1b[1mINFO\x1b[m text") == f"{GREEN}12:00 {OFF}\x1b[1mINFO\x1b[m text"
    assert (
        painted("\x1b[31mred\nstill red\n\x1b[39mnot\nnext")
        == f"\x1b[31mred\nstill red\n\x1b[39mnot\n{GREEN}next{OFF}"
    )
    assert (
        painted("\x1b[31;1m\x1b[39m\nbold\n\x1b[22m\nnext")
        == f"\x1b[31;1m\x1b[39m\nbold\n\x1b[22m\n{GREEN}next{OFF}"
    )


def test_colours_of_streams_are_not_inserted_into_other_sequences() -> None:
    link = "\x1b]8;;https://example.org\x1b\\"
    assert painted(f"a{link}b\x1b[Kc") == f"{GREEN}a{OFF}{link}{GREEN}b{OFF}\x1b[K{GREEN}c{OFF}"
    assert painted("\x1b7a\x1b8b") == f"\x1b7{GREEN}a{OFF}\x1b8{GREEN}b{OFF}", (
        "the saved style is that of the program"
    )
    assert (
        painted("\x1b[31m\x1b7\x1b[m\x1b8\nred\n\x1bc\nnext")
        == f"\x1b[31m\x1b7\x1b[m\x1b8\nred\n\x1bc\n{GREEN}next{OFF}"
    )


def test_streams_have_no_colour_in_a_view_without_colours() -> None:
    for policy in (NO_COLOUR, FILE):
        assert shown(["out\n"], Colour(policy, colour_streams=True)) == "out\n"
        assert Colour(policy).paint("out", OutputMessage()) == "out"


def test_styles_continue_after_a_question() -> None:
    processor = Colour(TERMINAL_16, colour_streams=True)
    list(processor(OutputMessage("job", 1, data="\x1b[31mName? ")))
    list(processor(InputRequestMessage("job", 2)))
    red = OutputMessage("job", 3, data="still red\nand this")
    assert list(processor(red)) == [red]


def test_a_view_can_colour_text_itself() -> None:
    processor = Colour(TERMINAL_256, "light")
    assert processor.paint("a\nb", OutputMessage()) == "\x1b[38;5;22ma\x1b[39m\n\x1b[38;5;22mb\x1b[39m"
    assert processor.paint("a", LogMessage(source="x")) == "\x1b[38;5;58ma\x1b[39m"
    assert processor.paint("a", CompleteMessage()) == "a"


def test_a_scheme_prefers_the_source_and_ends_each_style_it_begins() -> None:
    scheme = Scheme({"stdout": "1;38;2;255;0;0"}, {"stdout": ""}, {"worker-*": "44", "worker-1": "45"})
    processor = Colour(TERMINAL_256, scheme, colour_streams=True)
    assert shown(["a"], processor) == "\x1b[1;38;5;196ma\x1b[22;39m"
    assert shown(["a"], processor.for_reader(), source="worker-1") == "\x1b[44ma\x1b[49m"
    assert shown(["a"], processor.for_reader(), source="git") == "a"


def test_schemes_become_the_colours_of_their_names_with_16_colours() -> None:
    for name, (green, red, yellow) in {
        "default": (32, 31, 33),
        "dark": (92, 91, 93),
        "light": (32, 31, 33),
    }.items():
        processor = Colour(TERMINAL_16, name)
        assert processor.paint("a", OutputMessage()) == f"\x1b[{green}ma{OFF}"
        assert processor.paint("a", OutputMessage(stream=StreamType.STDERR)) == f"\x1b[{red}ma{OFF}"
        assert (
            processor.paint("a", OutputMessage(stream=StreamType.STDERR, source="b"))
            == f"\x1b[{yellow}ma{OFF}"
        )
        assert processor.paint("a", LogMessage()) == f"\x1b[{yellow}ma{OFF}"


@pytest.mark.parametrize(("name", "background"), [("dark", 16), ("light", 231)])
def test_schemes_can_be_read_on_their_background(name: str, background: int) -> None:
    def luminance(index: int) -> float:
        linear = [
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
            for value in (channel / 255 for channel in rgb_of(index))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for style in (*SCHEMES[name].streams.values(), *SCHEMES[name].sourced.values()):
        dark, light = sorted((luminance(int(style.removeprefix("38;5;"))), luminance(background)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_invalid_options_are_refused() -> None:
    with pytest.raises(UsageError, match="no colour scheme 'drak'; did you mean 'dark'"):
        Colour(PAGE, "drak")
    with pytest.raises(UsageError, match="'green' is not a style: give parameters of SGR"):
        Scheme({"stdout": "green"})


@given(
    st.lists(
        st.sampled_from(
            ["a", "b", "\n", "\r\n", "\x1b[31m", "\x1b[m", "\x1b[1m", "\x1b[22;39m", "\x1b]t\x07", "\x1b[K"]
        ),
        max_size=20,
    ),
    st.lists(st.integers(0, 40), max_size=8),
)
def test_coloured_streams_look_the_same_at_every_cut(pieces: list[str], at: list[int]) -> None:
    text = "".join(pieces)
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    chunks = [text[start:end] for start, end in zip(places, places[1:], strict=False)]
    cells = cells_of(shown(chunks, Colour(TERMINAL_16, colour_streams=True)))
    assert cells == cells_of(painted(text))
    original = cells_of(text)
    assert [character for character, _ in cells] == [character for character, _ in original]
    for (character, style), (_, own) in zip(cells, original, strict=True):
        assert style == own or (style == ("32", "") and own == ("", "") and character not in "\r\n")


def cells_of(text: str) -> list[tuple[str, tuple[str, str]]]:
    """Return each character and its (colour, weight) as a terminal shows them, for the sequences above."""
    cells = []
    colour = weight = ""
    for parameters, other, character in re.findall(r"\x1b\[([0-9;]*)m|(\x1b\[K|\x1b\]t\x07)|(.|\n)", text):
        if character:
            cells.append((character, (colour, weight)))
        elif not other:
            for one in parameters.split(";"):
                colour = "" if one in ("", "0", "39") else one if one[:1] == "3" else colour
                weight = "" if one in ("", "0", "22") else one if one == "1" else weight
    return cells


# -- against a real terminal -------------------------------------------------------------------

BARS = (
    "start\n"
    + "".join(
        f"\r\x1b[K\x1b[38;2;{step};200;0m{step:3}%\x1b[0m \x1b]0;{step}\x07" for step in range(0, 101, 20)
    )
    + "\nend\n"
)


def test_a_terminal_shows_each_step_of_a_redrawn_line() -> None:
    needs_tmux()
    steps = [f"{step:3}%" for step in range(0, 101, 20)]
    with Tmux(BARS) as tmux:
        assert tmux.captured() == ["start", "100%", "end", ""]
    for policy in (FILE, COLOURED_FILE):
        with Tmux(shown([BARS], Colour(policy))) as tmux:
            assert tmux.captured() == ["start", *steps, "end", ""]


def test_a_terminal_shows_text_in_the_colour_of_its_stream_and_the_rest_unchanged() -> None:
    needs_tmux()
    chance = random.Random(2)
    pieces = [
        "one",
        "two ",
        "\x1b[31mred",
        "\x1b[m",
        "\x1b[1mbold",
        "\x1b[44m",
        "\x1b[39m",
        "\x1b[0m",
        "\x1b7",
        "\x1b[7m",
        "\n",
    ]
    lines = ["plain", "own \x1b[31mred\x1b[0m rest", "\x1b[1mbold\x1b[0m"]
    lines += ["".join(chance.choices(pieces[:-1], k=6)) + "\x1b[0m" * chance.randrange(2) for _ in range(40)]
    text = "\n".join(lines)
    cuts = sorted(chance.sample(range(len(text)), 60))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    with Tmux(text) as tmux:
        original, plain = "\n".join(tmux.captured("-e")), tmux.captured()
    with Tmux(painted(text)) as tmux:
        whole = "\n".join(tmux.captured("-e"))
        assert tmux.captured() == plain
    with Tmux(shown(chunks, Colour(TERMINAL_16, colour_streams=True))) as tmux:
        assert "\n".join(tmux.captured("-e")) == whole
    green, own = styles_of(whole), styles_of(original)
    assert [character for character, _ in green] == [character for character, _ in own]
    assert {style for character, style in green[:5]} == {frozenset({"32"})}, (
        "a line without styles is painted"
    )
    for (_, style), (_, before) in zip(green, own, strict=True):
        assert style == before or (not before and style == {"32"})


def styles_of(captured: str) -> list[tuple[str, frozenset[str]]]:
    """Return each character with the styles that tmux reports, each as its parameter."""
    cells = []
    styles: dict[str, str] = {}
    for parameters, character in re.findall(r"\x1b\[([0-9;]*)m|(.|\n)", captured):
        if character:
            cells += [(character, frozenset(styles.values()))] * (character != "\n")
            continue
        for one in parameters.split(";"):
            if one in ("", "0"):
                styles = {}
            elif one in ("39", "49"):
                styles.pop(one[0], None)
            else:
                styles[one[0]] = one
    return cells


# -- hostile input, and a session --------------------------------------------------------------


@pytest.mark.parametrize(
    "piece", ["\x1b[38;2;1;2;3m", "\r\x1b[1m", "a\r", "\x1b]0;\x1b", "\x9d", "\x1b[38;5;"]
)
@pytest.mark.parametrize("policy", [TERMINAL_256, COLOURED_FILE])
def test_a_million_sequences_are_coloured_in_linear_time(piece: str, policy: ColourPolicy) -> None:
    processor = Colour(policy, colour_streams=True)
    chunk = piece * (32_768 // len(piece))
    started = time.process_time()
    for sequence in range(1, 1_000_000 * len(piece) // 32_768 + 2):
        list(processor(OutputMessage("job", sequence, data=chunk)))
    assert time.process_time() - started < 30


def test_any_number_of_different_colours_takes_bounded_memory() -> None:
    processor = Colour(TERMINAL_16)
    tracemalloc.start()
    try:
        for number in range(5_000):
            list(processor(OutputMessage("job", number + 1, data=f"\x1b[38;5;1;{number:01000}m")))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


def test_an_execution_is_coloured_by_stream() -> None:
    with Session() as session:
        code = "import sys\nprint('out')\nprint('err', file=sys.stderr)"
        messages = list(session.execute(code, processors=[Colour(TERMINAL_16, colour_streams=True)]))
    for stream, text, colour in ((StreamType.STDOUT, "out", "32"), (StreamType.STDERR, "err", "31")):
        written = "".join(m.text for m in messages if isinstance(m, OutputMessage) and m.stream is stream)
        assert cells_of(written) == [*((character, (colour, "")) for character in text), ("\n", ("", ""))]
