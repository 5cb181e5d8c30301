"""``exec``, ``ls``, ``attach``, ``wait``, ``logs``, ``interrupt``, ``kill`` and ``close`` as they are typed."""

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

from pyrepl_stream import find_execution
from pyrepl_stream.host.places import SessionPlace
from pyrepl_stream.wire import Decoder

COMMAND = [sys.executable, "-m", "pyrepl_stream.cli"]
LIMIT = 60  # seconds; only a hang takes that long
SLEEP = "import time\nprint('begun')\ntime.sleep(1000)"


@pytest.fixture(autouse=True)
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def type_(*words: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """Type a command; ``code`` is its input."""
    how: dict = {"stdin": subprocess.DEVNULL} if code is None else {"input": code}
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, env=environment(), timeout=LIMIT, check=False, **how
    )


def told(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command on pipes."""
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
        child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], env=environment(), encoding="utf-8", timeout=LIMIT)  # type: ignore[arg-type]  # a dict of the environment
        started.append(child)
        return child

    yield launch
    for child in started:
        child.close(force=True)


def detached(code: str, job: str, *options: str) -> None:
    assert told(type_("exec", "--detach", "--as", job, *options, code=code))[:2] == (0, f"default/{job}\n")


def when_begun(execution_id: str) -> None:
    """Wait until the code of :data:`SLEEP` runs."""
    with subprocess.Popen(
        [*COMMAND, "attach", execution_id], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.terminate()


# -- exec --------------------------------------------------------------------------------------


def test_code_runs_and_its_output_and_result_are_shown(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7\n")
    assert told(type_("exec", str(tmp_path / "code.py"))) == (0, "out\n42\n", "err\n")
    assert told(type_("exec", code="kept = 1")) == (0, "", "")
    assert told(type_("exec", "-", code="print(kept)")) == (0, "1\n", "")


@pytest.mark.parametrize(
    ("code", "options", "expected", "says"),
    [
        ("1/0", [], 1, "ZeroDivisionError: division by zero\n"),
        ("import time; time.sleep(1000)", ["--timeout", "0.3"], 124, "longer than 0.3 s\n"),
        ("import os; os._exit(3)", [], 3, "the worker exited with code 3"),
        ("import os; os.kill(os.getpid(), 11)", [], 139, "SIGSEGV"),
    ],
)
def test_exit_codes_say_how_it_ended(code: str, options: list[str], expected: int, says: str) -> None:
    done = type_("exec", *options, code=code)
    assert (done.returncode, says in done.stderr) == (expected, True), done.stderr


def test_commands_run_where_they_are_typed_with_their_exit_code(tmp_path: Path) -> None:
    line = "[ -t 1 ] && echo terminal; pwd; echo $A; exit 4"
    done = type_("exec", "--cwd", str(tmp_path), "--env", "A=1", "--", "sh", "-c", line)
    assert told(done)[:2] == (4, f"terminal\n{tmp_path}\n1\n")
    assert type_("exec", "--", "pwd").stdout == f"{os.getcwd()}\n"
    done = type_("exec", "--no-tty", "--", "sh", "-c", "echo out; echo err >&2")
    assert told(done) == (0, "out\n", "err\n")


def test_the_options_of_output_are_those_of_run() -> None:
    done = type_("exec", "--exclude", "drop", "--prefix", "> ", code="print('keep'); print('drop')")
    assert told(done) == (0, "> keep\n", "")
    done = type_("exec", "--json", code="print('x'); 1/0")
    messages = list(Decoder().feed(done.stdout.encode()))
    kinds = [message.type.value for message in messages]  # type: ignore[union-attr]
    assert list(dict.fromkeys(kinds)) == ["output", "error", "complete"]
    assert (done.returncode, done.stderr) == (1, "")


def test_the_same_job_runs_once_and_fresh_runs_it_anew(tmp_path: Path) -> None:
    count = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\nprint('done')"
    for _ in range(2):
        assert told(type_("exec", "--as", "job", code=count)) == (0, "done\n", "")
    assert (tmp_path / "runs").read_text() == "x"
    done = type_("exec", "--as", "job", code="print('other')")
    assert (done.returncode, done.stdout) == (2, "")
    assert "already, of other code; `--fresh` (fresh=True) ends it" in done.stderr
    assert told(type_("exec", "--as", "job", "--fresh", code="print('other')")) == (0, "other\n", "")


def test_a_session_is_started_as_it_is_told(tmp_path: Path) -> None:
    options = ["--target", "local:placed", "--cwd", str(tmp_path), "--env", "A=1", "--python", sys.executable]
    code = "import os, sys; print(os.getcwd(), os.environ['A'], sys.executable)"
    assert told(type_("exec", *options, code=code)) == (0, f"{tmp_path} 1 {sys.executable}\n", "")
    done = type_("exec", "--target", "local:placed", "--cwd", "/", code=code)
    assert (done.returncode, "runs already" in done.stderr) == (2, True)


def test_an_interrupt_is_the_executions(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(SLEEP)
    process = start("exec", str(tmp_path / "code.py"))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=LIMIT)
    assert (process.returncode, "KeyboardInterrupt" in error) == (130, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_what_ends_the_program_leaves_the_execution(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "code.py").write_text(SLEEP)
    process = start("exec", "--as", "job", str(tmp_path / "code.py"))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=LIMIT)
    if number is not signal.SIGKILL:
        assert (process.returncode, "`pyrepl-stream attach default/job` shows it" in error) == (128 + number, True)
    assert find_execution("job").status == "running"


def test_a_reader_that_has_gone_leaves_the_execution() -> None:
    line = " ".join([*COMMAND, "exec", "--as", "job", "-", "|", "head", "-1", "; echo ${PIPESTATUS[0]}"])
    code = "import time\nfor i in range(100): print(i); time.sleep(0.02)\n"
    done = subprocess.run(
        ["bash", "-c", line], input=code, text=True, capture_output=True, env=environment(), timeout=LIMIT, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n141\n", "")
    assert type_("wait", "job").stdout.startswith("ok after")


def test_what_waits_says_for_what() -> None:
    detached(SLEEP, "first")
    detached("print('second')", "second")
    assert find_execution("second").status == "queued"
    with subprocess.Popen(
        [*COMMAND, "exec", "--", "true"], stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"pyrepl-stream: queued behind second\n"
        assert type_("interrupt", "first").returncode == 0
        assert process.wait(LIMIT) == 0


# -- looking at what runs, and ran ---------------------------------------------------------------


def test_ls_lists_what_there_is_and_starts_nothing(root: Path) -> None:
    assert told(type_("ls")) == (0, "there are no sessions\n", "")
    assert type_("ls", "--json").stdout == ""
    detached("1", "job")
    type_("wait", "job")
    lines = type_("ls").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["EXECUTION", "STATUS"], ["default/job", "ok"]]
    (session,) = map(json.loads, type_("ls", "--json").stdout.splitlines())
    assert session["session"] == "default"
    assert session["pid"] == host_pid(SessionPlace("default").socket)
    assert [(e["id"], e["status"], e["exit_code"]) for e in session["executions"]] == [("job", "ok", None)]


def test_attach_shows_all_of_it_and_comes_with_its_exit_code() -> None:
    detached("import time\nfor i in range(10): print(i); time.sleep(0.02)\nraise SystemExit(5)", "job")
    shown = "".join(f"{i}\n" for i in range(10))
    for _ in range(2):
        done = type_("attach", "job")
        assert (done.returncode, done.stdout) == (5, shown)
    first, *rest = Decoder().feed(type_("attach", "job", "--json").stdout.encode())
    done = type_("attach", "job", "--json", "--after", str(first.sequence))
    assert list(Decoder().feed(done.stdout.encode())) == rest
    for after, says in {"-1": "must be a sequence number", "99999": "beyond the end"}.items():
        done = type_("attach", "job", "--after", after)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_an_interrupt_of_attach_leaves_the_execution(start: Callable[..., subprocess.Popen[str]]) -> None:
    detached(SLEEP, "job")
    process = start("attach", "job")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=LIMIT)
    assert (process.returncode, error) == (130, "pyrepl-stream: default/job goes on without us: `pyrepl-stream attach default/job` shows it\n")
    assert find_execution("job").status == "running"


def test_attach_follows_what_comes_behind_the_end(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"""
import os, threading, time
def late():
    while not os.path.exists({str(go)!r}): time.sleep(0.01)
    print('late')
threading.Thread(target=late).start()
print('end')"""
    detached(code, "job")
    assert type_("attach", "job").stdout == "end\n"
    process = start("attach", "job", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline() == "end\n"
    go.touch()
    assert process.stdout.readline() == "late\n"
    assert type_("logs", "job").stdout == "end\nlate\n"
    # It ends with what could still be written: the descriptors are the session's until its next execution.
    type_("exec", code="1")
    assert process.wait(LIMIT) == 0


def test_wait_says_how_it_ended() -> None:
    detached("import time; time.sleep(0.3)", "good")
    detached("1/0", "bad")
    done = type_("wait", "good")
    assert (done.returncode, done.stdout.split(" after ")[0]) == (0, "ok")
    done = type_("wait", "bad")
    assert (done.returncode, done.stdout.startswith("error after")) == (1, True)


def test_ids_can_be_shortened_and_have_to_mean_one() -> None:
    for job in ("alpha", "alpine"):
        type_("exec", "--as", job, code=f"print({job!r})")
    type_("exec", "--target", "local:two", "--as", "alpha", code="print('of two')")
    assert type_("logs", "alpi").stdout == "alpine\n"
    assert type_("logs", "two/al").stdout == "of two\n"
    assert type_("logs", "local:two/alpha").stdout == "of two\n"
    for word, says in {
        "alp": "could be default/alpha, default/alpine, two/alpha: write more of it, or SESSION/ID",
        "alpha": "could be default/alpha, two/alpha",
        "alpne": "there is no execution 'alpne'; did you mean alpine?",
        "two/x": "there is no execution 'two/x'; there are alpha",
        "tow/x": "there is no session 'tow'; did you mean two?",
        "": "there is no execution ''",
    }.items():
        done = type_("logs", word)
        assert (done.returncode, done.stdout, says in done.stderr) == (1, "", True), done.stderr


def test_interrupt_and_kill_end_it() -> None:
    for verb, status in (("interrupt", "interrupted"), ("kill", "killed")):
        detached(SLEEP, verb)
        when_begun(verb)
        assert told(type_(verb, verb)) == (0, "", "")
        assert type_("wait", verb).stdout.startswith(status)
        done = type_(verb, verb)
        assert (done.returncode, f"default/{verb} has ended ({status}): there is nothing to {verb}" in done.stderr) == (1, True)


# -- questions -----------------------------------------------------------------------------------


def test_a_question_is_asked_on_the_terminal_of_whoever_attaches(terminal: Callable[..., pexpect.spawn]) -> None:
    detached("import getpass\nname = input('name? ')\nprint(name, getpass.getpass('secret? '))", "job")
    child = terminal("attach", "job")
    child.expect_exact("name? ")
    child.sendline("bob")
    child.expect_exact("secret? ")
    child.sendline("hidden")
    child.expect_exact("bob hidden\r\n")
    child.expect(pexpect.EOF)
    assert type_("logs", "job").stdout == "name? bob\nsecret? \nbob hidden\n"


def test_what_others_answer_is_asked_no_more(terminal: Callable[..., pexpect.spawn]) -> None:
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
    assert "`pyrepl-stream attach default/job` in a terminal gives it some" in process.stderr.readline()
    found = find_execution("job")
    assert (found.status, found.asks) == ("running", True)
    assert "default/job  running, asks  " in type_("ls").stdout


def test_the_end_of_input_is_one(terminal: Callable[..., pexpect.spawn]) -> None:
    detached("try:\n    input('name? ')\nexcept EOFError:\n    print('end of input')", "job")
    child = terminal("attach", "job")
    child.expect_exact("name? ")
    child.sendeof()
    child.expect_exact("end of input\r\n")
    child.expect(pexpect.EOF)


# -- the end of sessions -------------------------------------------------------------------------


def test_a_dead_host_leaves_a_record_that_can_be_read_and_is_no_success() -> None:
    detached(SLEEP, "job")
    when_begun("job")
    pid = host_pid(SessionPlace("default").socket)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    assert "default/job  lost" in type_("ls").stdout
    for _ in range(2):
        done = type_("logs", "job")
        assert (done.returncode, done.stdout) == (0, "begun\n")
        assert "without a word of how it ended" in done.stderr
    assert told(type_("attach", "job"))[:2] == (125, "begun\n")
    assert type_("wait", "job").returncode == 125
    assert not Path(SessionPlace("default").host_lock).exists() or type_("ls").returncode == 0
    # A new host knows it too.
    assert type_("exec", code="1").returncode == 0
    done = type_("attach", "job")
    assert (done.returncode, done.stdout) == (125, "begun\n")
    assert "its end was not seen" in done.stderr


def test_close_ends_the_session_and_leaves_nothing(root: Path) -> None:
    child = "import os, subprocess\nprocess = subprocess.Popen(['sleep', '1000'])\nprint(os.getpid(), process.pid)"
    pids = [int(word) for word in type_("exec", code=child).stdout.split()]
    pids.append(host_pid(SessionPlace("default").socket))
    type_("exec", "--target", "local:other", code="1")
    assert told(type_("close", "default")) == (0, "", "")
    assert wait_for_end(pids[-1])
    assert not [pid for pid in pids if is_alive(pid)]
    assert "default/" not in type_("ls").stdout
    assert told(type_("close", "--all")) == (0, "", "")
    assert type_("ls").stdout == "there are no sessions\n"


def test_records_are_kept_when_that_is_wanted_and_removed_later(root: Path) -> None:
    type_("exec", "--as", "job", code="print('here')")
    assert told(type_("close", "default", "--keep-records")) == (0, "", "")
    assert told(type_("logs", "job"))[:2] == (0, "here\n")
    assert told(type_("attach", "job")) == (0, "here\n", "")
    assert "no host, only records: default" in type_("ls").stdout
    assert told(type_("close", "local:")) == (0, "", "")
    assert type_("ls").stdout == "there are no sessions\n"
    left = [path for path in root.rglob("*") if not path.is_dir()]
    assert not left


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["exec"], "", "- is empty: there is nothing to run"),
        (["exec", "/no/such/file"], None, "/no/such/file cannot be read: No such file"),
        (["exec", "local:train"], None, "No such file or directory; a session is named by --target local:train"),
        (["exec", "a.py", "--", "ls"], None, "a FILE or a command, not both"),
        (["exec", "a.py", "ls"], None, "the command goes behind `--`: pyrepl-stream exec [options] -- ls"),
        (["exec", "--detach", "--json"], "1", "--json is for output"),
        (["exec", "--fresh"], "1", "add --as JOB"),
        (["exec", "--as", "a/b"], "1", "'a/b' is no execution id"),
        (["exec", "--target", "lcoal:"], "1", "did you mean local:"),
        (["exec", "--target", "nowhere"], "1", "is no address"),
        (["exec", "--python", "no-such-environment"], "1", "no conda environment"),
        (["exec", "--timeout", "0"], "1", "is no number of seconds above 0"),
        (["exec", "--detatch"], "1", "did you mean --detach?"),
        (["exec", "--", "no-such-program"], None, "there is no program 'no-such-program'"),
        (["attach", "a", "b"], None, "'b' is too much"),
        (["attach", "a", "--", "b"], None, "it takes no command"),
        (["close"], None, "it takes the NAME of a session, or --all"),
        (["close", "--all", "x"], None, "it takes the NAME of a session, or --all"),
    ],
)
def test_wrong_words_are_2_and_one_line(words: list[str], code: str | None, says: str) -> None:
    done = type_(*words, code=code)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_close_of_a_name_that_is_none_names_the_nearest() -> None:
    type_("exec", "--target", "local:training", code="1")
    done = type_("close", "trainig")
    assert told(done) == (1, "", "pyrepl-stream: there is no session 'trainig'; did you mean training?\n")
