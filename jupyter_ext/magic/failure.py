"""The exception with which a failed run fails its cell: the name and traceback of the user's code only."""

from __future__ import annotations

import bdb
import sys

from pyrepl_stream import ExecutionResult


class RemoteExecutionError(Exception):
    """A run failed. The exception raised has the class name of the exception in the run.

    Attributes:
        result: The result of the run.
        original: The exception itself, if the run was in this process.
    """

    result: ExecutionResult
    original: BaseException | None

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback of its own."""
        exc = self.original
        if exc is not None:  # `%debug` and `%tb` are to find the code's frames
            sys.last_type, sys.last_value, sys.last_traceback = type(exc), exc, exc.__traceback__
            if sys.version_info >= (3, 12):
                sys.last_exc = exc
        error = self.result.error
        if error is not None and error.traceback:
            return list(error.traceback)
        return [f"{type(self).__name__}: {self}"]


def failure_of(
    result: ExecutionResult, original: BaseException | None = None, *, is_command: bool = False
) -> RemoteExecutionError:
    """Return the exception for a failed run of code or of a command."""
    error = result.error
    name, value = (error.name, error.value) if error is not None else ("", "")
    if result.status == "timeout":
        name, value = "TimeoutError", result.reason
    elif result.status in ("interrupted", "killed") and (error is None or not error.traceback):
        name, value = "KeyboardInterrupt", result.status
    elif error is None or not (error.traceback or error.printed):
        # A command has only an exit code, and code has no traceback when its process has ended.
        name, value = "CommandFailed" if is_command else "ExecutionFailed", str(error or result.status)
    bases: tuple[type, ...] = (RemoteExecutionError,)
    if error is not None and error.printed:
        bases = (RemoteExecutionError, bdb.BdbQuit)  # the one exception that IPython does not show
    exception: RemoteExecutionError = type(name, bases, {"__module__": "builtins"})(value)
    exception.result, exception.original = result, original
    return exception
