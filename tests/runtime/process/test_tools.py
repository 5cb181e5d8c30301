"""Real tools on a terminal and on pipes: output, progress, prompts and exit codes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from runtime.process.programs.helpers import LIMIT, PROGRAMS, eventually, living, needs, until

from pyrepl_stream import (
    Command,
    InputRequestMessage,
    Message,
    OutputMessage,
    ProcessExecution,
    run_process,
)

Run = Callable[..., ProcessExecution]
GRACE = (0.2, 0.2, 10.0)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run a command with a home directory of its own and without the machine's proxies."""
    proxies = [f"{name}_proxy" for name in ("http", "https", "all", "no")]
    environment: dict[str, str | None] = dict.fromkeys([*proxies, *(name.upper() for name in proxies)])
    home = tmp_path / "home"
    home.mkdir()
    environment |= {
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ASKPASS": None,
        "SSH_ASKPASS": None,
        "GIT_TERMINAL_PROMPT": None,
    }
    executions: list[ProcessExecution] = []

    def start(command: Any, *, env: dict[str, str | None] | None = None, **options: Any) -> ProcessExecution:
        options = {"cwd": tmp_path, "timeout": LIMIT, "grace": GRACE, **options}
        executions.append(run_process(command, env={**environment, **(env or {})}, **options))
        return executions[-1]

    yield start
    for execution in executions:
        execution.kill()
        eventually(
            lambda execution=execution: execution.status not in ("queued", "running"), "the execution ends"
        )


# -- git -------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """The URL of a repository of 200 files, which git must transfer and cannot link."""
    needs("git")
    folder = tmp_path / "origin"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number}.bin").write_bytes(hashlib.sha256(str(number).encode()).digest() * 40)
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return f"file://{folder}"


