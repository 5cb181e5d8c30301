"""How a failed run fails its cell: with the far side's name and traceback, and nothing of ours."""

from __future__ import annotations

from pyrepl_stream import ExecutionResult

__all__ = ("RemoteExecutionError", "failure_of")


class RemoteExecutionError(Exception):
    """A run failed. What is raised has the class name of the far side's exception.

    ``result`` is the :class:`ExecutionResult` of the run.
    """

    result: ExecutionResult

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback of its own."""
        error = self.result.error
        if error is not None and error.traceback:
            return list(error.traceback)
        return [f"{type(self).__name__}: {self}"]


def failure_of(result: ExecutionResult, *, is_command: bool = False) -> RemoteExecutionError:
    """The exception for a run, of code or of a command, that was no success."""
    error = result.error
    name, value = (error.name, error.value) if error is not None else ("", "")
    if result.status == "timeout":
        name, value = "TimeoutError", result.reason
    elif result.status in ("interrupted", "killed") and (error is None or not error.traceback):
        name, value = "KeyboardInterrupt", result.status
    elif error is None or not error.traceback:
        # A command, of which there is no more to say, or code whose process ended.
        name, value = "CommandFailed" if is_command else "ExecutionFailed", str(error or result.status)
    exception: RemoteExecutionError = type(name, (RemoteExecutionError,), {"__module__": "builtins"})(value)
    exception.result = result
    return exception
