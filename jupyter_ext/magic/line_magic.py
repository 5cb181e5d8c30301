"""``%remote_stream``: lists and controls the executions and sessions of this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from pyrepl_stream import PyreplStreamError, inventory
from pyrepl_stream.inventory import ExecutionInfo, find_execution, list_sessions
from pyrepl_stream.runtime.validation import suggest

from ..area.sources import RecordSource, SessionSource
from ..area.state import Header
from ..messaging.publisher import Publisher
from ..views.view_loop import ViewLoop
from .arguments import DisplayArguments, MagicParser, add_options, python_name, split
from .configuration import RemoteStream
from .renderer_factory import RendererFactory
from .session_pool import SessionPool
from .wait import wait, wait_attached

_NAME = "%remote_stream"
_PARSER = MagicParser(prog=_NAME)
_PARSERS = _PARSER.add_subparsers(metavar="VERB", dest="verb")


def _add(verb: str, meaning: str, *, execution: bool = True) -> MagicParser:
    added: MagicParser = _PARSERS.add_parser(verb, help=meaning)
    if execution:
        added.add_argument("id", metavar="ID", help="an id, the beginning of one, or SESSION/ID")
    return added


_add("ls", "list the sessions of this machine and their executions (the default)", execution=False)
_ATTACH = _add("attach", "show an execution in this cell, live; Stop detaches and does not interrupt it")
_ATTACH.add_argument("--after", type=int, default=0, metavar="N", help="start after message N")
_ATTACH.add_argument("--out", type=python_name, metavar="NAME", help="bind the execution to NAME")
add_options(_ATTACH, DisplayArguments)
_add("wait", "wait for the end of an execution and print how it ended")
_add("interrupt", "interrupt an execution, as Stop does in its cell")
_add("kill", "kill an execution; if it is Python code, the namespace of its session is lost")
add_options(_add("logs", "show the recorded output of an execution"), DisplayArguments)
_add("targets", "list the targets that cells can run in", execution=False)
_CLOSE = _add("close", "end a session and all that runs in it, and delete its records", execution=False)
_CLOSE.add_argument("name", metavar="NAME", nargs="?", help="the name of a session")
_CLOSE.add_argument("--all", action="store_true", help="close all sessions of this machine")
_CLOSE.add_argument("--keep-records", action="store_true", help="keep the records, which `logs` shows")
VERBS = tuple(_PARSERS.choices)


def help_text() -> str:
    """Return the help of ``%remote_stream`` and the usage of each verb."""
    return "\n".join(
        [_PARSER.format_help(), *(parser.format_usage() for parser in _PARSERS.choices.values())]
    )


@dataclass(frozen=True)
class LineMagic:
    """The line magic of one shell."""

    shell: InteractiveShell
    configuration: RemoteStream
    session_pool: SessionPool
    renderer_factory: RendererFactory

    def run(self, line: str, publisher: Publisher) -> None:
        """Run the verb in ``line``, by default ``ls``.

        Raises:
            UsageError: The verb failed. This is IPython's error, shown without a traceback.
        """
        arguments = _parsed(line)
        verb: Callable[[Any, Publisher], None] = getattr(self, f"_{arguments.verb or 'ls'}")
        try:
            verb(arguments, publisher)
        except PyreplStreamError as exc:
            raise UsageError(f"{_NAME}: {exc}") from None

    def _ls(self, arguments: Any, publisher: Publisher) -> None:
        publisher.text("stdout", inventory.sessions_table(list_sessions()))

    def _targets(self, arguments: Any, publisher: Publisher) -> None:
        text = "thread:  a thread with the notebook's namespace\n"
        text += "thread:NAME  a thread with a namespace of its own\n"
        for session in list_sessions():
            text += f"local:{session.name}  {'a running session' if session.alive else 'records only'}\n"
        publisher.text("stdout", text)

    async def attach_awaited(self, line: str, publisher: Publisher) -> None:
        """Run ``attach`` as :meth:`run` does, in a cell that can await."""
        arguments = _parsed(line)
        try:
            found = find_execution(arguments.id)
            view = self._attached(found, arguments, publisher, awaited=True)
            if view is not None:
                await wait_attached(view, lambda: _detach(view, found, publisher))
                view.raise_failure()
        except PyreplStreamError as exc:
            raise UsageError(f"{_NAME}: {exc}") from None

    def _attach(self, arguments: Any, publisher: Publisher) -> None:
        found = find_execution(arguments.id)
        view = self._attached(found, arguments, publisher, awaited=False)
        if view is not None:
            try:
                wait(view, _raise_interrupt)
            except KeyboardInterrupt:
                _detach(view, found, publisher)
            view.raise_failure()

    def _attached(
        self, found: ExecutionInfo, arguments: Any, publisher: Publisher, *, awaited: bool
    ) -> ViewLoop | None:
        """Return the view of an execution. If only its record is left, show it and return None."""
        if not found.alive:
            self._show_record(found, arguments, publisher, keep_area=True)
            return None
        session = self.session_pool.of_session(found.session)
        execution = session.execution(found.id)
        stream = execution.attach(arguments.after)
        if arguments.out is not None:
            self.shell.user_ns[arguments.out] = execution
        source = SessionSource(session, execution, found.name, after=arguments.after)
        options = self.configuration.display_options(arguments, show_errors=True)
        renderer = self.renderer_factory.renderer(
            source, Header.of_record(found), publisher, options, awaited=awaited, keep_area=found.ended
        )
        return ViewLoop(execution, renderer, stream=stream).start()

    def _logs(self, arguments: Any, publisher: Publisher) -> None:
        self._show_record(find_execution(arguments.id), arguments, publisher, keep_area=False)

    def _show_record(
        self, found: ExecutionInfo, arguments: Any, publisher: Publisher, *, keep_area: bool
    ) -> None:
        source = RecordSource(found, getattr(arguments, "after", 0))
        options = self.configuration.display_options(arguments, show_errors=True)
        renderer = self.renderer_factory.renderer(
            source, Header.of_record(found), publisher, options, keep_area=keep_area
        )
        view = ViewLoop(source, renderer).start()
        wait(view, view.stop)
        view.raise_failure()
        publisher.text("stderr", f"[{found.name}: {found.status}]\n")

    def _wait(self, arguments: Any, publisher: Publisher) -> None:
        found = find_execution(arguments.id)
        complete = inventory.wait_for_end(found)
        if complete is None:
            raise UsageError(f"{_NAME}: {found.name} is lost: its session ended before it did")
        reason = f": {complete.error}" if complete.error else ""
        publisher.text("stdout", f"{complete.status} after {complete.duration:.2f} s{reason}\n")

    def _interrupt(self, arguments: Any, publisher: Publisher) -> None:
        inventory.stop_execution(find_execution(arguments.id))

    def _kill(self, arguments: Any, publisher: Publisher) -> None:
        inventory.stop_execution(find_execution(arguments.id), kill=True)

    def _close(self, arguments: Any, publisher: Publisher) -> None:
        if (arguments.name is not None) == arguments.all:
            raise UsageError(f"{_NAME} close: give the NAME of a session, or --all")
        sessions = list_sessions() if arguments.all else [inventory.find_session(arguments.name)]
        errors = inventory.close_sessions(sessions, keep_records=arguments.keep_records)
        for session in sessions:
            if session.name not in errors:
                self.session_pool.forget_session(session.name)
        if errors:
            raise UsageError("\n".join(f"{_NAME}: {error}" for error in errors.values()))


def _detach(view: ViewLoop, found: ExecutionInfo, publisher: Publisher) -> None:
    view.stop()
    text = f"[{found.name} continues; `{_NAME} interrupt {found.id}` interrupts it]\n"
    publisher.text("stderr", text)


def _raise_interrupt() -> None:
    raise KeyboardInterrupt


def _parsed(line: str) -> Any:
    words = split(line, _NAME)
    if words and words[0] not in VERBS:
        raise UsageError(f"{_NAME}: unknown verb {words[0]!r}; {suggest(words[0], VERBS)}")
    arguments, unknown = _PARSER.parse_known_args(words)
    if unknown:
        _PARSERS.choices[words[0]].reject(unknown)
    return arguments