@pytest.mark.parametrize(
    "options", [{}, {"interactive": True}, {"pty": False}], ids=["pty", "interactive", "pipes"]
)
def test_git_clone_shows_its_progress_while_it_works(
    run: Run, repository: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    go = tmp_path / "go"
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    hook = hooks / "post-checkout"
    hook.write_text(f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.01; done\n")
    hook.chmod(0o755)
    words = ["git", "clone", "--progress", f"--template={hooks.parent}", repository, "clone"]
    execution = run(words, **options)
    text = until(stream := iter(execution), "Receiving objects: 100%")
    assert execution.status == "running"
    go.touch()
    text += "".join(message.text for message in stream if isinstance(message, OutputMessage))
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code) == ("ok", 0), text
    assert text == outcome.stdout
    assert text.startswith("Cloning into 'clone'...\n")
    percents = [int(n) for n in re.findall(r"Receiving objects: +(\d+)% \(\d+/\d+\)(?:, .*?)?\r", text)]
    assert percents == sorted(percents)
    assert percents[0] < 10
    assert percents[-1] == 100
    assert re.search(r"Receiving objects: 100% \((\d+)/\1\).*, done\.\n", text)
    assert (tmp_path / "clone" / "199.bin").read_bytes() == (tmp_path / "origin" / "199.bin").read_bytes()
    status = run(["git", "status", "--porcelain"], cwd=tmp_path / "clone").wait()
    assert (status.stdout, status.exit_code) == ("", 0)


def test_a_failing_git_prints_the_reason_and_exits_with_128(run: Run, tmp_path: Path) -> None:
    needs("git")
    outcome = run(["git", "clone", f"file://{tmp_path}/nothing", "clone"]).wait()
    assert (outcome.status, outcome.exit_code) == ("error", 128)
    assert "fatal: " in outcome.stdout
    assert str(outcome.error) == "the command exited with 128"


class Server(ThreadingHTTPServer):
    """An HTTP server on loopback: it serves a file whole or in halves, and asks for a password otherwise."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(100_000))
        self.more = threading.Event()
        self.credentials: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path.startswith("/file"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.content)))
            self.end_headers()
            half = len(self.server.content) // 2
            try:
                self.wfile.write(self.server.content[:half])
                if self.path.endswith("?halves"):
                    self.server.more.wait(LIMIT)
                self.wfile.write(self.server.content[half:])
            except OSError:
                pass  # the tool has been ended
            return
        if given := self.headers.get("Authorization"):
            self.server.credentials.append(base64.b64decode(given.split()[1]).decode())
            self.send_error(404)
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.more.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("pty", [True, False])
def test_git_without_a_controlling_terminal_fails_when_it_needs_a_password(
    run: Run, server: Server, pty: bool
) -> None:
    needs("git")
    outcome = run(["git", "clone", f"{server.url}/x.git"], pty=pty).wait()
    assert (outcome.status, outcome.exit_code) == ("error", 128)
    assert "fatal: could not read Username for" in outcome.stdout
    assert server.credentials == []


def test_git_asks_for_a_password_in_an_interactive_run(run: Run, server: Server) -> None:
    needs("git")
    execution = run(["git", "clone", f"{server.url}/x.git"], interactive=True, timeout=10)
    asked = []
    for message in execution:
        if isinstance(message, InputRequestMessage):
            asked.append((message.prompt.partition(" for ")[0], message.password))
            execution.input("s3cret" if message.password else "ann")
    assert asked == [("Username", False), ("Password", True)]
    assert server.credentials[:1] == ["ann:s3cret"]
    assert (execution.wait().exit_code, "s3cret" in execution.stdout) == (128, False)


# -- pip and npm -----------------------------------------------------------------------------


def test_pip_installs_a_wheel(run: Run, tmp_path: Path) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "print('installed')\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        files = ("tiny.py", *(f"tiny-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")))
        archive.writestr("tiny-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in files))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-index",
        "--no-cache-dir",
    ]
    _needs_pip()
    outcome = run([*pip, "--target", "into", wheel]).wait()
    assert (outcome.status, outcome.exit_code) == ("ok", 0), outcome.stdout
    assert "Successfully installed tiny-1.0" in outcome.stdout
    assert (
        run([sys.executable, "-c", "import tiny"], env={"PYTHONPATH": str(tmp_path / "into")}).wait().stdout
        == "installed\n"
    )
    missing = run([*pip, "--target", "into", "no-such-package-here"], pty=False, stderr="pipe").wait()
    assert (missing.status, missing.exit_code) == ("error", 1)
    assert "ERROR: No matching distribution found for no-such-package-here" in missing.stderr


def _needs_pip() -> None:
    if subprocess.run([sys.executable, "-c", "import pip"], check=False, capture_output=True).returncode:
        needs("pip of this interpreter")


def test_npm_installs_a_folder_and_returns_the_exit_code_of_a_script(run: Run, tmp_path: Path) -> None:
    needs("npm", "node")
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "package.json").write_text(
        json.dumps({"name": "tiny", "version": "1.0.0", "main": "index.js"})
    )
    (package / "index.js").write_text("module.exports = 'installed'")
    (tmp_path / "package.json").write_text(
        json.dumps(
            {
                "name": "host",
                "version": "1.0.0",
                "private": True,
                "scripts": {"fail": "node -e 'process.exit(7)'"},
            }
        )
    )
    env = {"npm_config_cache": str(tmp_path / "cache"), "npm_config_update_notifier": "false"}
    outcome = run(["npm", "install", "--offline", "--no-audit", "--no-fund", "./pkg"], env=env).wait()
    assert (outcome.status, outcome.exit_code) == ("ok", 0), outcome.stdout
    assert "added 1 package" in outcome.stdout
    assert run(["node", "-p", "require('tiny')"]).wait().stdout == "installed\n"
    failed = run(["npm", "run", "fail"], env=env).wait()
    assert (failed.status, failed.exit_code) == ("error", 7)


# -- curl and wget ---------------------------------------------------------------------------


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("pty", [True, False])
def test_curl_shows_its_meter_while_it_transfers(run: Run, server: Server, tmp_path: Path, pty: bool) -> None:
    needs("curl")
    execution = run(["curl", "-o", "file", f"{server.url}/file?halves"], pty=pty)
    stream = iter(execution)
    until(stream, "\r")
    assert execution.status == "running"
    server.more.set()
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code) == ("ok", 0)
    assert outcome.stdout.lstrip().startswith("% Total")
    assert re.search(r"\r100 ", outcome.stdout)
    assert _sha256((tmp_path / "file").read_bytes()) == _sha256(server.content)


@pytest.mark.parametrize("interactive", [False, True])
def test_wget_draws_a_bar_on_a_terminal(run: Run, server: Server, tmp_path: Path, interactive: bool) -> None:
    needs("wget")
    execution = run(["wget", "-O", "file", f"{server.url}/file?halves"], interactive=interactive)
    stream = iter(execution)
    until(stream, "\r")
    assert execution.status == "running"
    server.more.set()
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code) == ("ok", 0)
    assert re.search(r"\rfile +100%\[=+>\]", outcome.stdout), outcome.stdout[-500:]
    assert _sha256((tmp_path / "file").read_bytes()) == _sha256(server.content)


def test_wget_prints_dots_on_a_pipe(run: Run, server: Server, tmp_path: Path) -> None:
    needs("wget")
    outcome = run(["wget", "-O", "file", f"{server.url}/file"], pty=False).wait()
    assert outcome.status == "ok"
    assert "\r" not in outcome.stdout
    assert re.search(r"\.{10} \.{10} .*100%", outcome.stdout)
    assert _sha256((tmp_path / "file").read_bytes()) == _sha256(server.content)


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_a_failed_download_has_the_exit_code_of_the_tool(run: Run, server: Server, tool: str) -> None:
    needs(tool)
    words = ["curl", "-f", "-sS"] if tool == "curl" else ["wget", "-nv", "-O-"]
    outcome = run([*words, f"{server.url}/none"]).wait()
    assert (outcome.status, outcome.exit_code) == ("error", {"curl": 22, "wget": 6}[tool])
    assert "401" in outcome.stdout or "Authentication" in outcome.stdout


def test_a_stalled_transfer_is_ended_by_the_idle_limit(run: Run, server: Server) -> None:
    needs("curl")
    execution = run(
        ["curl", "-sS", "--no-buffer", f"{server.url}/file?halves"],
        pty=False,
        idle_timeout=0.5,
        streaming=False,
    )
    outcome = execution.wait()
    assert outcome.status == "timeout"
    assert str(outcome.error) == "idle_timeout: no output for 0.5 s"
    assert not living(f"{server.url}/file")
    assert outcome.stdout.encode("utf-8", "surrogateescape") == server.content[: len(server.content) // 2]


def test_a_progress_meter_is_not_activity_if_only_files_count(
    run: Run, server: Server, tmp_path: Path
) -> None:
    needs("curl")
    (tmp_path / "into").mkdir()
    outcome = run(
        ["curl", "-o", "into/file", f"{server.url}/file?halves"],
        idle_timeout=1.5,  # curl redraws its meter each second
        activity={"files"},
        watch=[tmp_path / "into"],
        watch_interval=0.1,
    ).wait()
    assert outcome.status == "timeout"
    assert str(outcome.error) == "idle_timeout: no change of a watched file for 1.5 s"
    assert outcome.stdout.count("\r") > 1
    assert not living(f"{server.url}/file")


# -- bash ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"interactive": True}, {"pty": False}], ids=["pty", "interactive", "pipes"]
)
def test_a_trap_for_int_can_clean_up_print_and_set_the_exit_code(
    run: Run, tmp_path: Path, options: dict[str, Any]
) -> None:
    script = "trap 'rm lock; echo cleaned up; exit 7' INT; : >lock; echo ready; while :; do sleep 0.05; done"
    execution = run(script, **options, grace=(LIMIT, 1, 1))
    until(iter(execution), "ready\n")
    assert (tmp_path / "lock").exists()
    execution.interrupt()
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code, outcome.stdout) == ("interrupted", 7, "ready\ncleaned up\n")
    assert not (tmp_path / "lock").exists()


def test_a_trap_can_end_background_jobs(run: Run) -> None:
    script = "trap 'kill $(jobs -p) 2>/dev/null; wait; echo all ended; exit 5' INT; sleep 1000 & sleep 1000 & echo ready; wait"
    execution = run(script, grace=(LIMIT, 1, 1))
    until(iter(execution), "ready\n")
    execution.interrupt()
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code, outcome.stdout) == ("interrupted", 5, "ready\nall ended\n")


def test_output_of_awaited_background_jobs_arrives_in_their_order(run: Run, tmp_path: Path) -> None:
    job = "(while [ ! -e go$i ]; do sleep 0.01; done; echo job $i)"
    execution = run(f"for i in 1 2 3; do {job} & done; wait; echo all")
    stream = iter(execution)
    for number in (2, 3, 1):
        (tmp_path / f"go{number}").touch()
        assert until(stream, "\n").startswith(f"job {number}\n")
    assert execution.wait().stdout == "job 2\njob 3\njob 1\nall\n"


def test_a_command_that_ignores_int_is_ended_by_term(run: Run) -> None:
    execution = run("trap '' INT; echo ready; while :; do sleep 1000; done")
    until(iter(execution), "ready\n")
    execution.interrupt()
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code, outcome.stdout) == ("interrupted", 128 + 15, "ready\n")


def test_a_trap_for_term_runs_after_an_ignored_int(run: Run) -> None:
    execution = run(
        "trap '' INT; trap 'echo cleaned up; exit 9' TERM; echo ready; while :; do sleep 0.05; done",
        grace=(0.1, LIMIT, 1),
    )
    until(iter(execution), "ready\n")
    execution.interrupt()
    outcome = execution.wait()
    output = outcome.stdout.replace("Terminated\n", "")  # bash may print it for its `sleep`
    assert (outcome.status, outcome.exit_code, output) == ("interrupted", 9, "ready\ncleaned up\n")


def test_a_second_interrupt_skips_the_grace(run: Run) -> None:
    execution = run(
        "trap 'echo int' INT; trap 'echo term; exit 8' TERM; echo ready; while :; do sleep 0.05; done",
        grace=(10 * LIMIT, LIMIT, 1),
    )
    stream = iter(execution)
    until(stream, "ready\n")
    execution.interrupt()
    until(stream, "int\n")
    execution.interrupt()
    outcome = execution.wait()
    output = outcome.stdout.replace("Terminated\n", "")  # bash may print it for its `sleep`
    assert (outcome.status, outcome.exit_code, output) == ("interrupted", 8, "ready\nint\nterm\n")


@pytest.mark.parametrize("pty", [True, False])
def test_a_job_outlives_its_script_and_its_late_output_follows(run: Run, tmp_path: Path, pty: bool) -> None:
    execution = run(
        "(while [ ! -e go ]; do sleep 0.01; done; echo late; echo err >&2; : >done) & echo now; exit 3",
        pty=pty,
    )
    stream = iter(execution.attach(follow=True))
    for message in stream:
        if message.type == "complete":
            break
    assert (message.status, message.exit_code, execution.stdout) == ("error", 3, "now\n")
    assert not (tmp_path / "done").exists()
    (tmp_path / "go").touch()
    assert until(stream, "err\n") == "late\nerr\n"
    eventually((tmp_path / "done").exists, "the job ends")


# -- prompts ---------------------------------------------------------------------------------


def test_read_in_bash_can_be_answered_on_a_pipe(run: Run) -> None:
    execution = run("printf 'name? '; read -r name; echo \"hello $name\"; cat")
    until(iter(execution), "name? ")
    execution.write("Ann Ärger\nthe ")
    execution.write(b"rest\n")
    execution.close_stdin()
    outcome = execution.wait()
    assert (outcome.status, outcome.stdout) == ("ok", "name? hello Ann Ärger\nthe rest\n")


def test_input_in_python_can_be_answered_on_the_terminal(run: Run) -> None:
    execution = run(
        [sys.executable, "-c", "print('hello', input('name? ')); print('again', input('and? '))"],
        interactive=True,
    )
    asked = _answer(execution, ["Ann", "Bob"])
    assert asked == [("name? ", False), ("and? ", False)]
    outcome = execution.wait()
    assert (outcome.status, outcome.stdout) == ("ok", "name? hello Ann\nand? again Bob\n")


def test_getpass_can_be_answered_on_the_terminal_without_echo(run: Run) -> None:
    execution = run(
        [sys.executable, "-c", "import getpass; print(len(getpass.getpass()))"], interactive=True, timeout=10
    )
    assert _answer(execution, ["s3cret"]) == [("Password: ", True)]
    outcome = execution.wait()
    assert (outcome.status, outcome.stdout.split()) == ("ok", ["Password:", "6"])


def test_an_answer_of_none_ends_the_input(run: Run) -> None:
    code = "try: input('name? ')\nexcept EOFError: print('end')"
    execution = run([sys.executable, "-c", code], interactive=True)
    assert _answer(execution, [None]) == [("name? ", False)]
    assert execution.wait().stdout == "name? end\n"


def test_only_an_interactive_run_has_a_controlling_terminal(run: Run) -> None:
    program = "if : 2>/dev/null </dev/tty; then echo yes; else echo no; fi"
    assert run(program).wait().stdout == "no\n"
    assert run(program, pty=False).wait().stdout == "no\n"
    assert run(program, interactive=True).wait().stdout == "yes\n"


@pytest.mark.parametrize(
    "options", [{}, {"interactive": True}, {"pty": False}], ids=["pty", "interactive", "pipes"]
)
def test_cat_exits_at_the_end_of_its_input(run: Run, options: dict[str, Any]) -> None:
    execution = run(["cat"], **options)
    stream = iter(execution)
    execution.write("one\n")
    until(stream, "one\n")
    assert execution.status == "running"
    execution.write("two\n")
    execution.close_stdin()
    outcome = execution.wait()
    assert (outcome.status, outcome.exit_code, outcome.stdout) == ("ok", 0, "one\ntwo\n")


def _answer(execution: ProcessExecution, answers: list[str | None]) -> list[tuple[str, bool]]:
    asked = []
    for message in execution:
        if isinstance(message, InputRequestMessage):
            asked.append((message.prompt, message.password))
            execution.input(answers[len(asked) - 1])
    return asked


# -- agents ----------------------------------------------------------------------------------

AGENT = [
    sys.executable,
    str(PROGRAMS / "stream_json_agent.py"),
    "-p",
    "--output-format",
    "stream-json",
    "--verbose",
]
PROMPT = "Grüße\n" * 1000


def _json(messages: list[Message]) -> list[dict[str, Any]]:
    text = "".join(message.text for message in messages if isinstance(message, OutputMessage))
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("pty", [True, False])
def test_json_lines_of_an_agent_arrive_as_they_are_printed(run: Run, tmp_path: Path, pty: bool) -> None:
    # On a pipe Python buffers its output until it exits, as most programs do.
    execution = run(
        AGENT,
        stdin=PROMPT,
        pty=pty,
        env={"AGENT_EVENTS": str(tmp_path), "PYTHONUNBUFFERED": None if pty else "1"},
    )
    stream = iter(execution)
    assert json.loads(until(stream, "\n"))["subtype"] == "init"
    for turn, text in enumerate(["short", "x" * 10_000, "wörter\t\x1b[31m"], 1):
        part = tmp_path / "part"
        part.write_text(text, encoding="utf-8")
        part.rename(tmp_path / str(turn))
        assert json.loads(until(stream, "\n")) == {"type": "assistant", "turn": turn, "text": text}
    (tmp_path / "end").touch()
    assert _json(list(stream)) == [{"type": "result", "subtype": "success", "turns": 3, "prompt": PROMPT}]
    assert execution.wait().exit_code == 0


def test_an_older_agent_rejects_a_flag(run: Run, tmp_path: Path) -> None:
    env = {"AGENT_EVENTS": str(tmp_path), "AGENT_WITHOUT_VERBOSE": "1"}
    outcome = run(AGENT, stdin=PROMPT, env=env, stderr="pipe").wait()
    assert (outcome.status, outcome.exit_code) == ("error", 1)
    assert (outcome.stdout, outcome.stderr) == ("", "error: unknown option '--verbose'\n")


def test_a_retry_runs_an_older_agent_without_the_flag_and_with_the_same_prompt(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "end").touch()
    environment = {"AGENT_EVENTS": str(tmp_path), "AGENT_WITHOUT_VERBOSE": "1"}

    def retry(command: Command, tail: bytes) -> tuple[Command, str] | None:
        assert tail == b"error: unknown option '--verbose'\n"
        words = [word for word in command.arguments if word != "--verbose"]
        return Command(words, env=command.env, stdin=command.stdin), "without --verbose"

    execution = run(AGENT, stdin=PROMPT, env=environment, retry=retry)
    outcome = execution.wait()
    rejected, *lines = outcome.stdout.splitlines()
    assert rejected == "error: unknown option '--verbose'"
    assert [json.loads(line)["type"] for line in lines] == ["system", "result"]
    assert json.loads(lines[1])["prompt"] == PROMPT
    assert (outcome.status, [log.text for log in outcome.logs]) == ("ok", ["without --verbose"])


def test_a_silent_agent_is_active_while_it_writes_files(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".cline" / "data" / "tasks"
    words = [
        sys.executable,
        str(PROGRAMS / "task_files_agent.py"),
        str(tmp_path / "home"),
        "1700000000000",
        "12",
        "0.2",
    ]
    outcome = run(
        words, idle_timeout=1.5, activity={"output", "files"}, watch=[folder / "<new>"], watch_interval=0.1
    ).wait()
    assert outcome.status == "timeout"
    assert str(outcome.error) == "idle_timeout: no output and no change of a watched file for 1.5 s"
    assert json.loads((folder / "1700000000000" / "task_metadata.json").read_text()) == {"turns": 12}
    assert outcome.stdout == ""
    assert not living(str(tmp_path / "home"), "task_files_agent.py 1700000000000")


def test_a_silent_agent_is_idle_if_only_output_counts(run: Run, tmp_path: Path) -> None:
    words = [
        sys.executable,
        str(PROGRAMS / "task_files_agent.py"),
        str(tmp_path / "home"),
        "1",
        "1000",
        "0.05",
    ]
    outcome = run(words, idle_timeout=0.5).wait()
    assert (outcome.status, str(outcome.error)) == ("timeout", "idle_timeout: no output for 0.5 s")
