"""The facts about terminals that the design page names, each with a real one."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.kernels import is_alive

from pyrepl_stream import (
    Command,
    CompleteMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ProcessBody,
    Session,
    StreamType,
    UsageError,
    run_process,
)
from pyrepl_stream.process.terminal import MAX_LINE, Terminal, TerminalUnavailable, open_terminal


def until(stream: Iterator[Message], text: str) -> str:
    """Read until ``text`` has come; all that came."""
    seen = ""
    for message in stream:
        if isinstance(message, OutputMessage):
            seen += message.text
        if text in seen:
            return seen
    raise AssertionError(f"{text!r} did not come: {seen!r}")


def test_the_command_sees_a_terminal_and_its_output_is_as_it_wrote_it() -> None:
    outcome = run_process(r"[ -t 1 ] && [ -t 2 ] && printf 'a\nb\rc\r\nd\n'; echo err >&2").wait(30)
    assert outcome.stdout == "a\nb\rc\r\nd\nerr\n"
    assert outcome.stderr == ""


def test_without_a_terminal_there_is_none() -> None:
    outcome = run_process("[ -t 1 ] || echo pipe; echo err >&2", pty=False, stderr="pipe").wait(30)
    assert (outcome.stdout, outcome.stderr) == ("pipe\n", "err\n")
    assert run_process("echo out; echo err >&2", pty=False).wait(30).stdout == "out\nerr\n"


@pytest.mark.parametrize(("stderr", "kind"), [("pty", "terminal"), ("pipe", "pipe")])
def test_stderr_can_be_kept_apart(stderr: str, kind: str) -> None:
    code = "[ -t 1 ] && echo out; if [ -t 2 ]; then echo terminal >&2; else echo pipe >&2; fi"
    outcome = run_process(code, stderr=stderr).wait(30)
    assert (outcome.stdout, outcome.stderr) == ("out\n", f"{kind}\n")


def test_the_size_is_there_before_the_command_starts() -> None:
    assert run_process("stty size <&1", size=(12, 34)).wait(30).stdout == "12 34\n"


def test_a_resize_reaches_the_command_on_both_kinds_of_terminal() -> None:
    code = "trap 'stty size <&1; exit' WINCH; echo ready; while :; do sleep 0.01; done"
    for interactive in (False, True):
        execution = run_process(code, interactive=interactive)
        stream = iter(execution)
        until(stream, "ready")
        execution.resize(11, 22)
        assert until(stream, "\n") == "11 22\n"
        with pytest.raises(UsageError, match="size"):
            execution.resize(0, 22)
        assert execution.wait(30).success
        with pytest.raises(UsageError, match="ended"):
            execution.resize(11, 22)


def test_a_character_is_whole_wherever_reads_cut_it(tmp_path: Path) -> None:
    go = tmp_path / "go"
    execution = run_process(rf"printf 'x\303'; while [ ! -e {go} ]; do sleep 0.01; done; printf '\251'")
    stream = iter(execution)
    until(stream, "x")
    go.write_text("")
    assert until(stream, "é") == "é"
    assert run_process("yes é | head -c 60000").wait(30).stdout == "é\n" * 20_000


def test_bytes_that_are_no_text_come_back_unchanged() -> None:
    every = bytes(range(256)) * 100
    outcome = run_process(["cat"], stdin=every).wait(30)
    assert outcome.stdout.encode("utf-8", "surrogateescape") == every


def test_a_million_lines_come_whole_through_a_small_buffer() -> None:
    outcome = run_process("seq 1 1000000", buffer_bytes=256 * 1024).wait(60)
    assert outcome.stdout == "".join(f"{i}\n" for i in range(1, 1_000_001))


def test_a_command_that_nobody_reads_ends_and_the_newest_is_kept() -> None:
    execution = run_process("seq 1 300000", buffer_bytes=256 * 1024)
    execution.detach()
    assert isinstance(list(execution.attach())[-1], CompleteMessage)
    assert execution.stdout.endswith("\n300000\n")


def test_a_reader_that_never_comes_holds_nothing_up_for_ever() -> None:
    execution = run_process("seq 1 300000; echo $$ > /dev/null", buffer_bytes=256 * 1024)
    done = threading.Event()
    execution._run.when_done(done.set)  # not `wait`, which would read
    assert done.wait(60)
    execution._run.journal.release_unread()
    assert execution.wait(30).success


def test_a_command_may_close_its_output_long_before_it_ends(tmp_path: Path) -> None:
    go = tmp_path / "go"
    execution = run_process(
        f"echo said; exec >&- 2>&-; while [ ! -e {go} ]; do sleep 0.01; done; exit 7", idle_timeout=60
    )
    until(iter(execution), "said")
    assert execution.status == "running"
    go.write_text("")
    assert execution.wait(30).exit_code == 7


@pytest.mark.parametrize("pty", [True, False])
def test_output_after_the_commands_end_keeps_its_execution(tmp_path: Path, pty: bool) -> None:
    go = tmp_path / "go"
    code = f"(while [ ! -e {go} ]; do sleep 0.01; done; echo late) & echo now"
    kinds = []
    for message in run_process(code, pty=pty).attach(follow=True):
        kinds.append(message.type.value)
        if isinstance(message, CompleteMessage):
            assert message.success
            go.write_text("")
        if isinstance(message, LogMessage):
            assert "background" in message.text
        if isinstance(message, OutputMessage) and message.text == "late\n":
            break
    assert kinds == ["output", "log", "complete", "output"]


def test_a_background_child_that_prints_all_the_time_does_not_keep_the_run_alive() -> None:
    execution = run_process("(while :; do echo tick; sleep 0.05; done) & echo $!")
    outcome = execution.wait(30)
    assert outcome.success
    os.kill(int(outcome.stdout.split()[0]), signal.SIGKILL)


def test_an_interactive_command_has_the_terminal_as_its_own() -> None:
    outcome = run_process("tty </dev/tty >&2; [ -t 0 ] && echo input", interactive=True).wait(30)
    assert "/dev/" in outcome.stdout
    assert outcome.stdout.endswith("input\n")
    assert "No such device" in run_process("echo x </dev/tty").wait(30).stdout


@pytest.mark.parametrize("interactive", [True, False])
def test_a_terminal_that_closes_hangs_up_only_whom_it_controls(tmp_path: Path, interactive: bool) -> None:
    heard, ready = tmp_path / "heard", tmp_path / "ready"
    child = f"trap 'echo hup > {heard}; exit' HUP; : > {ready}; for i in $(seq 600); do sleep 0.05; done"
    execution = run_process(
        f"bash -c '{child.replace(chr(39), chr(34))}' >/dev/null 2>&1 & echo $!; while [ ! -e {ready} ]; do sleep 0.01; done",
        interactive=interactive,
    )
    outcome = execution.wait(30)
    pid = int(outcome.stdout)
    if interactive:
        while is_alive(pid):
            threading.Event().wait(0.01)
        assert heard.read_text() == "hup\n"
    else:
        assert is_alive(pid)
        os.kill(pid, signal.SIGKILL)


def test_a_prompt_is_a_question_that_input_answers() -> None:
    execution = run_process("read -p 'name? ' name; echo hello $name", interactive=True)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            assert (message.prompt, message.password) == ("name? ", False)
            execution.input("you", message)
            with pytest.raises(UsageError, match="answered already"):
                execution.input("again", message)
    assert execution.stdout == "name? hello you\n"


def test_a_question_that_comes_late_is_seen_too_and_its_end_of_input() -> None:
    execution = run_process("sleep 0.5; read x || echo ended; read -s -p 'password: ' y; echo", interactive=True)
    asked = []
    for message in execution:
        if isinstance(message, InputRequestMessage):
            asked.append((message.prompt, message.password))
            execution.input(None if len(asked) == 1 else "secret", message)
    assert asked == [("", False), ("password: ", True)]
    assert execution.stdout == "ended\npassword: \n"


def test_an_editor_of_lines_that_waits_with_select_is_asked_for_too() -> None:
    code = "import readline; print('got', input('line? '))"
    execution = run_process(["python3", "-c", code], interactive=True)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            execution.input("x", message)
    assert "got x" in execution.stdout


def test_a_pipe_takes_a_line_of_any_length_and_a_terminal_says_what_it_would_cut() -> None:
    long = "x" * 10_000 + "\n"
    execution = run_process("read line; echo ${#line}")
    assert execution.write(long) == len(long)
    assert execution.wait(30).stdout == "10000\n"
    execution = run_process("echo up; read line; echo ${#line}", interactive=True)
    stream = iter(execution)
    until(stream, "up")
    for text in (long, "x\n" + long, "x" * (MAX_LINE + 1)):
        with pytest.raises(UsageError, match="4,095"):
            execution.write(text)
    execution.write("y" * 4000)
    with pytest.raises(UsageError, match="4,095"):
        execution.write("y" * 96)
    execution.write(b"y" * 95 + b"\n")
    assert until(stream, "\n") == "4095\n"
    assert execution.wait(30).success


def test_a_program_that_reads_by_the_character_gets_long_lines_on_a_terminal_too() -> None:
    code = "stty raw -echo; echo up; head -c 5000 | wc -c"
    execution = run_process(code, interactive=True)
    stream = iter(execution)
    until(stream, "up")
    execution.write("x" * 5000)
    assert "5000" in until(stream, "5000")


@pytest.mark.parametrize("interactive", [True, False])
def test_the_input_has_an_end(interactive: bool) -> None:
    execution = run_process(["cat"], interactive=interactive)
    execution.write("all\n")
    execution.close_stdin()
    assert execution.wait(30).stdout == "all\n"


def test_input_that_is_longer_than_a_pipe_is_fed_while_the_command_takes_it() -> None:
    data = os.urandom(3 << 20)
    execution = run_process("sha256sum; echo", pty=False)
    execution.write(data)
    execution.close_stdin()
    import hashlib

    assert execution.wait(60).stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_whoever_reads_no_more_is_not_written_to() -> None:
    execution = run_process("exec <&-; echo closed; while :; do sleep 0.01; done")
    stream = iter(execution)
    until(stream, "closed")

    def write_on() -> None:
        while True:
            execution.write("x" * 4096)

    with pytest.raises(UsageError, match="reads its input no more"):
        write_on()
    execution.kill()
    assert execution.wait(30).status == "killed"
    with pytest.raises(UsageError, match="has ended"):
        execution.write("x")


def test_input_given_at_the_start_is_all_there_is(tmp_path: Path) -> None:
    assert run_process(["cat"], stdin="text").wait(30).stdout == "text"
    assert run_process(["cat"], stdin="").wait(30).stdout == ""
    (tmp_path / "file").write_text("from a file")
    with open(tmp_path / "file", "rb") as file:
        assert run_process(["cat"], stdin=file).wait(30).stdout == "from a file"
    execution = run_process("sleep 1000", stdin="x")
    assert execution.pid
    with pytest.raises(UsageError, match="given its input at the start"):
        execution.write("y")
    execution.kill()
    assert execution.wait(30).status == "killed"


def none_left(size: tuple[int, int]) -> Terminal:
    raise TerminalUnavailable("out of pty devices")


def test_without_any_terminal_left_it_runs_on_pipes_and_says_so() -> None:
    with Session() as session:
        command = Command("[ -t 1 ] || echo pipe; cat", interactive=True)
        execution = session.launch(ProcessBody(command, open_terminal=none_left), "x")
        execution.write("x" * 5000 + "\n")
        execution.close_stdin()
        outcome = execution.wait(30)
    assert outcome.stdout == "pipe\n" + "x" * 5000 + "\n"
    assert "out of pty devices" in outcome.logs[0].text
    assert outcome.logs[0].level == "WARNING"


def test_the_systems_own_refusal_of_a_terminal_is_told(run_python: Callable[..., object]) -> None:
    code = (
        "import os, resource\n"
        "from pyrepl_stream.process.terminal import TerminalUnavailable, open_terminal\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')), 64))\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "try: open_terminal((24, 80))\n"
        "except TerminalUnavailable as exc: print(exc)\n"
        "print(len(os.listdir('/proc/self/fd')) == before)\n"
    )
    assert run_python(code).stdout.splitlines()[1:] == ["True"]  # type: ignore[attr-defined]


def test_a_closed_terminal_does_nothing_more() -> None:
    terminal = open_terminal((24, 80))
    assert terminal.takes_lines()
    assert terminal.end_of_input() == b"\x04"
    terminal.close()
    terminal.close()
    terminal.resize((1, 1))
    assert not terminal.takes_lines()
    assert terminal.end_of_input() == b""


def test_a_terminal_that_cannot_be_set_up_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(TerminalUnavailable):
        open_terminal((24, 1 << 20))
    assert len(os.listdir("/proc/self/fd")) == before


def test_order_over_both_streams_is_exact_on_one_terminal() -> None:
    code = "for i in $(seq 500); do echo $i; echo $i >&2; done"
    assert run_process(code).wait(30).stdout == "".join(f"{i}\n{i}\n" for i in range(1, 501))


@pytest.mark.parametrize("options", [{}, {"pty": False, "stderr": "pipe"}, {"stderr": "pty"}, {"interactive": True}])
def test_many_runs_leave_no_descriptor_and_no_zombie(
    options: dict[str, object], rounds: Callable[[int, int], int]
) -> None:
    run_process("true").wait(30)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(rounds(20, 1000)):
        assert run_process("echo x", **options).wait(30).success  # type: ignore[arg-type]
    left = [f"{fd}" for fd in os.listdir("/proc/self/fd")]
    assert len(left) <= before + 6, left  # of threads that are just ending
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    zombies = [pid for pid in children if re.search(r"\) Z ", Path(f"/proc/{pid}/stat").read_text())]
    assert not zombies


def test_a_line_of_100_mb_and_an_escape_sequence_without_end_are_only_text(
    rounds: Callable[[int, int], int],
) -> None:
    size = rounds(5, 100) * 1_000_000
    code = f"printf '\\033]0;'; head -c {size} /dev/zero | tr '\\0' x"
    seen = sum(len(m.text) for m in run_process(code, pty=False) if isinstance(m, OutputMessage))
    assert seen == size + 4


def test_streams_are_tagged() -> None:
    messages = list(run_process("echo err >&2", stderr="pipe", source="tool"))
    assert [(m.stream, m.source) for m in messages if isinstance(m, OutputMessage)] == [(StreamType.STDERR, "tool")]


def test_where_there_are_no_terminals_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> tuple[int, int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "openpty", none_left)
    with pytest.raises(TerminalUnavailable, match="No space left"):
        open_terminal((24, 80))
    outcome = run_process("[ -t 1 ] || echo pipe", stderr="pty").wait(30)
    assert outcome.stdout == "pipe\n"
    assert len(outcome.logs) == 2
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(TerminalUnavailable, match="Windows"):
        open_terminal((24, 80))


@pytest.mark.parametrize("interactive", [True, False])
def test_a_resize_after_the_end_of_the_terminal_is_no_error(interactive: bool) -> None:
    execution = run_process("exec >&- 2>&- <&-; while :; do sleep 0.01; done", interactive=interactive)
    assert execution.pid
    execution.resize(10, 20)
    execution.kill()
    assert execution.wait(30).status == "killed"


def test_a_signal_goes_to_all_of_a_command() -> None:
    execution = run_process("trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done")
    stream = iter(execution)
    until(stream, "ready")
    execution.send_signal(signal.SIGUSR1)
    assert "got" in until(stream, "got")
    outcome = execution.wait(30)
    assert (outcome.status, outcome.exit_code) == ("error", 3)
