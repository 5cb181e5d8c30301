"""Detecting prompts. The clock is a parameter; processes and terminals are real."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from runtime.process.programs.helpers import eventually

from pyrepl_stream.runtime.process import tree as tree_module
from pyrepl_stream.runtime.process.prompt import Prompt, PromptDetector
from pyrepl_stream.runtime.process.pty import Pty, open_pty
from pyrepl_stream.runtime.process.tree import Tree


@pytest.fixture
def terminal() -> Iterator[Pty]:
    terminal = open_pty((24, 80))
    yield terminal
    terminal.close()


@pytest.fixture
def start(terminal: Pty) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a shell command on the terminal."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["bash", "-c", code], stdin=terminal.slave, stdout=terminal.slave, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows by one with each look at the processes of the machine."""
    looks: list[float] = []
    original = tree_module._all_processes

    def count(but: set[int]) -> object:
        looks.append(0)
        return original(but)

    monkeypatch.setattr(tree_module, "_all_processes", count)
    return looks


def looks_of(detector: PromptDetector, start: float, end: float) -> list[tuple[float, Prompt]]:
    """Call `look` at each deadline, as the loop of a child does."""
    found = []
    now = start
    while now <= end:
        prompt = detector.look(now)
        if prompt is not None:
            found.append((now, prompt))
        if detector.deadline is None:
            break
        now = max(now, detector.deadline)
    return found


def test_a_silent_hour_costs_few_looks(
    terminal: Pty, start: Callable[[str], subprocess.Popen[bytes]], looks: list[float]
) -> None:
    process = start("sleep 1000")
    detector = PromptDetector(Tree(process.pid, "x"), terminal.name, 0)
    assert looks_of(detector, 0, 3600) == []
    assert len(looks) <= 26


def test_output_makes_the_next_look_come_soon(
    terminal: Pty, start: Callable[[str], subprocess.Popen[bytes]], looks: list[float]
) -> None:
    process = start("sleep 1000")
    detector = PromptDetector(Tree(process.pid, "x"), terminal.name, 0)
    looks_of(detector, 0, 60)
    before = len(looks)
    detector.output(b"text")
    detector.postpone(60.3)
    assert detector.look(60.4) is None
    assert len(looks) == before
    assert detector.look(60.5) is None
    assert len(looks) == before + 1


def test_a_prompt_is_found_once_until_it_is_answered(
    terminal: Pty, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    process = start("read x; read y")
    detector = PromptDetector(Tree(process.pid, "x"), terminal.name, 0)
    detector.output(b"line\nYour password: ")
    eventually(lambda: Tree(process.pid, "x").awaits_input(terminal.name, prompted=False), "the shell reads")
    assert looks_of(detector, 0.2, 60) == [(0.2, Prompt("Your password: ", password=True))]
    assert detector.deadline is None
    assert detector.look(100) is None
    detector.restart(100)
    assert looks_of(detector, 100, 160) == [(100.2, Prompt("", password=False))]


def test_a_silent_child_that_starts_to_read_is_found_within_half_of_its_silence(terminal: Pty) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    child = subprocess.Popen(
        ["bash", "-c", f"read x <&{reader}; cat; true"],
        stdin=terminal.slave,
        start_new_session=True,
        pass_fds=[reader],
    )
    try:
        tree = Tree(child.pid, "x")
        detector = PromptDetector(tree, terminal.name, 0)
        assert looks_of(detector, 0, 60) == []
        os.write(writer, b"go\n")
        eventually(lambda: tree.awaits_input(terminal.name, prompted=False), "cat reads")
        assert len(looks_of(detector, 60, 90)) == 1
    finally:
        os.killpg(child.pid, 9)
        child.wait()
        os.close(reader)
        os.close(writer)
