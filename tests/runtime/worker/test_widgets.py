"""Bars that libraries draw with widgets in a kernel: they move in a session."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from support.worker import Worker

from pyrepl_stream import ClearMessage, DisplayMessage, StreamType

for _name in ("ipykernel", "ipywidgets"):
    pytest.importorskip(_name)


@pytest.fixture(scope="module")
def ipython() -> Iterator[Worker]:
    with Worker(sys.executable) as worker:
        yield worker


def test_a_bar_of_tqdm_is_redrawn_as_in_a_terminal(ipython: Worker) -> None:
    pytest.importorskip("tqdm")
    seen = ipython.run("from tqdm.auto import tqdm\nfor i in tqdm(range(3), 'a', mininterval=0): pass")
    text = seen.text(StreamType.STDERR)
    assert [part.split("|")[0] for part in text.split("\r")[1:-1]] == [
        "a:   0%",
        "a:  33%",
        "a:  67%",
        "a: 100%",
    ]
    assert text.endswith("| 3/3 " + text.rpartition("| 3/3 ")[2])
    assert text.count("\n") == 1
    assert not seen.of(DisplayMessage)


def test_nested_bars_are_below_each_other_and_removed(ipython: Worker) -> None:
    pytest.importorskip("tqdm")
    text = ipython.run(
        "from tqdm.auto import tqdm\n"
        "for i in tqdm(range(1), 'a'):\n    for j in tqdm(range(1), 'b', leave=False): pass"
    ).text(StreamType.STDERR)
    assert text.index("\ra:") < text.index("\n\rb:") < text.index("\n\r   ")
    assert text.count("\n") - 1 == text.count("\x1b[A")


def test_a_bar_that_fails_keeps_its_line(ipython: Worker) -> None:
    pytest.importorskip("tqdm")
    seen = ipython.run("from tqdm.auto import tqdm\nfor i in tqdm(range(3)): 1 / 0")
    assert seen.text(StreamType.STDERR).endswith("\n")


def test_a_bar_of_rich_replaces_its_display(ipython: Worker) -> None:
    pytest.importorskip("rich")
    seen = ipython.run("from rich.progress import track\nprint('before')\nfor i in track(range(3)): pass")
    first, *others = seen.of(DisplayMessage)
    assert "100%" in "".join(message.data["text/plain"] for message in others)
    assert {message.display_id for message in others[:-1]} == {first.display_id}
    assert not seen.of(ClearMessage)
    assert seen.text() == "before\n"


def test_an_output_widget_that_is_not_cleared_is_added_to(ipython: Worker) -> None:
    seen = ipython.run(
        "import ipywidgets\no = ipywidgets.Output()\ndisplay(o)\n"
        "with o:\n    display(1)\n    display(2)\n    o.clear_output()\n    display(3)\ndisplay(4)"
    )
    shown = [(message.data["text/plain"], message.update) for message in seen.of(DisplayMessage)]
    assert shown == [("", False), ("1", False), ("2", False), ("", True), ("3", True), ("4", False)]
