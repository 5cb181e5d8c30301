"""``pyrepl-stream ls | attach | wait | logs | interrupt | kill | close``: executions and their sessions."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import inventory
from ..inventory import ExecutionInfo, SessionInfo
from ..inventory.actions import session_of
from ..runtime.errors import CursorError, PyreplStreamError, UnknownExecutionError
from .console import BROKEN_PIPE, FAILED, OUTPUT, Console, printable
from .output import has_cursor
from .parser import Parser
from .show import Show
from .watching import exit_code, report_end, watch

_ID = "id of an execution, or an unambiguous beginning of it; SESSION/ID if several sessions have that id"
_EXIT = "exit code: as for `pyrepl-stream exec`; 1: there is no such execution"


def add_to(subparsers: Any) -> None:
    """Add the parsers of these subcommands."""

    def add(
        name: str, action: Callable[..., int], meaning: str, *, execution: bool = True, epilog: str = ""
    ) -> Any:
        description = f"{meaning[0].upper()}{meaning[1:]}."
        parser = subparsers.add_parser(name, help=meaning, description=description, epilog=epilog)
        parser.set_defaults(parser=parser, main=main, action=action)
        if execution:
            parser.add_argument("id", metavar="ID", help=_ID)
        return parser.add_argument

    option = add("ls", _ls, "list the sessions of this machine and their executions", execution=False)
    option("--json", action="store_true", help="write each session as a line of JSON")
    attach = add("attach", _attach, "show the output of an execution from its start, live", epilog=_EXIT)
    attach("--follow", action="store_true", help="after the end, wait for late output")
    add("wait", _wait, "wait for the end of an execution and print how it ended", epilog=_EXIT)
    for option in (attach, add("logs", _logs, "print the recorded output of an execution")):
        option("--after", type=int, default=0, metavar="N", help="start after message N (default: 0)")
        option("--json", action="store_true", help="write each message as a line of JSON")
    add("interrupt", _stop, "interrupt an execution, as Ctrl-C does")
    lost = "the namespace of its session is lost"
    add("kill", partial(_stop, kill=True), f"kill an execution; if it is Python code, {lost}")
    close = "end a session and all that runs in it, and delete its records"
    option = add("close", _close, close, execution=False)
    option("name", nargs="?", metavar="NAME", help="name of a session")
    option("--all", action="store_true", help="close all sessions of this machine")
    option("--keep-records", action="store_true", help="keep the records, which `logs` shows")


def main(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit code."""
    parser: Parser = arguments.parser
    if arguments.command:
        parser.error("this subcommand takes no command")
    console = Console()
    try:
        return int(arguments.action(arguments, console))
    except CursorError as exc:
        parser.error(str(exc))
    except (UnknownExecutionError, ValueError) as exc:  # includes UsageError
        console.report(str(exc))
        return 1
    except BrokenPipeError:
        return BROKEN_PIPE
    except (PyreplStreamError, OSError) as exc:
        console.report(str(exc))
        return FAILED


# -- listing -------------------------------------------------------------------------------------


def _ls(arguments: argparse.Namespace, console: Console) -> int:
    sessions = inventory.list_sessions()
    if arguments.json:
        text = "".join(json.dumps(_as_json(session)) + "\n" for session in sessions)
    else:
        text = inventory.sessions_table(sessions)
    console.write(OUTPUT, text.encode("utf-8", "backslashreplace"))
    return 0


def _as_json(session: SessionInfo) -> dict[str, Any]:
    return {
        "session": session.name,
        "pid": session.pid,
        "answers": session.answers,
        "executions": list(map(_execution_as_json, session.executions)),
    }


def _execution_as_json(execution: ExecutionInfo) -> dict[str, Any]:
    names = ("id", "status", "asks", "started", "head", "directory")
    complete = execution.complete
    return {
        **{name: getattr(execution, name) for name in names},
        "duration": complete and complete.duration,
        "exit_code": complete and complete.exit_code,
    }


# -- reading -------------------------------------------------------------------------------------


def _attach(arguments: argparse.Namespace, console: Console) -> int:
    found = inventory.find_execution(arguments.id)
    if not found.alive:  # only the record is left
        return _show_record(arguments, found, console)
    view = Show(console, as_json=arguments.json, cursor=has_cursor())
    with session_of(found.session) as session:
        execution = session.execution(found.id)
        stream = execution.attach(arguments.after, follow=arguments.follow)
        return watch(execution, stream, found.name, console, view, interrupts=False)


def _logs(arguments: argparse.Namespace, console: Console) -> int:
    _show_record(arguments, inventory.find_execution(arguments.id), console)
    return 0


def _show_record(arguments: argparse.Namespace, found: ExecutionInfo, console: Console) -> int:
    """Show the record on disk and return the exit code of the execution."""
    view = Show(console, as_json=arguments.json, cursor=has_cursor())
    try:
        for messages in inventory.read_record(found, arguments.after):
            view.show(messages)
        if found.ended:
            report_end(view)
    finally:
        view.close()
    return exit_code(view.complete)


def _wait(arguments: argparse.Namespace, console: Console) -> int:
    found = inventory.find_execution(arguments.id)
    complete = inventory.wait_for_end(found)
    if complete is None:
        console.report(f"{found.name} is lost: its session ended before it did")
        return FAILED
    reason = f": {complete.error}" if complete.error else ""
    line = printable(f"{complete.status} after {complete.duration:.2f} s{reason}\n")
    console.write(OUTPUT, line.encode("utf-8", "backslashreplace"))
    return exit_code(complete)


# -- controlling ---------------------------------------------------------------------------------


def _stop(arguments: argparse.Namespace, console: Console, *, kill: bool = False) -> int:
    inventory.stop_execution(inventory.find_execution(arguments.id), kill=kill)
    return 0


def _close(arguments: argparse.Namespace, console: Console) -> int:
    if (arguments.name is not None) == arguments.all:
        arguments.parser.error("give the NAME of a session, or --all")
    if not arguments.all:
        inventory.close_session(inventory.find_session(arguments.name), keep_records=arguments.keep_records)
        return 0
    errors = inventory.close_sessions(inventory.list_sessions(), keep_records=arguments.keep_records)
    for error in errors.values():
        console.report(str(error))
    return FAILED if errors else 0
