"""Several commands and callables as one execution."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import pytest
from support.wakeups import settles, wakeups

from pyrepl_stream import (
    Command,
    ErrorMessage,
    OutputMessage,
    Session,
    Step,
    UsageError,
    run_process,
    run_steps,
)
from pyrepl_stream.runtime.process import ProcessRunner


def test_each_message_is_labelled_with_its_step() -> None:
    steps = [
        Step("git", ["echo", "cloned"]),
        Step("script:setup", "echo out; echo err >&2", pty=False, stderr="pipe"),
        Step("python", call=lambda writer: print("from python", file=writer)),
    ]
    execution = run_steps(steps)
    labelled = [(m.source, m.text) for m in execution if isinstance(m, OutputMessage)]
    assert sorted(labelled) == sorted(
        [
            ("git", "cloned\n"),
            ("script:setup", "out\n"),
            ("script:setup", "err\n"),
            ("python", "from python\n"),
        ]
    )
    outcome = execution.wait(30)
    assert outcome.success
    assert outcome.exit_code == 0
    assert outcome.value == [
        {"source": "git", "status": "ok", "exit_code": 0},
        {"source": "script:setup", "status": "ok", "exit_code": 0},
        {"source": "python", "status": "ok", "exit_code": 0},
    ]


def test_a_callable_that_waits_causes_no_wakeups() -> None:
    go, started = threading.Event(), threading.Event()

    def wait(writer: TextIO) -> None:
        started.set()
        go.wait()

    execution = run_steps([Step("wait", call=wait)])
    started.wait()
    (runner,) = [thread for thread in threading.enumerate() if thread.name.startswith("command ")]
    settles(lambda: wakeups(f"/proc/self/task/{runner.native_id}/status"))
    go.set()
    assert execution.wait(30).success


def test_the_first_failure_ends_the_execution_and_is_named() -> None:
    outcome = run_steps([Step("a", ["true"]), Step("b", "exit 3"), Step("c", "echo never")]).wait(30)
    assert (outcome.status, outcome.exit_code) == ("error", 3)
    assert outcome.reason == "step 'b': the command exited with 3"
    assert outcome.stdout == ""
    assert [step["source"] for step in outcome.value] == ["a", "b"]


def test_with_keep_going_the_others_run_and_the_first_failure_is_named() -> None:
    steps = [Step("a", "exit 3"), Step("b", "echo went on"), Step("c", "kill -KILL $$")]
    outcome = run_steps(steps, keep_going=True).wait(30)
    assert outcome.stdout == "went on\n"
    assert outcome.reason == "step 'a': the command exited with 3"
    assert [step["exit_code"] for step in outcome.value] == [3, 0, 137]


def fail(writer: TextIO) -> None:
    writer.write("unfinished line")
    raise ValueError("no data")


def test_a_callable_fails_by_raising_and_its_output_is_kept() -> None:
    execution = run_steps([Step("load", call=fail), Step("b", "echo never")])
    errors = [m for m in execution if isinstance(m, ErrorMessage)]
    outcome = execution.wait(30)
    assert outcome.stdout == "unfinished line"
    assert (errors[0].name, errors[0].value) == ("ValueError", "no data")
    assert any("in fail" in line for line in errors[0].traceback)
    assert outcome.reason == "step 'load': ValueError: no data"


def test_an_interrupt_ends_a_callable_and_no_further_step_runs() -> None:
    running = threading.Event()

    def forever(writer: TextIO) -> None:
        running.set()
        while True:
            time.sleep(0.001)

    execution = run_steps([Step("loop", call=forever), Step("b", "echo never")])
    assert running.wait(30)
    execution.interrupt()
    outcome = execution.wait(30)
    assert outcome.status == "interrupted"
    assert outcome.stdout == ""


def test_a_callable_that_does_not_react_is_abandoned_with_a_warning() -> None:
    running, release = threading.Event(), threading.Event()

    def blocked(writer: TextIO) -> None:
        running.set()
        release.wait()

    execution = run_steps([Step("blocked", call=blocked)], grace=(0.05, 0.05, 0.05))
    assert running.wait(30)
    execution.interrupt()
    outcome = execution.wait(30)
    release.set()
    assert outcome.status == "interrupted"
    assert "does not react" in outcome.logs[0].text


def test_the_output_of_a_callable_counts_as_activity() -> None:
    def work(writer: TextIO) -> None:
        for _ in range(10):
            print("tick", file=writer)
            time.sleep(0.1)
        while True:
            time.sleep(0.001)

    outcome = run_steps([Step("work", call=work)], idle_timeout=0.5).wait(60)
    assert outcome.stdout == "tick\n" * 10
    assert outcome.reason == "idle_timeout: no output for 0.5 s"


def test_an_interrupt_between_two_steps_ends_the_execution(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    known = threading.Event()

    def stop(writer: TextIO) -> None:
        known.wait(30)
        execution.interrupt()

    execution = run_steps([Step("stop", call=stop), Step("b", f"sleep 1000; echo x > {seen}")])
    known.set()
    assert execution.wait(30).status == "interrupted"
    assert not seen.exists()


def test_input_goes_to_the_running_command_and_not_to_a_callable() -> None:
    running, release = threading.Event(), threading.Event()

    def wait(writer: TextIO) -> None:
        running.set()
        release.wait()

    execution = run_steps([Step("call", call=wait), Step("read", ["cat"], stdin=None)])
    assert running.wait(30)
    assert execution.pid is None
    with pytest.raises(UsageError, match="callable"):
        execution.write("x")
    release.set()
    stream = iter(execution)
    while execution.pid is None:
        time.sleep(0.001)
    execution.write("hello")
    execution.close_stdin()
    assert "".join(m.text for m in stream if isinstance(m, OutputMessage)) == "hello"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step("", ["true"]), "label"),
        (lambda: Step("a"), "either a command or a call"),
        (lambda: Step("a", ["true"], call=print), "either a command or a call"),
        (lambda: Step("a", call=3), "must be callable"),
        (lambda: Step("a", []), "empty"),
        (lambda: run_steps([]), "no steps"),
        (lambda: run_steps([["true"]]), "a step must be a Step"),
    ],
)
def test_invalid_steps_are_refused_before_anything_starts(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_a_program_that_the_system_cannot_start_fails_its_execution(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    outcome = run_process([script]).wait(30)
    assert (outcome.status, outcome.exit_code) == ("error", 127)
    assert outcome.error is not None
    assert outcome.error.name == "FileNotFoundError"
    script.write_bytes(b"\x7fELF nonsense")
    execution = run_process([script])
    assert execution.wait(30).exit_code == 126
    assert execution.pid is None
    outcome = run_process(["true", "x" * (4 << 20)]).wait(30)
    assert "too long" in outcome.reason


def test_a_lagging_reader_ends_a_command_with_overflow_fail() -> None:
    execution = run_process("echo $$; yes", overflow="fail", buffer_bytes=64 * 1024)
    pid = execution.pid
    outcome = execution.wait(60)
    assert outcome.status == "error"
    assert "BufferOverflowError" in outcome.reason
    from support.kernels import is_alive

    assert pid is not None
    assert not is_alive(pid)


def test_a_failed_command_can_be_replaced_once() -> None:
    tried: list[bytes] = []

    def without(command: Command, output: bytes) -> tuple[Command, str] | None:
        tried.append(output)
        return Command("echo second; exit 5"), "again, without --new"

    with Session() as session:
        runner = ProcessRunner(Command("echo no --new here; exit 2"), retry=without)
        outcome = session.launch(runner, "x").wait(30)
    assert outcome.stdout == "no --new here\nsecond\n"
    assert outcome.exit_code == 5
    assert tried == [b"no --new here\n"]
    assert [log.text for log in outcome.logs] == ["again, without --new"]


def test_without_streaming_all_output_is_returned_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"streaming": False}, {}):
        if not options:
            monkeypatch.setenv("PYREPL_STREAM_DISABLE_STREAMING", "1")
        assert run_process("echo a; sleep 0.05; echo b", **options).wait(30).stdout == "a\nb\n"  # type: ignore[arg-type]


def test_the_interpreter_of_the_tests_can_be_run() -> None:
    assert run_process([sys.executable, "-c", "print(1)"]).wait(30).stdout == "1\n"


def test_a_queued_command_that_is_interrupted_never_starts() -> None:
    with Session(max_concurrent=1) as session:
        first = session.launch(ProcessRunner(Command("sleep 1000")), "a")
        second = session.launch(ProcessRunner(Command("echo never")), "b")
        second.interrupt()
        assert second.wait(30).status == "interrupted"
        first.kill()
        assert first.wait(30).status == "killed"
