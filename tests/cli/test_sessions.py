"""``exec``, ``ls``, ``attach``, ``wait``, ``logs``, ``interrupt``, ``kill`` and ``close``, as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from support.kernels import ROOT, is_alive
from support.sessions import host_pid, isolated, wait_for_end

from pyrepl_stream.inventory import find_execution
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.wire import Decoder

COMMAND = [sys.executable, "-m", "pyrepl_stream.cli"]
LIMIT = 60  # seconds; only a hang takes that long
SLEEP = "import time\nprint('begun')\ntime.sleep(1000)"


@pytest.fixture(autouse=True)
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def cli(*words: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line; ``code`` is its standard input."""
    stdin: dict = {"stdin": subprocess.DEVNULL} if code is None else {"input": code}
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT,
        check=False,
        **stdin,
    )


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command line on pipes."""
    started: list[subprocess.Popen[str]] = []

    def launch(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def terminal() -> Iterator[Callable[..., pexpect.spawn]]:
    started: list[pexpect.spawn] = []

    def launch(*words: str) -> pexpect.spawn:
        child = pexpect.spawn(
            COMMAND[0], [*COMMAND[1:], *words], env=environment(), encoding="utf-8", timeout=LIMIT
        )  # type: ignore[arg-type]  # a dict of the environment
        started.append(child)
        return child

    yield launch
    for child in started:
        child.close(force=True)


def detached(code: str, job: str, *options: str) -> None:
    assert outcome(cli("exec", "--detach", "--as", job, *options, code=code))[:2] == (0, f"default/{job}\n")


def when_begun(execution_id: str) -> None:
    """Wait until the code of :data:`SLEEP` runs."""
    with subprocess.Popen(
        [*COMMAND, "attach", execution_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.terminate()


# -- exec --------------------------------------------------------------------------------------


def test_code_runs_and_its_output_and_result_are_shown(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7\n")
    assert outcome(cli("exec", str(tmp_path / "code.py"))) == (0, "out\n42\n", "err\n")
    assert outcome(cli("exec", code="kept = 1")) == (0, "", "")
    assert outcome(cli("exec", "-", code="print(kept)")) == (0, "1\n", "")


@pytest.mark.parametrize(
    ("code", "options", "expected", "says"),
    [
        ("1/0", [], 1, "ZeroDivisionError: division by zero\n"),
        ("import time; time.sleep(1000)", ["--timeout", "0.3"], 124, "longer than 0.3 s\n"),
        ("import os; os._exit(3)", [], 3, "the worker exited with code 3"),
        ("import os; os.kill(os.getpid(), 11)", [], 139, "SIGSEGV"),
    ],
)
def test_the_exit_code_shows_how_the_code_ended(
    code: str, options: list[str], expected: int, says: str
) -> None:
    done = cli("exec", *options, code=code)
    assert (done.returncode, says in done.stderr) == (expected, True), done.stderr


def test_the_time_limit_of_a_command_ends_it() -> None:
    done = cli("exec", "--timeout", "0.3", "--", "sleep", "1000")
    assert (done.returncode, "longer than 0.3 s\n" in done.stderr) == (124, True), done.stderr


def test_commands_run_in_the_current_folder_and_pass_on_their_exit_code(tmp_path: Path) -> None:
    line = "[ -t 1 ] && echo terminal; pwd; echo $A; exit 4"
    done = cli("exec", "--cwd", str(tmp_path), "--env", "A=1", "--", "sh", "-c", line)
    assert outcome(done)[:2] == (4, f"terminal\n{tmp_path}\n1\n")
    assert cli("exec", "--", "pwd").stdout == f"{os.getcwd()}\n"
    done = cli("exec", "--no-tty", "--", "sh", "-c", "echo out; echo err >&2")
    assert outcome(done) == (0, "out\n", "err\n")


def test_a_command_that_cannot_be_started_exits_as_in_a_shell(tmp_path: Path) -> None:
    done = cli("exec", "--", "no-such-program")
    says = "pyrepl-stream: the program 'no-such-program' was not found on the PATH\n"
    assert outcome(done) == (127, "", says)
    (tmp_path / "file").touch()
    done = cli("exec", "--", str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (126, "")
    assert "is not executable" in done.stderr


def test_output_options_are_those_of_run() -> None:
    done = cli("exec", "--exclude", "drop", "--prefix", "> ", code="print('keep'); print('drop')")
    assert outcome(done) == (0, "> keep\n", "")
    done = cli("exec", "--json", code="print('x'); 1/0")
    messages = list(Decoder().feed(done.stdout.encode()))
    kinds = [message.type.value for message in messages]  # type: ignore[union-attr]
    assert list(dict.fromkeys(kinds)) == ["output", "error", "complete"]
    assert (done.returncode, done.stderr) == (1, "")


def test_a_recording_plays_what_was_shown(tmp_path: Path) -> None:
    code = "print('begun', end='')\n[1, 2]"
    assert cli("exec", "--record", str(tmp_path / "a.cast"), code=code).stdout == "begun\n[1, 2]\n"
    (tmp_path / "a.json").write_text(cli("exec", "--json", code=code + "\n1 / 0").stdout)
    assert cli("replay", str(tmp_path / "a.cast")).stdout == "begun\n[1, 2]\n"
    played = cli("replay", str(tmp_path / "a.json"))
    assert played.stdout == "begun"
    assert "ZeroDivisionError" in played.stderr


def test_the_same_job_runs_once_and_fresh_runs_it_again(tmp_path: Path) -> None:
    count = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\nprint('done')"
    assert outcome(cli("exec", "--as", "job", code=count)) == (0, "done\n", "")
    done = cli("exec", "--as", "job", code=count)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr == (
        "pyrepl-stream: job 'job' already exists (ok): this is its output; --fresh runs it again\n"
    )
    assert outcome(cli("exec", "--as", "job", "--detach", code=count)) == (0, "default/job\n", done.stderr)
    assert cli("exec", "--as", "job", "--json", code=count).stderr == ""
    assert (tmp_path / "runs").read_text() == "x"
    done = cli("exec", "--as", "job", code="print('other')")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has other code: use another name, or give `--fresh` (fresh=True)" in done.stderr
    assert outcome(cli("exec", "--as", "job", "--fresh", code="print('other')")) == (0, "other\n", "")


def test_fresh_is_refused_while_the_job_runs_and_the_error_says_how_to_stop_it() -> None:
    cli("exec", "--as", "job", "--detach", code=SLEEP)
    when_begun("job")
    done = cli("exec", "--as", "job", "--fresh", code=SLEEP)
    assert (done.returncode, done.stdout) == (2, "")
    assert "`pyrepl-stream interrupt default/job`" in done.stderr
    assert outcome(cli("interrupt", "default/job")) == (0, "", "")
    assert cli("wait", "job").returncode == 130
    assert outcome(cli("exec", "--as", "job", "--fresh", code="print('again')")) == (0, "again\n", "")


def test_a_session_is_started_with_the_options_given(tmp_path: Path) -> None:
    options = ["--target", "local:placed", "--cwd", str(tmp_path), "--env", "A=1", "--python", sys.executable]
    code = "import os, sys; print(os.getcwd(), os.environ['A'], sys.executable)"
    assert outcome(cli("exec", *options, code=code)) == (0, f"{tmp_path} 1 {sys.executable}\n", "")
    done = cli("exec", "--target", "local:placed", "--cwd", "/", code=code)
    assert (done.returncode, "is already running" in done.stderr) == (2, True)


def test_a_session_in_another_folder_is_reported_on_stderr(tmp_path: Path) -> None:
    assert outcome(cli("exec", "--cwd", str(tmp_path), code="pass")) == (0, "", "")
    done = cli("exec", code="import os; print(os.getcwd())")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}\n")
    assert done.stderr.startswith(
        f"pyrepl-stream: session 'default' runs in {str(tmp_path)!r}, not in {os.getcwd()!r}"
    )
    assert done.stderr.count("\n") == 1
    assert cli("exec", "--", "pwd").stderr == ""  # a command runs here


def test_help_imports_no_client() -> None:
    program = (
        "import sys\nfrom pyrepl_stream.cli import main\ntry: main(['exec', '--help'])\nfinally:"
        " print(sorted({'asyncio', 'pyrepl_stream.client', 'pyrepl_stream.execution'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("\n[]\n")


def test_sigint_interrupts_the_execution(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(SLEEP)
    process = start("exec", str(tmp_path / "code.py"))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=LIMIT)
    assert (process.returncode, "KeyboardInterrupt" in error) == (130, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_other_signals_end_the_program_and_not_the_execution(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "code.py").write_text(SLEEP)
    process = start("exec", "--as", "job", str(tmp_path / "code.py"))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=LIMIT)
    if number is not signal.SIGKILL:
        assert (process.returncode, "`pyrepl-stream attach default/job` shows it" in error) == (
            128 + number,
            True,
        )
    assert find_execution("job").status == "running"


def test_a_closed_pipe_does_not_end_the_execution() -> None:
    line = " ".join([*COMMAND, "exec", "--as", "job", "-", "|", "head", "-1", "; echo ${PIPESTATUS[0]}"])
    code = "import time\nfor i in range(100): print(i); time.sleep(0.02)\n"
    done = subprocess.run(
        ["bash", "-c", line],
        input=code,
        text=True,
        capture_output=True,
        env=environment(),
        timeout=LIMIT,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("0\n141\n", "")
    assert cli("wait", "job").stdout.startswith("ok after")


def test_a_queued_execution_names_the_one_before() -> None:
    detached(SLEEP, "first")
    detached("print('second')", "second")
    assert find_execution("second").status == "queued"
    with subprocess.Popen(
        [*COMMAND, "exec", "--", "true"], stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"pyrepl-stream: queued after second\n"
        assert cli("interrupt", "first").returncode == 0
        assert process.wait(LIMIT) == 0


# -- listing and reading -------------------------------------------------------------------------


def test_ls_lists_executions_and_starts_nothing(root: Path) -> None:
    assert outcome(cli("ls")) == (0, "there are no sessions\n", "")
    assert cli("ls", "--json").stdout == ""
    detached("1", "job")
    cli("wait", "job")
    lines = cli("ls").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["EXECUTION", "STATUS"], ["default/job", "ok"]]
    (session,) = map(json.loads, cli("ls", "--json").stdout.splitlines())
    assert session["session"] == "default"
    assert session["pid"] == host_pid(SessionPaths("default").socket)
    assert [(e["id"], e["status"], e["exit_code"]) for e in session["executions"]] == [("job", "ok", None)]


def test_attach_shows_all_output_and_passes_on_the_exit_code() -> None:
    detached("import time\nfor i in range(10): print(i); time.sleep(0.02)\nraise SystemExit(5)", "job")
    shown = "".join(f"{i}\n" for i in range(10))
    for _ in range(2):
        done = cli("attach", "job")
        assert (done.returncode, done.stdout) == (5, shown)
    first, *rest = Decoder().feed(cli("attach", "job", "--json").stdout.encode())
    done = cli("attach", "job", "--json", "--after", str(first.sequence))
    assert list(Decoder().feed(done.stdout.encode())) == rest
    for after, says in {"-1": "must be a sequence number", "99999": "the last message is"}.items():
        done = cli("attach", "job", "--after", after)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_sigint_ends_attach_and_not_the_execution(start: Callable[..., subprocess.Popen[str]]) -> None:
    detached(SLEEP, "job")
    process = start("attach", "job")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=LIMIT)
    assert (process.returncode, error) == (
        130,
        "pyrepl-stream: default/job continues: `pyrepl-stream attach default/job` shows it\n",
    )
    assert find_execution("job").status == "running"


def test_attach_follows_output_after_the_end(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    code = f"""
import os, threading, time
def late():
    while not os.path.exists({str(go)!r}): time.sleep(0.01)
    print('late')
