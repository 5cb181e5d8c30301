"""Starts what a cell asks for, and the view of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import AnyProcessor, EventMessage, Execution
from pyrepl_stream.embedding import head_of

from .area.source import Source
from .area.state import Header
from .arguments import Arguments
from .commands import CellCommand, command_of
from .configuration import RemoteStream
from .connections import Connections
from .interrupting import HeldInterrupt
from .output import processors_of
from .publisher import Publisher
from .showing import Showing
from .sources import of_session, of_thread
from .viewing import Painter, View

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("Started", "Starter")

@dataclass(frozen=True)
class Started:
    """What runs, and what shows it; ``name`` is what to call it."""

    execution: Execution
    view: View
    name: str


class Starter:
    """Starts the cells of one shell."""

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

    def start(
        self, cell: str, arguments: Arguments, publisher: Publisher, held: HeldInterrupt | None = None
    ) -> Started:
        """``held`` is for a cell that blocks: it holds interrupts from when there is something to interrupt;
        else the kernel is free meanwhile. Raises IPython's :class:`UsageError` for what cannot be run."""
        if not cell.strip():
            raise UsageError("%%remote_stream: the cell is empty: there is nothing to run")
        command = command_of(cell, arguments) if arguments.is_command else None
        try:
            settings = self._configuration.settings(arguments)
            events: list[EventMessage] = []
            processors = processors_of(settings, arguments, publisher.colours(settings.color), events)
            if command is not None:
                processors = (*command.processors, *processors)
            if arguments.verbose:
                what = command.name if command else f"Python code in {arguments.target}"
                publisher.text("stderr", f"[{what}]\n")
            start = _InThread if arguments.in_thread else _InSession
            show = functools.partial(
                self._showing.painter,
                publisher=publisher,
                look=self._configuration.look(arguments),
                show_errors=arguments.no_raise or arguments.detach,
                awaited=held is None,
                output=settings,
            )
            hold = held.hold if held is not None else _nothing
            way = start(self._shell, self._connections, arguments, events, show, hold)
            started = way.start(cell, command, processors)
        except (pyrepl_stream.UsageError, pyrepl_stream.TargetError, pyrepl_stream.UnsafePathError) as exc:
            raise UsageError(f"%%remote_stream: {exc}") from None
        started.view.start()
        return started


def _nothing() -> None:
    pass


class _Way:
    def __init__(
        self,
        shell: InteractiveShell,
        connections: Connections,
        arguments: Arguments,
        events: list[EventMessage],
        show: Callable[[Source, Header], Painter],
        hold: Callable[[], object],
    ) -> None:
        self._shell = shell
        self._connections = connections
        self._arguments = arguments
        self._events = events
        self._show = show
        self._hold = hold  # the cell's interrupts

    def _painter(self, source: Source, cell: str) -> Painter:
        arguments = self._arguments
        header = Header(
            target=arguments.target,
            name=source.name,
            job=arguments.job or "",
            command=head_of(cell),
            detached=arguments.detach,
            how_to_read="" if arguments.in_thread else f"%remote_stream attach {source.name}",
        )
        return self._show(source, header)

    def _view(self, execution: Execution, painter: Painter) -> View:
        """Everything that looks at the run."""
        arguments = self._arguments
        if arguments.out is not None:
            self._shell.user_ns[arguments.out] = execution
        if arguments.events is not None:
            self._shell.user_ns[arguments.events] = self._events
        return View(execution, painter)


class _InThread(_Way):
    """In this process."""

    def start(self, cell: str, command: CellCommand | None, processors: tuple[AnyProcessor, ...]) -> Started:
        arguments = self._arguments
        session = self._connections.thread(arguments.target)
        views: list[View] = []
        common: dict[str, Any] = {
            "keep": arguments.out is not None,
            "processors": processors,
            "streaming": not arguments.no_streaming,
            # All is there before the code starts.
            "before": lambda execution: views.append(
                self._view(execution, self._painter(of_thread(execution), cell))
            ),
        }
        code = self._shell.transform_cell(cell) if command is None else ""
        self._hold()
        if command is None:
            execution = session.execute(code, timeout=arguments.timeout, **common)
        else:
            execution = session.launch(command.body, cell, timeout=command.timeout, **common)
        return Started(execution, views[0], execution.id)


class _InSession(_Way):
    """In a session that outlives this process, which keeps all output: nothing is missed."""

    def start(self, cell: str, command: CellCommand | None, processors: tuple[AnyProcessor, ...]) -> Started:
        arguments = self._arguments
        session = self._connections.remote(arguments)
        common: dict[str, Any] = {
            "execution_id": arguments.job,
            "fresh": arguments.fresh,
            "processors": processors,
            "streaming": not arguments.no_streaming,
        }
        self._hold()
        if command is None:
            # As it is: the worker has an IPython of its own, or has none and knows no magics.
            execution = session.execute(cell, timeout=arguments.timeout, **common)
        else:
            execution = session.launch_command(command.request(), timeout=command.timeout, **common)
        new = execution.wait_started()
        assert session.hello is not None
        name = f"{session.hello['session']}/{execution.id}"
        painter = self._painter(of_session(session, execution, name), cell)
        if not new:
            known = f"job {arguments.job!r} is there already ({execution.status}): this is its output"
            painter.note(f"{known}; --fresh runs it anew")
        if execution.behind is not None:
            painter.wait_for(execution.behind)
        return Started(execution, self._view(execution, painter), name)
