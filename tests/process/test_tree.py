"""Finding all processes of a run. (That a stopped run leaves none is in test_hiding.py.)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.kernels import is_alive

from pyrepl_stream.process import tree as tree_module
from pyrepl_stream.process.tree import MARK, Tree, marked


@pytest.fixture
def family() -> Iterator[subprocess.Popen[str]]:
    """A command with a child and a grandchild; it prints their pids and waits."""
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


def test_a_tree_without_proc_is_found_by_ps(
    family: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    child, grandchild = pids_of(family)
    monkeypatch.setattr(tree_module, "_all_processes", lambda but=(): (tree_module._from_ps(), False))
    tree = Tree(family.pid, "x")
    assert tree.pids() == [grandchild, child, family.pid]
    assert tree.cpu_seconds() >= 0


@pytest.mark.parametrize(("text", "seconds"), [("0:01.50", 1.5), ("01:02:03", 3723), ("2-00:00:01", 172801)])
def test_the_cpu_time_of_ps_is_read(text: str, seconds: float) -> None:
    assert tree_module._seconds(text) == seconds


def test_a_kill_ends_all(family: subprocess.Popen[str]) -> None:
    pids = pids_of(family)
    tree = Tree(family.pid, "x")
    assert tree.signal(signal.SIGKILL) == 3
    while any(is_alive(pid) for pid in pids):
        pass
    assert tree.signal(signal.SIGTERM) == 0
    assert tree.pids() == []


def test_a_stopped_process_hears_the_request_to_end(family: subprocess.Popen[str]) -> None:
    _child, grandchild = pids_of(family)
    os.kill(grandchild, signal.SIGSTOP)
    Tree(family.pid, "x").signal(signal.SIGTERM)
    while is_alive(grandchild):
        pass


def test_whoever_has_no_mark_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_has_gone_meanwhile_is_passed_over() -> None:
    assert tree_module._from_proc(999_999_999) is None
    assert tree_module._marks_of(999_999_999) == []
    assert not tree_module._reads(999_999_999, "/dev/pts/0", False)
    assert Tree(999_999_999, "x").signal(signal.SIGTERM) == 0


def test_windows_ends_a_tree_by_its_own_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is called is all that can be tested here."""
    called: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        called.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "platform", "win32")
    assert Tree(7, "x").signal(signal.SIGTERM) == 1
    assert called == [["taskkill", "/T", "/F", "/PID", "7"]]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not tree_module.adopt_orphans()
