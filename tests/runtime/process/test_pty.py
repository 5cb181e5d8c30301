"""Commands on real pseudo-terminals: their modes, sizes, input, prompts and failures."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from runtime.process.programs.helpers import until
from support.kernels import is_alive

from pyrepl_stream import (
    Command,
    CompleteMessage,
    InputRequestMessage,
    LogMessage,
    OutputMessage,
    Session,
    StreamType,
    UsageError,
    run_process,
)
from pyrepl_stream.runtime.process import ProcessRunner
from pyrepl_stream.runtime.process.pty import MAX_LINE, Pty, PtyUnavailableError, open_pty


def test_the_command_has_a_terminal_and_its_output_is_unchanged() -> None:
    outcome = run_process(r"[ -t 1 ] && [ -t 2 ] && printf 'a\nb\rc\r\nd\n'; echo err >&2").wait(30)
    assert outcome.stdout == "a\nb\rc\r\nd\nerr\n"
    assert outcome.stderr == ""


def test_without_pty_the_command_has_pipes() -> None:
    outcome = run_process("[ -t 1 ] || echo pipe; echo err >&2", pty=False, stderr="pipe").wait(30)
    assert (outcome.stdout, outcome.stderr) == ("pipe\n", "err\n")
    assert run_process("echo out; echo err >&2", pty=False).wait(30).stdout == "out\nerr\n"


@pytest.mark.parametrize(("stderr", "kind"), [("pty", "terminal"), ("pipe", "pipe")])
def test_stderr_can_be_a_stream_of_its_own(stderr: str, kind: str) -> None:
    code = "[ -t 1 ] && echo out; if [ -t 2 ]; then echo terminal >&2; else echo pipe >&2; fi"
    outcome = run_process(code, stderr=stderr).wait(30)
    assert (outcome.stdout, outcome.stderr) == ("out\n", f"{kind}\n")


def test_the_size_is_set_before_the_command_starts() -> None:
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


def test_a_character_that_is_split_over_two_reads_stays_whole(tmp_path: Path) -> None:
    go = tmp_path / "go"
    execution = run_process(rf"printf 'x\303'; while [ ! -e {go} ]; do sleep 0.01; done; printf '\251'")
    stream = iter(execution)
    until(stream, "x")
    go.write_text("")
    assert until(stream, "é") == "é"
    assert run_process("yes é | head -c 60000").wait(30).stdout == "é\n" * 20_000


def test_bytes_that_are_not_utf_8_arrive_unchanged() -> None:
    every = bytes(range(256)) * 100
    outcome = run_process(["cat"], stdin=every).wait(30)
    assert outcome.stdout.encode("utf-8", "surrogateescape") == every


def test_a_million_lines_pass_a_small_buffer_without_loss() -> None:
    outcome = run_process("seq 1 1000000", buffer_bytes=256 * 1024).wait(60)
    assert outcome.stdout == "".join(f"{i}\n" for i in range(1, 1_000_001))


def test_a_command_without_a_reader_ends_and_its_newest_output_is_kept() -> None:
    execution = run_process("seq 1 300000", buffer_bytes=256 * 1024)
    execution.detach()
    assert isinstance(list(execution.attach())[-1], CompleteMessage)
    assert execution.stdout.endswith("\n300000\n")


def test_a_command_does_not_wait_for_ever_for_its_first_reader() -> None:
    execution = run_process("seq 1 300000; echo $$ > /dev/null", buffer_bytes=256 * 1024)
    done = threading.Event()
    execution._run.when_done(done.set)  # `wait` would read
    assert done.wait(60)
    execution._run.journal.release_unread()
    assert execution.wait(30).success


def test_a_command_may_close_its_output_before_it_exits(tmp_path: Path) -> None:
    go = tmp_path / "go"
    execution = run_process(
        f"echo open; exec >&- 2>&-; while [ ! -e {go} ]; do sleep 0.01; done; exit 7", idle_timeout=60
    )
    until(iter(execution), "open")
    assert execution.status == "running"
    go.write_text("")
    assert execution.wait(30).exit_code == 7


@pytest.mark.parametrize("pty", [True, False])
def test_output_after_the_exit_of_the_command_belongs_to_its_execution(tmp_path: Path, pty: bool) -> None:
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


def test_a_background_process_that_keeps_printing_does_not_delay_the_end() -> None:
    execution = run_process("(while :; do echo tick; sleep 0.05; done) & echo $!")
    outcome = execution.wait(30)
    assert outcome.success
    os.kill(int(outcome.stdout.split()[0]), signal.SIGKILL)


def test_an_interactive_command_has_a_controlling_terminal() -> None:
    outcome = run_process("tty </dev/tty >&2; [ -t 0 ] && echo input", interactive=True).wait(30)
    assert "/dev/" in outcome.stdout
    assert outcome.stdout.endswith("input\n")
    assert "No such device" in run_process("echo x </dev/tty").wait(30).stdout


@pytest.mark.parametrize("interactive", [True, False])
def test_a_closed_terminal_hangs_up_only_the_processes_that_it_controls(
    tmp_path: Path, interactive: bool
) -> None:
    received, ready = tmp_path / "received", tmp_path / "ready"
    child = f"trap 'echo hup > {received}; exit' HUP; : > {ready}; for i in $(seq 600); do sleep 0.05; done"
    execution = run_process(
        f"bash -c '{child.replace(chr(39), chr(34))}' >/dev/null 2>&1 & echo $!; while [ ! -e {ready} ]; do sleep 0.01; done",
        interactive=interactive,
    )
    outcome = execution.wait(30)
    pid = int(outcome.stdout)
    if interactive:
        while is_alive(pid):
            threading.Event().wait(0.01)
        assert received.read_text() == "hup\n"
    else:
        assert is_alive(pid)
        os.kill(pid, signal.SIGKILL)


def test_a_prompt_becomes_an_input_request() -> None:
    execution = run_process("read -p 'name? ' name; echo hello $name", interactive=True)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            assert (message.prompt, message.password) == ("name? ", False)
            execution.input("you", message)
            with pytest.raises(UsageError, match="answered already"):
                execution.input("again", message)
    assert execution.stdout == "name? hello you\n"


def test_a_late_prompt_becomes_a_request_and_can_be_answered_with_the_end_of_input() -> None:
    execution = run_process(
        "sleep 0.5; read x || echo ended; read -s -p 'password: ' y; echo", interactive=True
    )
    asked = []
    for message in execution:
        if isinstance(message, InputRequestMessage):
            asked.append((message.prompt, message.password))
            execution.input(None if len(asked) == 1 else "secret", message)
    assert asked == [("", False), ("password: ", True)]
    assert execution.stdout == "ended\npassword: \n"


def test_a_line_editor_that_waits_with_select_becomes_a_request() -> None:
    code = "import readline; print('got', input('line? '))"
    execution = run_process(["python3", "-c", code], interactive=True)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            execution.input("x", message)
    assert "got x" in execution.stdout


def test_a_line_that_a_terminal_would_cut_is_refused_but_not_on_a_pipe() -> None:
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


def test_a_terminal_in_raw_mode_accepts_long_lines() -> None:
    code = "stty raw -echo; echo up; head -c 5000 | wc -c"
    execution = run_process(code, interactive=True)
    stream = iter(execution)
    until(stream, "up")
    execution.write("x" * 5000)
    assert "5000" in until(stream, "5000")


@pytest.mark.parametrize("interactive", [True, False])
def test_closing_the_input_ends_it(interactive: bool) -> None:
    execution = run_process(["cat"], interactive=interactive)
    execution.write("all\n")
    execution.close_stdin()
    assert execution.wait(30).stdout == "all\n"


def test_input_larger_than_a_pipe_is_fed_as_the_command_reads() -> None:
    data = os.urandom(3 << 20)
    execution = run_process("sha256sum; echo", pty=False)
    execution.write(data)
    execution.close_stdin()
    import hashlib

    assert execution.wait(60).stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_writing_to_a_command_that_no_longer_reads_is_an_error() -> None:
    execution = run_process("exec <&-; echo closed; while :; do sleep 0.01; done")
    stream = iter(execution)
    until(stream, "closed")

    def write_for_ever() -> None:
        while True:
            execution.write("x" * 4096)

    with pytest.raises(UsageError, match="no longer reads its input"):
        write_for_ever()
    execution.kill()
    assert execution.wait(30).status == "killed"
    with pytest.raises(UsageError, match="has ended"):
        execution.write("x")


def test_input_given_at_the_start_is_the_whole_input(tmp_path: Path) -> None:
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


def none_left(size: tuple[int, int]) -> Pty:
    raise PtyUnavailableError("out of pty devices")


def test_if_no_terminal_is_available_the_command_runs_on_pipes_with_a_warning() -> None:
    with Session() as session:
        command = Command("[ -t 1 ] || echo pipe; cat", interactive=True)
        execution = session.launch(ProcessRunner(command, open_pty=none_left), "x")
        execution.write("x" * 5000 + "\n")
        execution.close_stdin()
        outcome = execution.wait(30)
    assert outcome.stdout == "pipe\n" + "x" * 5000 + "\n"
    assert "out of pty devices" in outcome.logs[0].text
    assert outcome.logs[0].level == "WARNING"


def test_an_error_of_openpty_is_reported_and_leaks_nothing(run_python: Callable[..., object]) -> None:
    code = (
        "import os, resource\n"
        "from pyrepl_stream.runtime.process.pty import PtyUnavailableError, open_pty\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')), 64))\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "try: open_pty((24, 80))\n"
        "except PtyUnavailableError as exc: print(exc)\n"
        "print(len(os.listdir('/proc/self/fd')) == before)\n"
    )
    assert run_python(code).stdout.splitlines()[1:] == ["True"]  # type: ignore[attr-defined]


def test_the_methods_of_a_closed_terminal_do_nothing() -> None:
    terminal = open_pty((24, 80))
    assert terminal.is_canonical()
    assert terminal.end_of_input() == b"\x04"
    terminal.close()
    terminal.close()
    terminal.resize((1, 1))
    assert not terminal.is_canonical()
    assert terminal.end_of_input() == b""


def test_a_terminal_that_cannot_be_resized_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PtyUnavailableError):
        open_pty((24, 1 << 20))
    assert len(os.listdir("/proc/self/fd")) == before


def test_both_streams_keep_their_order_on_one_terminal() -> None:
    code = "for i in $(seq 500); do echo $i; echo $i >&2; done"
    assert run_process(code).wait(30).stdout == "".join(f"{i}\n{i}\n" for i in range(1, 501))


def zombies() -> set[str]:
    """Return the pids of this process's children that have ended and are not reaped."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {pid for pid in children if re.search(r"\) Z ", Path(f"/proc/{pid}/stat").read_text())}


