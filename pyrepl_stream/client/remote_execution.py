"""Executions in a remote session."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from ..execution import Execution, ProcessExecution
from ..reply import Reply
from ..runtime.errors import ExecutionEndedError, UsageError
from ..runtime.messages import InputRequestMessage
from .remote_run import RemoteRun

__all__ = ("RemoteExecution", "RemoteProcessExecution")


class RemoteExecution(Execution):
    """An :class:`Execution` in a remote session. It continues to run without readers.

    If the session refuses it, the error is raised when the execution is awaited or read, and by
    :meth:`started`. The properties made from :meth:`snapshot` read the whole record so far, and
    :meth:`input` waits for the host: avoid them in a thread that runs an event loop. They raise
    :class:`TargetError` when the session cannot be reached.
    """

    _run: RemoteRun

    summary: Mapping[str, Any] | None = None
    """The host's description of the execution, if this object comes from :meth:`RemoteSession.executions`."""

    @property
    def behind(self) -> str | None:
        """The id of the execution for which this one had to wait when the session accepted it, or None."""
        return self._run.behind

    def started(self) -> Reply[bool]:
        """Wait until the session has accepted the execution. See :meth:`Execution.started`."""
        return self._run.started()

    def _stop(self, status: str) -> Reply[None]:
        return self._run.request_stop(status)

    def input(self, text: str | None, request: InputRequestMessage | None = None) -> None:
        """Answer a question of the code, by default the open one. See :meth:`Execution.input`."""
        if request is None:
            sequence = self._run.question()
            if sequence is None:
                raise UsageError(f"execution {self.id} does not wait for input")
            request = InputRequestMessage(sequence=sequence)
        self._run.answer(request, text)


class RemoteProcessExecution(RemoteExecution, ProcessExecution):
    """A :class:`ProcessExecution` in a remote session. Its methods wait until the host has answered."""

    _pid: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id on the host's machine; also None if the command ended before this was first read."""
        if self._pid is None:
            with contextlib.suppress(ExecutionEndedError):
                self._pid = self._run.control("signal", number=0)["pid"]
        return self._pid

    def _control(self, method: str, *arguments: Any) -> None:
        self._run.control(**_OPERATIONS[method](*arguments))


_OPERATIONS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "write": lambda data: {"do": "write", "base64": base64.b64encode(data).decode("ascii")},
    "close_stdin": lambda: {"do": "close_stdin"},
    "send_signal": lambda number: {"do": "signal", "number": number},
    "resize": lambda size: {"do": "resize", "rows": size[0], "columns": size[1]},
}
"""The fields of the `control` operation for each method of a :class:`Child`."""
