"""A stopped run leaves no process, however it hides. The tests look for processes in /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime.process.programs.helpers import (
    LIMIT,
    PROGRAMS,
    end_all,
    eventually,
    living,
    needs,
    until,
    zombies,
)

from pyrepl_stream import Command, Execution, ProcessExecution, Session, Step, run_process, run_steps
from pyrepl_stream.runtime.process import Limits, ProcessRunner

ROOT = Path(__file__).parents[3]
HIDING = str(PROGRAMS / "hiding.sh")
GRACE = (0.2, 0.2, 10.0)  # SIGKILL gets the time that a busy machine may need
WAYS = (
    "plain",
    "background",
    "ignores-int",
    "ignores-int-and-term",
    "setsid",
    "setsid-ignores",
    "double-fork",
    "daemon",
    "daemon-ignores",
    "jobs",
    "nohup",
    "stopped",
    "stopped-ignores",
    "stopped-itself",
    "cleared-environment",
    "cleared-environment-orphan",
    "chain-fork",
    "chain-setsid",
    "chain-exec",
)
AT_ONCE = tuple(way for way in WAYS if not way.startswith("chain"))
INTERACTIVE = (
    "plain",
    "background",
    "ignores-int-and-term",
    "daemon-ignores",
    "jobs",
    "nohup",
    "stopped",
    "job-control-shell",
)


class Hidden:
    """Runs a program that hides its processes, and finds those that remain."""

    def __init__(self, folder: Path, way: str) -> None:
        self.mark = f"hidden-{way}-{uuid.uuid4().hex}"
        self.folder = folder / self.mark
        self.folder.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HIDING_MARK": self.mark,
            "HIDING_FOLDER": str(self.folder),
            "HIDING_CHAIN": str(PROGRAMS / "fork_chain.py"),
            "HIDING_PYTHON": sys.executable,
        }

    def command(self, way: str, **options: Any) -> Command:
        return Command(_words(way), env=self.environment, **options)

    def run(self, way: str, **options: Any) -> ProcessExecution:
        return run_process(_words(way), env=self.environment, **{"grace": GRACE, **options})

    def is_left(self) -> dict[int, str]:
        return _left([self])


Hide = Callable[..., Hidden]


def _words(way: str) -> list[str]:
    if way == "job-control-shell":
        return ["bash", "--norc", "-i", HIDING, "jobs"]
    return ["bash", HIDING, way]


def _left(all_hidden: Iterable[Hidden]) -> dict[int, str]:
    """Look more than once: a process in the middle of an exec shows no arguments and no environment."""
    found: dict[int, str] = {}
    marks = [hidden.mark for hidden in all_hidden]
    for _ in range(3):
        found |= living(*marks)
    if any((hidden.folder / "finished").exists() for hidden in all_hidden):
        found[0] = "a chain that was not ended"
    return found


@pytest.fixture
def hide(tmp_path: Path) -> Iterator[Hide]:
    needs("bash", "setsid", "nohup")
    hidden: list[Hidden] = []

    def make(way: str = "") -> Hidden:
        hidden.append(Hidden(tmp_path, way))
        return hidden[-1]

    before = zombies()
    yield make
    end_all(*(one.mark for one in hidden))
    assert not zombies() - before


def _start(hidden: Hidden, way: str, **options: Any) -> ProcessExecution:
    execution = hidden.run(way, **options)
    until(iter(execution), "ready\n")
    assert living(hidden.mark), "the test finds the hidden processes"
    return execution


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_leaves_nothing(hide: Hide, way: str) -> None:
    hidden = hide()
    execution = _start(hidden, way)
    execution.interrupt()
    outcome = execution.wait()
    assert hidden.is_left() == {}
    assert outcome.status == "interrupted"
    assert [log.text for log in outcome.logs] == []


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_leaves_nothing(hide: Hide, way: str) -> None:
    hidden = hide()
    execution = _start(hidden, way)
    execution.kill()
    outcome = execution.wait()
    assert hidden.is_left() == {}
    assert (outcome.status, outcome.exit_code) == ("killed", 128 + signal.SIGKILL)
    assert [log.text for log in outcome.logs] == []


@pytest.mark.parametrize("way", INTERACTIVE)
def test_an_interrupt_leaves_nothing_of_an_interactive_run(hide: Hide, way: str) -> None:
    hidden = hide()
    execution = _start(hidden, way, interactive=True)
    execution.interrupt()
    outcome = execution.wait()
    assert hidden.is_left() == {}
    assert outcome.status == "interrupted"


@pytest.mark.parametrize("way", INTERACTIVE)
def test_a_kill_leaves_nothing_of_an_interactive_run(hide: Hide, way: str) -> None:
    hidden = hide()
    execution = _start(hidden, way, interactive=True)
    execution.kill()
    outcome = execution.wait()
    assert hidden.is_left() == {}
    assert outcome.status == "killed"


def test_an_interrupt_leaves_nothing_of_a_run_on_pipes(hide: Hide) -> None:
    all_hidden = {way: hide(way) for way in AT_ONCE}
    executions = {way: _start(hidden, way, pty=False) for way, hidden in all_hidden.items()}
    for execution in executions.values():
        execution.interrupt()
    statuses = {way: execution.wait().status for way, execution in executions.items()}
    assert _left(all_hidden.values()) == {}
    assert set(statuses.values()) == {"interrupted"}


def test_a_timeout_leaves_nothing(hide: Hide) -> None:
    all_hidden = {way: hide(way) for way in AT_ONCE}
    executions = {way: hidden.run(way, timeout=2.0) for way, hidden in all_hidden.items()}
    statuses = {way: execution.wait().status for way, execution in executions.items()}
    assert _left(all_hidden.values()) == {}
    assert set(statuses.values()) == {"timeout"}


def test_an_idle_timeout_leaves_nothing(hide: Hide) -> None:
    all_hidden = {way: hide(way) for way in AT_ONCE}
    executions = {way: hidden.run(way, idle_timeout=1.0) for way, hidden in all_hidden.items()}
    statuses = {way: execution.wait().status for way, execution in executions.items()}
    assert _left(all_hidden.values()) == {}
    assert set(statuses.values()) == {"timeout"}


def test_a_closed_session_leaves_nothing(hide: Hide) -> None:
    all_hidden = {way: hide(way) for way in AT_ONCE}
    executions: dict[str, Execution] = {}
    with Session() as session:
        for way, hidden in all_hidden.items():
            runner = ProcessRunner(hidden.command(way), limits=Limits(grace=GRACE))
            executions[way] = session.launch(runner, way)
        for execution in executions.values():
            until(iter(execution), "ready\n")
    assert _left(all_hidden.values()) == {}
    assert {execution.status for execution in executions.values()} == {"killed"}


@pytest.mark.parametrize("stop", ["interrupt", "kill"])
def test_a_stop_just_after_the_start_leaves_nothing(hide: Hide, stop: str) -> None:
    # A process that leaves environment, session and parent between two looks is out of reach (see `tree`). Only
    # a kill, which stops the command's group first, keeps the parent.
    ways = [way for way in AT_ONCE if stop == "kill" or way != "cleared-environment"]
    all_hidden = {way: hide(way) for way in ways}
    executions = {way: hidden.run(way) for way, hidden in all_hidden.items()}
    for execution in executions.values():
        getattr(execution, stop)()
    for execution in executions.values():
        execution.wait()
    assert _left(all_hidden.values()) == {}


@pytest.mark.parametrize("kind", ["fork", "setsid", "exec"])
def test_no_chain_of_forks_escapes(hide: Hide, rounds: Callable[[int, int], int], kind: str) -> None:
    all_hidden = [hide() for _ in range(rounds(12, 200))]
    escaped = []
    for number, hidden in enumerate(all_hidden):
        execution = _start(hidden, f"chain-{kind}")
        execution.kill()
        execution.wait()
        if hidden.is_left():
            escaped.append(number)
    assert escaped == []


def test_a_run_that_fails_because_of_a_lagging_reader_leaves_nothing(hide: Hide) -> None:
    hidden = hide()
    before = zombies()
    execution = run_process(
        ["bash", "-c", "setsid sleep 1000 & while echo 0123456789; do :; done"],
        env=hidden.environment,
        overflow="fail",
        buffer_bytes=65536,
    )
    stream = execution.attach()  # a reader that does not read
    eventually(lambda: execution.status not in ("queued", "running"), "the run has failed")
    assert list(stream)[-1].type == "complete"
    assert execution.status == "error"
    eventually(lambda: not living(hidden.mark), "nothing is left")
    assert zombies() - before == set()


def test_an_abandoned_run_is_reaped_when_it_ends(hide: Hide) -> None:
    hidden = hide()
    before = zombies()
    execution = _start(hidden, "ignores-int-and-term", grace=(0, 0, 0))
    execution.interrupt()
    assert execution.wait().status == "interrupted"
    eventually(lambda: not hidden.is_left(), "nothing is left", 10)
    eventually(lambda: not zombies() - before, "the command was waited for", 10)


# -- the exit of the process that runs the commands ------------------------------------------

HOST = """
import os, signal, sys, threading
from pyrepl_stream import Command, Session, Step, run_process, run_steps
from pyrepl_stream.runtime.process import ProcessRunner

