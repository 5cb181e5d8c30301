"""Starts what a cell asks for, and the view of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import AnyProcessor, EventMessage, Execution

from .arguments import Arguments
from .commands import CellCommand, command_of
from .configuration import RemoteStream
from .connections import Connections
from .output import processors_of
from .plain_view import PlainView
from .publisher import Publisher

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("Started", "Starter")


@dataclass(frozen=True)
class Started:
    """What runs, and what shows it; ``name`` is what to call it."""

    execution: Execution
    view: PlainView
    name: str


class Starter:
    """Starts the cells of one shell."""

    def __init__(
        self, shell: InteractiveShell, configuration: RemoteStream, connections: Connections
    ) -> None:
        self._shell = shell
        self._configuration = configuration
        self._connections = connections

    def start(self, cell: str, arguments: Arguments, publisher: Publisher) -> Started:
        """Raises IPython's :class:`UsageError` for what cannot be run."""
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
            way = start(self._shell, self._connections, arguments, publisher, events)
            started = way.start(cell, command, processors)
        except (pyrepl_stream.UsageError, pyrepl_stream.TargetError, pyrepl_stream.UnsafePathError) as exc:
            raise UsageError(f"%%remote_stream: {exc}") from None
        started.view.start()
        return started


class _Way:
    def __init__(
        self,
        shell: InteractiveShell,
        connections: Connections,
        arguments: Arguments,
        publisher: Publisher,
        events: list[EventMessage],
    ) -> None:
        self._shell = shell
        self._connections = connections
        self._arguments = arguments
        self._publisher = publisher
        self._events = events

    def _view(self, execution: Execution) -> PlainView:
        """Everything that looks at the run."""
        arguments = self._arguments
        view = PlainView(execution, self._publisher, show_errors=arguments.no_raise or arguments.detach)
        if arguments.out is not None:
            self._shell.user_ns[arguments.out] = execution
        if arguments.events is not None:
            self._shell.user_ns[arguments.events] = self._events
        return view


class _InThread(_Way):
    """In this process."""

    def start(self, cell: str, command: CellCommand | None, processors: tuple[AnyProcessor, ...]) -> Started:
        arguments = self._arguments
        session = self._connections.thread(arguments.target)
        views: list[PlainView] = []
        common: dict[str, Any] = {
            "keep": arguments.out is not None,
            "processors": processors,
            "streaming": not arguments.no_streaming,
            # All is there before the code starts.
            "before": lambda execution: views.append(self._view(execution)),
        }
        if command is None:
            code = self._shell.transform_cell(cell)
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
        if command is None:
            # As it is: the worker has an IPython of its own, or has none and knows no magics.
            execution = session.execute(cell, timeout=arguments.timeout, **common)
        else:
            execution = session.launch_command(command.request(), timeout=command.timeout, **common)
        new = execution.wait_started()
        assert session.hello is not None
        name = f"{session.hello['session']}/{execution.id}"
        if not new:
            known = f"job {arguments.job!r} is there already ({execution.status}): this is its output"
            self._publisher.text("stderr", f"[{known}; --fresh runs it anew]\n")
        if execution.behind is not None:
            self._publisher.text("stderr", f"[queued behind {execution.behind}]\n")
        return Started(execution, self._view(execution), name)