threading.Thread(target=late).start()
print('end')"""
    detached(code, "job")
    assert cli("attach", "job").stdout == "end\n"
    process = start("attach", "job", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline() == "end\n"
    go.touch()
    assert process.stdout.readline() == "late\n"
    assert cli("logs", "job").stdout == "end\nlate\n"
    # It ends when no more can be written: the session keeps the descriptors until its next execution.
    cli("exec", code="1")
    assert process.wait(LIMIT) == 0


def test_wait_prints_how_the_execution_ended() -> None:
    detached("import time; time.sleep(0.3)", "good")
    detached("1/0", "bad")
    done = cli("wait", "good")
    assert (done.returncode, done.stdout.split(" after ")[0]) == (0, "ok")
    done = cli("wait", "bad")
    assert (done.returncode, done.stdout.startswith("error after")) == (1, True)


def test_control_sequences_of_user_code_do_not_reach_the_terminal() -> None:
    detached(
        "class Hostile(Exception): __str__ = lambda self: '\\x1b]0;title\\x07\\x9b2J'\nraise Hostile", "bad"
    )
    done = cli("wait", "bad")
    assert "Hostile: \\x1b]0;title\\x07\\x9b2J\n" in done.stdout
    assert not {"\x1b", "\x07", "\x9b"} & {*done.stdout, *done.stderr}


def test_ids_can_be_shortened_unless_they_are_ambiguous() -> None:
    for job in ("alpha", "alpine"):
        cli("exec", "--as", job, code=f"print({job!r})")
    cli("exec", "--target", "local:two", "--as", "alpha", code="print('of two')")
    assert cli("logs", "alpi").stdout == "alpine\n"
    assert cli("logs", "two/al").stdout == "of two\n"
    assert cli("logs", "local:two/alpha").stdout == "of two\n"
    for word, says in {
        "alp": "is ambiguous: default/alpha, default/alpine, two/alpha; give more of the id, or SESSION/ID",
        "alpha": "is ambiguous: default/alpha, two/alpha",
        "alpne": "there is no execution 'alpne'; did you mean 'alpine'?",
        "two/x": "there is no execution 'two/x'; known: alpha",
        "tow/x": "there is no session 'tow'; did you mean 'two'?",
        "": "there is no execution ''",
    }.items():
        done = cli("logs", word)
        assert (done.returncode, done.stdout, says in done.stderr) == (1, "", True), done.stderr


def test_interrupt_and_kill_end_an_execution() -> None:
    for verb, status in (("interrupt", "interrupted"), ("kill", "killed")):
        detached(SLEEP, verb)
        when_begun(verb)
        assert outcome(cli(verb, verb)) == (0, "", "")
        assert cli("wait", verb).stdout.startswith(status)
        done = cli(verb, verb)
        assert (
            done.returncode,
            f"default/{verb} has ended ({status}): there is nothing to {verb}" in done.stderr,
        ) == (1, True)


# -- questions -----------------------------------------------------------------------------------


def test_a_question_is_asked_on_the_terminal_of_the_client_that_attaches(
    terminal: Callable[..., pexpect.spawn],
) -> None:
    detached("import getpass\nname = input('name? ')\nprint(name, getpass.getpass('secret? '))", "job")
    child = terminal("attach", "job")
    child.expect_exact("name? ")
    child.sendline("bob")
    child.expect_exact("secret? ")
    child.sendline("hidden")
    child.expect_exact("bob hidden\r\n")
    child.expect(pexpect.EOF)
    assert cli("logs", "job").stdout == "name? bob\nsecret? \nbob hidden\n"


def test_a_question_that_another_client_answers_is_withdrawn(terminal: Callable[..., pexpect.spawn]) -> None:
    detached("print('got', input('name? '))", "job")
    late, fast = terminal("attach", "job"), terminal("attach", "job")
    for child in (late, fast):
        child.expect_exact("name? ")
    fast.sendline("fast")
    late.expect_exact("fast\r\ngot fast\r\n")
    late.expect(pexpect.EOF)


def test_without_a_terminal_a_question_stays_open(start: Callable[..., subprocess.Popen[str]]) -> None:
    detached("print('got', input('name? '))", "job")
    process = start("attach", "job")
    assert process.stderr is not None
    assert (
        "default/job waits for input: answer it with `pyrepl-stream attach default/job` in a terminal"
        in process.stderr.readline()
    )
    found = find_execution("job")
    assert (found.status, found.asks) == ("running", True)
    assert "default/job  running, waits for input  " in cli("ls").stdout


def test_the_end_of_input_is_passed_on(terminal: Callable[..., pexpect.spawn]) -> None:
    detached("try:\n    input('name? ')\nexcept EOFError:\n    print('end of input')", "job")
    child = terminal("attach", "job")
    child.expect_exact("name? ")
    child.sendeof()
    child.expect_exact("end of input\r\n")
    child.expect(pexpect.EOF)


# -- the end of sessions -------------------------------------------------------------------------


def test_a_dead_host_leaves_a_readable_record_that_is_not_a_success() -> None:
    detached(SLEEP, "job")
    when_begun("job")
    pid = host_pid(SessionPaths("default").socket)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    assert "default/job  lost" in cli("ls").stdout
    for _ in range(2):
        done = cli("logs", "job")
        assert (done.returncode, done.stdout) == (0, "begun\n")
        assert "the record ends before the execution did" in done.stderr
    assert outcome(cli("attach", "job"))[:2] == (125, "begun\n")
    assert cli("wait", "job").returncode == 125
    assert not Path(SessionPaths("default").host_lock).exists() or cli("ls").returncode == 0
    # A new host reports it too.
    assert cli("exec", code="1").returncode == 0
    done = cli("attach", "job")
    assert (done.returncode, done.stdout) == (125, "begun\n")
    assert "its end was not observed" in done.stderr


UPDATES = """
from IPython.display import display
handle = display("0 of 3", display_id=True)
print("begun")
for number in range(1, 4):
    handle.update(f"{number} of 3")
    print("step", number, flush=True)
