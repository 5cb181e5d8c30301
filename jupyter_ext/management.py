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
    PyreplStreamError,
    RemoteExecution,
    close_session,
    find_execution,
    find_session,
    list_sessions,
    sessions_table,
    stop_execution,
    wait_for_end,
)

from .area.source import Source
from .area.state import Header
from .arguments import add_look_options, python_name
from .awaiting import leave_awaited
from .configuration import RemoteStream
from .connections import Connections
from .publisher import Publisher
from .records import Record
from .showing import Showing
from .sources import of_record, of_session
from .viewing import Painter, View
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
    add_look_options(attach)
    add("wait", "wait for its end, and say how it ended")
    add("interrupt", "interrupt it, as Stop does in its cell")
    add("kill", "end it by every means")
    add_look_options(add("logs", "show what is recorded of it, without starting anything"))
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

    def __init__(
        self,
        shell: InteractiveShell,
        configuration: RemoteStream,
        connections: Connections,
        showing: Showing,
    ) -> None:
        self._shell = shell
        self._configuration = configuration
        self._connections = connections
        self._showing = showing

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

    async def attach_awaited(self, line: str, publisher: Publisher) -> None:
        """:meth:`run` of ``attach``, for a cell that can await."""
        arguments = _parsed(line)
        try:
            found = find_execution(arguments.id)
            if not found.alive:
                self._show_record(found, arguments, publisher, stays=True)
                return
            view, execution = self._attached(found, arguments, publisher, awaited=True)
            await leave_awaited(view, execution.input, lambda: _left(view, found, publisher))
            if view.failure is not None:
                raise view.failure
        except PyreplStreamError as exc:
            raise UsageError(f"%remote_stream: {exc}") from None

    def _attach(self, arguments: Any, publisher: Publisher) -> None:
        found = find_execution(arguments.id)
        if not found.alive:  # nothing comes any more
            self._show_record(found, arguments, publisher, stays=True)
            return
        view, execution = self._attached(found, arguments, publisher, awaited=False)
        try:
            watch(view, execution.input, on_interrupt=_leave)
        except KeyboardInterrupt:
            _left(view, found, publisher)
        if view.failure is not None:
            raise view.failure

    def _attached(
        self, found: ExecutionInfo, arguments: Any, publisher: Publisher, *, awaited: bool
    ) -> tuple[View, RemoteExecution]:
        session = self._connections.of_session(found.session)
        execution = session.execution(found.id)
        stream = execution.attach(arguments.after)
        if arguments.out is not None:
            self._shell.user_ns[arguments.out] = execution
        source = of_session(session, execution, found.name, arguments.after)
        painter = self._painter(found, source, arguments, publisher, stays=found.ended, awaited=awaited)
        view = View(execution, painter, stream=stream)
        view.start()
        return view, execution

    def _logs(self, arguments: Any, publisher: Publisher) -> None:
        self._show_record(find_execution(arguments.id), arguments, publisher, stays=False)

    def _show_record(
        self, found: ExecutionInfo, arguments: Any, publisher: Publisher, *, stays: bool
    ) -> None:
        after = getattr(arguments, "after", 0)
        painter = self._painter(found, of_record(found, after), arguments, publisher, stays=stays)
        view = View(Record(found, after), painter)
        view.start()
        watch(view, _nobody, on_interrupt=view.stop)
        if view.failure is not None:
            raise view.failure
        publisher.text("stderr", f"[{found.name}: {found.status}]\n")

    def _painter(
        self,
        found: ExecutionInfo,
        source: Source,
        arguments: Any,
        publisher: Publisher,
        *,
        stays: bool,
        awaited: bool = False,
    ) -> Painter:
        header = Header(
            target=f"local:{found.session}",
            name=found.name,
            command=found.head,
            how_to_read=f"%remote_stream attach {found.name}",
        )
        look = self._configuration.look(arguments)
        return self._showing.painter(
            source, header, publisher, look, show_errors=True, awaited=awaited, stays=stays
        )

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


def _nobody(text: str | None, request: InputRequestMessage) -> None:
    """A record asks nothing."""


def _left(view: View, found: ExecutionInfo, publisher: Publisher) -> None:
    view.stop()
    text = f"[{found.name} goes on; %remote_stream interrupt {found.id} interrupts it]\n"
    publisher.text("stderr", text)


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