@pytest.mark.parametrize(
    "options", [{}, {"pty": False, "stderr": "pipe"}, {"stderr": "pty"}, {"interactive": True}]
)
def test_many_runs_leave_no_descriptor_and_no_zombie(
    options: dict[str, object], rounds: Callable[[int, int], int]
) -> None:
    run_process("true").wait(30)
    before, earlier = len(os.listdir("/proc/self/fd")), zombies()
    for _ in range(rounds(20, 1000)):
        assert run_process("echo x", **options).wait(30).success  # type: ignore[arg-type]
    left = [f"{fd}" for fd in os.listdir("/proc/self/fd")]
    assert len(left) <= before + 6, left  # those of threads that are about to end
    assert zombies() <= earlier


def test_a_huge_line_and_an_unfinished_escape_sequence_pass_as_text(
    rounds: Callable[[int, int], int],
) -> None:
    size = rounds(5, 100) * 1_000_000
    code = f"printf '\\033]0;'; head -c {size} /dev/zero | tr '\\0' x"
    seen = sum(len(m.text) for m in run_process(code, pty=False) if isinstance(m, OutputMessage))
    assert seen == size + 4


def test_messages_have_their_stream_and_source() -> None:
    messages = list(run_process("echo err >&2", stderr="pipe", source="tool"))
    assert [(m.stream, m.source) for m in messages if isinstance(m, OutputMessage)] == [
        (StreamType.STDERR, "tool")
    ]


def test_a_missing_terminal_is_reported_for_each_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> tuple[int, int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "openpty", none_left)
    with pytest.raises(PtyUnavailableError, match="No space left"):
        open_pty((24, 80))
    outcome = run_process("[ -t 1 ] || echo pipe", stderr="pty").wait(30)
    assert outcome.stdout == "pipe\n"
    assert len(outcome.logs) == 2
    monkeypatch.delattr(os, "openpty")
    with pytest.raises(PtyUnavailableError, match="no pseudo-terminal"):
        open_pty((24, 80))


@pytest.mark.parametrize("interactive", [True, False])
def test_a_resize_after_the_terminal_was_closed_is_ignored(interactive: bool) -> None:
    execution = run_process("exec >&- 2>&- <&-; while :; do sleep 0.01; done", interactive=interactive)
    assert execution.pid
    execution.resize(10, 20)
    execution.kill()
    assert execution.wait(30).status == "killed"


def test_a_signal_reaches_the_command() -> None:
    execution = run_process("trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done")
    stream = iter(execution)
    until(stream, "ready")
    execution.send_signal(signal.SIGUSR1)
    assert "got" in until(stream, "got")
    outcome = execution.wait(30)
    assert (outcome.status, outcome.exit_code) == ("error", 3)
