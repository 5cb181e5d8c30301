"""Commands on pipes, with real programs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from runtime.process.programs.helpers import until
from support.kernels import is_alive

from pyrepl_stream import (
    Command,
    CommandNotFoundError,
    Execution,
    LogMessage,
    OutputMessage,
    Session,
    StreamType,
)
from pyrepl_stream.runtime.process import ProcessRunner

Launch = Callable[..., Execution]


@pytest.fixture
def launch() -> Iterator[Launch]:
    with Session(buffer_bytes=256 * 1024) as session:

        def start(command: str | list[str], *, keep: bool = True, **options: object) -> Execution:
            options = {"pty": False, "stderr": "pipe", "stdin": "", **options}
            return session.launch(
                ProcessRunner(Command(command, **options)),  # type: ignore[arg-type]
                str(command),
                retain_output=keep,
            )

        yield start


def test_both_streams_and_the_exit_code_are_returned(launch: Launch) -> None:
    outcome = launch("echo out; echo err >&2; exit 3").wait()
    assert (outcome.stdout, outcome.stderr) == ("out\n", "err\n")
    assert (outcome.status, outcome.exit_code, outcome.success) == ("error", 3, False)


def test_a_list_is_executed_without_a_shell(launch: Launch) -> None:
    assert launch(["printf", "%s", "$HOME *"]).wait().stdout == "$HOME *"


def test_cwd_and_env_are_those_of_the_command(launch: Launch, tmp_path: Path) -> None:
    outcome = launch("pwd; echo $MINE", cwd=str(tmp_path), env={"MINE": "yes"}).wait()
    assert outcome.stdout == f"{tmp_path}\nyes\n"


def test_output_arrives_while_the_command_runs(launch: Launch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stream = iter(launch(f"echo first; while [ ! -e {go} ]; do sleep 0.01; done; echo second"))
    until(stream, "first")
    go.write_text("")
    until(stream, "second")


def test_a_character_split_over_two_reads_is_one_character(launch: Launch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = rf"printf 'x\303'; while [ ! -e {go} ]; do sleep 0.01; done; printf '\251'"
    execution = launch(command)
    stream = iter(execution)
    until(stream, "x")
    go.write_text("")
    assert until(stream, "é") == "é"
    assert execution.stdout == "xé"


def test_bytes_that_are_not_utf_8_arrive_unchanged(launch: Launch) -> None:
    execution = launch(r"printf '\377\376\000\200'")
    assert execution.wait().stdout.encode("utf-8", "surrogateescape") == b"\xff\xfe\x00\x80"


def test_a_million_lines_pass_a_small_buffer_without_loss(launch: Launch) -> None:
    outcome = launch("seq 1 1000000", keep=False).wait()
    assert outcome.stdout == "".join(f"{i}\n" for i in range(1, 1_000_001))
    assert not outcome.gaps


def test_a_command_without_a_reader_ends_and_its_newest_output_is_kept(launch: Launch) -> None:
    execution = launch("seq 1 300000", keep=False)
    execution.detach()
    assert list(execution.attach(follow=False))[-1].type == "complete"
    assert execution.stdout.endswith("\n300000\n")


def test_a_program_that_does_not_exist_is_an_error(launch: Launch) -> None:
    with pytest.raises(CommandNotFoundError, match="no-such-program-anywhere"):
        launch(["no-such-program-anywhere"])


def test_death_by_a_signal_is_named(launch: Launch) -> None:
    outcome = launch("kill -TERM $$").wait()
    assert (outcome.status, outcome.exit_code) == ("error", 128 + 15)
    assert "SIGTERM" in str(outcome.error)


@pytest.mark.parametrize("ignored", ["", "INT", "INT TERM"])
def test_an_interrupt_ends_the_whole_group_even_if_it_ignores_signals(launch: Launch, ignored: str) -> None:
    trap = f"trap '' {ignored};" if ignored else ""
    execution = launch(f"{trap} (echo pid $BASHPID; sleep 1000; sleep 1000) & echo pid $$; wait; sleep 1000")
    text, stream = "", iter(execution)
    while text.count("pid") < 2 or not text.endswith("\n"):
        text += until(stream, "\n")
    pids = [int(pid) for pid in re.findall(r"pid (\d+)", text)]
    execution.interrupt()
    outcome = execution.wait()
    assert outcome.status == "interrupted"
    assert not [pid for pid in pids if is_alive(pid)]


def test_late_output_of_a_background_process_follows_complete(launch: Launch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    execution = launch(f"(while [ ! -e {go} ]; do sleep 0.01; done; echo late) & echo now")
    stream = execution.attach(follow=True)
    kinds = []
    for message in stream:
        kinds.append(message.type.value)
        if message.type == "complete":
            go.write_text("")
        if isinstance(message, LogMessage):
            assert "background" in message.text
        if isinstance(message, OutputMessage) and message.text == "late\n":
            break
    assert kinds == ["output", "log", "complete", "output"]


def test_timeout_ends_the_command(launch: Launch) -> None:
    with Session() as session:
        execution = session.launch(ProcessRunner(Command("echo $$; sleep 1000")), "c", timeout=0.2)
        outcome = execution.wait()
    assert outcome.status == "timeout"
    assert not is_alive(int(outcome.stdout))


def test_many_runs_leave_no_descriptor(launch: Launch) -> None:
    launch("true").wait()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        launch("echo x; true").wait()
    descriptors = os.listdir("/proc/self/fd")
    assert len(descriptors) <= before + 3, descriptors  # those of threads that are about to end


def test_messages_have_their_stream(launch: Launch) -> None:
    messages = list(launch("echo err >&2"))
    assert [m.stream for m in messages if isinstance(m, OutputMessage)] == [StreamType.STDERR]
