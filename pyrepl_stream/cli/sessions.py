"""``pyrepl-stream ls | attach | wait | logs | interrupt | kill | close``: what runs, and what ran."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .console import OUTPUT, Console

if TYPE_CHECKING:
    from ..sessions import ExecutionInfo, SessionInfo

__all__ = ("add_to", "main")

_ID = "its id, or a beginning that is only one's; SESSION/ID where several sessions have it"
_EXIT = "exit code: as of `pyrepl-stream exec`; 1: there is none that is meant"


def add_to(subparsers: Any) -> None:
    def add(
        name: str, act: Callable[..., int], meaning: str, *, execution: bool = True, epilog: str = ""
    ) -> Any:
        whole = f"{meaning[0].upper()}{meaning[1:]}."
        parser = subparsers.add_parser(name, help=meaning, description=whole, epilog=epilog)
        parser.set_defaults(parser=parser, main=main, act=act)
        if execution:
            parser.add_argument("id", metavar="ID", help=_ID)
        return parser

    def add_json(parser: Any) -> None:
        parser.add_argument("--json", action="store_true", help="one line of JSON for each message")

    def add_after(parser: Any) -> None:
        parser.add_argument(
            "--after", type=int, default=0, metavar="N", help="begin behind message N (default: 0, all)"
        )

    parser = add("ls", _ls, "list the sessions of this machine and what is recorded of them", execution=False)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each session")
    parser = add("attach", _attach, "show an execution, live, from its start on", epilog=_EXIT)
    add_after(parser)
    parser.add_argument("--follow", action="store_true", help="go on behind its end with what comes late")
    add_json(parser)
    add("wait", _wait, "wait for the end of an execution, and say how it ended", epilog=_EXIT)
    parser = add("logs", _logs, "print what is recorded of an execution, without starting anything")
    add_after(parser)
    add_json(parser)
    add("interrupt", _interrupt, "interrupt an execution, as Ctrl-C would")
    add("kill", _kill, "end an execution by every means")
    parser = add("close", _close, "end a session with all that runs in it", execution=False)
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="all sessions of this machine")
    parser.add_argument("--keep-records", action="store_true", help="leave what `logs` reads")


def main(arguments: argparse.Namespace) -> int:
    from ..errors import CursorError, PyreplStreamError, UnknownExecutionError
    from .parser import Parser
    from .watching import FAILED, NOBODY_READS

    parser: Parser = arguments.parser
    if arguments.command:
        parser.error("it takes no command")
    console = Console()
    try:
        return int(arguments.act(arguments, console))
    except CursorError as exc:
        parser.error(str(exc))
    except (UnknownExecutionError, ValueError) as exc:  # a UsageError is one
        console.say(str(exc))
        return 1
    except BrokenPipeError:
        return NOBODY_READS
    except (PyreplStreamError, OSError) as exc:
        console.say(str(exc))
        return FAILED


# -- what there is -------------------------------------------------------------------------------


def _ls(arguments: argparse.Namespace, console: Console) -> int:
    from ..sessions import list_sessions, sessions_table

    sessions = list_sessions()
    if arguments.json:
        text = "".join(json.dumps(_as_json(session)) + "\n" for session in sessions)
    else:
        text = sessions_table(sessions)
    console.write(OUTPUT, text.encode("utf-8", "backslashreplace"))
    return 0


def _as_json(session: SessionInfo) -> dict[str, Any]:
    return {
        "session": session.name,
        "pid": session.pid,
        "answers": session.answers,
        "executions": [
            {
                "id": execution.id,
                "status": execution.status,
                "asks": execution.asks,
                "started": execution.started,
                "duration": execution.complete.duration if execution.complete else None,
                "exit_code": execution.complete.exit_code if execution.complete else None,
                "head": execution.head,
                "directory": execution.directory,
            }
            for execution in session.executions
        ],
    }


# -- looking at an execution ---------------------------------------------------------------------


def _attach(arguments: argparse.Namespace, console: Console) -> int:
    from ..sessions import find_execution
    from ..sessions.acting import session_of
    from .output import has_cursor
    from .show import Show
    from .watching import watch

    found = find_execution(arguments.id)
    if not found.alive:  # nothing comes any more
        return _show_record(arguments, found, console)
    view = Show(console, as_json=arguments.json, cursor=has_cursor())
    with session_of(found.session) as session:
        execution = session.execution(found.id)
        stream = execution.attach(arguments.after, follow=arguments.follow)
        return watch(execution, stream, found.name, console, view, interrupts=False)


def _logs(arguments: argparse.Namespace, console: Console) -> int:
    from ..sessions import find_execution

    _show_record(arguments, find_execution(arguments.id), console)
    return 0


def _show_record(arguments: argparse.Namespace, found: ExecutionInfo, console: Console) -> int:
    """Show what is on disk; returns the exit code of the execution."""
    from ..sessions import read_record
    from .output import has_cursor
    from .show import Show
    from .watching import exit_code, tell_end

    view = Show(console, as_json=arguments.json, cursor=has_cursor())
    try:
        for messages in read_record(found, arguments.after):
            view.show(messages)
        if found.ended:
            tell_end(view)
    finally:
        view.close()
    return exit_code(view.complete)


def _wait(arguments: argparse.Namespace, console: Console) -> int:
    from ..sessions import find_execution, wait_for_end
    from .watching import FAILED, exit_code

    found = find_execution(arguments.id)
    complete = wait_for_end(found)
    if complete is None:
        console.say(f"{found.name} is lost: its session has ended, and nobody saw how it went on")
        return FAILED
    reason = f": {complete.error}" if complete.error else ""
    told = f"{complete.status} after {complete.duration:.2f} s{reason}\n"
    console.write(OUTPUT, told.encode("utf-8", "backslashreplace"))
    return exit_code(complete)


# -- acting on it --------------------------------------------------------------------------------


def _interrupt(arguments: argparse.Namespace, console: Console) -> int:
    from ..sessions import find_execution, stop_execution

    stop_execution(find_execution(arguments.id))
    return 0


def _kill(arguments: argparse.Namespace, console: Console) -> int:
    from ..sessions import find_execution, stop_execution

    stop_execution(find_execution(arguments.id), kill=True)
    return 0


def _close(arguments: argparse.Namespace, console: Console) -> int:
    from ..errors import PyreplStreamError
    from ..sessions import close_session, find_session, list_sessions
    from .watching import FAILED

    if (arguments.name is not None) == arguments.all:
        arguments.parser.error("it takes the NAME of a session, or --all")
    sessions = list_sessions() if arguments.all else [find_session(arguments.name)]
    failed = False
    for session in sessions:
        try:
            close_session(session, keep_records=arguments.keep_records)
        except PyreplStreamError as exc:
            if not arguments.all:
                raise
            failed = True  # the others are closed nevertheless
            console.say(str(exc))
    return FAILED if failed else 0
