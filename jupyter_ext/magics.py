"""``%%remote_stream``: the cell runs in a session, and shows what it says as it says it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anyio
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

import pyrepl_stream
from pyrepl_stream import (
    EventMessage,
    Execution,
    ExecutionResult,
    InputRequestMessage,
    Session,
    wait_async,
)
from pyrepl_stream.embedding import in_place

from .arguments import Arguments, help_text, parse
from .commands import command_of
from .configuration import RemoteStream
from .failure import failure_of
from .output import processors_of
from .plain_view import PlainView
from .publisher import Publisher, publisher_for

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("RemoteStreamMagics", "AWAITED")

AWAITED = "remote_stream_awaited"
"""The name of the magic that ``transform`` writes in place of ``remote_stream`` where it can await."""


_TURN = 0.1  # seconds


@magics_class
class RemoteStreamMagics(Magics):
    """The magic in its two ways, and the sessions that it runs cells in."""

    def __init__(self, shell: InteractiveShell, configuration: RemoteStream) -> None:
        super().__init__(shell)
        self._shell = shell
        self._configuration = configuration
        self._sessions: dict[str, Session] = {}

    @no_var_expand
    @cell_magic
    def remote_stream(self, line: str, cell: str) -> None:
        publisher = publisher_for(self._shell)
        with in_place():
            view, execution, arguments = self._start(line, cell, publisher)
            while view is not None:
                try:
                    news = threading.Event()
                    view.when_news(news.set)
                    news.wait()
                    request = view.requests.get_nowait()
                    if request is None:
                        break
                    self._answer(execution, request)
                except KeyboardInterrupt:
                    execution.interrupt()
        self._end(view, arguments, publisher)

    remote_stream.__doc__ = "Run the cell in a session, and show its output live.\n\n" + help_text()

    @no_var_expand
    @cell_magic(AWAITED)  # type: ignore[arg-type]  # IPython types only the use without a name
    def _awaited(self, line: str, cell: str) -> Any:
        """What ``%%remote_stream`` is at the top level of a cell that can await. Not for typing."""
        return self._run_awaited(line, cell)

    async def _run_awaited(self, line: str, cell: str) -> None:
        publisher = publisher_for(self._shell)
        view, execution, arguments = self._start(line, cell, publisher)
        while view is not None:
            try:
                # ipykernel's interrupt does not wake a loop that sleeps: it is seen at the next turn.
                with anyio.move_on_after(_TURN) as turn:
                    await wait_async(view.when_news)
                if turn.cancelled_caught:
                    continue
                request = view.requests.get_nowait()
                if request is None:
                    break
                self._answer(execution, request)
            except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
                execution.interrupt()  # the kernel was interrupted: see the run to its end
                # The kernel turns only the first interrupt of a cell into a cancellation.
                with _interrupts_to(execution):
                    await self._see_to_the_end(view)
                break
        self._end(view, arguments, publisher)

    async def _see_to_the_end(self, view: PlainView) -> None:
        """Wait for the end of a run that was interrupted. It gets no more input."""
        while True:
            with anyio.move_on_after(_TURN) as turn:
                await wait_async(view.when_news)
            if not turn.cancelled_caught and view.requests.get_nowait() is None:
                return

    def close(self) -> None:
        """End all sessions and what runs in them."""
        for session in self._sessions.values():
            session.__exit__(None, None, None)
        self._sessions.clear()

    def _start(
        self, line: str, cell: str, publisher: Publisher
    ) -> tuple[PlainView | None, Execution, Arguments]:
        """Start the run and its view. The view is None when nobody is to wait for the end."""
        arguments = parse(line)
        if not cell.strip():
            raise UsageError("%%remote_stream: the cell is empty: there is nothing to run")
        command = None
        if arguments.shell or arguments.profile is not None:
            command = command_of(cell, arguments)
        events: list[EventMessage] = []
        try:
            settings = self._configuration.settings(arguments)
            processors = processors_of(settings, arguments, publisher.colours(settings.color), events)
        except pyrepl_stream.UsageError as exc:
            raise UsageError(f"%%remote_stream: {exc}") from None
        session = self._session(arguments.target)
        views: list[PlainView] = []

        def before(execution: Execution) -> None:
            """Everything that looks at the run is there before its code starts."""
            quiet = arguments.no_raise or arguments.detach
            views.append(PlainView(execution, publisher, show_errors=quiet))
            if arguments.out is not None:
                self._shell.user_ns[arguments.out] = execution
            if arguments.events is not None:
                self._shell.user_ns[arguments.events] = events

        common: dict[str, Any] = {
            "keep": arguments.out is not None,
            "streaming": not arguments.no_streaming,
            "before": before,
        }
        if arguments.verbose:
            what = command.name if command else f"Python code in {arguments.target}"
            publisher.text("stderr", f"[{what}]\n")
        if command is None:
            code = self._shell.transform_cell(cell)
            execution = session.execute(code, timeout=arguments.timeout, processors=processors, **common)
        else:
            execution = session.launch(
                command.body,
                cell,
                timeout=command.timeout,
                processors=(*command.processors, *processors),
                **common,
            )
        if arguments.detach:
            publisher.text("stdout", f"[execution {execution.id} runs detached]\n")
        views[0].start()
        return None if arguments.detach else views[0], execution, arguments

    def _session(self, target: str) -> Session:
        session = self._sessions.get(target)
        if session is None:
            namespace = self._shell.user_ns if target == "thread:" else None
            session = self._sessions[target] = Session(namespace).__enter__()
            session.namespace.setdefault("get_ipython", self._shell.get_ipython)
        return session

    def _answer(self, execution: Execution, request: InputRequestMessage) -> None:
        """Ask the person at the front end, as the cell's own code would have."""
        import getpass

        prompt = "" if request.extra.get("printed") else request.prompt
        text = refused = None
        try:
            text = getpass.getpass(prompt) if request.password else input(prompt)
        except EOFError:
            pass
        except Exception as exc:  # a front end without input: the code that asked gets the reason
            refused = exc
        with contextlib.suppress(pyrepl_stream.UsageError):  # somebody else has answered, or it has ended
            execution.input(text, request)
        if refused is not None:
            raise UsageError(f"the code asked for input: {refused}")

    def _end(self, view: PlainView | None, arguments: Arguments, publisher: Publisher) -> None:
        if view is None:
            return
        if arguments.verbose:
            publisher.text("stderr", f"[{_told(view.result)}]\n")
        if view.result.status == "running":
            raise RuntimeError("what shows the run's output failed: see its error above; the run goes on")
        if not view.result.success and not arguments.no_raise:
            raise failure_of(view.result) from None


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
