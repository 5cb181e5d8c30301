"""Starts the execution of a cell, and the view of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import pyrepl_stream
from pyrepl_stream import EventMessage, Execution
from pyrepl_stream.embedding import summary_line
from pyrepl_stream.processors import AnyProcessor
from pyrepl_stream.profiles import ProfileRun

from ..area.state import Header
from ..messaging.interrupts import HeldInterrupt
from ..messaging.publisher import Publisher
from ..views.view_loop import ViewLoop
from .arguments import Arguments
from .commands import command_of
from .configuration import RemoteStream
from .output import processors_of
from .renderer_factory import RendererFactory
from .session_pool import CellSession, SessionPool


@dataclass(frozen=True)
class Launcher:
    """Starts the cells of one shell."""

    shell: InteractiveShell
    configuration: RemoteStream
    session_pool: SessionPool
    renderer_factory: RendererFactory

    def start(
        self, cell: str, arguments: Arguments, publisher: Publisher, held: HeldInterrupt | None = None
    ) -> ViewLoop:
        """Start a cell and return its view.

        Args:
            cell: The cell without its first line.
            arguments: The options in its first line.
            publisher: Shows the output of the cell.
            held: Holds interrupts until the view exists, for a cell that blocks; None for a cell that leaves
                the kernel free.

        Raises:
            IPython.core.error.UsageError: The cell cannot be run.
        """
        if not cell or (arguments.is_command and not cell.strip()):
            raise UsageError("%%remote_stream: the cell is empty: there is nothing to run")
        command = command_of(cell, arguments) if arguments.is_command else None
        events: list[EventMessage] = []
        try:
            settings = self.configuration.settings(arguments)
            processors = processors_of(settings, arguments, publisher.colours(settings.color), events)
            if arguments.verbose:
                what = f"Python code in {arguments.target}"
                if command is not None:
                    what = "the shell runs the cell" if arguments.profile is None else command.command.name
                publisher.text("stderr", f"[{what}]\n")
            place = self.session_pool.of_cell(arguments)
            if held is not None:
                held.hold()
            execution, new = self._execute(place, cell, command, arguments, events, processors)
            source = place.source(execution)
            header = Header(
                target=arguments.target,
                name=source.id,
                job=arguments.job or "",
                command=summary_line(cell),
                detached=arguments.detach,
                how_to_read=f"%remote_stream attach {source.id}" if place.outlives_kernel else "",
                queued_after=execution.behind or "",
            )
            shows_errors = arguments.no_raise or arguments.detach
            look = self.configuration.display_options(arguments, show_errors=shows_errors, output=settings)
            renderer = self.renderer_factory.renderer(source, header, publisher, look, awaited=held is None)
        except (pyrepl_stream.UsageError, pyrepl_stream.TargetError, pyrepl_stream.InsecurePathError) as exc:
            raise UsageError(f"%%remote_stream: {exc}") from None
        if command is None or arguments.cwd is None:  # otherwise it runs in the folder that the cell names
            difference = place.take_difference()
            if difference is not None:
                renderer.note(difference)
        if not new:
            ended = execution.status not in ("queued", "running")
            hint = "; --fresh runs it again" if ended else ""
            known = f"job {arguments.job!r} already exists ({execution.status}): this is its output"
            renderer.note(known + hint)
        if arguments.detach and not renderer.live:
            publisher.text("stdout", f"[execution {source.id} runs detached]\n")
        return ViewLoop(execution, renderer).start()

    def _execute(
        self,
        place: CellSession,
        cell: str,
        command: ProfileRun | None,
        arguments: Arguments,
        events: list[EventMessage],
        processors: tuple[AnyProcessor, ...],
    ) -> tuple[Execution, bool]:
        """Start the code or the command; return the execution, and True unless the session already had it.

        If it cannot be started, the names that the cell binds get their previous values back.
        """
        namespace = self.shell.user_ns
        names = [name for name in (arguments.out, arguments.events) if name is not None]
        before = {name: namespace[name] for name in names if name in namespace}

        def bind(execution: Execution) -> None:
            values = {arguments.out: execution, arguments.events: events}
            namespace.update({name: values[name] for name in names})

        options: dict[str, Any] = {
            "execution_id": arguments.job,
            "fresh": arguments.fresh,
            "streaming": not arguments.no_streaming,
            "retain_output": arguments.out is not None,
            "on_created": bind,
        }
        try:
            execution: Execution
            if command is None:
                options["processors"] = processors
                execution = place.session.execute(cell, timeout=arguments.timeout, **options)
            else:
                options |= {"limits": command.limits, "retry": command.retry}
                options["processors"] = (*command.processors, *processors)
                execution = place.session.run_process(command.command, **options)
            return execution, execution.wait_started()
        except BaseException:
            for name in names:
                namespace.pop(name, None)
            namespace.update(before)
            raise
