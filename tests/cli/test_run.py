"""``pyrepl-stream run`` with real processes and terminals."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from support.kernels import ROOT, is_alive

from pyrepl_stream import CompleteMessage, ErrorMessage, LogMessage, Message, OutputMessage, StreamType
from pyrepl_stream.runtime.version import __version__
from pyrepl_stream.runtime.wire import Decoder

RUN = [sys.executable, "-m", "pyrepl_stream.cli", "run"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LIMIT = 60  # seconds; only a hang takes that long
FOREVER = "while :; do sleep 0.02; done"  # short sleeps, as bash runs a trap when its child has ended

Start = Callable[..., "subprocess.Popen[bytes]"]


def _run(*words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    options = {"stdin": subprocess.DEVNULL, **options} if "input" not in options else options
    return subprocess.run(
        [*RUN, *words], capture_output=True, env=ENVIRONMENT, timeout=LIMIT, check=False, **options
    )  # type: ignore[call-overload,no-any-return]  # options of a test


def _shell(line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which ``RUN`` stands for ``pyrepl-stream run``."""
    line = line.replace("RUN", " ".join(RUN))
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, env=ENVIRONMENT, timeout=LIMIT, check=False
    )


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a run on pipes, and end it with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def launch(*words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*before, *RUN, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def terminal() -> Iterator[Callable[..., pexpect.spawn]]:
    """Start programs on a terminal of 24 rows and 80 columns."""
    started: list[pexpect.spawn] = []

    def launch(words: list[str]) -> pexpect.spawn:
        environment = {**ENVIRONMENT, "TERM": "xterm"}
        child = pexpect.spawn(
            words[0], words[1:], env=environment, encoding="utf-8", timeout=LIMIT, dimensions=(24, 80)
        )
        started.append(child)
        return child

    yield launch
    for child in started:
        child.close(force=True)


class Marked:
    """Processes found by a number in their command line, in any session or group."""

    def __init__(self) -> None:
        self.sleep = f"sleep 1000.{random.randrange(10**12):012}"

    def living(self) -> list[int]:
        """Return the ids of the ``sleep`` processes, without shells whose text contains the command."""
        found = []
        for name in os.listdir("/proc"):
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            if b" ".join(words).decode(errors="replace") == self.sleep and is_alive(int(name)):
                found.append(int(name))
        return found


@pytest.fixture
def marked() -> Iterator[Marked]:
    marked = Marked()
    yield marked
    for pid in marked.living():
        os.kill(pid, signal.SIGKILL)


def _read_until(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdout is not None
    for got in process.stdout:
        if got.strip() == line:
            return
    assert process.stderr is not None
    raise AssertionError(f"{line!r} did not come; {process.stderr.read()!r}")


def _messages(data: bytes) -> list[Message]:
    decoder = Decoder()
    messages = list(decoder.feed(data))
    decoder.close()
    return messages


# -- exit codes ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_that_of_the_command(code: int) -> None:
    outcome = _run("--", "sh", "-c", f"exit {code}")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (code, b"", b"")


def test_the_exit_code_after_a_signal_is_128_and_its_number() -> None:
    assert _run("--", "sh", "-c", "kill -TERM $$").returncode == 128 + 15


def test_a_timeout_exits_with_124_and_is_reported() -> None:
    outcome = _run("--timeout", "0.3", "--", "sleep", "1000")
    assert (outcome.returncode, outcome.stdout) == (124, b"")
    assert outcome.stderr == b"pyrepl-stream: timeout: the run took longer than 0.3 s\n"


def test_an_idle_timeout_exits_with_124_and_names_the_missing_activity() -> None:
    outcome = _run("--idle-timeout", "0.3", "--", "sleep", "1000")
    assert outcome.returncode == 124
    assert outcome.stderr == b"pyrepl-stream: idle_timeout: no output for 0.3 s\n"


def test_a_file_that_grows_keeps_a_quiet_command_alive(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    line = f"for i in $(seq 15); do echo x >> {log}; sleep 0.1; done; echo whole"
    options = ["--idle-timeout", "0.8", "--watch", str(log), "--watch-interval", "0.1"]
    outcome = _run(*options, "--shell", "--", line)
    assert (outcome.returncode, outcome.stdout) == (0, b"whole\n")


def test_a_file_that_is_not_executable_exits_with_126(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    outcome = _run("--", str(script))
    assert outcome.returncode == 126
    assert outcome.stderr == f"pyrepl-stream: '{script}' is not executable; run chmod +x on it\n".encode()


def test_a_missing_program_exits_with_127() -> None:
    outcome = _run("--", "no-such-program")
    assert outcome.returncode == 127
    assert outcome.stderr == b"pyrepl-stream: the program 'no-such-program' was not found on the PATH\n"


def test_a_write_error_exits_with_125_and_ends_the_command(marked: Marked) -> None:
    outcome = _shell(f"RUN --shell -- 'echo x; {marked.sleep}' > /dev/full")
    assert outcome.returncode == 125
    assert outcome.stderr == b"pyrepl-stream: OSError: [Errno 28] No space left on device\n"
    assert not marked.living()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--"], "give a command after `--`"),
        (["--timeout", "1"], "give a command after `--`"),
        (["ls", "-l"], "must follow `--`: pyrepl-stream run [options] -- ls ..."),
        (["--timout", "1", "--", "ls"], "unknown option --timout; did you mean '--timeout'?"),
        (["--time", "1", "--", "ls"], "unknown option --time"),
        (["--env", "K", "--", "ls"], "argument --env: 'K' is not NAME=VALUE"),
        (["--env", "=v", "--", "ls"], "'=v' is not NAME=VALUE"),
        (["--size", "40", "--", "ls"], "argument --size: '40' is not ROWSxCOLUMNS"),
        (["--size", "0x9", "--", "ls"], "'0x9' is not ROWSxCOLUMNS"),
        (["--size", "1x70000", "--", "ls"], "'1x70000' is not ROWSxCOLUMNS"),
        (["--timeout", "-1", "--", "ls"], "argument --timeout: '-1' is not a positive number of seconds"),
        (["--timeout", "nan", "--", "ls"], "'nan' is not a positive number of seconds"),
        (["--idle-timeout", "x", "--", "ls"], "argument --idle-timeout: 'x' is not a positive number"),
        (["--grace", "1,2", "--", "ls"], "argument --grace: '1,2' is not three times"),
        (["--activity", "fils", "--", "ls"], "unknown kind of activity 'fils'; did you mean 'files'?"),
        (
            ["--idle-timeout", "1", "--activity", "files", "--", "ls"],
            "--activity files requires --watch PATH",
        ),
        (["--stderr", "both", "--", "ls"], "argument --stderr: invalid choice: 'both'"),
        (["--no-tty", "--interactive", "--", "ls"], "--interactive requires a terminal: leave out --no-tty"),
        (["--no-tty", "--stderr", "pty", "--", "ls"], "--stderr pty requires a terminal"),
        (["--shell", "--", "echo", "x"], "--shell takes one text"),
        (["--cwd", "/no-such-folder", "--", "ls"], "cwd '/no-such-folder' does not exist"),
    ],
)
def test_wrong_options_exit_with_2_and_one_line(words: list[str], expected: str) -> None:
    outcome = _run(*words)
    error = outcome.stderr.decode()
    assert (outcome.returncode, outcome.stdout) == (2, b"")
    assert expected in error
    assert error.startswith("pyrepl-stream run: ")
    assert error.count("\n") == 1


def test_the_version_can_be_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyrepl_stream.cli", "--version"], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"pyrepl-stream {__version__}\n".encode())


# -- output ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["--no-tty"], []], ids=["pipe", "terminal"])
def test_every_byte_passes_unchanged(options: list[str]) -> None:
    program = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)"
    outcome = _run(*options, "--", sys.executable, "-c", program)
    assert outcome.stdout == bytes(range(256)) * 4096


def test_output_comes_while_the_command_runs(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    process = start("--shell", "--", f"echo first; until [ -e {go} ]; do sleep 0.01; done; echo second")
    _read_until(process, b"first")
    assert process.poll() is None
    go.touch()
    _read_until(process, b"second")
    assert process.wait(LIMIT) == 0


def test_the_command_has_a_terminal_even_when_we_have_none() -> None:
    line = "test -t 1 && stty size <&1; test -t 0 || echo no terminal for input"
    assert _run("--shell", "--", line).stdout == b"40 120\nno terminal for input\n"
    assert _run("--size", "7x33", "--shell", "--", line).stdout.startswith(b"7 33\n")
    assert _run("--no-tty", "--shell", "--", "test -t 1 || echo none").stdout == b"none\n"


def test_stderr_is_merged_on_a_terminal_and_apart_on_pipes() -> None:
    line = "echo out; echo err >&2"
    outcome = _run("--shell", "--", line)
    assert (outcome.stdout, outcome.stderr) == (b"out\nerr\n", b"")
    for options in (["--no-tty"], ["--stderr", "pipe"], ["--stderr", "pty"]):
        outcome = _run(*options, "--shell", "--", line)
        assert (outcome.stdout, outcome.stderr) == (b"out\n", b"err\n")


def test_words_after_the_dashes_belong_to_the_command() -> None:
    words = ["--timeout", "--", "a b", "$HOME", "*"]
    assert _run("--", "printf", "<%s>", *words).stdout == "".join(f"<{word}>" for word in words).encode()


def test_cwd_and_env_apply_to_the_command(tmp_path: Path) -> None:
    options = ["--cwd", str(tmp_path), "--env", "A=1", "--env", "B=x=y", "--shell"]
    assert _run(*options, "--", "pwd; echo $A $B").stdout == f"{tmp_path}\n1 x=y\n".encode()


def test_without_streaming_the_output_is_the_same() -> None:
    outcome = _run("--no-streaming", "--no-tty", "--shell", "--", "echo out; echo err >&2; exit 4")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (4, b"out\n", b"err\n")


def test_json_is_one_line_for_each_message_and_ends_with_complete() -> None:
    line = r"printf 'a\377b\n'; echo err >&2; exit 3"
    outcome = _run("--json", "--source", "job", "--no-tty", "--shell", "--", line)
    messages = _messages(outcome.stdout)
    complete = messages[-1]
    assert isinstance(complete, CompleteMessage)
    assert (outcome.returncode, complete.exit_code, complete.status) == (3, 3, "error")
    assert outcome.stderr == b""
    outputs = [message for message in messages if isinstance(message, OutputMessage)]
    assert {message.source for message in outputs} == {"job"}
    texts = {
        stream: b"".join(
            message.data if isinstance(message.data, bytes) else message.data.encode()
            for message in outputs
            if message.stream is stream
        )
        for stream in StreamType
    }
    assert texts == {StreamType.STDOUT: b"a\xffb\n", StreamType.STDERR: b"err\n"}


def test_json_includes_log_messages(tmp_path: Path) -> None:
    options = ["--json", "--idle-timeout", "60", "--watch", str(tmp_path / "missing")]
    outcome = _run(*options, "--", "true")
    logs = [message for message in _messages(outcome.stdout) if isinstance(message, LogMessage)]
    assert "cannot watch" in logs[0].text
    assert outcome.stderr == b""


def test_a_report_goes_to_stderr_with_the_name_of_the_program(tmp_path: Path) -> None:
    outcome = _run("--idle-timeout", "60", "--watch", str(tmp_path / "missing"), "--", "echo", "x")
    assert outcome.stdout == b"x\n"
    assert outcome.stderr.startswith(b"pyrepl-stream: warning: cannot watch ")


def test_json_has_a_timeout_in_complete() -> None:
    outcome = _run("--json", "--timeout", "0.3", "--", "sleep", "1000")
    complete = _messages(outcome.stdout)[-1]
    assert isinstance(complete, CompleteMessage)
    assert (outcome.returncode, complete.status, outcome.stderr) == (124, "timeout", b"")


def test_a_command_that_the_system_cannot_start_is_reported(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    outcome = _run("--json", "--", str(script))
    assert any(isinstance(message, ErrorMessage) for message in _messages(outcome.stdout))
    assert outcome.returncode == 127
    assert outcome.stderr == f"pyrepl-stream: [Errno 2] No such file or directory: '{script}'\n".encode()


def test_verbose_reports_what_runs_and_how_it_ended() -> None:
    outcome = _run("--verbose", "--", "sh", "-c", "echo $$; exit 3")
    pid = int(outcome.stdout)
    first, last = outcome.stderr.decode().splitlines()
    assert first.startswith(f"pyrepl-stream: pid {pid}: sh -c ")
    assert re.fullmatch(r"pyrepl-stream: the command exited with 3, after \d+\.\d\d s", last)
    outcome = _run("--verbose", "--", "sh", "-c", "kill -HUP $$")
    assert b"the command was ended by SIGHUP, after" in outcome.stderr


# -- input -----------------------------------------------------------------------------------


def test_a_pipe_is_the_input_of_the_command() -> None:
    data = bytes(range(256)) * 1000
    assert _run("--no-tty", "--", "cat", input=data).stdout == data


def test_a_file_is_the_input_and_the_unread_rest_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    line = f"{{ RUN -- dd bs=1 count=3 status=none; echo; cat; }} < {tmp_path}/file"
    assert _shell(line).stdout == b"abc\ndef"


def test_closed_standard_streams_are_replaced_by_the_null_device(tmp_path: Path) -> None:
    outcome = _shell(f"RUN -- cat <&-; echo $?; RUN --shell -- 'echo x; touch {tmp_path}/ran' >&- ; echo $?")
    assert (outcome.stdout, outcome.stderr) == (b"0\n0\n", b"")
    assert (tmp_path / "ran").exists()


def test_interactive_passes_on_a_pipe_and_its_end() -> None:
    outcome = _run("--interactive", "--shell", "--", "test -t 0 && cat && echo end", input=b"a\nb\n")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b"a\nb\nend\n", b"")


def test_a_line_that_a_terminal_would_cut_is_refused(marked: Marked) -> None:
    outcome = _run("--interactive", "--shell", "--", f"echo ready; {marked.sleep}", input=b"x" * 5000 + b"\n")
    assert outcome.returncode == 125
    assert (
        b"pyrepl-stream: the input was not delivered: a terminal accepts at most 4,095 bytes in a line"
        in outcome.stderr
    )
    assert not marked.living()


def test_an_interactive_question_is_answered_with_echo(terminal: Callable[..., pexpect.spawn]) -> None:
    child = terminal([*RUN, "--interactive", "--shell", "--", "read -p 'name? ' n; echo \"hi $n\"; exit 6"])
    child.expect_exact("name? ")
    child.send("bob\r")
    child.expect_exact("bob\r\nhi bob\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 6


def test_interactive_control_c_goes_to_the_terminal_of_the_command(
    terminal: Callable[..., pexpect.spawn],
) -> None:
    line = f"trap 'echo got INT; exit 9' INT; : < /dev/tty && echo ready; {FOREVER}"
    child = terminal([*RUN, "--interactive", "--shell", "--", line])
    child.expect_exact("ready\r\n")
    child.send("\x03")
    child.expect_exact("got INT\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 9


def test_interactive_control_d_is_the_end_of_input(terminal: Callable[..., pexpect.spawn]) -> None:
    child = terminal([*RUN, "--interactive", "--shell", "--", "echo ready; cat; echo end"])
    child.expect_exact("ready\r\n")
    child.send("line\r\x04")
    child.expect_exact("line\r\nline\r\nend\r\n")
    child.expect(pexpect.EOF)


@pytest.mark.parametrize("end", ["key", "SIGTERM", "timeout"])
def test_the_modes_of_our_terminal_are_restored_after_each_kind_of_end(
    terminal: Callable[..., pexpect.spawn], tmp_path: Path, end: str
) -> None:
    options = "--timeout 1" if end == "timeout" else ""
    inner = f"--interactive {options} --shell -- 'echo ready $PPID; read -n 1 key; echo $key'"
    script = tmp_path / "script"
    script.write_text(f"stty -g; {' '.join(RUN)} {inner}; echo code $?; stty -g\n")
    child = terminal(["bash", str(script)])
    child.expect(r"([0-9a-f:]{20,})\r\n")
    before = child.match.group(1)
    child.expect(r"ready (\d+)\r\n")
    assert not termios.tcgetattr(child.child_fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    if end == "key":
        child.send("k")
    elif end == "SIGTERM":
        os.kill(int(child.match.group(1)), signal.SIGTERM)
    child.expect(r"code (\d+)\r\n")
    assert child.match.group(1) == {"key": "0", "SIGTERM": "143", "timeout": "124"}[end]
    child.expect(r"([0-9a-f:]{20,})\r\n")
    assert child.match.group(1) == before


# -- signals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT"])
def test_a_signal_is_forwarded_and_the_end_is_awaited(start: Start, name: str) -> None:
    process = start("--shell", "--", f"trap 'echo got {name}; exit 7' {name}; echo ready; {FOREVER}")
    _read_until(process, b"ready")
    process.send_signal(signal.Signals[f"SIG{name}"])
    _read_until(process, f"got {name}".encode())
    assert process.wait(LIMIT) == 7


def test_a_signal_goes_to_everything_that_the_command_started(start: Start, marked: Marked) -> None:
    process = start("--shell", "--", f"setsid {marked.sleep} & echo ready; {FOREVER}")
    _read_until(process, b"ready")
    while not marked.living():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 128 + 15
    while marked.living():  # the run does not wait for it
        time.sleep(0.01)


def test_a_second_interrupt_is_forwarded_like_the_first(start: Start) -> None:
    line = f"trap 'n=$((n+1)); echo got $n; [ $n = 2 ] && exit 5' INT; echo ready; {FOREVER}"
    process = start("--shell", "--", line)
    _read_until(process, b"ready")
    process.send_signal(signal.SIGINT)
    _read_until(process, b"got 1")
    process.send_signal(signal.SIGINT)
    _read_until(process, b"got 2")
    assert process.wait(LIMIT) == 5
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_under_nohup_a_hangup_stays_ignored(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    line = f"echo ready; until [ -e {go} ]; do sleep 0.01; done; echo end"
    process = start("--shell", "--", line, before=("nohup",))
    _read_until(process, b"ready")
    process.send_signal(signal.SIGHUP)
    go.touch()
    _read_until(process, b"end")
    assert process.wait(LIMIT) == 0


def test_a_signal_after_the_end_of_the_command_ends_us_although_the_pipe_is_full(start: Start) -> None:
    process = start("--verbose", "--shell", "--", "head -c 1000000 /dev/zero")
    assert process.stderr is not None
    pid = int(re.findall(rb"pid (\d+)", process.stderr.readline())[0])
    while is_alive(pid):  # our buffer has all of the output, the pipe to this test has not
        time.sleep(0.01)
    while process.poll() is None:  # a signal at the very end may have no receiver
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    assert process.returncode == 128 + 15


def test_the_terminal_of_the_command_follows_the_size_of_ours(terminal: Callable[..., pexpect.spawn]) -> None:
    line = f"trap 'stty size <&1' WINCH; stty size <&1; env | grep -c ^COLUMNS=; {FOREVER}"
    child = terminal([*RUN, "--shell", "--", line])
    child.expect_exact("24 80\r\n0\r\n")
    child.setwinsize(33, 101)
    child.expect_exact("33 101\r\n")


def test_the_terminal_of_an_interactive_command_follows_the_size_of_ours(
    terminal: Callable[..., pexpect.spawn],
) -> None:
    line = f"trap 'stty size' WINCH; stty size; {FOREVER}"
    child = terminal([*RUN, "--interactive", "--shell", "--", line])
    child.expect_exact("24 80\r\n")
    child.setwinsize(33, 101)
    child.expect_exact("33 101\r\n")


def test_a_given_size_does_not_change(terminal: Callable[..., pexpect.spawn], tmp_path: Path) -> None:
    go = tmp_path / "go"
    line = f"echo ready; until [ -e {go} ]; do sleep 0.01; done; stty size <&1; echo $COLUMNS"
    child = terminal([*RUN, "--size", "10x20", "--shell", "--", line])
    child.expect_exact("ready\r\n")
    child.setwinsize(33, 101)
    go.touch()
    child.expect_exact("10 20\r\n20\r\n")


# -- the end of the whole tree ---------------------------------------------------------------


def test_a_closed_pipe_ends_the_command_silently(marked: Marked) -> None:
    command = f"{marked.sleep} & while :; do echo y; done"
    outcome = _shell(f"RUN --shell -- '{command}' | head -1; echo ${{PIPESTATUS[0]}}")
    assert (outcome.stdout, outcome.stderr) == (b"y\n141\n", b"")
    assert not marked.living()


def test_a_closed_pipe_of_json_is_silent_too() -> None:
    outcome = _shell("RUN --json -- yes | head -c 1; echo ${PIPESTATUS[0]}")
    assert (outcome.stdout, outcome.stderr) == (b"{141\n", b"")


_ESCAPES = {
    "a child that ignores INT and TERM": "bash -c 'trap \"\" INT TERM; touch UP; exec SLEEP' &",
    "a session of its own": "setsid bash -c 'touch UP; exec SLEEP' &",
    "a daemon": "(setsid bash -c 'touch UP; exec SLEEP' < /dev/null > /dev/null 2>&1 &);",
    "a daemon without environment": "(env -i setsid bash -c '/usr/bin/touch UP; exec /usr/bin/env SLEEP' < /dev/null > /dev/null 2>&1 &);",
}


@pytest.mark.parametrize("escape", _ESCAPES.values(), ids=_ESCAPES)
@pytest.mark.parametrize("end", ["idle timeout", "no reader"])
def test_an_ended_run_leaves_no_process(
    start: Start, marked: Marked, tmp_path: Path, escape: str, end: str
) -> None:
    up = tmp_path / "up"
    line = escape.replace("UP", str(up)).replace("SLEEP", marked.sleep)
    # The run is not idle before the other process is there.
    line += f" until [ -e {up} ]; do echo waiting; sleep 0.02; done; echo ready"
    if end == "idle timeout":
        process = start(
            "--idle-timeout", "0.5", "--grace", "0.1,0.1,2", "--shell", "--", f"{line}; {marked.sleep}"
        )
        _read_until(process, b"ready")
        assert process.wait(LIMIT) == 124
    else:
        process = start("--shell", "--", f"{line}; while :; do echo more; sleep 0.02; done")
        _read_until(process, b"ready")
        while not marked.living():
            time.sleep(0.01)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(LIMIT) == 141
        process.stdout = None
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    assert not marked.living()


@pytest.mark.parametrize("options", [["--no-tty"], []], ids=["pipe", "terminal"])
def test_a_background_process_survives_a_normal_end_and_is_not_awaited(
    marked: Marked, options: list[str]
) -> None:
    outcome = _run(*options, "--shell", "--", f"{marked.sleep} & echo left")
    assert (outcome.returncode, outcome.stdout) == (0, b"left\n")
    assert len(marked.living()) == 1


@pytest.mark.parametrize("module", ["pyrepl_stream.runtime.version", "argparse", "pyrepl_stream.cli.run"])
def test_an_interrupt_while_modules_are_imported_ends_quietly(module: str) -> None:
    program = f"""if True:
        import os, signal, sys
        from pyrepl_stream.cli import main
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == {module!r}:
                    os.kill(os.getpid(), signal.SIGINT)
        sys.modules.pop({module!r}, None)
        sys.meta_path.insert(0, Finder())
        sys.exit(main(["run", "--", "true"]))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_little_is_imported_before_an_interrupt_ends_quietly() -> None:
    program = "import sys, pyrepl_stream.cli; print('typing' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, env=ENVIRONMENT, check=True
    )
    assert done.stdout == b"False\n"
