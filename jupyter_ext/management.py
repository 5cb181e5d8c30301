"""``%remote_stream``: what runs in sessions, and what ran; also of other kernels, and of none."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from pyrepl_stream import (
    ExecutionInfo,
    InputRequestMessage,
    Message,
    PyreplStreamError,
    close_session,
    find_execution,
    find_session,
    list_sessions,
    read_record,
    sessions_table,
    stop_execution,
    wait_for_end,
)

from .arguments import python_name
from .connections import Connections
from .plain_view import PlainView
from .publisher import Publisher
from .watching import watch

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("Management", "VERBS", "help_text")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nusage: {' '.join(self.format_usage().split()[1:])}")


def _parser() -> _Parser:
    parser = _Parser(prog="%remote_stream", add_help=False, allow_abbrev=False)
    verbs = parser.add_subparsers(metavar="VERB", dest="verb")

    def add(verb: str, meaning: str, *, execution: bool = True) -> _Parser:
        added: _Parser = verbs.add_parser(verb, help=meaning, add_help=False, allow_abbrev=False)
        if execution:
            added.add_argument("id", metavar="ID", help="an id, the beginning of one, or SESSION/ID")
        return added

    add("ls", "list the sessions of this machine and what is recorded of them (the default)", execution=False)
    attach = add("attach", "show an execution in this cell, live; Stop leaves it, and it goes on")
    attach.add_argument("--after", type=int, default=0, metavar="N", help="begin behind message N")
    attach.add_argument("--out", type=python_name, metavar="NAME", help="bind the execution to NAME")
    add("wait", "wait for its end, and say how it ended")
    add("interrupt", "interrupt it, as Stop does in its cell")
    add("kill", "end it by every means")
    add("logs", "show what is recorded of it, without starting anything")
    add("targets", "list what cells can run in", execution=False)
    close = add("close", "end a session with all that runs in it, and remove its records", execution=False)
    close.add_argument("name", metavar="NAME", nargs="?")
    close.add_argument("--all", action="store_true", help="all sessions of this machine")
    close.add_argument("--keep-records", action="store_true", help="leave what `logs` shows")
    return parser


def _verbs() -> dict[str, _Parser]:
    (verbs,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(verbs.choices)


VERBS = tuple(_verbs())


def help_text() -> str:
    parts = [_parser().format_help(), *(parser.format_usage() for parser in _verbs().values())]
    return "\n".join(parts)


class Management:
    """The line magic of one shell."""

    def __init__(self, shell: InteractiveShell, connections: Connections) -> None:
        self._shell = shell
        self._connections = connections

    def run(self, line: str, publisher: Publisher) -> None:
        """Do what ``line`` says. Raises IPython's :class:`UsageError`."""
        arguments = _parsed(line)
        act: Callable[[Any, Publisher], None] = getattr(self, f"_{arguments.verb or 'ls'}")
        try:
            act(arguments, publisher)
        except PyreplStreamError as exc:
            raise UsageError(f"%remote_stream: {exc}") from None

    def _ls(self, arguments: Any, publisher: Publisher) -> None:
        publisher.text("stdout", sessions_table(list_sessions()))

    def _targets(self, arguments: Any, publisher: Publisher) -> None:
        text = "thread:  a thread that shares the notebook's namespace\nthread:NAME  one with its own\n"
        for session in list_sessions():
            text += f"local:{session.name}  {'a session that runs' if session.alive else 'records only'}\n"
        publisher.text("stdout", text)

    def _attach(self, arguments: Any, publisher: Publisher) -> None:
        found = find_execution(arguments.id)
        if not found.alive:  # nothing comes any more
            self._show_record(found, arguments.after, publisher)
            return
        session = self._connections.of_session(found.session)
        execution = session.execution(found.id)
        stream = execution.attach(arguments.after)
        if arguments.out is not None:
            self._shell.user_ns[arguments.out] = execution
        view = PlainView(execution, publisher, show_errors=True, stream=stream)
        view.start()
        try:
            watch(view, execution.input, on_interrupt=_leave)
        except KeyboardInterrupt:
            view.stop()
            text = f"[{found.name} goes on; %remote_stream interrupt {found.id} interrupts it]\n"
            publisher.text("stderr", text)
        if view.failure is not None:
            raise view.failure

    def _logs(self, arguments: Any, publisher: Publisher) -> None:
        self._show_record(find_execution(arguments.id), 0, publisher)

    def _show_record(self, found: ExecutionInfo, after: int, publisher: Publisher) -> None:
        view = PlainView(_Record(found, after), publisher, show_errors=True)
        view.start()
        watch(view, _nobody, on_interrupt=view.stop)
        if view.failure is not None:
            raise view.failure
        publisher.text("stderr", f"[{found.name}: {found.status}]\n")

    def _wait(self, arguments: Any, publisher: Publisher) -> None:
        found = find_execution(arguments.id)
        complete = wait_for_end(found)
        if complete is None:
            raise UsageError(f"{found.name} is lost: its session has ended, and nobody saw how it went on")
        reason = f": {complete.error}" if complete.error else ""
        publisher.text("stdout", f"{complete.status} after {complete.duration:.2f} s{reason}\n")

    def _interrupt(self, arguments: Any, publisher: Publisher) -> None:
        stop_execution(find_execution(arguments.id))

    def _kill(self, arguments: Any, publisher: Publisher) -> None:
        stop_execution(find_execution(arguments.id), kill=True)

    def _close(self, arguments: Any, publisher: Publisher) -> None:
        if (arguments.name is not None) == arguments.all:
            raise UsageError("%remote_stream close takes the NAME of a session, or --all")
        sessions = list_sessions() if arguments.all else [find_session(arguments.name)]
        for session in sessions:
            close_session(session, keep_records=arguments.keep_records)
            self._connections.forget_session(session.name)


class _Record:
    """What is on disk of an execution, for a view."""

    def __init__(self, found: ExecutionInfo, after: int) -> None:
        self.id = found.id
        self._batches = read_record(found, after)

    def attach(self) -> _Record:
        return self

    def asks(self, request: InputRequestMessage) -> bool:
        return False

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        return next(self._batches, None)

    def close(self) -> None:
        pass  # whoever goes on reading it is in the view's own thread


def _nobody(text: str | None, request: InputRequestMessage) -> None:
    """A record asks nothing."""


def _leave() -> None:
    raise KeyboardInterrupt


def _parsed(line: str) -> Any:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as exc:
        raise UsageError(f"%remote_stream: {exc}: {line!r}") from None
    if words and words[0] not in VERBS:
        near = difflib.get_close_matches(words[0], VERBS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(VERBS)}"
        raise UsageError(f"%remote_stream does not know {words[0]!r}; {hint}")
    arguments, unknown = _parser().parse_known_args(words)
    if unknown:
        _verbs()[words[0]].error(f"%remote_stream {words[0]} does not know {unknown[0]!r}")
    return arguments
