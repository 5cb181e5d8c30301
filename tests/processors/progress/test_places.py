"""A bar is a place that is redrawn: programs whose bars change their text, or that print next to their bars."""

from __future__ import annotations

import pytest
from support.bars import PROGRAMS, Program

from pyrepl_stream.processors.progress import Progress
from pyrepl_stream.runtime.messages import CompleteMessage, Message, OutputMessage, ProgressMessage
from pyrepl_stream.terminal import Page, Screen

NAMES = pytest.mark.parametrize("name", list(PROGRAMS))


def check(program: Program, chunks: list[str]) -> None:
    processor = Progress()
    messages: list[Message] = []
    for number, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage("job", number, float(number), data=chunk))
    messages += processor(CompleteMessage("job", len(chunks) + 1))
    last = {message.bar: message for message in messages if isinstance(message, ProgressMessage)}
    assert all(message.finished for message in last.values())
    seen = [
        (bar.description, bar.percentage if bar.current is None else bar.current, bar.total)
        for bar in last.values()
    ]
    assert sorted(seen, key=str) == sorted(program.bars, key=str)
    page = Page()
    screen = Screen(page)
    screen.feed("".join(message.text for message in messages if isinstance(message, OutputMessage)))
    screen.finish()
    assert page.texts(0, page.end) == (program.passed or program.rows)


@NAMES
def test_bars_and_rows_of_a_whole_output(name: str) -> None:
    program = PROGRAMS[name]()
    check(program, [program.output])


@NAMES
def test_bars_and_rows_of_single_writes(name: str) -> None:
    program = PROGRAMS[name]()
    check(program, program.writes)


@NAMES
def test_bars_and_rows_of_single_characters(name: str) -> None:
    program = PROGRAMS[name]()
    check(program, list(program.output))
