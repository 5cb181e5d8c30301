"""Remote sessions, which outlive this process."""

from __future__ import annotations

import logging
import math
import subprocess
import uuid
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..reply import Reply
from ..runtime.errors import SessionClosedError, UsageError
from ..runtime.process import Command, Limits
from ..runtime.process.runner import Retry
from ..runtime.protocol.requests import CommandRequest, Request
from ..runtime.validation import check_identifier, check_seconds
from ..session import AnySession, ExecutionOptions, accept_earlier_names
from .connection import PATIENCE, Connection
from .link import Link
from .remote_execution import RemoteExecution, RemoteProcessExecution
from .remote_run import RemoteRun

__all__ = ("RemoteSession",)

_E = TypeVar("_E", bound=RemoteExecution)
_log = logging.getLogger("pyrepl_stream")


class RemoteSession(AnySession):
    """Runs Python code, one execution after another, and commands in a session that outlives this process.

    Make one with :func:`connect`. It connects when its ``async with`` or ``with`` block is entered, or at its
    first use, and again whenever the connection is cut. Leaving the block disconnects: the session and its
    executions continue, and :meth:`close` ends them. Garbage collection of the object disconnects too.
    Methods may be called by any thread and never wait. In a child process after ``fork`` they fail: connect
    there again.

    Args:
        link: Connects to the session.
        address: The address of the session, for messages.
        patience: Seconds for which to retry connecting to a session that was reached once.
        report: Called once, by any thread, with a text when code runs with another interpreter, or in
            another working directory, than this process; by default it logs a warning. None for no report.
    """

    def __init__(
        self,
        link: Link,
        *,
        address: str = "",
        patience: float = PATIENCE,
        report: Callable[[str], object] | None = _log.warning,
    ) -> None:
        if patience != math.inf:
            check_seconds("patience", patience)
        self.address = address
        self._connection = Connection(link, patience=patience, report=report)
        weakref.finalize(self, self._connection.release).atexit = False

    def __repr__(self) -> str:
        return f"<RemoteSession {self.address}>"

    @property
    def hello(self) -> Mapping[str, Any] | None:
        """The host's ``epoch``, ``session``, ``pid``, ``options`` and more; None until connected."""
        return self._connection.hello

    @property
    def difference(self) -> str | None:
        """How the session differs from one that this process would start, as text.

        None if it does not differ, and until connected.
        """
        return self._connection.difference

    # -- connecting --------------------------------------------------------------------------

    def start(self) -> Reply[RemoteSession]:
        """Connect, and start the session if it does not run. Idempotent.

        Raises:
            TargetError: The session cannot be reached or started.
            UsageError: The session is not what was asked for; for instance, it has another interpreter.
        """
        return self.connect().then(lambda hello: self)

    def connect(self) -> Reply[Mapping[str, Any]]:
        """Connect as :meth:`start` does. The result of the reply is the host's answer."""
        return self._connection.request({"op": "ping"})

    def disconnect(self) -> Reply[None]:
        """Disconnect from the session, which continues to run. Executions and streams in use fail."""
        return self._connection.close()

    def _leave(self) -> Reply[None]:
        return self.disconnect()

    def close(self, *, forget: bool = True) -> Reply[None]:
        """End the session and everything that runs in it, and disconnect. Idempotent.

        Args:
            forget: Delete the records of its executions too.

        Raises:
            TargetError: The session cannot be reached.
        """
        ended = SessionClosedError("the session was closed; connect to a new one")
        closing = self._connection.request({"op": "close", "forget": forget})
        return closing.then(lambda answer: self._connection.close(ended), despite=SessionClosedError)

    # -- running -----------------------------------------------------------------------------

    def _execute(self, code: str, options: ExecutionOptions) -> RemoteExecution:
        return self._begin(RemoteExecution, code, None, options)

    def _run_process(
        self, command: Command, limits: Limits, retry: Retry | None, options: ExecutionOptions
    ) -> RemoteProcessExecution:
        return self._begin(RemoteProcessExecution, "", CommandRequest.of(command, limits), options)

    @accept_earlier_names
    def launch_command(
        self, command: CommandRequest, code: str = "", **options: Any
    ) -> RemoteProcessExecution:
        """Start a command. Deprecated: use :meth:`run_process`, which has these options too."""
        warnings.warn(
            "launch_command() is deprecated: use run_process(Command(...))", DeprecationWarning, stacklevel=3
        )
        if not isinstance(command, CommandRequest):
            raise UsageError(f"a command must be a CommandRequest, not {type(command).__name__}")
        return self._begin(RemoteProcessExecution, code, command, ExecutionOptions(**options))

    def _begin(
        self, kind: type[_E], code: str, command: CommandRequest | None, options: ExecutionOptions
    ) -> _E:
        name = options.execution_id
        name = uuid.uuid4().hex[:16] if name is None else check_identifier("execution id", name)
        if command is not None and not code:
            words = command.fields["arguments"]
            code = words if isinstance(words, str) else subprocess.list2cmdline(words)
        request = Request(name, code, command, options.timeout, options.label)
        if command is None or command.fields["cwd"] is None:  # otherwise the caller chose the directory
            self._connection.report_difference()
        key = uuid.uuid4().hex
        operation = {"op": "execute", "execution": request.as_json(), "fresh": options.fresh, "key": key}
        run = RemoteRun(self._connection, name, new=True)
        execution = kind(run, processors=options.processors, batch=options.batch)
        if options.on_created is not None:
            options.on_created(execution)
        run.begin(operation)
        return execution

    # -- what runs, and what ran -------------------------------------------------------------

    def execution(self, execution_id: str) -> RemoteExecution:
        """Return the execution with this id, also if another client started it.

        Awaiting or reading it raises :class:`UnknownExecutionError` if the session has no such execution.

        Raises:
            UsageError: ``execution_id`` is not a valid id.
        """
        return self._known(check_identifier("execution id", execution_id))

    def executions(self) -> Reply[list[RemoteExecution]]:
        """List the executions that the session has a record of, the oldest first."""

        def listed(record: Mapping[str, Any]) -> list[RemoteExecution]:
            return [self._known(summary["id"], summary) for summary in record["executions"]]

        return self._connection.request({"op": "list"}).then(listed)

    def executions_sync(self) -> list[RemoteExecution]:
        """Like :meth:`executions`, but without an event loop. Deprecated: use ``executions().wait()``."""
        warnings.warn(
            "executions_sync() is deprecated: use executions().wait()", DeprecationWarning, stacklevel=2
        )
        return self.executions().wait()

    def _known(self, execution_id: str, summary: Mapping[str, Any] | None = None) -> RemoteExecution:
        run = RemoteRun(self._connection, execution_id)
        if summary is None:
            return RemoteExecution(run)
        run.on_status(summary["status"])
        execution = RemoteProcessExecution(run) if summary.get("command") else RemoteExecution(run)
        execution.summary = summary
        return execution
