"""Recordings of libraries: the same bars and the same text that passes, however the output was cut."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import recordings

from pyrepl_stream.processors.progress import Progress
from pyrepl_stream.runtime.messages import CompleteMessage, Message, OutputMessage, ProgressMessage

Seen = tuple[str, list[ProgressMessage]]

BARS = {
    "tqdm-nested": [
        ("tqdm-1", "epochs", 2, 2, "it"),
        ("tqdm-2", "epoch 0", 3, 3, "it"),
        ("tqdm-3", "epoch 1", 3, 3, "it"),
        ("tqdm-4", "", 2, 2, "it"),
    ],
    "tqdm-forms": [
        ("tqdm-1", "data.bin", 3_000_000, 3_000_000, "B"),
        ("tqdm-2", "", 3, None, "rows"),
        ("tqdm-3", "store", 3, 3, "it"),
        ("tqdm-4", "stopped: early", 2, 10, ""),
        ("tqdm-5", "outer", 2, 2, ""),
        ("tqdm-6", "inner", 2, 2, ""),
        ("tqdm-7", "inner", 2, 2, ""),
    ],
    "rich-tasks": [
        ("rich-1", "fetch", None, None, ""),
        ("rich-2", "unpack", None, None, ""),
        ("rich-3", "wait", None, None, ""),
    ],
    "rich-download": [
        ("rich-1", "model.bin", 5_000_000, 5_000_000, "B"),
        ("rich-2", "data.bin", 5_000_000, 5_000_000, "B"),
    ],
    "progressbar2": [
        ("progressbar2-1", "", 3, 3, ""),
        ("progressbar2-2", "data.bin", None, 3040870.4, "B"),
        ("progressbar2-3", "", 3, None, ""),
    ],
    "click": [
        ("click-1", "Copying files", None, None, ""),
        ("click-2", "Scanning", None, None, ""),
        ("click-3", "", 500, 500, ""),
    ],
    "percentages": [
        ("generic-1", "Reading packages", None, None, ""),
        ("generic-2", "Installing", None, None, ""),
        ("generic-3", "", None, None, ""),
    ],
}
PERCENTAGES = {
    "tqdm-nested": [100, 100, 100, 100],
    "tqdm-forms": [100, None, 100, 20, 100, 100, 100],
    "rich-tasks": [100, 50, None],
    "rich-download": [100, 100],
    "progressbar2": [100, 100, None],
    "click": [100, None, 100],
    "percentages": [100, 100, 100],
}
TEXT = {
    "tqdm-nested": "half way\ntrained\nbehind the bar 0\nbehind the bar 1\n",
    "tqdm-forms": "done\n",
    "rich-tasks": "\x1b[1mhalf way\x1b[0m\n\x1b[?25hdone\n",
    "rich-download": "\x1b[?25hsaved\n",
    "progressbar2": "done\n",
    "click": "copied\n",
    "percentages": "accuracy 93% on test\n[ 50%] Building CXX object\ndone\n",
}
NAMES = pytest.mark.parametrize("name", list(BARS))
TOOLS = sorted(set(recordings.names()) - set(BARS))
# These draw a bar's first state without a carriage return before it.
BEGIN_WITHOUT_MARKS = {"curl-bar-unknown", "git-clone", "git-repack", "wget-dot"}


def messages_of(chunks: list[str]) -> list[Message]:
    processor = Progress(every_seconds=0)
    messages: list[Message] = []
    for sequence, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage("job", sequence, float(sequence), data=chunk))
    *rest, end = processor(CompleteMessage("job", len(chunks) + 1))
    assert isinstance(end, CompleteMessage)
    return [*messages, *rest]


def seen(chunks: list[str]) -> Seen:
    """Return the text that passes, and the last message of each bar, without its position in the output."""
    last: dict[str, ProgressMessage] = {}
    text = ""
    for message in messages_of(chunks):
        if isinstance(message, OutputMessage):
            text += str(message.data)
        elif isinstance(message, ProgressMessage):
            assert message.bar not in last or not last[message.bar].finished, "the last message says so"
            last[message.bar] = message
    assert all(message.finished for message in last.values())
    return text, sorted(map(without_place, last.values()), key=lambda message: message.bar)


def without_place(message: ProgressMessage) -> ProgressMessage:
    values = {**message.__dict__, "sequence": 0, "timestamp": 0.0}
    return ProgressMessage(**values)


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    return [text[start:end] for start, end in zip(places, places[1:], strict=False)]


@NAMES
def test_a_recording_has_these_bars_and_passes_this_text(name: str) -> None:
    text, bars = seen(recordings.chunks(name))
    assert [(bar.bar, bar.description, bar.current, bar.total, bar.unit) for bar in bars] == BARS[name]
    assert [bar.percentage for bar in bars] == PERCENTAGES[name]
    assert text == TEXT[name]


@NAMES
def test_the_first_and_the_last_state_of_each_bar_are_reported_in_spite_of_limits(name: str) -> None:
    text = recordings.read(name)
    processor = Progress(every_seconds=3600)
    messages = [*processor(OutputMessage("job", 1, data=text)), *processor(CompleteMessage("job", 2))]
    told: dict[str, list[bool]] = {}
    for message in messages:
        if isinstance(message, ProgressMessage):
            told.setdefault(message.bar, []).append(message.finished)
    assert told == {bar[0]: [False, True] for bar in BARS[name]}


@NAMES
def test_no_cut_into_two_changes_anything(name: str, rounds: Callable[[int, int], int]) -> None:
    every = rounds(13, 1)
    text = recordings.read(name)
    whole = seen([text])
    for place in range(1 + len(name) % every, len(text), every):
        assert seen([text[:place], text[place:]]) == whole, place


@pytest.mark.parametrize("name", TOOLS)
def test_no_cut_into_two_changes_the_bars_of_a_tool(name: str, rounds: Callable[[int, int], int]) -> None:
    every = rounds(53, 1)
    text = recordings.read(name)
    passed, bars = seen([text])
    for place in range(1 + len(name) % every, len(text), every):
        cut_passed, cut_bars = seen([text[:place], text[place:]])
        assert cut_bars == bars, place
        if cut_passed != passed:
            assert name in BEGIN_WITHOUT_MARKS
            check_that_a_beginning_passed(text, place, passed, cut_passed)


def test_a_bar_of_pip_that_is_cut_before_its_name_is_not_named_after_rich() -> None:
    text = recordings.read("pip-install")
    place = text.index(" [made-up-")
    _, bars = seen([text[:place], text[place:]])
    assert [bar.bar for bar in bars] == ["pip-1"]


def check_that_a_beginning_passed(text: str, place: int, passed: str, cut_passed: str) -> None:
    """The first drawing of a bar, cut before anything in it looks like one, passes as a line of text."""
    start = text.rfind("\n", 0, place) + 1
    assert start < place
    assert not re.search(r"[\r\x1b%]", text[start:place]), place
    drawing = re.split(r"[\r\n\x1b]", text[start:])[0]
    assert drawing in cut_passed and drawing not in passed, place


@NAMES
def test_single_characters_give_the_same(name: str) -> None:
    text = recordings.read(name)
    assert seen(list(text)) == seen([text])


@given(st.sampled_from(list(BARS)), st.lists(st.integers(0, 2000), max_size=20))
def test_cuts_into_many_change_nothing(name: str, at: list[int]) -> None:
    text = recordings.read(name)
    assert seen(cut(text, at)) == seen([text])


@given(st.sampled_from(recordings.names()), st.lists(st.integers(0, 2000), max_size=20))
def test_with_keep_raw_all_output_passes_as_the_same_messages(name: str, at: list[int]) -> None:
    processor = Progress(keep_raw=True)
    outputs = [
        OutputMessage("job", number, data=chunk)
        for number, chunk in enumerate(cut(recordings.read(name), at), 1)
    ]
    messages = [message for output in outputs for message in processor(output)]
    messages += processor(CompleteMessage("job", len(outputs) + 1))
    passed = [message for message in messages if isinstance(message, OutputMessage)]
    assert len(passed) == len(outputs)
    assert all(one is other for one, other in zip(passed, outputs, strict=True))
    kept = [message for message in messages if isinstance(message, ProgressMessage)]
    assert {m.bar for m in kept} == {m.bar for m in kept if m.finished}


@given(st.sampled_from(recordings.names()), st.lists(st.integers(0, 2000), max_size=20))
def test_a_bar_ends_once_and_nothing_comes_after_that(name: str, at: list[int]) -> None:
    seen(cut(recordings.read(name), at))
