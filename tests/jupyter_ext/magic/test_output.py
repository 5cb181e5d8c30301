"""The processors that the options of a cell ask for, and the one line for progress."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.magic.arguments import parse
from jupyter_ext.magic.output import processors_of
from jupyter_ext.views.progress_line import ProgressLine
from pyrepl_stream import EventMessage, OutputMessage, ProgressMessage, UsageError
from pyrepl_stream.config import Settings
from pyrepl_stream.processors import ColourPolicy

PAGE = ColourPolicy.page()


def test_without_options_there_are_no_processors() -> None:
    assert processors_of(Settings(), parse(""), PAGE, []) == ()


def test_events_are_appended_to_a_list() -> None:
    events: list[EventMessage] = []
    arguments = parse("--events found --format json")
    *readers, collect = processors_of(Settings(format="json"), arguments, PAGE, events)
    event = EventMessage(name="json", data=1)
    assert collect(event) is None  # type: ignore[operator]  # a processor
    assert collect(output := OutputMessage(data="x")) is output  # type: ignore[operator]
    assert events == [event]
    assert len(readers) == 2


def test_events_without_a_format_are_refused_but_not_with_a_profile() -> None:
    with pytest.raises(UsageError, match="--events requires a format that has events: add --format json"):
        processors_of(Settings(), parse("--events x"), PAGE, [])
    assert len(processors_of(Settings(), parse("--events x --profile claude"), PAGE, [])) == 1


def test_a_recording_has_the_output_before_other_processors_change_it(tmp_path: Path) -> None:
    arguments = parse(f"--record {tmp_path / 'a.cast'} --filter x")
    first, *_ = processors_of(Settings(filter=("x",)), arguments, PAGE, [])
    assert type(first).__name__ == "Recorder"
    with pytest.raises(UsageError, match="cannot be written"):
        processors_of(Settings(), parse("--record /nowhere/a.cast"), PAGE, [])


# -- progress in one line -----------------------------------------------------------------------


def on_screen(written: str) -> list[str]:
    """Return the lines on a screen that knows only carriage return and line feed."""
    lines, column = [""], 0
    for character in written:
        if character == "\n":
            lines.append("")
            column = 0
        elif character == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column] + character + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def bar(percentage: float, *, finished: bool = False, description: str = "") -> ProgressMessage:
    return ProgressMessage(bar="b", percentage=percentage, finished=finished, description=description)


def test_a_bar_is_redrawn_in_one_line_and_stays_when_it_is_finished() -> None:
    line = ProgressLine()
    written = (
        line.draw(bar(1, description="long name")) + line.draw(bar(2)) + line.draw(bar(100, finished=True))
    )
    assert on_screen(written) == ["Remote progress: 100%", ""]


def test_other_text_takes_its_place_and_it_comes_back_below() -> None:
    line = ProgressLine()
    written = line.draw(bar(1)) + line.clear("text\n") + "text\n" + line.draw(bar(2))
    assert on_screen(written) == ["text", "Remote progress: 2%"]


@given(st.lists(st.sampled_from(["text\n", "part", "1", "50", "100"]), max_size=20))
def test_text_is_never_overwritten(steps: list[str]) -> None:
    line = ProgressLine()
    written = ""
    for step in steps:
        if step.isdigit():
            written += line.draw(bar(int(step), finished=step == "100"))
        else:
            written += line.clear(step) + step
    shown = [row for row in on_screen(written) if not row.startswith("Remote progress")]
    assert "".join(shown) == "".join(step.strip("\n") for step in steps if not step.isdigit())
