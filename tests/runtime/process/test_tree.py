"""Finding the processes of a run. (test_hiding.py tests that a stopped run leaves none.)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.kernels import is_alive

from pyrepl_stream.runtime.process import tree as tree_module
from pyrepl_stream.runtime.process.tree import MARK, Tree, marked


@pytest.fixture
def family() -> Iterator[subprocess.Popen[str]]:
    """A command with a child and a grandchild, which prints their pids and waits."""
    code = "(sleep 1000 & echo $! $BASHPID; wait) & read x"
    process = subprocess.Popen(
        ["bash", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=marked(dict(os.environ), "this-run"),
    )
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def pids_of(family: subprocess.Popen[str]) -> tuple[int, int]:
    assert family.stdout is not None
    grandchild, child = map(int, family.stdout.readline().split())
    return child, grandchild


def test_children_come_before_their_parents(family: subprocess.Popen[str]) -> None:
    child, grandchild = pids_of(family)
    assert Tree(family.pid, "x").pids() == [grandchild, child, family.pid]


def test_a_process_is_found_by_its_mark_alone(family: subprocess.Popen[str]) -> None:
    child, grandchild = pids_of(family)
    assert set(Tree(999_999_999, "this-run").pids()) == {family.pid, child, grandchild}
    assert Tree(999_999_999, "other-run").pids() == []


def test_a_run_inside_a_run_belongs_to_both() -> None:
    assert marked({MARK: "outer"}, "inner")[MARK] == "outer:inner"


def test_ps_finds_the_tree_on_systems_without_proc(
    family: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    child, grandchild = pids_of(family)
    monkeypatch.setattr(tree_module, "_all_processes", lambda but=(): (tree_module._from_ps(), False))
    tree = Tree(family.pid, "x")
    assert tree.pids() == [grandchild, child, family.pid]
    assert tree.cpu_seconds() >= 0


@pytest.mark.parametrize(("text", "seconds"), [("0:01.50", 1.5), ("01:02:03", 3723), ("2-00:00:01", 172801)])
def test_the_cpu_time_of_ps_is_parsed(text: str, seconds: float) -> None:
    assert tree_module._seconds(text) == seconds


def test_a_union_finds_and_ends_the_processes_of_all_its_trees(family: subprocess.Popen[str]) -> None:
    child, grandchild = pids_of(family)
    by_mark = Tree(999_999_999, "this-run")
    other = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    union = Tree.union([by_mark, Tree(other.pid, "x")])
    assert set(union.pids()) == {family.pid, child, grandchild, other.pid}
    union.signal(signal.SIGKILL)
    assert other.wait() == -signal.SIGKILL
    while any(is_alive(pid) for pid in (family.pid, child, grandchild)):
        pass


def test_sigkill_ends_all_processes(family: subprocess.Popen[str]) -> None:
    pids = pids_of(family)
    tree = Tree(family.pid, "x")
    tree.signal(signal.SIGKILL)
    while any(is_alive(pid) for pid in (family.pid, *pids)):
        pass
    tree.signal(signal.SIGTERM)
    assert tree.pids() == []


def test_a_stopped_process_is_continued_to_act_on_sigterm(family: subprocess.Popen[str]) -> None:
    _child, grandchild = pids_of(family)
    os.kill(grandchild, signal.SIGSTOP)
    Tree(family.pid, "x").signal(signal.SIGTERM)
    while is_alive(grandchild):
        pass


def test_the_environment_of_an_unmarked_process_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = tree_module._marks_of

    def count(pid: int) -> list[bytes] | None:
        read.append(pid)
        return original(pid)

    monkeypatch.setattr(tree_module, "_marks_of", count)
    tree = Tree(999_999_999, "x")
    tree.pids()
    first = set(read)
    read.clear()
    tree.pids()
    assert os.getpid() in first
    assert os.getpid() not in read


def test_a_process_that_has_ended_is_skipped() -> None:
    assert tree_module._from_proc(999_999_999) is None
    assert tree_module._marks_of(999_999_999) == []
    assert not tree_module._reads(999_999_999, "/dev/pts/0", False)
    Tree(999_999_999, "x").signal(signal.SIGTERM)


def test_a_tree_is_ended_by_taskkill_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the call can be tested here."""
    called: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        called.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "platform", "win32")
    Tree(7, "x").signal(signal.SIGTERM)
    assert called == [["taskkill", "/T", "/F", "/PID", "7"]]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not tree_module.adopt_orphans()


def test_kill_until_gone_kills_what_appears_between_two_passes() -> None:
    processes = [subprocess.Popen(["sleep", "1000"]) for _ in range(3)]
    passes = 0

    def find() -> list[int]:
        nonlocal passes
        passes += 1
        return [process.pid for process in processes[:passes]]

    pids = {process.pid for process in processes}
    try:
        assert tree_module.kill_until_gone(find) == pids
        assert passes == 4  # the last one found no new process
    finally:
        for process in processes:
            process.kill()
    assert [process.wait() for process in processes] == [-signal.SIGKILL] * 3


def test_kill_until_gone_stops_after_the_given_number_of_passes() -> None:
    processes = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
    found: list[int] = []

    def find() -> list[int]:
        found.append(processes[len(found)].pid)
        return found

    try:
        assert tree_module.kill_until_gone(find, rounds=1) == {processes[0].pid}
        assert processes[1].poll() is None
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_kill_until_gone_stops_when_processes_cannot_be_listed() -> None:
    def find() -> list[int]:
        raise OSError("no file descriptor is left")

    assert tree_module.kill_until_gone(find) == set()
