"""``%%remote_stream``: runs a cell in a session and shows its output live."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from pyrepl_stream import ExecutionResult
from pyrepl_stream.embedding import override_streams, reroute

from ..messaging.deferred_updates import DeferredUpdates
from ..messaging.interrupts import HeldInterrupt
from ..messaging.publisher import Publisher, is_interactive, publisher_for
from ..views.view_loop import ViewLoop
from .arguments import Arguments, DisplayArguments, help_text, parse
from .configuration import RemoteStream
from .failure import failure_of
from .launcher import Launcher
from .line_magic import LineMagic
from .line_magic import help_text as line_magic_help
from .renderer_factory import RendererFactory
from .session_pool import SessionPool
from .transform import call_of, replace_input
from .wait import wait, wait_for_run


@magics_class
class RemoteStreamMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell, configuration: RemoteStream) -> None:
        super().__init__(shell)
        self._shell = shell
        self._configuration = configuration
        self._session_pool = SessionPool(shell)
        self._renderer_factory = RendererFactory()
        self._deferred_updates = DeferredUpdates(shell)
        parts = (shell, configuration, self._session_pool, self._renderer_factory)
        self._launcher = Launcher(*parts)
        self._line_magic = LineMagic(*parts)

    @no_var_expand
    @cell_magic
    def remote_stream(self, line: str, cell: str) -> None:
        """Run the cell in a session and show its output live."""
        arguments, publisher = parse(line), self._publisher()
        with override_streams(), _waiting(publisher, arguments), HeldInterrupt() as held:
            view = self._launcher.start(cell, arguments, publisher, held)
            if not arguments.detach:
                wait(view, view.execution.interrupt, held)
            elif arguments.in_thread:
                # A magic around this one, such as `%%capture`, restores the cell's streams when it ends.
                self._shell.events.register("post_run_cell", self._reroute)
        self._end(view, arguments, publisher)

    remote_stream.__doc__ = f"{remote_stream.__doc__}\n\n{help_text()}"

    async def run_awaited(self, line: str, cell: str) -> None:
        """Run ``%%remote_stream`` at the top level of a cell that can await."""
        replace_input(self._shell, cell, call_of(line, cell))
        arguments, publisher = parse(line), self._publisher()
        with _waiting(publisher, arguments):
            view = self._launcher.start(cell, arguments, publisher)
            if not arguments.detach:
                await wait_for_run(view)
        self._end(view, arguments, publisher)

    def _manage(self, line: str) -> None:
        """List and control executions and sessions."""
        with override_streams():
            self._line_magic.run(line, self._publisher())

    _manage.__doc__ = f"{_manage.__doc__}\n\n{line_magic_help()}"
    _manage = no_var_expand(line_magic("remote_stream")(_manage))  # type: ignore[arg-type]  # IPython types only the use without a name

    def attach_awaited(self, line: str) -> Any:
        """Run ``%remote_stream attach`` in a cell that can await."""
        return self._line_magic.attach_awaited(line, self._publisher())

    def _reroute(self, result: object = None) -> None:
        if reroute():  # otherwise a cell has ended inside the other magic, which has not
            with contextlib.suppress(ValueError):
                self._shell.events.unregister("post_run_cell", self._reroute)

    def _publisher(self) -> Publisher:
        return publisher_for(self._shell, self._deferred_updates)

    def revive(self) -> None:
        """Make the live areas of a saved notebook work again."""
        kernel = getattr(self._shell, "kernel", None)
        # A program that runs notebooks saves all models, and may have inherited the environment of another
        # notebook's kernel.
        if kernel is None or not is_interactive(kernel.get_parent()):
            return
        if self._configuration.display not in ("auto", "widget"):
            return
        try:
            from ..area.revival import notebook_path, revive
        except ImportError:
            return  # anywidget is not installed
        path = notebook_path(os.environ, self._shell.user_ns)
        options = self._configuration.display_options(DisplayArguments(), show_errors=True)
        revive(self._renderer_factory.areas, self._session_pool.of_session, options, path)

    def close(self) -> None:
        """End the thread sessions, disconnect from the remote ones, and close the live areas."""
        self._deferred_updates.close()
        self._renderer_factory.close()
        self._session_pool.close()

    def _end(self, view: ViewLoop, arguments: Arguments, publisher: Publisher) -> None:
        if arguments.detach:
            return
        view.raise_failure()
        if arguments.verbose:
            publisher.text("stderr", f"[{_summary(view.result)}]\n")
        if view.result.status == "running":
            raise RuntimeError("the output cannot be shown (see the error above); the run continues")
        if not view.result.success and not arguments.no_raise:
            original = self._session_pool.failure(arguments.target, view.result)
            if isinstance(original, UsageError):
                raise UsageError(str(original)) from None  # which IPython shows without a traceback
            raise failure_of(view.result, original, is_command=arguments.is_command) from None


@contextlib.contextmanager
def _waiting(publisher: Publisher, arguments: Arguments) -> Iterator[None]:
    publisher.is_waiting = not arguments.detach
    try:
        yield
    finally:
        publisher.is_waiting = False


def _summary(result: ExecutionResult) -> str:
    """Return the status of an ended run, and its exit code, duration and reason."""
    code = "" if result.exit_code is None else f", exit code {result.exit_code}"
    reason = f": {result.reason}" if result.reason else ""
    return f"{result.status}{code} after {result.duration:.2f} s{reason}"
