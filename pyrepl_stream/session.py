"""The interface of sessions, and the code that thread sessions and remote sessions share."""

from __future__ import annotations

import functools
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ParamSpec, Self, TypeVar

from .execution import Execution, ProcessExecution
from .message_stream import MessageStream
from .pipeline import AnyProcessor
from .processors.formats import with_format
from .reply import Reply
from .runtime.errors import UsageError
from .runtime.messages import ExecuteMessage
from .runtime.process.command import Arguments, Command
from .runtime.process.limits import Limits
from .runtime.process.runner import Retry
from .runtime.validation import check_seconds

__all__ = ("AnySession",)


@dataclass
class ExecutionOptions:
    """How an execution is started and read: the checked options of :meth:`AnySession.execute`.

    Raises:
        UsageError: A value is not valid.
    """

    execution_id: str | None = None
    timeout: float | None = None
    processors: Iterable[AnyProcessor] = ()
    format: str = "text"
    streaming: bool = True
    fresh: bool = False
    label: str = ""
    retain_output: bool = False
    on_created: Callable[[Any], object] | None = None

    def __post_init__(self) -> None:
        self.timeout = check_seconds("timeout", self.timeout, optional=True)
        self.processors = with_format(self.format, self.processors)

    @property
    def batch(self) -> bool:
        """True if all messages are delivered at the end.

        ``PYREPL_STREAM_DISABLE_STREAMING``, unless it is empty or 0, has the effect of ``streaming=False``.
        """
        return not self.streaming or os.environ.get("PYREPL_STREAM_DISABLE_STREAMING", "") not in ("", "0")


P = ParamSpec("P")
R = TypeVar("R")


_RENAMED = {"keep": "retain_output", "before": "on_created"}


