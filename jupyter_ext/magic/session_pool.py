"""The sessions that the cells of a shell run in, by their targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from IPython.core.interactiveshell import InteractiveShell

from pyrepl_stream import Execution, ExecutionResult, RemoteExecution, RemoteSession, Session, connect
from pyrepl_stream.config import find_interpreter

from ..area.sources import LocalSource, SessionSource
from .arguments import Arguments
from .own_shell import own_shell
from .shell_interpreter import ShellInterpreter


@dataclass(frozen=True)
class _ThreadSession:
    session: Session
    interpreter: ShellInterpreter
    outlives_kernel = False

    def source(self, execution: Execution) -> LocalSource:
        """Return the source of an area that shows ``execution``, once it has started."""
        return LocalSource(execution)

    def take_difference(self) -> str | None:
        """Return how the session differs from one that this kernel would start; None after the first time."""
        return None


@dataclass
class _RemoteSession:
    session: RemoteSession
    is_compared: bool = False
    outlives_kernel = True

    def source(self, execution: Execution) -> SessionSource:
        assert self.session.hello is not None
        name = f"{self.session.hello['session']}/{execution.id}"
        return SessionSource(self.session, cast("RemoteExecution", execution), name)

    def take_difference(self) -> str | None:
        difference = None if self.is_compared else self.session.difference
        self.is_compared = True
        return difference


CellSession: TypeAlias = _ThreadSession | _RemoteSession
"""A session as a cell uses it. ``outlives_kernel`` is True if other kernels can read its executions."""


class SessionPool:
    """The sessions of one shell. Closing the pool ends thread sessions and disconnects from the others."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._threads: dict[str, _ThreadSession] = {}
        self._remote: dict[str, _RemoteSession] = {}  # by the targets that cells use

    def of_cell(self, arguments: Arguments) -> CellSession:
        """Return the session of a cell, started.

        Raises:
            UsageError: The session does not match the request.
            TargetError: The session cannot be reached or started.
        """
        if arguments.in_thread:
            return self._thread(arguments.target)
        return self._connected(arguments.target, _options(arguments))

    def _thread(self, target: str) -> _ThreadSession:
        if target not in self._threads:
            is_notebook = target == "thread:"
            shell = self._shell if is_notebook else own_shell(self._shell)
            interpreter = ShellInterpreter(shell, self._shell)
            options: dict[str, Any] = {"route_while_open": False, "running_loop": is_notebook}
            session = Session(interpreter=interpreter, **options).__enter__()
            self._threads[target] = _ThreadSession(session, interpreter)
        return self._threads[target]

    def failure(self, target: str, result: ExecutionResult) -> BaseException | None:
        """Return the exception that ended a run in a thread, if it is that of the run that failed last."""
        place = self._threads.get(target)
        exc = None if place is None else place.interpreter.failure
        if exc is None or result.error is None or result.error.name != type(exc).__name__:
            return None
        return exc

    def _connected(self, target: str, options: dict[str, Any]) -> _RemoteSession:
        if target == "local:":
            target = "local:default"  # the name under which sessions are listed
        known = self._remote.get(target)
        if known is not None and not options:
            return known
        session = connect(target, report=None, **options)
        try:
            session.__enter__()  # compares the options with the session's own
        except BaseException:  # including an interrupt of the cell while it waits
            session.disconnect()
            raise
        if known is not None:  # views of earlier cells read from the known session
            session.__exit__(None, None, None)
            return known
        return self._remote.setdefault(target, _RemoteSession(session))

    def of_session(self, name: str) -> RemoteSession:
        """Return this machine's session with that name. A closed session is not started again."""
        target = f"local:{name}"
        if target not in self._remote:
            self._remote[target] = _RemoteSession(connect(target, report=None))
        return self._remote[target].session

    def forget_session(self, name: str) -> None:
        """Forget a session that was closed. Views of its executions still receive their messages."""
        self._remote.pop(f"local:{name}", None)

    def close(self) -> None:
        """End the thread sessions and disconnect from the others."""
        known: list[CellSession] = [*self._threads.values(), *self._remote.values()]
        for place in known:
            place.session.__exit__(None, None, None)
        self._threads.clear()
        self._remote.clear()


def _options(arguments: Arguments) -> dict[str, Any]:
    """Return the options for starting a session; a command has its own directory and variables."""
    python = None if arguments.python is None else find_interpreter(arguments.python)
    own = {} if arguments.is_command else {"cwd": arguments.cwd, "env": dict(arguments.env)}
    return {name: value for name, value in {"python": python, **own}.items() if value}
