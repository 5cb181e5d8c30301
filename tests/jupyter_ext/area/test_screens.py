"""Bars and text on one terminal: what the live area, the record and plain output show for real programs."""

from __future__ import annotations

import re

import pytest
from support.bars import PROGRAMS, Program
from support.tmux import needs_tmux, screens

from jupyter_ext.area.record import record
from jupyter_ext.area.state import AreaState, Header
from jupyter_ext.views.plain import QuietRenderer
from pyrepl_stream import CompleteMessage, DisplayMessage, Message, OutputMessage, ResultMessage, StreamType
from pyrepl_stream.processors import ColourPolicy

NAMES = pytest.mark.parametrize("name", list(PROGRAMS))


def messages_of(chunks: list[str], stream: StreamType = StreamType.STDOUT) -> list[Message]:
    outputs = [
        OutputMessage("job", number, float(number), stream=stream, data=chunk)
        for number, chunk in enumerate(chunks, 1)
    ]
    return [*outputs, CompleteMessage("job", len(chunks) + 1, float(len(chunks) + 1), status="ok")]


def area_of(messages: list[Message]) -> AreaState:
    area = AreaState(Header("local:", "session/job"))
    for message in messages:
        area.take(message)
    return area


def rows_of(area: AreaState) -> list[str]:
    return area.page.texts(area.page.first, area.page.end)


def places_of(program: Program) -> set[str]:
    return {description for description, _, _ in program.bars}


@NAMES
def test_the_live_area_and_the_record_show_the_text_and_the_bars(name: str) -> None:
    program = PROGRAMS[name]()
    for chunks in ([program.output], program.writes, list(program.output)):
        area = area_of(messages_of(chunks))
        assert rows_of(area) == program.rows
        shown = [bar for bar in area.bars.json() if "bar" in bar]
        last = [(bar["description"], bar["current"] or bar["percentage"], bar["total"]) for bar in shown]
        assert set(last) <= set(program.bars) and len(set(last)) == len(last)
        text = record(area)["text/plain"].splitlines()
        assert text[1 : 1 + len(program.rows)] == program.rows
        assert len([line for line in text if "%" in line]) == len(shown)


@NAMES
def test_text_is_that_of_a_real_terminal_but_for_the_bars(name: str) -> None:
    """Where a terminal shows text next to a bar, the area shows only the text."""
    needs_tmux()
    program = PROGRAMS[name]()
    (cells,) = screens([program.output], 120, 40)
    terminal = ["".join(character for character, _ in row).rstrip() for row in cells]
    left = iter(terminal)
    assert all(
        any(line.endswith(row) for line in left) for row in rows_of(area_of(messages_of([program.output])))
    )


def test_stdout_and_stderr_share_a_cursor() -> None:
    bar = "\repochs:  33%|###       | 1/3 [00:01<00:02, 1.00it/s]"
    messages: list[Message] = [
        OutputMessage("job", 1, 1.0, stream=StreamType.STDERR, data=bar),
        OutputMessage("job", 2, 2.0, data="printed\n"),
        OutputMessage("job", 3, 3.0, stream=StreamType.STDERR, data=bar),
    ]
    area = area_of(messages)
    assert rows_of(area) == ["printed"]
    assert [bar["description"] for bar in area.bars.json()] == ["epochs"]


def test_a_row_that_shows_text_again_comes_back_to_its_place() -> None:
    bar = "\r\x1b[Kload ━━━━━━━━ 40% 0:00:01"
    area = area_of(messages_of(["first\n", bar, bar, "\nlast\n", "\x1b[2A\r\x1b[Ktext\n"]))
    assert rows_of(area) == ["first", "text", "last"]


class Recorded:
    """Keeps what a cell would show."""

    is_page = answers = is_notebook = False

    def __init__(self) -> None:
        self.shown = ""

    def text(self, stream: str, text: str) -> None:
        self.shown += text

    def display(self, message: DisplayMessage) -> None:
        raise AssertionError("there are no displays")

    def result(self, message: ResultMessage) -> None:
        raise AssertionError("there are no results")

    def clear(self, wait: bool) -> None:
        raise AssertionError("nothing is cleared")

    def colours(self, choice: str) -> ColourPolicy:
        raise AssertionError("colours are not asked for")


@NAMES
def test_plain_output_has_the_text_and_a_line_for_each_bar(name: str) -> None:
    program = PROGRAMS[name]()
    for chunks in ([program.output], program.writes):
        publisher = Recorded()
        renderer = QuietRenderer(publisher, show_errors=False, elsewhere="")
        for message in messages_of(chunks):
            renderer.take(message)
        renderer.finish(None)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", publisher.shown).splitlines()
        assert [line for line in lines if not line.startswith("Remote progress: ")] == program.rows
        assert len([line for line in lines if line.startswith("Remote progress: ")]) == len(program.bars)
