"""``%%remote_stream``: the cell runs in a session, and shows what it says as it says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from pyrepl_stream import ExecutionResult
from pyrepl_stream.embedding import in_place

from .arguments import Arguments, help_text, parse
from .awaiting import watch_awaited
from .configuration import RemoteStream
from .connections import Connections
from .failure import failure_of
from .interrupting import HeldInterrupt
from .late import LateUpdates
from .management import Management
from .management import help_text as management_help
from .publisher import Publisher, publisher_for
from .running import Started, Starter
from .showing import Showing
from .watching import watch

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("RemoteStreamMagics", "AWAITED")

AWAITED = "remote_stream_awaited"
"""The name of the magic that ``transform`` writes in place of ``remote_stream`` where it can await."""


@magics_class
class RemoteStreamMagics(Magics):
    """The magic in its ways, and the sessions that it runs cells in."""

    def __init__(self, shell: InteractiveShell, configuration: RemoteStream) -> None:
        super().__init__(shell)
        self._shell = shell
        self._configuration = configuration
        self._connections = Connections(shell)
        self._showing = Showing()
        self._late = LateUpdates(shell)
        self._starter = Starter(shell, configuration, self._connections, self._showing)
        self._management = Management(shell, configuration, self._connections, self._showing)

    @no_var_expand
    @cell_magic
    def remote_stream(self, line: str, cell: str) -> None:
        publisher = publisher_for(self._shell, self._late)
        arguments = parse(line)
        with in_place(), HeldInterrupt() as held:
            started = self._start(cell, arguments, publisher, held)
            if started is not None:
                execution = started.execution
                watch(started.view, execution.input, on_interrupt=execution.interrupt, held=held)
        self._end(started, arguments, publisher)

    remote_stream.__doc__ = "Run the cell in a session, and show its output live.\n\n" + help_text()

    @no_var_expand
    @cell_magic(AWAITED)  # type: ignore[arg-type]  # IPython types only the use without a name
    def _awaited(self, line: str, cell: str) -> Any:
        """What ``%%remote_stream`` is at the top level of a cell that can await. Not for typing."""
        return self._run_awaited(line, cell)

    def _manage(self, line: str) -> None:
        with in_place():
            self._management.run(line, publisher_for(self._shell, self._late))

    _manage.__doc__ = "What runs in sessions, and what ran.\n\n" + management_help()
    _manage = no_var_expand(line_magic("remote_stream")(_manage))  # type: ignore[arg-type]  # as above

    @no_var_expand
    @line_magic(AWAITED)  # type: ignore[arg-type]  # as above
    def _awaited_line(self, line: str) -> Any:
        """What ``%remote_stream attach`` is there. Not for typing."""
        return self._management.attach_awaited(line, publisher_for(self._shell, self._late))

    async def _run_awaited(self, line: str, cell: str) -> None:
        publisher = publisher_for(self._shell, self._late)
        arguments = parse(line)
        started = self._start(cell, arguments, publisher)
        if started is not None:
            await watch_awaited(started.view, started.execution)
        self._end(started, arguments, publisher)

    def revive(self) -> None:
        """Bring the areas of a saved notebook to life again."""
        if not hasattr(self._shell, "kernel") or self._configuration.display not in ("auto", "widget"):
            return
        look = self._configuration.look()
        self._showing.revive(self._connections.of_session, look)

    def close(self) -> None:
        """End all sessions in threads and what runs in them; let go of the others, and of live areas."""
        self._late.close()
        self._showing.close()
        self._connections.close()

    def _start(
        self, cell: str, arguments: Arguments, publisher: Publisher, held: HeldInterrupt | None = None
    ) -> Started | None:
        """Start the run and its view. None when nobody is to wait for the end."""
        started = self._starter.start(cell, arguments, publisher, held)
        if arguments.detach and not started.view.live:
            publisher.text("stdout", f"[execution {started.name} runs detached]\n")
        return None if arguments.detach else started

    def _end(self, started: Started | None, arguments: Arguments, publisher: Publisher) -> None:
        if started is None:
            return
        view = started.view
        if view.failure is not None:
            raise view.failure
        if arguments.verbose:
            publisher.text("stderr", f"[{_told(view.result)}]\n")
        if view.result.status == "running":
            raise RuntimeError("what shows the run's output failed: see its error above; the run goes on")
        if not view.result.success and not arguments.no_raise:
            raise failure_of(view.result, is_command=arguments.is_command) from None


def _told(result: ExecutionResult) -> str:
    """How a run ended, in a few words."""
    code = "" if result.exit_code is None else f", exit code {result.exit_code}"
    reason = f": {result.reason}" if result.reason else ""
    return f"{result.status}{code} after {result.duration:.2f} s{reason}"