"""


@pytest.mark.parametrize("end", ["1", "1 / 0"])
def test_a_display_that_is_updated_is_written_once_as_it_is_at_the_end(root: Path, end: str) -> None:
    done = cli("exec", "--as", "job", code=UPDATES + end)
    expected = ["'0 of 3'", "begun", "step 1", "step 2", "step 3", "'3 of 3'", *(["1"] if end == "1" else [])]
    assert done.stdout.splitlines() == expected
    assert cli("attach", "job").stdout.splitlines() == expected


def test_a_terminal_shows_a_display_that_is_updated_below_the_text(
    terminal: Callable[..., pexpect.spawn], tmp_path: Path
) -> None:
    (tmp_path / "code.py").write_text(UPDATES.replace("    print", "    input(number)\n    print"))
    child = terminal("exec", str(tmp_path / "code.py"))
    for number in (1, 2, 3):
        child.expect(f"'{number} of 3'")
        child.expect(rf"\r\x1b\[J{number}")  # it is erased to make room for the question
        child.sendline()
        child.expect(f"step {number}\r\n")
    child.expect("'3 of 3'\r\n")
    child.expect(pexpect.EOF)


def test_close_ends_the_session_and_deletes_its_records(root: Path) -> None:
    child = "import os, subprocess\nprocess = subprocess.Popen(['sleep', '1000'])\nprint(os.getpid(), process.pid)"
    pids = [int(word) for word in cli("exec", code=child).stdout.split()]
    pids.append(host_pid(SessionPaths("default").socket))
    cli("exec", "--target", "local:other", code="1")
    assert outcome(cli("close", "default")) == (0, "", "")
    assert wait_for_end(pids[-1])
    assert not [pid for pid in pids if is_alive(pid)]
    assert "default/" not in cli("ls").stdout
    assert outcome(cli("close", "--all")) == (0, "", "")
    assert cli("ls").stdout == "there are no sessions\n"


def test_records_can_be_kept_and_deleted_later(root: Path) -> None:
    cli("exec", "--as", "job", code="print('here')")
    assert outcome(cli("close", "default", "--keep-records")) == (0, "", "")
    assert outcome(cli("logs", "job"))[:2] == (0, "here\n")
    assert outcome(cli("attach", "job")) == (0, "here\n", "")
    assert "no host, only records: default" in cli("ls").stdout
    assert outcome(cli("close", "local:")) == (0, "", "")
    assert cli("ls").stdout == "there are no sessions\n"
    left = [path for path in root.rglob("*") if not path.is_dir()]
    assert not left


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["exec"], "", "- is empty: there is nothing to run"),
        (["exec", "/no/such/file"], None, "/no/such/file cannot be read: No such file"),
        (
            ["exec", "local:train"],
            None,
            "No such file or directory; for a session, use --target local:train",
        ),
        (["exec", "a.py", "--", "ls"], None, "a FILE or a command, not both"),
        (["exec", "a.py", "ls"], None, "the command must follow `--`: pyrepl-stream exec [options] -- ls"),
        (["exec", "--detach", "--json"], "1", "--json and --detach exclude each other"),
        (["exec", "--fresh"], "1", "--fresh requires --as JOB"),
        (["exec", "--as", "a/b"], "1", "'a/b' is not a valid execution id"),
        (["exec", "--target", "lcoal:"], "1", "did you mean 'local:'?"),
        (["exec", "--target", "nowhere"], "1", "is not an address"),
        (["exec", "--python", "no-such-environment"], "1", "is not a path"),
        (["exec", "--timeout", "0"], "1", "is not a positive number of seconds"),
        (["exec", "--detatch"], "1", "unknown option --detatch; did you mean '--detach'?"),
        (["attach", "a", "b"], None, "unexpected argument 'b'"),
        (["attach", "a", "--", "b"], None, "this subcommand takes no command"),
        (["close"], None, "give the NAME of a session, or --all"),
        (["close", "--all", "x"], None, "give the NAME of a session, or --all"),
    ],
)
def test_wrong_arguments_exit_with_2_and_one_line(words: list[str], code: str | None, says: str) -> None:
    done = cli(*words, code=code)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_close_of_an_unknown_name_suggests_the_nearest() -> None:
    cli("exec", "--target", "local:training", code="1")
    done = cli("close", "trainig")
    assert outcome(done) == (
        1,
        "",
        "pyrepl-stream: there is no session 'trainig'; did you mean 'training'?\n",
    )


def test_a_traceback_has_no_colours_outside_of_a_terminal() -> None:
    pytest.importorskip("IPython")
    done = cli("exec", "-", code="1 / 0")
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "\x1b" not in done.stderr


def test_an_error_that_is_printed_is_not_reported_again() -> None:
    pytest.importorskip("IPython")
    done = cli("exec", "-", code="%no_such_magic")
    assert done.returncode == 1
    assert done.stderr.count("no_such_magic") == 1