def until_ready(execution):
    seen = ""
    for message in execution:
        if message.type == "output":
            seen += message.text
        if "ready\\n" in seen:
            return

hiding, ways, mark = sys.argv[1], sys.argv[2].split(), sys.argv[3]
os.environ["HIDING_MARK"] = mark

def env(way):
    folder = os.environ["HIDING_FOLDER"] + "/" + way
    os.makedirs(folder, exist_ok=True)
    return {"HIDING_FOLDER": folder}
"""
START_ALL = """
executions = [
    run_process(["bash", hiding, way], env=env(way), interactive=interactive)
    for way in ways
    for interactive in (False, True)
    if not interactive or way in ("plain", "jobs", "background")
]
for execution in executions:
    until_ready(execution)
print("all", flush=True)
"""
ENDS = {
    "returns": "",
    "raises": "raise RuntimeError('wrong')",
    "sys.exit": "sys.exit(3)",
    "handler-of-TERM": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\nos.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()",
    "KeyboardInterrupt": "os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()",
}


def _host(hidden: Hidden, code: str) -> subprocess.CompletedProcess[str]:
    """Run a program that runs commands. Only the commands have the mark in their environment."""
    environment = {**os.environ, **hidden.environment, "PYTHONPATH": str(ROOT)}
    del environment["HIDING_MARK"]
    words = [sys.executable, "-c", HOST + code, HIDING, " ".join(AT_ONCE), hidden.mark]
    return subprocess.run(
        words,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize("end", ENDS)
def test_the_exit_of_the_program_leaves_nothing(hide: Hide, end: str) -> None:
    hidden = hide()
    done = _host(hidden, START_ALL + ENDS[end])
    assert done.stdout == "all\n", done.stderr
    _all_end(hidden)


NO_TIME = """
from pyrepl_stream.runtime.process import runner
runner._MARGIN = 0  # as on a busy machine: the threads of the commands do not run before the end
"""


def test_the_exit_of_a_program_whose_threads_get_no_time_leaves_nothing(hide: Hide) -> None:
    hidden = hide()
    done = _host(hidden, NO_TIME + START_ALL)
    assert done.stdout == "all\n", done.stderr
    _all_end(hidden)


def test_the_exit_of_the_program_in_the_middle_of_a_start_leaves_nothing(hide: Hide) -> None:
    hidden = hide()
    code = """
