"""Regression tests for bugs that a review found."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.kernels import is_alive

from pyrepl_stream import (
    CompleteMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    Step,
    UsageError,
    run_process,
    run_steps,
)
from pyrepl_stream.runtime.errors import LineTooLongError


def pids_in(text: str) -> list[int]:
    return [int(word) for word in text.split() if word.isdigit()]


def gone(pids: list[int]) -> bool:
    return bool(pids) and not any(is_alive(pid) for pid in pids)


@pytest.mark.parametrize("code", ["", "r.pid", "sum(range(100000))"])
def test_an_interpreter_that_exits_just_after_a_start_leaves_nothing(
    run_python: Callable[..., Any], tmp_path: Path, code: str
) -> None:
    for number in range(3):
        out = tmp_path / str(number)
        program = (
            f"from pyrepl_stream import run_process\nr = run_process('echo $$ > {out}; sleep 1000')\n{code}"
        )
        done = run_python(program)
        assert (done.returncode, done.stderr) == (0, "")
        if out.exists() and out.read_text():
            assert gone(pids_in(out.read_text()))


def test_a_timeout_while_late_output_is_read_ends_the_process_that_prints_it() -> None:
    execution = run_process("(echo $BASHPID; for i in $(seq 300); do echo x; sleep 0.17; done) &", timeout=1)
    outcome = execution.wait(30)
    if outcome.status == "timeout":
        assert gone(pids_in(outcome.stdout))
    else:  # on a busy machine the run may end first
        os.kill(pids_in(outcome.stdout)[0], signal.SIGKILL)


def test_a_kill_while_late_output_is_read_ends_the_process_that_prints_it() -> None:
    execution = run_process("(echo $BASHPID; while :; do echo x; sleep 0.1; done) & echo parent ends")
    text, killed = "", False
    for message in execution:
        text += message.text if isinstance(message, OutputMessage) else ""
        if "x\nx\nx" in text and not killed:
            killed = True
            execution.kill()
    pids = [int(line) for line in text.splitlines() if line.isdigit()]
    if execution.wait(30).status == "killed":
        assert gone(pids)
    else:
        os.kill(pids[0], signal.SIGKILL)


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, MemoryError])
def test_any_exception_of_a_callable_ends_the_execution(error: type[BaseException]) -> None:
    def fail(writer: object) -> None:
        raise error

    outcome = run_steps([Step("a", call=fail), Step("b", ["true"])]).wait(30)
    assert (outcome.status, outcome.success) == ("error", False)
    assert error.__name__ in outcome.reason


@pytest.mark.parametrize(("code", "exit_code"), [(0, 0), (None, 0), (3, 3), ("no", 1)])
def test_a_callable_may_exit(code: object, exit_code: int) -> None:
    def leave(writer: object) -> None:
        sys.exit(code)  # type: ignore[arg-type]  # sys.exit() accepts any object

    assert run_steps([Step("a", call=leave)]).wait(30).exit_code == exit_code


@pytest.mark.parametrize("size", [200_000, 900_000])
def test_an_incomplete_character_at_the_end_passes_a_full_buffer(size: int) -> None:
    program = f"import sys; f = sys.stdout.buffer; f.write(b'a' * {size} + b'\\xe2\\x82'); f.flush()"
    execution = run_process([sys.executable, "-c", program], buffer_bytes=1000, pty=False)
    assert execution.pid
    outcome = execution.wait(30)
    assert len(outcome.stdout.encode("utf-8", "surrogateescape")) == size + 2


def test_following_ends_when_the_last_process_has_closed_the_output() -> None:
    execution = run_process("(sleep 0.6; printf 'late\\342\\202') & echo now")
    data = [m.data for m in execution.attach(follow=True) if isinstance(m, OutputMessage)]
    assert data == ["now\n", "late", b"\xe2\x82"]
    assert [m.type for m in run_process("true").attach(follow=True)] == ["complete"]


def test_ending_an_idle_command_does_not_wait_for_a_stalled_reader() -> None:
    code = "trap 'yes' INT; echo $$; while :; do sleep 0.05; done"
    execution = run_process(code, idle_timeout=0.3, grace=(0.2, 0.2, 1), buffer_bytes=64 * 1024)
    stream = execution.attach()
    messages: list[Message] = []
    while not any(isinstance(message, OutputMessage) for message in messages):
        messages += stream.receive(1) or []
    done = threading.Event()
    execution._run.when_done(done.set)
    assert done.wait(30)
    assert gone([execution.pid or 0])
    stream.close()


@pytest.mark.parametrize(
    "options",
    [
        {"command": ["true"], "stdin": "\ud800"},
        {"command": ["echo", "\ud800"]},
        {"command": "echo \ud800"},
        {"command": ["true"], "env": {"A": "\ud800"}},
        {"command": ["true"], "env": 5},
        {"command": ["true"], "cwd": 5},
        {"command": ["true"], "watch": 5},
        {"command": ["true"], "activity": 5},
        {"command": ["true"], "stdin": True},
        {"command": ["true"], "stdin": -1},
        {"command": ["true"], "stdin": 99_999},
    ],
)
def test_values_that_cannot_be_passed_to_a_program_are_refused_before_it_starts(
    options: dict[str, Any],
) -> None:
    with pytest.raises(UsageError):
        run_process(**options)


def test_a_command_is_ended_even_if_no_descriptor_is_left(run_python: Callable[..., Any]) -> None:
    program = (
        "import os, resource\nfrom pyrepl_stream import run_process\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "r = run_process(['sleep', '1000'], grace=(.2, .2, 1)); pid = r.pid\n"
        "taken = []\n"
        "try:\n    while True: taken.append(os.open('/dev/null', 0))\n"
        "except OSError: pass\n"
        "r.interrupt(); outcome = r.wait()\n"
        "for fd in taken: os.close(fd)\n"
        "try: os.kill(pid, 0); print('alive')\n"
        "except ProcessLookupError: print('gone', outcome.status)\n"
    )
    done = run_python(program)
    assert done.stdout == "gone interrupted\n", done.stderr


@pytest.mark.parametrize("number", [9999, -1, "TERM", None])
def test_an_invalid_signal_is_refused_without_side_effects(number: Any) -> None:
    execution = run_process("read x; echo $x")
    with pytest.raises(UsageError, match="not a signal of this system"):
        execution.send_signal(number)
    execution.write("fine\n")
    assert execution.wait(30).stdout == "fine\n"


def test_a_file_may_be_closed_just_after_the_start(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from the file")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with open(tmp_path / "in") as file:
            execution = run_process(["cat"], stdin=file, pty=False)
        assert execution.wait(30).stdout == "from the file"
    assert len(os.listdir("/proc/self/fd")) <= before + 6


def test_directory_and_environment_are_those_at_the_time_of_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINE", "then")
    execution = run_process("pwd; echo $MINE")
    monkeypatch.chdir("/")
    monkeypatch.setenv("MINE", "now")
    assert execution.wait(30).stdout == f"{tmp_path}\nthen\n"


@pytest.fixture
def no_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading, "_start_new_thread", refuse)
        yield


def test_an_execution_ends_if_its_thread_cannot_be_started(no_thread: None) -> None:
    execution = run_process("echo hi")
    assert execution.pid is None
    outcome = execution.wait(30)
    assert not outcome.success
    assert "start new thread" in outcome.reason


def test_many_calls_from_other_threads_do_not_delay_the_timeout() -> None:
    execution = run_process("while :; do sleep 0.05; done", timeout=0.5, grace=(0.2, 0.2, 1))
    over = threading.Event()

    def resize() -> None:
        try:
            while not over.is_set():
                execution.resize(40, 80)
        except UsageError:
            pass

    thread = threading.Thread(target=resize)
    thread.start()
    assert execution.wait(60).status == "timeout"
    over.set()
    thread.join()


def test_an_answer_that_is_too_long_leaves_the_request_open() -> None:
    execution = run_process("read x; echo got ${#x}", interactive=True)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            with pytest.raises(LineTooLongError):
                execution.input("y" * 5000, message)
            execution.input("ok", message)
    assert execution.stdout == "got 2\n"


def test_input_written_during_the_start_keeps_its_order(rounds: Callable[[int, int], int]) -> None:
    lines = [f"{number}\n" for number in range(300)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(rounds(20, 1000)):
            execution = run_process("cat", pty=False)
            for line in lines:
                execution.write(line)
            execution.close_stdin()
            assert execution.wait(30).stdout == "".join(lines)
    finally:
        sys.setswitchinterval(before)


def test_writing_to_a_closed_input_is_an_error() -> None:
    execution = run_process("cat; read -t 30 x < /dev/zero; sleep 1000")
    execution.write("a")
    execution.close_stdin()
    assert execution.pid
    with pytest.raises(UsageError, match="input has been closed"):
        execution.write("b")
    for wrong in (5, "\ud800", None):
        with pytest.raises(UsageError):
            execution.write(wrong)  # type: ignore[arg-type]
    execution.kill()
    execution.wait(30)


def test_late_output_that_overflows_does_not_fail_an_ended_run() -> None:
    execution = run_process("(sleep 0.5; head -c 3000000 /dev/zero) & echo now", overflow="fail", pty=False)
    stream = execution.attach(follow=True)
    assert execution.wait(30).success
    kinds = [type(message) for message in stream]
    assert CompleteMessage in kinds


def test_steps_may_come_from_a_generator() -> None:
    assert run_steps(Step(name, ["echo", name]) for name in "ab").wait(30).stdout == "a\nb\n"
    with pytest.raises(UsageError, match="list of Step"):
        run_steps(5)  # type: ignore[arg-type]
