"""``pyrepl-stream exec [FILE | -- COMMAND ...]``: runs code or a command in a session that outlives it."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from ..config import find_interpreter, parse_assignment
from ..config.files import decode
from ..runtime.errors import CommandNotFoundError, CommandPermissionError, PyreplStreamError, UsageError
from ..runtime.process import Command, Limits
from ..runtime.process.command import DEFAULT_SIZE
from .console import FAILED, NOT_EXECUTABLE, NOT_FOUND, OUTPUT, Console, open_input
from .output import add_options, has_cursor, processors_of
from .parser import Parser, add_command
from .show import Show
from .watching import watch

_DESCRIPTION = """\
Run Python code or a command in a session and show its output live. The session outlives this program and its
terminal; `pyrepl-stream close` ends it. SIGINT interrupts the execution; SIGTERM and SIGHUP
end only this program."""

_EPILOG = """\
exit code: that of the command, or 128 + N after signal N; of code: 0, or 1 when it failed; 2: wrong options;
124: --timeout; 125: pyrepl-stream failed, or the execution is lost; 126: the command is not executable;
127: the command was not found; 130: interrupted; 137: killed; 141: the reader of the output is gone (the
execution continues)"""


def add_to(subparsers: Any) -> None:
    """Add the parser of this subcommand."""
    usage = "[FILE] | -- COMMAND [ARGUMENT ...]"
    summary = "run code or a command in a session that outlives its clients"
    parser = add_command(subparsers, "exec", main, usage, summary, _DESCRIPTION, _EPILOG)
    parser.set_defaults(interactive=False)
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="file of Python code; `-` (default) is standard input")
    add("--target", default="local:", metavar="TARGET", help="the session: local:NAME (default: local:)")
    add("--detach", action="store_true", help="print SESSION/ID and return at once")
    add("--as", dest="job", metavar="JOB", help="make it a job: the same code under the same name runs once")
    add("--fresh", action="store_true", help="with --as: if the job has ended, run it again")
    add("--python", metavar="PATH", help="interpreter of a new session: a path or a conda environment")
    add("--cwd", metavar="PATH", help="working directory of the command; with code, of a new session")
    variables = "environment variable of the command; with code, of a new session"
    parser.add_list("--env", "NAME=VALUE", variables, type=parse_assignment)
    parser.add_seconds("--timeout", "end the execution after that time")
    add(
        "--no-tty",
        action="store_true",
        help="run a command on pipes instead of a terminal, with a separate stderr",
    )
    add_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the code or the command and return the exit code."""
    parser: Parser = arguments.parser
    _check(arguments, parser)
    console = Console()
    try:
        return _execute(arguments, console)
    except (CommandNotFoundError, CommandPermissionError) as exc:
        console.report(str(exc))
        return NOT_FOUND if isinstance(exc, CommandNotFoundError) else NOT_EXECUTABLE
    except UsageError as exc:
        parser.error(str(exc))
    except (PyreplStreamError, OSError) as exc:
        console.report(str(exc))
        return FAILED


def _check(arguments: argparse.Namespace, parser: Parser) -> None:
    if arguments.command and arguments.file is not None:
        parser.error("give a FILE or a command, not both")
    if arguments.no_tty and not arguments.command:
        parser.error("--no-tty requires a command: put it after `--`")
    if arguments.fresh and arguments.job is None:
        parser.error("--fresh requires --as JOB")
    if arguments.detach:
        for name in ("json", "no_streaming", "filter", "exclude", "format", "progress", "record", "color"):
            if getattr(arguments, name):
                parser.error(
                    f"--{name.replace('_', '-')} and --detach exclude each other: there is no output to show"
                )


def _execute(arguments: argparse.Namespace, console: Console) -> int:
    options: dict[str, Any] = {}
    if not arguments.command:  # with code, these are options of a new session
        given = {"cwd": arguments.cwd, "env": dict(arguments.env)}
        options = {name: value for name, value in given.items() if value}
    if arguments.python is not None:
        options["python"] = find_interpreter(arguments.python)
    title = " ".join(arguments.command) or arguments.file or "code"
    size = console.size() or DEFAULT_SIZE
    command = _command(arguments, size) if arguments.command else None
    code = "" if arguments.command else _code(arguments.file or "-")
    how = {
        "execution_id": arguments.job,
        "fresh": arguments.fresh,
        "streaming": not arguments.no_streaming,
        "processors": () if arguments.detach else processors_of(arguments, size=size, title=title),
    }
    from ..targets import connect  # imported only here, because --help does not need it

    with connect(arguments.target, report=console.report, **options) as session:
        if command is None:
            execution = session.execute(code, timeout=arguments.timeout, **how)
        else:
            execution = session.run_process(command, limits=Limits(arguments.timeout), **how)
        new = execution.wait_started()
        assert session.hello is not None
        name = f"{session.hello['session']}/{execution.id}"
        if not (new or arguments.json):
            hint = "" if execution.status in ("queued", "running") else "; --fresh runs it again"
            console.report(
                f"job {arguments.job!r} already exists ({execution.status}): this is its output{hint}"
            )
        if arguments.detach:
            console.write(OUTPUT, f"{name}\n".encode())
            return 0
        view = Show(console, as_json=arguments.json, cursor=has_cursor())
        if execution.behind is not None and not arguments.json:
            view.report(f"queued after {execution.behind}")
        return watch(execution, execution.attach(), name, console, view, interrupts=True)


def _command(arguments: argparse.Namespace, size: tuple[int, int]) -> Command:
    return Command(
        arguments.command,
        pty=not arguments.no_tty,
        stderr="pipe" if arguments.no_tty else "merge",
        cwd=arguments.cwd or os.getcwd(),
        env=dict(arguments.env),
        size=size,
        stdin="",
    )


def _code(name: str) -> str:
    """Return the text of the file. Raises :class:`UsageError` if it cannot be read, or is empty."""
    try:
        with open_input(name) as file:
            data = file.read()
    except OSError as exc:
        hint = f"; for a session, use --target {name}" if re.match(r"[a-z]{2,}:", name) else ""
        raise UsageError(f"{name} cannot be read: {exc.strerror}{hint}") from exc
    text = decode(data, name)
    if not text.strip():
        raise UsageError(f"{name} is empty: there is nothing to run")
    return text