import time
from pyrepl_stream.runtime.process.pump import SelectorPump

started = threading.Event()

class LatePump(SelectorPump):
    def read_from(self, descriptor, tag):  # the command runs, and the runner does not know it yet
        started.set()
        while not runner._exiting:
            time.sleep(0.01)
        time.sleep(0.5)  # a program that does not wait for this start has ended by then
        super().read_from(descriptor, tag)

session = Session()
session.launch(ProcessRunner(Command(["sleep", "1000"]), make_pump=LatePump), "late")
started.wait()
"""
    done = _host(hidden, NO_TIME + code)
    assert (done.returncode, done.stderr) == (0, "")
    _all_end(hidden)


def test_the_exit_of_the_program_just_after_a_start_leaves_nothing(hide: Hide) -> None:
    hidden = hide()
    for _ in range(5):
        done = _host(hidden, "kept = [run_process(['sleep', '1000']) for _ in range(3)]")
        assert (done.returncode, done.stderr) == (0, "")
        _all_end(hidden)


def test_the_exit_of_the_program_leaves_nothing_of_a_session(hide: Hide) -> None:
    hidden = hide()
    code = """
session = Session()
for way in ways:
    until_ready(session.launch(ProcessRunner(Command(["bash", hiding, way], env=env(way))), way))
"""
    done = _host(hidden, code)
    assert (done.returncode, done.stderr) == (0, "")
    _all_end(hidden)


def test_the_exit_of_the_program_starts_no_further_step(hide: Hide) -> None:
    hidden = hide()
    code = """
steps = [Step(str(n), ["bash", "-c", f": >$HIDING_FOLDER/step{n}; echo ready; exec sleep 1000"]) for n in range(6)]
execution = run_steps(steps, keep_going=True)
until_ready(execution)
"""
    done = _host(hidden, code)
    assert (done.returncode, done.stderr) == (0, "")
    _all_end(hidden)
    assert os.listdir(hidden.folder) == ["step0"]


def test_the_exit_of_a_fork_of_the_program_does_not_end_its_commands(hide: Hide) -> None:
    hidden = hide()
    code = """
execution = run_process("echo ready; while [ ! -e $HIDING_FOLDER/go ]; do sleep 0.01; done; echo whole")
until_ready(execution)
copy = os.fork()
if not copy:
    sys.exit(0)
os.waitpid(copy, 0)
open(os.environ["HIDING_FOLDER"] + "/go", "w").close()
outcome = execution.wait()
print(outcome.status, outcome.stdout.split())
"""
    done = _host(hidden, code)
    assert done.stdout == "ok ['ready', 'whole']\n", done.stderr


@pytest.mark.parametrize("taken", ["os.wait()", "signal.SIG_IGN"])
def test_an_exit_code_that_other_code_has_taken_is_not_a_success(hide: Hide, taken: str) -> None:
    by_wait = """
