"""Activity and idleness. The clock is a parameter; files and processes are real."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyrepl_stream import IdlePolicy, run_process
from pyrepl_stream.runtime.process.idle import FileActivity, IdleMonitor, ProcessActivity
from pyrepl_stream.runtime.process.tree import Tree


def test_output_counts_as_activity() -> None:
    monitor = IdleMonitor(IdlePolicy(10), None, print, 0)
    assert monitor.deadline == 10
    monitor.output(9)
    assert monitor.deadline == 19
    assert not monitor.is_idle(18.9)
    assert monitor.is_idle(19)
    assert monitor.describe() == "idle_timeout: no output for 10 s"


def test_without_a_timeout_nothing_is_idle() -> None:
    monitor = IdleMonitor(IdlePolicy(watch=["/"]), None, print, 0)
    assert monitor.deadline is None
    assert not monitor.is_idle(1e9)


def test_changes_below_a_watched_folder_count_as_activity(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("1")
    monitor = IdleMonitor(IdlePolicy(10, watch=[tmp_path], interval=3), None, print, 0)
    assert monitor.deadline == 3
    assert not monitor.is_idle(3)
    assert monitor.deadline == 6
    (deep / "file").write_text("12")
    assert not monitor.is_idle(6)
    assert not monitor.is_idle(15.9)
    (deep / "new").touch()
    assert not monitor.is_idle(16)  # files are looked at once more before the end
    (deep / "file").unlink()
    assert not monitor.is_idle(26)
    assert monitor.is_idle(36)
    assert monitor.describe() == "idle_timeout: no output and no change of a watched file for 10 s"


def test_output_does_not_count_if_only_files_do(tmp_path: Path) -> None:
    monitor = IdleMonitor(IdlePolicy(10, watch=[tmp_path], activity={"files"}), None, print, 0)
    monitor.output(9)
    assert monitor.is_idle(10)


def test_an_unreadable_path_is_reported_once_and_output_counts_instead(tmp_path: Path) -> None:
    reports: list[str] = []
    gone = tmp_path / "gone"
    monitor = IdleMonitor(IdlePolicy(10, watch=[gone], activity={"files"}), None, reports.append, 0)
    monitor.output(9)
    assert not monitor.is_idle(10)
    assert len(reports) == 1
    assert str(gone) in reports[0]
    assert "No such file" in reports[0]
    gone.mkdir()
    assert not monitor.is_idle(19)  # its creation is a change
    monitor.output(28)
    assert monitor.is_idle(29)
    assert len(reports) == 1


def test_new_stands_for_folders_created_after_the_start(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    reports: list[str] = []
    files = FileActivity([str(tmp_path / "<new>"), str(tmp_path / "absent" / "<new>")], reports.append)
    (tmp_path / "old" / "file").touch()
    assert not files()
    (tmp_path / "mine").mkdir()
    assert files()
    (tmp_path / "mine" / "file").touch()
    assert files()
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "first").touch()
    assert files()
    assert not files()
    assert not reports


def test_new_below_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reports: list[str] = []
    files = FileActivity([str(tmp_path / "file" / "<new>")], reports.append)
    assert files.blind
    assert "Not a directory" in reports[0]


def test_a_single_file_can_be_watched(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    files = FileActivity([str(path)], print)
    assert not files()
    path.write_text("line\n")
    assert files()


def test_a_folder_that_is_removed_during_a_look_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    files = FileActivity([str(tmp_path)], print)
    scan = os.scandir

    def vanish(path: str) -> object:
        if path != str(tmp_path):
            os.rmdir(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert not files()  # it existed when its parent was read
    assert files()


def test_only_a_part_of_a_huge_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyrepl_stream.runtime.process.idle._MAX_ENTRIES", 5)
    for number in range(20):
        (tmp_path / str(number)).touch()
    files = FileActivity([str(tmp_path)], print)
    assert not files()


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    """A program that counts to the number in each line of its input, and prints `done`."""
    code = "import sys\nfor line in sys.stdin:\n    for i in range(int(line)): pass\n    print('done', flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate()


def test_use_of_the_cpu_counts_as_activity(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    assert worker.stdout is not None

    def compute(steps: int) -> None:
        worker.stdin.write(f"{steps}\n")  # type: ignore[union-attr]
        worker.stdin.flush()  # type: ignore[union-attr]
        worker.stdout.readline()  # type: ignore[union-attr]

    compute(1)
    tree = Tree(worker.pid, "no mark")
    activity = ProcessActivity(tree, 0)
    compute(3_000_000)
    assert activity(1)
    assert not activity(2)
    monitor = IdleMonitor(IdlePolicy(10, activity={"process"}, interval=1), tree, print, 0)
    compute(3_000_000)
    assert not monitor.is_idle(1)
    assert not monitor.is_idle(10.9)
    assert monitor.is_idle(11)
    assert monitor.describe() == "idle_timeout: no use of the CPU for 10 s"


def test_a_command_is_ended_with_the_name_of_the_limit() -> None:
    outcome = run_process("echo $$; sleep 1000", idle_timeout=0.2).wait(30)
    assert (outcome.status, outcome.success) == ("timeout", False)
    assert outcome.reason == "idle_timeout: no output for 0.2 s"
    outcome = run_process("sleep 1000", timeout=0.2, idle_timeout=50).wait(30)
    assert outcome.reason == "timeout: the run took longer than 0.2 s"


def test_a_silent_command_that_computes_is_active(tmp_path: Path) -> None:
    # It computes for ten times the limit; then it sleeps, and is ended.
    code = (
        "i=0; end=$((SECONDS+2)); while [ $SECONDS -lt $end ]; do i=$((i+1)); done; echo computed; sleep 1000"
    )
    execution = run_process(code, idle_timeout=0.3, activity={"output", "process"}, watch_interval=0.05)
    outcome = execution.wait(60)
    assert outcome.stdout == "computed\n"
    assert "no use of the CPU" in outcome.reason


def test_a_silent_command_that_writes_watched_files_is_active(tmp_path: Path) -> None:
    code = (
        f"for i in $(seq 20); do echo $i >> {tmp_path}/task.json; sleep 0.1; done; echo written; sleep 1000"
    )
    execution = run_process(code, idle_timeout=0.8, watch=[tmp_path], watch_interval=0.05)
    outcome = execution.wait(60)
    assert outcome.stdout == "written\n"
    assert "no change of a watched file" in outcome.reason


def test_a_path_that_cannot_be_watched_is_logged(tmp_path: Path) -> None:
    outcome = run_process("echo x", idle_timeout=30, watch=[tmp_path / "none"]).wait(30)
    assert "cannot watch" in outcome.logs[0].text
    assert outcome.success
