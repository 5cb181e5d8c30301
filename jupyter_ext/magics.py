"""``%%remote_stream``: the cell runs in a session, and shows what it says as it says it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anyio
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from pyrepl_stream import Execution, ExecutionResult, wait_async
from pyrepl_stream.embedding import in_place

from .arguments import Arguments, help_text, parse
from .configuration import RemoteStream
from .connections import Connections
from .failure import failure_of
from .management import Management
from .management import help_text as management_help
from .publisher import Publisher, publisher_for
from .running import Started, Starter
from .watching import answer, watch

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("RemoteStreamMagics", "AWAITED")

AWAITED = "remote_stream_awaited"
"""The name of the magic that ``transform`` writes in place of ``remote_stream`` where it can await."""


_TURN = 0.1  # seconds


@magics_class
class RemoteStreamMagics(Magics):
    """The magic in its ways, and the sessions that it runs cells in."""

    def __init__(self, shell: InteractiveShell, configuration: RemoteStream) -> None:
        super().__init__(shell)
        self._shell = shell
        self._connections = Connections(shell)
        self._starter = Starter(shell, configuration, self._connections)
        self._management = Management(shell, self._connections)

    @no_var_expand
    @cell_magic
    def remote_stream(self, line: str, cell: str) -> None:
        publisher = publisher_for(self._shell)
        arguments = parse(line)
        with in_place():
            started = self._start(cell, arguments, publisher)
            if started is not None:
                watch(started.view, started.execution.input, on_interrupt=started.execution.interrupt)
        self._end(started, arguments, publisher)

    remote_stream.__doc__ = "Run the cell in a session, and show its output live.\n\n" + help_text()

    @no_var_expand
    @cell_magic(AWAITED)  # type: ignore[arg-type]  # IPython types only the use without a name
    def _awaited(self, line: str, cell: str) -> Any:
        """What ``%%remote_stream`` is at the top level of a cell that can await. Not for typing."""
        return self._run_awaited(line, cell)

    def _manage(self, line: str) -> None:
        with in_place():
            self._management.run(line, publisher_for(self._shell))

    _manage.__doc__ = "What runs in sessions, and what ran.\n\n" + management_help()
    _manage = no_var_expand(line_magic("remote_stream")(_manage))  # type: ignore[arg-type]  # as above

    async def _run_awaited(self, line: str, cell: str) -> None:
        publisher = publisher_for(self._shell)
        arguments = parse(line)
        started = self._start(cell, arguments, publisher)
        if started is not None:
            await self._watch_awaited(started)
        self._end(started, arguments, publisher)

    async def _watch_awaited(self, started: Started) -> None:
        view, execution = started.view, started.execution
        while True:
            try:
                # ipykernel's interrupt does not wake a loop that sleeps: it is seen at the next turn.
                with anyio.move_on_after(_TURN) as turn:
                    await wait_async(view.when_news)
                if turn.cancelled_caught:
                    continue
                request = view.requests.get_nowait()
                if request is None:
                    return
                answer(execution.input, request)
            except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
                execution.interrupt()  # the kernel was interrupted: see the run to its end
                # The kernel turns only the first interrupt of a cell into a cancellation.
                with _interrupts_to(execution):
                    await _see_to_the_end(started)
                return

    def close(self) -> None:
        """End all sessions in threads and what runs in them; let go of the others."""
        self._connections.close()

    def _start(self, cell: str, arguments: Arguments, publisher: Publisher) -> Started | None:
        """Start the run and its view. None when nobody is to wait for the end."""
        started = self._starter.start(cell, arguments, publisher)
        if arguments.detach:
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


async def _see_to_the_end(started: Started) -> None:
    """Wait for the end of a run that was interrupted. It gets no more input."""
    while True:
        with anyio.move_on_after(_TURN) as turn:
            await wait_async(started.view.when_news)
        if not turn.cancelled_caught and started.view.requests.get_nowait() is None:
            return


@contextlib.contextmanager
def _interrupts_to(execution: Execution) -> Iterator[None]:
    """Meanwhile, an interrupt of this process is one of the run: it hurries its end."""
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: _interrupt(execution))
    except ValueError:  # not in the main thread, which is the one that is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(execution: Execution) -> None:
    execution.interrupt()


def _told(result: ExecutionResult) -> str:
    """How a run ended, in a few words."""
    code = "" if result.exit_code is None else f", exit code {result.exit_code}"
    reason = f": {result.reason}" if result.reason else ""
    return f"{result.status}{code} after {result.duration:.2f} s{reason}"