execution = run_process("exit 3")
try:
    os.wait()
except ChildProcessError:
    pass  # the first to wait gets it
print(execution.wait().success)
"""
    ignored = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(run_process("exit 3").wait().success)
"""
    for _ in range(10):
        done = _host(hide(), by_wait if taken == "os.wait()" else ignored)
        assert (done.stdout, done.stderr) == ("False\n", "")


def _all_end(hidden: Hidden) -> None:
    """Wait until the processes are gone: on a busy machine, a process that got SIGKILL remains for a while."""
    eventually(lambda: not hidden.is_left(), "nothing is left after the exit of the program")


# -- hang-up of the terminal -----------------------------------------------------------------

JOB = """
mine=$HIDING_FOLDER
(
    trap 'hung_up=yes; echo yes >$mine/hung-up' HUP
    : >$mine/set
    while [ ! -e $mine/go ] && [ ! $hung_up ]; do sleep 0.01; done
    echo hung up: ${hung_up:-no}
) &
while [ ! -e $mine/set ]; do sleep 0.01; done
"""


def test_background_jobs_of_an_interactive_run_get_a_hang_up(hide: Hide) -> None:
    hidden = hide()
    outcome = run_process(JOB, env=hidden.environment, interactive=True, timeout=LIMIT).wait()
    assert outcome.status == "ok"
    eventually((hidden.folder / "hung-up").exists, "the background job gets SIGHUP")


@pytest.mark.parametrize("pty", [True, False])
def test_background_jobs_of_other_runs_get_no_hang_up(hide: Hide, pty: bool) -> None:
    hidden = hide()
    execution = run_process(JOB, env=hidden.environment, pty=pty, timeout=LIMIT)
    stream = iter(execution.attach(follow=True))
    for message in stream:
        if message.type == "complete":
            assert message.success
            break
    (hidden.folder / "go").touch()
    assert until(stream, "\n") == "hung up: no\n"


def test_background_jobs_of_a_run_that_was_not_stopped_are_not_ended(hide: Hide) -> None:
    hidden = hide()
    for way in ("nohup", "daemon"):
        script = f"(. {HIDING} {way}) & while [ ! -e $HIDING_FOLDER/a ]; do sleep 0.01; done; kill $!"
        assert run_process(script, env=hidden.environment).wait().status == "ok"
        assert [text for text in living(hidden.mark).values() if text.startswith("held-")]
        end_all(hidden.mark)
        (hidden.folder / "a").unlink()


# -- leaks in this process -------------------------------------------------------------------


def _steps(command: list[str]) -> ProcessExecution:
    return run_steps(
        [
            Step("one", command),
            Step("two", command, pty=False, stderr="pipe"),
            Step("three", call=lambda _: None),
        ]
    )


KINDS: dict[str, Callable[[list[str]], ProcessExecution]] = {
    "pty": run_process,
    "two-ptys": lambda command: run_process(command, stderr="pty"),
    "pty-and-pipe": lambda command: run_process(command, stderr="pipe"),
    "pipes": lambda command: run_process(command, pty=False, stderr="pipe"),
    "fed": lambda command: run_process(command, pty=False, stdin="text"),
    "interactive": lambda command: run_process(command, interactive=True),
    "steps": _steps,
}
RUNS: dict[str, Callable[[Callable[[list[str]], ProcessExecution]], object]] = {
    "ends": lambda start: start(["true"]).wait(),
    "interrupted": lambda start: _stopped(start(["sleep", "1000"])),
    "not-started": lambda start: start(["true", "x" * 200_000]).wait(),  # an argument may have 128 KiB
}


def _stopped(execution: ProcessExecution) -> None:
    execution.interrupt()
    execution.wait()


@pytest.mark.parametrize("end", RUNS)
@pytest.mark.parametrize("kind", KINDS)
def test_thirty_runs_leave_no_descriptor_thread_or_zombie(kind: str, end: str) -> None:
    count = 30 if end != "interrupted" else 10
    RUNS[end](KINDS[kind])
    eventually(lambda: not _threads(), "the threads of earlier runs have ended")
    before, dead = _descriptors(), zombies()
    for _ in range(count):
        RUNS[end](KINDS[kind])
    eventually(lambda: not _threads(), "the threads of the runs have ended")
    assert len(_descriptors()) - len(before) <= 0, sorted(_descriptors())
    assert zombies() - dead == set()


def _threads() -> list[str]:
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("command ", "background output of "))
    ]


def _descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # the descriptor of the listing itself
    return found
