"""``pyrepl-stream exec [FILE | -- COMMAND ...]``: code or a command in a session that outlives us."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from . import parser as parsing
from .console import OUTPUT, Console
from .output import add_options, has_cursor, processors_of
from .parser import Parser

if TYPE_CHECKING:
    from ..client import RemoteExecution

__all__ = ("add_to", "main")

_DESCRIPTION = """\
Run Python code, or a command, in a session that goes on when this program, its terminal or the network
ends, and pass on its output, live. An interrupt (SIGINT) goes to the execution; SIGTERM and SIGHUP end
only this program. Sessions end by `pyrepl-stream close`."""

_EPILOG = """\
exit code: 0; 1: the code failed; the command's, or 128 + N of a process that signal N ended; 124: --timeout;
130: interrupted; 137: killed; 125: pyrepl-stream itself failed, or nobody saw the end; 141: nobody read our
output any more (the execution goes on); 2: wrong options"""


def add_to(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "exec",
        help="run code or a command in a session that outlives its clients",
        usage="%(prog)s [options] [FILE] | -- COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.takes_command = True
    parser.set_defaults(parser=parser, main=main, interactive=False)
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="of Python code; `-` (default) is standard input")
    add("--target", default="local:", metavar="TARGET", help="the session, as local:NAME (default: local:)")
    add("--detach", action="store_true", help="return at once, with SESSION/ID on stdout")
    add("--as", dest="job", metavar="JOB", help="its id: the same code under the same id is run once")
    add("--fresh", action="store_true", help="end and forget what has that id, and run it anew")
    add("--python", metavar="PATH", help="interpreter, or conda environment, of a session that is to start")
    add("--cwd", metavar="PATH", help="run the command there; with code: of a session that is to start")
    add(
        "--env",
        type=parsing.variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the command; with code: of a session that is to start; may be repeated",
    )
    add("--timeout", type=parsing.seconds, metavar="SECONDS", help="end it after that time")
    add("--no-tty", action="store_true", help="with a command: pipes instead of a terminal, stderr apart")
    add_options(parser)


def main(arguments: argparse.Namespace) -> int:
    from ..errors import PyreplStreamError, UsageError
    from .watching import FAILED

    parser: Parser = arguments.parser
    _check(arguments, parser)
    console = Console()
    try:
        return _execute(arguments, console)
    except UsageError as exc:
        parser.error(str(exc))
    except (PyreplStreamError, OSError) as exc:
        console.say(str(exc))
        return FAILED


def _check(arguments: argparse.Namespace, parser: Parser) -> None:
    if arguments.command and arguments.file is not None:
        parser.error("it takes a FILE or a command, not both")
    if arguments.no_tty and not arguments.command:
        parser.error("--no-tty is for a command: put that behind `--`")
    if arguments.fresh and arguments.job is None:
        parser.error("--fresh is for a job: add --as JOB")
    if arguments.detach:
        for name in ("json", "no_streaming", "filter", "exclude", "format", "progress", "record", "color"):
            if getattr(arguments, name):
                parser.error(f"--{name.replace('_', '-')} is for output, which --detach does not show")


def _execute(arguments: argparse.Namespace, console: Console) -> int:
    from ..targets import connect
    from .show import Show
    from .watching import watch

    options: dict[str, Any] = {} if arguments.command else _options(arguments)
    if arguments.python is not None:
        from ..interpreters import find_interpreter

        options["python"] = find_interpreter(arguments.python)
    how = {
        "execution_id": arguments.job,
        "timeout": arguments.timeout,
        "fresh": arguments.fresh,
        "streaming": not arguments.no_streaming,
    }
    title = " ".join(arguments.command) or arguments.file or "code"
    size = console.size() or (40, 120)
    request = _command(arguments, size) if arguments.command else None
    code = "" if arguments.command else _code(arguments.file, arguments.parser)
    how["processors"] = () if arguments.detach else processors_of(arguments, size=size, title=title)
    with connect(arguments.target, **options) as session:
        execution: RemoteExecution
        if request is not None:
            execution = session.launch_command(request, **how)
        else:
            execution = session.execute(code, **how)
        execution.wait_started()
        assert session.hello is not None
        name = f"{session.hello['session']}/{execution.id}"
        if arguments.detach:
            console.write(OUTPUT, f"{name}\n".encode())
            return 0
        view = Show(console, as_json=arguments.json, cursor=has_cursor())
        if execution.behind is not None and not arguments.json:
            view.say(f"queued behind {execution.behind}")
        return watch(execution, execution.attach(), name, console, view, interrupts=True)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those of a session that is to start."""
    options = {"cwd": arguments.cwd, "env": dict(arguments.env)}
    return {name: value for name, value in options.items() if value}


def _command(arguments: argparse.Namespace, size: tuple[int, int]) -> Any:
    from ..process.command import Command
    from ..worker.requests import CommandRequest

    return CommandRequest.of(
        Command(
            arguments.command,
            pty=not arguments.no_tty,
            stderr="pipe" if arguments.no_tty else "merge",
            cwd=arguments.cwd or os.getcwd(),
            env=dict(arguments.env),
            size=size,
            stdin="",
        )
    )


def _code(name: str | None, parser: Parser) -> str:
    """The text of the file. Exits with 2 where there is none."""
    try:
        if name is None or name == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(name, "rb") as file:
                data = file.read()
        text = data.decode("utf-8-sig")
    except OSError as exc:
        is_address = name is not None and re.match(r"[a-z]{2,}:", name)
        hint = f"; a session is named by --target {name}" if is_address else ""
        parser.error(f"{name or '-'} cannot be read: {exc.strerror}{hint}")
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        parser.error(f"{name or '-'}: line {line} is no UTF-8")
    if not text.strip():
        parser.error(f"{name or '-'} is empty: there is nothing to run")
    return text
