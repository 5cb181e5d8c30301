"""The processor: what is a bar and what is text, what is held and how long, options, limits."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.processors.progress import LIBRARIES, Bar, BarFormat, Progress, register
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    DisplayMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    StreamType,
)
from pyrepl_stream.terminal import Page, Screen

METER = "{}: {:3}%|####    | {}/10 [00:01<00:02, 3.00it/s]"


def tqdm(current: int, name: str = "load") -> str:
    return METER.format(name, current * 10, current)


def rich(name: str, percentage: int) -> str:
    return f"{name} \x1b[31m━━━━━━━━\x1b[0m \x1b[35m{percentage:3}%\x1b[0m \x1b[36m0:00:01\x1b[0m"


def run(chunks: Iterable[str | bytes], processor: Progress | None = None) -> list[Message]:
    """Return all messages for these chunks of stdout, a second apart, and for the end, except `complete`."""
    processor = processor or Progress()
    messages: list[Message] = []
    sequence = 0
    for sequence, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage("job", sequence, float(sequence), data=chunk))
    *rest, end = processor(CompleteMessage("job", sequence + 1))
    assert isinstance(end, CompleteMessage)
    return [*messages, *rest]


def text(messages: Iterable[Message]) -> str:
    return "".join(message.text for message in messages if isinstance(message, OutputMessage))


def bars(messages: Iterable[Message]) -> list[ProgressMessage]:
    return [message for message in messages if isinstance(message, ProgressMessage)]


def states(messages: Iterable[Message]) -> list[tuple[str, float | None, bool]]:
    return [(bar.bar, bar.percentage, bar.finished) for bar in bars(messages)]


# -- bars --------------------------------------------------------------------------------------


def test_a_message_has_the_place_of_the_output_it_came_from() -> None:
    output = OutputMessage("job", 3, 30.0, "worker", stream=StreamType.STDERR, data="\r" + tqdm(4) + "\r")
    assert list(Progress()(output)) == [
        ProgressMessage(
            "job",
            3,
            30.0,
            "worker",
            bar="tqdm-1",
            description="load",
            current=4,
            total=10,
            unit="it",
            percentage=40,
            rate=3,
            elapsed=1,
            remaining=2,
            library="tqdm",
            raw=tqdm(4),
        )
    ]


def test_a_bar_is_reported_before_the_cursor_leaves_it() -> None:
    processor = Progress(every_seconds=0)
    messages = [
        [(m.current, m.finished) for m in bars(processor(OutputMessage("job", n, data=f"\r{tqdm(n)}")))]
        for n in (1, 2, 3)
    ]
    assert messages == [[(1, False)], [(2, False)], [(3, False)]]


def test_the_percentage_is_computed_where_the_line_does_not_say_it() -> None:
    (first, *_) = bars(run(["\rcopy ━━━━━━ 1/4 0:00:01\r"]))
    assert first.percentage == 25


def test_the_same_description_drawn_anew_after_its_end_is_another_bar() -> None:
    again = [f"\r{tqdm(n)}" for n in (0, 5, 10)]
    messages = run([*again, "\n", *again, "\n"])
    assert [state[0] for state in states(messages) if state[2]] == ["tqdm-1", "tqdm-2"]


def test_a_bar_that_falls_back_to_its_start_is_another_one() -> None:
    messages = run([f"\r{tqdm(n)}" for n in (0, 5, 9, 0, 5)])
    assert [(m.bar, m.current) for m in bars(messages) if m.finished] == [("tqdm-1", 9), ("tqdm-2", 5)]


def test_a_description_may_change_while_it_runs() -> None:
    messages = run(["\r" + tqdm(1, "load"), "\r" + tqdm(2, "parse"), "\r" + tqdm(10, "store"), "\n"])
    assert {(m.bar) for m in bars(messages)} == {"tqdm-1"}
    assert bars(messages)[-1].description == "store"


def test_bars_that_move_to_other_rows_keep_their_names() -> None:
    live = [rich("one", 10) + "\n" + rich("two", 20)]
    wipe = "\r\x1b[2K\x1b[1A\x1b[2K"
    live += [wipe + f"line {n}\n" + rich("one", n) + "\n" + rich("two", n) for n in (30, 40, 50)]
    messages = run([*live, "\nend\n"])
    assert text(messages) == "line 30\nline 40\nline 50\nend\n"
    assert {(m.bar, m.description) for m in bars(messages)} == {("rich-1", "one"), ("rich-2", "two")}
    assert [m.percentage for m in bars(messages) if m.finished] == [50, 50]


def test_a_bar_that_is_not_drawn_any_more_ends_before_all_is_over() -> None:
    wipe = "\r\x1b[2K\x1b[1A\x1b[2K"
    frames = [rich("one", 10) + "\n" + rich("two", 20), wipe + rich("one", 30), "\r" + rich("one", 40), "\r"]
    processor = Progress(every_seconds=0)
    messages = [
        m for n, frame in enumerate(frames, 1) for m in processor(OutputMessage("job", n, data=frame))
    ]
    assert [(m.bar, m.percentage) for m in bars(messages) if m.finished] == [("rich-2", 20)]


def test_names_are_given_once_in_an_execution() -> None:
    processor = Progress()
    names: list[str] = []
    for stream, source in ((StreamType.STDOUT, ""), (StreamType.STDERR, ""), (StreamType.STDERR, "other")):
        output = OutputMessage("job", 1, source=source, stream=stream, data=f"\r{tqdm(1)}")
        names += [m.bar for m in bars(processor(output))]
    names += [m.bar for m in bars(processor(OutputMessage("job 2", 1, data=f"\r{tqdm(1)}")))]
    assert names == ["tqdm-1", "tqdm-2", "tqdm-3", "tqdm-1"]


def test_an_execution_that_is_read_again_has_the_same_names() -> None:
    processor = Progress()
    for _ in range(2):
        assert {m.bar for m in bars(run(["x\n", f"\r{tqdm(1)}", f"\r{tqdm(2)}"], processor))} == {"tqdm-1"}


# -- text --------------------------------------------------------------------------------------

LOGS = [
    "tests/test_a.py::test_one PASSED                                  [ 45%]\n",
    "[ 12%] Building CXX object src/a.cpp.o\n",
    "[ 12%] \x1b[32mBuilding CXX object src/a.cpp.o\x1b[0m\r\n",
    "accuracy 93% on test\n",
    "epoch 3: 50%\n",
    "Downloading numpy-2.0-cp311.whl (18.2 MB)\n",
    "| CPU | 10% | 20% |\n",
    "/dev/sda1   50G   25G   25G  50% /\n",
    "━━━━━━━━━━━━━━━━━━━━━━━━\n",
    "┏━━━━━━━━━━━━┳━━━━━━━━━━┓\n",
    "src/a.py     120     12    90%   3-5, 17\n",
    "TOTAL                      93%\n",
    "\x1b[01;31m\x1b[Kerror:\x1b[m\x1b[K 3% of a.c\n",
    "100%\n",
    "  % Total    % Received\n",
    "\n",
]


def test_ordinary_logs_have_no_bars() -> None:
    messages = run(LOGS * 3)
    assert bars(messages) == []
    assert text(messages) == "".join(LOGS * 3)


def test_a_line_that_goes_back_to_its_start_and_says_something_else_is_text() -> None:
    for line in (
        "a\rb\n",
        "50%\rall is done now\n",
        "|\r/\r-\r\\\rok\n",
        "\r\n\r\n",
        "N\bNA\bA\bA 5%\n",
        "\r",
    ):
        messages = run([line])
        assert bars(messages) == []
        assert text(messages) == line


def test_text_printed_after_a_bar_passes() -> None:
    messages = run([f"\r{tqdm(1)}", "hello [x]\n", f"\r{tqdm(2)}\x1b[31mred\x1b[0m\n", f"\r{tqdm(3)}"])
    assert text(messages) == "hello [x]\n\x1b[31mred\x1b[0m\n"
    assert {m.bar for m in bars(messages)} == {"tqdm-1"}


def test_a_line_on_which_text_had_passed_keeps_its_line_feed() -> None:
    messages = run(["Compiling", " \r10% done", "\r20% done", "\nnext\n"])
    assert text(messages) == "Compiling \r\nnext\n"
    assert [state[0] for state in states(messages) if state[2]] == ["generic-1"]


def test_movements_between_lines_of_text_leave_out_the_rows_of_bars() -> None:
    messages = run(["one\n", f"\r{tqdm(1)}\n", f"\r{tqdm(2)}\n", "two\n", "\x1b[4A\rONE\x1b[4B\rthree\n"])
    assert text(messages) == "one\ntwo\n\x1b[2A\rONE\x1b[2B\rthree\n"


def test_a_title_and_the_cursor_are_not_lost_with_a_bar() -> None:
    messages = run(["\x1b[?25lon", f"\r\x1b]0;title\x07{tqdm(1)}", f"\r{tqdm(2)}\x1b[?25h\n"])
    assert text(messages) == "\x1b[?25lon\x1b]0;title\x07\x1b[?25h\n"


def test_output_without_bars_passes_as_the_same_message() -> None:
    processor = Progress()
    for data in (
        "one\n",
        "two\nthree",
        " four 5%",
        "\n\x1b[1mbold\x1b[0m\n",
        "a\rb\n",
        "x 5%\n",
        "\n",
        "end",
    ):
        output = OutputMessage(data=data)
        messages = list(processor(output))
        assert len(messages) == 1 or data == " four 5%"
        assert messages[0] is output


# -- what is held ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["Continue? [y/n] ", "$ ", "\x1b[32muser\x1b[0m> ", "working...", "x\b", "a\tb"]
)
def test_a_partial_line_that_cannot_be_a_bar_passes_at_once(line: str) -> None:
    output = OutputMessage(data=line)
    assert list(Progress()(output)) == [output]


@pytest.mark.parametrize("line", ["\rload", "load 5%", "load ━━━", "\x1b[?25lload", "\x1b[2Kload"])
def test_a_partial_line_that_may_become_a_bar_is_held(line: str) -> None:
    assert list(Progress()(OutputMessage(data=line))) == []
    assert text(run([line])) == line


def test_the_beginning_of_a_first_drawing_may_have_passed_as_a_line() -> None:
    drawings = "ing: 10%\rCounting: 20%\rCounting: 30%\nnext\n"
    assert text(run(["Count" + drawings])) == "next\n"
    cut_early = run(["Count", drawings])
    assert text(cut_early) == "Counting: 10%\r\nnext\n"
    assert {m.bar for m in bars(cut_early)} == {"generic-1"}


@pytest.mark.parametrize("between", [GapMessage("job", 2, first=2), InputRequestMessage("job", 2)])
def test_a_gap_and_a_request_for_input_release_what_is_held_and_bars_go_on(between: Message) -> None:
    processor = Progress(every_seconds=0)
    processor(OutputMessage("job", 1, data=f"\r{tqdm(1)}\n50% or more? "))
    assert list(processor(between)) == [OutputMessage("job", 2, data="50% or more? "), between]
    messages = processor(OutputMessage("job", 3, data=f"\x1b[1A\r{tqdm(2)}"))
    assert [(m.bar, m.current) for m in bars(messages)] == [("tqdm-1", 2)]


def test_after_complete_nothing_is_held_and_every_bar_ends() -> None:
    processor = Progress()
    processor(CompleteMessage("job", 3))
    assert text(processor(OutputMessage("job", 4, data="50%"))) == "50%"
    assert [m.finished for m in bars(processor(OutputMessage("job", 5, data=f"\r{tqdm(1)}")))] == [
        False,
        True,
    ]


def test_bytes_pass_and_bars_go_on() -> None:
    messages = run([f"\r{tqdm(1)}", b"\xff\xfe", f"\r{tqdm(2)}\n"])
    assert b"\xff\xfe" in [m.data for m in messages if isinstance(m, OutputMessage)]
    assert [(m.bar, m.current) for m in bars(messages) if m.finished] == [("tqdm-1", 2)]


def test_other_messages_pass() -> None:
    display = DisplayMessage(data={"text/plain": "5%"})
    assert list(Progress()(display)) == [display]


# -- options -----------------------------------------------------------------------------------


def test_a_bar_is_reported_again_after_some_seconds_of_the_output() -> None:
    def told(**options: Any) -> list[float | None]:
        processor = Progress(**options)
        chunks = [(n / 20, f"\r{tqdm(n)}") for n in range(1, 9)]
        messages = [
            m
            for n, (at, data) in enumerate(chunks, 1)
            for m in processor(OutputMessage("job", n, at, data=data))
        ]
        return [m.current for m in bars([*messages, *processor(CompleteMessage("job", 9))])]

    assert told(every_seconds=0) == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert told(every_seconds=0.14) == [1, 4, 7, 8]
    assert told(every_seconds=60) == [1, 8]
    assert told(every_seconds=0, every_percent=25) == [1, 4, 7, 8]
    assert told(every_percent=100, every_seconds=0) == [1, 8]


def test_disabled_it_does_nothing() -> None:
    output = OutputMessage(data=f"\r{tqdm(1)}")
    assert list(Progress(enabled=False)(output)) == [output]


def test_only_the_chosen_libraries_are_looked_for() -> None:
    chunks = ["\r10% done", "\r20% done\n", f"\r{tqdm(1)}", f"\r{tqdm(2)}\n"]
    assert {m.library for m in bars(run(chunks, Progress(libraries=["tqdm"])))} == {"tqdm"}
    messages = run(chunks, Progress(libraries=["tqdm"]))
    assert text(messages) == "".join(chunks[:2])
    assert bars(run(chunks, Progress(libraries=[]))) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"libraries": ["tqmd"]}, "no progress library 'tqmd'; did you mean 'tqdm'\\?$"),
        ({"every_seconds": -1}, "every_seconds is -1, but must be at least 0"),
        ({"every_seconds": float("nan")}, "every_seconds is nan, but must be at least 0"),
        ({"every_percent": -0.5}, "every_percent is -0.5, but must be at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Progress(**options)


def test_a_reader_of_its_own_has_the_same_options_and_no_state() -> None:
    processor = Progress(libraries=["rich"], every_percent=10, every_seconds=3, keep_raw=True)
    processor(OutputMessage("job", 1, data=f"\r{rich('one', 10)}"))
    other = processor.for_reader()
    output = OutputMessage("job", 2, data=f"\r{rich('one', 20)}")
    passed, bar = other(output)
    assert passed is output
    assert isinstance(bar, ProgressMessage)
    assert bar.bar == "rich-1"


def test_a_library_of_ones_own_is_asked_first() -> None:
    def parse(line: str) -> Bar | None:
        return Bar("mine", current=float(line[2:])) if line[2:].isdigit() else None

    register(BarFormat("mine", parse, hint="^# "))
    try:
        messages = run(["\r# 1", "\r# 2", "\n"])
        assert [(m.bar, m.current) for m in bars(messages) if m.finished] == [("mine-1", 2)]
        with pytest.raises(UsageError, match="already .*'mine'"):
            register(BarFormat("mine", parse, hint="^# "))
        assert next(iter(LIBRARIES)) == "mine"
    finally:
        del LIBRARIES["mine"]


# -- limits ------------------------------------------------------------------------------------

FLOODS = {
    "colours": "\x1b[1m",
    "up": "\x1b[A",
    "far up": "\x1b[1000000000Ax",
    "far down": "\x1b[1000000000Bx",
    "far right": "\x1b[1000000000Cx",
    "home": "\x1b[5;5Hx",
    "huge numbers": "\x1b[" + "9" * 500 + "A",
    "carriage returns": "\r",
    "backspaces": "x\b",
    "unterminated": "\x1b]0;",
    "8-bit strings": "\x9d",
    "erased": "\x1b[2K\r50%",
    "below": "x\n\x1b[A\x1b[J",
    "long bars": "\r" + "=" * 4000 + " 50%",
    "colons": "\r" + ": " * 2000 + "[00:00<",
    "brackets": "\r" + "[---" * 1000 + "]",
    "bars": "\r9%",
}


@pytest.mark.parametrize("name", list(FLOODS))
def test_a_flood_takes_bounded_memory(name: str) -> None:
    size = 1 << 17
    flood = (FLOODS[name] * (size // len(FLOODS[name]) + 1))[:size]
    processor = Progress()
    passed = 0
    tracemalloc.start()
    try:
        for sequence, start in enumerate(range(0, size, 8192), 1):
            output = OutputMessage("job", sequence, data=flood[start : start + 8192])
            passed += len(text(processor(output)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert passed <= 2 * size
    assert peak < 8 << 20


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    for mark in ("", "%"):
        processor = Progress()
        chunk = mark + "x" * (1 << 16)
        tracemalloc.start()
        try:
            passed = sum(
                len(message.text)
                for sequence in range(1, 1601)  # 100 MB
                for message in processor(OutputMessage("job", sequence, data=chunk))
                if isinstance(message, OutputMessage)
            )
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert passed == 1600 * len(chunk)
        assert peak < 4 << 20


def test_ten_thousand_bars_each_end_once_and_few_are_kept() -> None:
    processor = Progress()
    messages: list[Message] = []
    for number in range(10_000):
        messages += processor(OutputMessage("job", number + 1, data=f"\r{tqdm(3, f'bar {number}')}\n"))
    assert sum(bar.finished for bar in bars(messages)) > 9_500
    messages += processor(CompleteMessage("job", 10_001))
    assert sum(bar.finished for bar in bars(messages)) == 10_000
    assert text(messages) == ""


def test_only_streams_with_bars_or_unfinished_lines_are_remembered() -> None:
    processor = Progress()
    for number in range(1000):
        processor(OutputMessage(source=str(number), data="plain\n\x1b[1mbold\x1b[0m 5%\n"))
    assert not processor._states


# -- any text, any cuts ------------------------------------------------------------------------

CONTROLS = st.sampled_from(
    ["\n", "\n", "\r", "\r\n", "\b", "\t", "\x07", "\x1b[A", "\x1b[2B", "\x1b[3C", "\x1b[K", "\x1b[2K"]
    + [
        "\x1b[1m",
        "\x1b[0m",
        "\x1b[?25l",
        "\x1b[5G",
        "\x1b[2;3H",
        "\x1b[J",
        "\x1b[2P",
        "\x1b]0;t\x07",
        "\x1b7",
        "\x1b[",
    ]
)
WORDS = st.text(st.sampled_from("ab [:|━é"), min_size=1, max_size=6)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def cut(whole: str, at: list[int]) -> list[str]:
    places = sorted({0, len(whole), *(place for place in at if place < len(whole))})
    return [whole[start:end] for start, end in zip(places, places[1:], strict=False)]


@given(st.lists(WORDS | CONTROLS, max_size=40).map("".join), CUTS)
def test_text_without_bars_passes_exactly_however_it_moves_the_cursor(whole: str, at: list[int]) -> None:
    messages = run(cut(whole, at))
    assert bars(messages) == []
    assert text(messages) == whole


# Without what moves the cursor up: a line that is written over an equal one is a line that is redrawn.
BETWEEN_LOGS = st.text(st.characters(codec="utf-8", exclude_characters="\x1b\x8d\x9b"), max_size=10)


@given(st.lists(st.sampled_from(LOGS) | BETWEEN_LOGS, max_size=12).map("".join), CUTS)
def test_logs_pass_exactly(whole: str, at: list[int]) -> None:
    assert text(run(cut(whole, at))) == whole


def test_lines_do_not_overtake_an_unfinished_control_string() -> None:
    whole = "".join(
        f"{start}test_{number} PASSED [ 45%]\n" for number, start in enumerate(["", "\x98", "", ""])
    )
    for at in range(len(whole)):
        assert text(run(cut(whole, [at]))) == whole


FRAMES = st.lists(
    st.lists(st.text("abc ", min_size=1, max_size=5).filter(str.strip), max_size=2), min_size=2, max_size=6
)


@given(FRAMES, st.integers(1, 4), st.lists(st.integers(0, 3000), max_size=12))
def test_of_a_live_area_only_the_lines_above_it_pass(
    frames: list[list[str]], count: int, at: list[int]
) -> None:
    whole = "before\n"
    for number, lines in enumerate(frames):
        if number:
            whole += "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (count - 1)
        whole += "".join(f"{line}\n" for line in lines) if number else "\r\x1b[2K"
        whole += "\n".join(rich(f"task{task}", number) for task in range(count))
    messages = run(cut(whole + "\nafter\n", at))
    assert text(messages) == "".join(
        ["before\n", *(f"{line}\n" for lines in frames[1:] for line in lines), "after\n"]
    )
    assert {(m.bar, m.description) for m in bars(messages)} == {
        (f"rich-{task + 1}", f"task{task}") for task in range(count)
    }


DRAWN = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 9)), max_size=15)


@given(st.lists(st.booleans(), min_size=1, max_size=5), DRAWN, CUTS)
def test_the_reader_sees_the_rows_of_text_as_the_program_left_them(
    is_bar: list[bool], drawn: list[tuple[int, bool, int]], at: list[int]
) -> None:
    def drawing(row: int, value: int) -> str:
        return tqdm(value, f"bar {row}") if is_bar[row] else f"text {row} is {'x' * value}"

    count = len(is_bar)
    whole = "".join(f"\r{drawing(row, 1)}\n" for row in range(count))
    for row, wipes, value in drawn:
        if row < count:
            up = count - row
            whole += f"\x1b[{up}A\r" + "\x1b[2K" * wipes + drawing(row, value) + f"\x1b[{up}B\r"
    whole += "end\n"
    program, reader = rows_of(whole), rows_of(text(run(cut(whole, at))))
    assert reader == [row for row, bar in zip(program, [*is_bar, False], strict=True) if not bar]


def rows_of(whole: str) -> list[str]:
    """Return what a terminal shows."""
    page = Page()
    screen = Screen(page)
    screen.feed(whole)
    return page.texts(0, page.end)


@given(
    st.lists(WORDS | CONTROLS | st.sampled_from(["5%", "\r50%", f"\r{tqdm(1)}", rich("x", 5)]), max_size=30),
    CUTS,
)
def test_with_any_text_bars_end_once(parts: list[str], at: list[int]) -> None:
    messages = run(cut("".join(parts), at), Progress(every_seconds=0))
    ended = [bar.bar for bar in bars(messages) if bar.finished]
    assert sorted(ended) == sorted({bar.bar for bar in bars(messages)})
    for name in ended:
        assert [bar for bar in bars(messages) if bar.bar == name][-1].finished
