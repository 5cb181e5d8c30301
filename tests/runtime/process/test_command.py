"""Commands: their checks before anything starts, their environment and their name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pyrepl_stream import (
    Command,
    CommandNotFoundError,
    IdlePolicy,
    PyreplStreamError,
    UsageError,
    WorkingDirectoryError,
    run_process,
)
from pyrepl_stream.runtime.errors import CommandPermissionError
from pyrepl_stream.runtime.process import ProcessRunner


@pytest.mark.parametrize(
    ("command", "options", "error", "message"),
    [
        ([], {}, UsageError, "empty"),
        ("", {}, UsageError, "empty"),
        (" \n", {}, UsageError, "empty"),
        ([""], {}, UsageError, "its program, is empty"),
        (b"ls", {}, UsageError, "text for the shell or a list"),
        (None, {}, UsageError, "text for the shell or a list"),
        (Path("/bin/ls"), {}, UsageError, "text for the shell or a list"),
        (["ls", 1], {}, UsageError, "word 1"),
        (["ls", "a\0b"], {}, UsageError, "word 1 .* NUL"),
        ("echo a\0b", {}, UsageError, "NUL"),
        (["no-such-program-here"], {}, CommandNotFoundError, "no-such-program-here.*PATH"),
        (["ls -l"], {}, CommandNotFoundError, "one word for each argument"),
        (["/no/such/program"], {}, CommandNotFoundError, "/no/such/program"),
        (["/tmp"], {}, CommandPermissionError, "is a directory"),
        (["/etc/passwd"], {}, CommandPermissionError, "chmod"),
        (["ls"], {"env": {"PATH": "/nowhere"}}, CommandNotFoundError, "ls"),
        (["true"], {"cwd": "/no/such/directory"}, WorkingDirectoryError, "does not exist"),
        (["true"], {"cwd": "/etc/passwd"}, WorkingDirectoryError, "is not a directory"),
        (["true"], {"cwd": "a\0b"}, UsageError, "NUL"),
        (["true"], {"size": (0, 80)}, UsageError, "size"),
        (["true"], {"size": (24, 70_000)}, UsageError, "65,535"),
        (["true"], {"size": (24,)}, UsageError, "size"),
        (["true"], {"size": "24x80"}, UsageError, "size"),
        (["true"], {"size": (24.0, 80)}, UsageError, "size"),
        (["true"], {"size": (True, 80)}, UsageError, "size"),
        (["true"], {"stderr": "ptty"}, UsageError, "did you mean 'pty'"),
        (["true"], {"stderr": 3}, UsageError, "'merge', 'pty' or 'pipe'"),
        (["true"], {"stderr": "pty", "pty": False}, UsageError, "needs a terminal"),
        (["true"], {"interactive": True, "pty": False}, UsageError, "needs a terminal"),
        (["true"], {"interactive": True, "stdin": "x"}, UsageError, "reads from its terminal"),
        (["true"], {"stdin": 1.5}, UsageError, "stdin must be"),
        (["true"], {"env": {"A=B": "x"}}, UsageError, "name of an environment variable"),
        (["true"], {"env": {"A": "x\0"}}, UsageError, "without NUL"),
        (["true"], {"env": {"A": 1}}, UsageError, "A must be text"),
        (["true"], {"timeout": -1}, UsageError, "^timeout must be a positive number of seconds, not -1"),
        (["true"], {"timeout": 0}, UsageError, "positive number of seconds"),
        (["true"], {"timeout": float("nan")}, UsageError, "positive number of seconds"),
        (["true"], {"timeout": "3"}, UsageError, "positive number of seconds"),
        (
            ["true"],
            {"idle_timeout": -1},
            UsageError,
            "idle_timeout must be a positive number of seconds, not -1",
        ),
        (["true"], {"idle_timeout": True}, UsageError, "idle_timeout"),
        (["true"], {"idle_timeout": float("inf")}, UsageError, "idle_timeout"),
        (["true"], {"watch_interval": 0}, UsageError, "watch_interval"),
        (["true"], {"watch": "/tmp"}, UsageError, "list of paths"),
        (["true"], {"watch": ["a\0b"]}, UsageError, "NUL"),
        (["true"], {"watch": [3]}, UsageError, "path of watch must be a path.* not 3"),
        (["true"], {"activity": "output"}, UsageError, "some of output, files, process"),
        (["true"], {"activity": ()}, UsageError, "some of"),
        (["true"], {"activity": {"outputs"}}, UsageError, "did you mean 'output'"),
        (["true"], {"activity": {"files"}}, UsageError, "needs watch"),
        (["true"], {"grace": (1, 2)}, UsageError, "grace"),
        (["true"], {"grace": (1, 2, -1)}, UsageError, "grace"),
        (["true"], {"grace": 3}, UsageError, "grace"),
        (["true"], {"buffer_bytes": 0}, UsageError, "limit|buffer"),
        (["true"], {"overflow": "explode"}, UsageError, "overflow"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_starts(
    command: Any, options: dict[str, Any], error: type[PyreplStreamError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_process(command, **options)


def test_a_program_on_the_path_that_is_not_executable_is_named(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    with pytest.raises(CommandPermissionError, match="chmod"):
        Command(["tool"], env={"PATH": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every directory")
def test_a_directory_that_may_not_be_entered_is_an_error(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o600)
    with pytest.raises(WorkingDirectoryError, match="entered"):
        Command(["true"], cwd=closed)


def test_the_errors_are_subclasses_of_the_usual_ones() -> None:
    assert issubclass(CommandNotFoundError, FileNotFoundError)
    assert issubclass(CommandPermissionError, PermissionError)
    assert issubclass(WorkingDirectoryError, NotADirectoryError)
    assert issubclass(CommandNotFoundError, UsageError)


def test_a_relative_program_is_relative_to_cwd(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho here\n")
    tool.chmod(0o755)
    assert run_process(["./tool"], cwd=tmp_path).wait(30).stdout == "here\n"


def test_paths_may_be_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert run_process([Path("/bin/cat"), tmp_path / "file"]).wait(30).stdout == "text"


def test_env_is_added_and_none_removes_a_variable() -> None:
    env = {"MINE": "yes", "HOME": None}
    assert run_process("echo $MINE ${HOME-none}", env=env).wait(30).stdout == "yes none\n"


def test_the_environment_describes_the_terminal() -> None:
    outcome = run_process("echo $LINES $COLUMNS $TERM", size=(7, 33), env={"TERM": "vt100"}).wait(30)
    assert outcome.stdout == "7 33 vt100\n"
    dumb = Command("true", env={"COLUMNS": "9"}).environment(terminal=True)
    assert (dumb["COLUMNS"], dumb["LINES"]) == ("9", "40")
    assert "LINES" not in Command("true", env={"LINES": None}).environment(terminal=False)


def test_a_dumb_terminal_in_the_environment_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert Command("true").environment(terminal=True)["TERM"] == "xterm-256color"
    monkeypatch.setenv("TERM", "screen")
    assert Command("true").environment(terminal=True)["TERM"] == "screen"


def test_a_runner_without_steps_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to run"):
        ProcessRunner()


def test_the_default_activity_is_output_and_watched_files() -> None:
    assert IdlePolicy(3).kinds == {"output"}
    assert IdlePolicy(3, watch=["/tmp"]).kinds == {"output", "files"}


def test_the_name_is_the_command_as_typed() -> None:
    assert Command(["echo", "a b", "c"]).name == 'echo "a b" c'
    assert Command("echo a | cat\n").name == "echo a | cat"