def accept_earlier_names(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that it also accepts the earlier, deprecated names of its options."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for old in kwargs.keys() & _RENAMED.keys():
            text = f"the option {old}= of {function.__qualname__} is deprecated: use {_RENAMED[old]}="
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            kwargs[_RENAMED[old]] = kwargs.pop(old)
        return function(*args, **kwargs)

    return call


class AnySession(ABC):
    """A place with a namespace in which executions run: a :class:`Session` or a :class:`RemoteSession`.

    Methods never wait. A :class:`Reply` that they return can be awaited on asyncio and trio, and its
    ``.wait(timeout=None)`` waits without an event loop. An error that the session reports is raised where
    the reply, the execution or the stream is awaited or read; a thread session, which detects errors
    immediately, may raise it in the call.

    Use a session in ``async with`` or ``with``. Leaving the block closes a thread session, and disconnects
    from a remote session, which continues to run.
    """

    @abstractmethod
    def start(self) -> Reply[Self]:
        """Start the session now rather than with its first execution. Idempotent.

        Raises:
            SessionClosedError: The session was closed.
            TargetError: A remote session cannot be reached or started.
            UsageError: A running remote session has other options than those requested.
        """

    @abstractmethod
    def close(self) -> Reply[None]:
        """End the session and everything that runs in it. Idempotent."""

    @abstractmethod
    def _leave(self) -> Reply[None]:
        """Close the session, or disconnect from it, at the end of a ``with`` block. Idempotent."""

    async def __aenter__(self) -> Self:
        try:
            return await self.start()
        except BaseException:
            await self.__aexit__()
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        import anyio

        with anyio.CancelScope(shield=True):
            await self._leave()

    def __enter__(self) -> Self:
        try:
            return self.start().wait()
        except BaseException:
            self._leave().wait()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self._leave().wait()

    # -- running -----------------------------------------------------------------------------

    @accept_earlier_names
    def execute(
        self,
        code: str | ExecuteMessage,
        *,
        execution_id: str | None = None,
        timeout: float | None = None,
        processors: Iterable[AnyProcessor] = (),
        format: str = "text",
        streaming: bool = True,
        fresh: bool = False,
        label: str = "",
        retain_output: bool = False,
        on_created: Callable[[Any], object] | None = None,
    ) -> Execution:
        """Start Python code and return its execution at once.

        Args:
            code: The code, or an :class:`ExecuteMessage` with the code and its id.
            execution_id: An id (for a remote session 1 to 64 letters, digits, ``.``, ``_`` or ``-``); None
                generates one. If the session has an execution with this id and the same code, the call
                attaches to it.
            timeout: Seconds after which the code is stopped, with the status ``timeout``; None for no limit.
            processors: The processors that messages pass through for each reader, in order.
            format: The format of the output, ``text``, ``json`` or ``yaml``. Documents in it become events
                before the processors are called.
            streaming: If False, deliver all messages at the end.
            fresh: Replace an execution with this id that has ended, and run the code again in the same
                namespace.
            label: A description of the caller, for lists of executions. Thread sessions ignore it.
            retain_output: Keep all output in memory instead of only the newest ``buffer_bytes``. A remote
                session ignores it, since it records all output on its disk.
            on_created: Called with the execution before its code starts; if it raises an error, nothing runs.

        Raises:
            ExecutionExistsError: The id is in use for other code, or ``fresh`` is given but the execution
                has not ended.
            SessionClosedError: The session was closed.
            UsageError: An argument is not valid.
        """
        if isinstance(code, ExecuteMessage):
            execution_id, code = execution_id or code.id, code.code
        if not isinstance(code, str):
            raise UsageError(f"code must be text or an ExecuteMessage, not {type(code).__name__}")
        options = ExecutionOptions(
            execution_id, timeout, processors, format, streaming, fresh, label, retain_output, on_created
        )
        return self._execute(code, options)

    def run_process(
        self,
        command: Command | Arguments,
        *,
        limits: Limits | None = None,
        retry: Retry | None = None,
        execution_id: str | None = None,
        processors: Iterable[AnyProcessor] = (),
        format: str = "text",
        streaming: bool = True,
        fresh: bool = False,
        label: str = "",
        retain_output: bool = False,
        on_created: Callable[[Any], object] | None = None,
    ) -> ProcessExecution:
        """Start a command where the session is, and return its execution at once.

        Args:
            command: A :class:`Command`, or its arguments: text for the shell, or a list of words.
            limits: When and how the command is stopped; None for no limits.
            retry: A function that returns the command to run in place of one that failed. A remote session
                ignores it.
            execution_id: An id; None generates one. If the session has an execution with this id and the
                same command, the call attaches to it.
            processors: The processors that messages pass through for each reader, in order.
            format: The format of the output, ``text``, ``json`` or ``yaml``. Documents in it become events
                before the processors are called.
            streaming: If False, deliver all messages at the end.
            fresh: Replace an execution with this id that has ended, and run the command again.
            label: A description of the caller, for lists of executions. Thread sessions ignore it.
            retain_output: Keep all output in memory. A remote session ignores it, since it records all
                output.
            on_created: Called with the execution before the command starts; if it raises an error, nothing
                runs.

        Raises:
            CommandNotFoundError: There is no such program.
            CommandPermissionError: The program may not be executed.
            WorkingDirectoryError: The command's directory does not exist, or may not be entered.
            ExecutionExistsError: See :meth:`execute`.
            SessionClosedError: The session was closed.
            UsageError: Any other argument is not valid.
        """
        command = command if isinstance(command, Command) else Command(command)
        limits = limits or Limits()
        timeout = limits.timeout
        options = ExecutionOptions(
            execution_id, timeout, processors, format, streaming, fresh, label, retain_output, on_created
        )
        return self._run_process(command, limits, retry, options)

    @abstractmethod
    def _execute(self, code: str, options: ExecutionOptions) -> Execution:
        """Start code. See :meth:`execute`."""

    @abstractmethod
    def _run_process(
        self, command: Command, limits: Limits, retry: Retry | None, options: ExecutionOptions
    ) -> ProcessExecution:
        """Start a command. See :meth:`run_process`."""

    # -- running and ended executions --------------------------------------------------------

    @abstractmethod
    def execution(self, execution_id: str) -> Execution:
        """Return the execution with this id, even if another client started it.

        Raises:
            UnknownExecutionError: The session has no execution with this id, or no longer keeps it.
        """

    @abstractmethod
    def executions(self) -> Reply[list[Any]]:
        """List the executions that the session has a record of, the oldest first."""

    def attach(self, execution_id: str, after: int = 0, *, follow: bool = False) -> MessageStream:
        """Read an execution's messages after a sequence number. See :meth:`Execution.attach`.

        Raises:
            UnknownExecutionError: The session has no execution with this id.
        """
        return self.execution(execution_id).attach(after, follow=follow)

    def interrupt(self, execution_id: str) -> Reply[None]:
        """Interrupt an execution; the namespace stays. See :meth:`Execution.interrupt`.

        Raises:
            UnknownExecutionError: The session has no execution with this id.
        """
        return self.execution(execution_id).interrupt()

    def kill(self, execution_id: str) -> Reply[None]:
        """End an execution by force. See :meth:`Execution.kill`.

        Raises:
            UnknownExecutionError: The session has no execution with this id.
        """
        return self.execution(execution_id).kill()
