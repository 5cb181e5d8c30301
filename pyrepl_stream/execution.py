"""Executions: live messages, or one result at the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol, cast

from .message_stream import MessageStream, ReadCursor, ReadJournal
from .pipeline import AnyProcessor, Pipeline
from .reply import Reply
from .results import ErrorInfo, ExecutionResult, RichValue
from .runtime.engine.run import Run
from .runtime.engine.streams import LineWriter
from .runtime.errors import UsageError
from .runtime.messages import InputRequestMessage, Message, Status, StreamType
from .runtime.process.command import check_size
from .runtime.validation import encode_text

if TYPE_CHECKING:
    from .runtime.process.runner import ProcessRunner

__all__ = ("Execution", "ProcessExecution")


class ExecutedRun(Protocol):
    """The run of an execution: in this process (:class:`Run`) or at a host (:class:`RemoteRun`)."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def journal(self) -> ReadJournal: ...

    def request_stop(self, status: Status) -> object:
        """Ask the code to end, with the ``status`` ``interrupted`` or ``killed``. Never waits."""

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when the code has ended, even if it has no reader."""

    def answer(self, request: InputRequestMessage, text: str | None) -> bool:
        """Answer ``request`` with a line; return False if it was answered already."""

    def asks(self, request: InputRequestMessage) -> bool:
        """Return True while ``request`` waits for its answer."""


class Execution:
    """One run of code or of a command. Iterate over it for live messages, or await it for the result.

    Each iteration begins with the first message; a gap stands for messages that are no longer kept. Until
    the first reader arrives, a full buffer delays the code for a few seconds, and then drops its oldest
    output. Call :meth:`detach` if no reader will come.

    Sessions make executions: see :meth:`Session.execute` and :meth:`RemoteSession.execute`.
    """

    def __init__(
        self,
        run: ExecutedRun,
        *,
        processors: Iterable[AnyProcessor] = (),
        batch: bool = False,
        awaits_reader: bool = False,
    ) -> None:
        self._first: ReadCursor | None = None
        # The result, the position and the pipeline of a `wait` that timed out or was interrupted.
        self._unfinished: tuple[ExecutionResult, int, Pipeline] | None = None
        self._run = run
        self._processors = tuple(processors)
        self._batch = batch
        self._is_new = awaits_reader
        # Created before the start, so that the first iteration misses nothing, however fast the code is.
        if awaits_reader:
            self._first = run.journal.cursor()
        self._result: ExecutionResult | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    def __del__(self) -> None:
        if self._first is not None:
            self._first.abandon()
        if self._unfinished is not None:
            self._unfinished[2].close()

    @property
    def id(self) -> str:
        """The id, unique in its session."""
        return self._run.id

    @property
    def status(self) -> str:
        """``queued``, ``running``, or how it ended (see :class:`CompleteMessage`)."""
        return self._run.status

    @property
    def behind(self) -> str | None:
        """The id of the execution for which a remote session queued this one; None if it was not queued."""
        return None

    def started(self) -> Reply[bool]:
        """Wait until the session has accepted the execution.

        A session in this process accepts it immediately.

        Returns:
            A reply whose result is True if the session started a new execution, and False if it already had
            an execution with this id and this code.

        Raises:
            UsageError: The session refuses the execution, for instance because its id is in use for other
                code.
            UnknownExecutionError: The execution was looked up by an id that the session does not have.
            TargetError: The session cannot be reached or started.
        """
        return Reply[bool]().settle(lambda: self._is_new)

    def wait_started(self, timeout: float | None = None) -> bool:
        """Return the result of :meth:`started`, waiting for it without an event loop.

        Raises :class:`TimeoutError` after ``timeout`` seconds.
        """
        return self.started().wait(timeout)

    # -- reading -----------------------------------------------------------------------------

    def __aiter__(self) -> MessageStream:
        return self._stream()

    def __iter__(self) -> Iterator[Message]:
        return iter(self._stream())

    def __await__(self) -> Generator[Any, None, ExecutionResult]:
        return self._collect().__await__()

    def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Read to the end without an event loop, and return the result.

        After a timeout, the next call continues where this call stopped. Do not call this in a thread that
        runs an event loop; await the execution there.

        Args:
            timeout: Seconds to wait; None waits without a limit.

        Raises:
            TimeoutError: The execution has not ended in time. It continues.
        """
        if self._result is None:
            self._result = self._wait(timeout)
        return self._result

    def _wait(self, timeout: float | None) -> ExecutionResult:
        deadline = None if timeout is None else time.monotonic() + timeout
        result, after, pipeline = self._unfinished or (ExecutionResult(self.id), 0, None)
        self._unfinished = None
        stream = self._stream(after, pipeline)
        try:
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                received = stream.receive(left)
                if received is None:
                    return result
                for message in received:
                    result.add(message)
                late = deadline is not None and time.monotonic() >= deadline
                if late and self._run.journal.completion is None:
                    raise TimeoutError(f"execution {self.id} has not ended within {timeout} s")
        except (TimeoutError, KeyboardInterrupt):
            # A caller that stops reading must not delay the code, so the stream is closed.
            self._unfinished = (result, stream.after, stream.leave())
            raise
        finally:
            stream.close()

    def attach(self, after: int = 0, *, follow: bool = False) -> MessageStream:
        """Read the messages after a sequence number, even if the execution has ended.

        Args:
            after: The sequence number of the last message to leave out; 0 begins with the first message.
            follow: Continue after `complete` with output of background threads and child processes, until
                the session closes.

        Raises:
            CursorError: ``after`` is negative, or greater than the number of the last message so far. For a
                remote execution, the latter error is raised when the stream is read.
        """
        cursor = self._run.journal.cursor(after, follow=follow)
        self.detach()  # the first reader has arrived
        return MessageStream(self._run.journal, cursor, Pipeline(self._processors), self._batch)

    def detach(self) -> None:
        """Stop waiting for a first reader: when the buffer is full, keep the newest output."""
        cursor, self._first = self._first, None
        if cursor is not None:
            cursor.close()

    def _stream(self, after: int = 0, pipeline: Pipeline | None = None) -> MessageStream:
        cursor, self._first = self._first, None
        cursor = cursor or self._run.journal.cursor(after)
        return MessageStream(self._run.journal, cursor, pipeline or Pipeline(self._processors), self._batch)

    async def _collect(self) -> ExecutionResult:
        if self._result is None:
            result = ExecutionResult(self.id)
            async for message in self._stream():
                result.add(message)
            self._result = result
        return self._result

    # -- the result so far -------------------------------------------------------------------

    def snapshot(self) -> ExecutionResult:
        """Return the result so far, without reading. It contains only output that is still kept."""
        if self._result is not None:
            return self._result
        result = ExecutionResult(self.id)
        for message in self._run.journal.snapshot():
            result.add(message)
        return result

    @property
    def stdout(self) -> str:
        """The standard output so far. See :meth:`snapshot`."""
        return self.snapshot().stdout

    @property
    def stderr(self) -> str:
        """The standard error so far. See :meth:`snapshot`."""
        return self.snapshot().stderr

    @property
    def result(self) -> RichValue | None:
        """The value of the last expression; None before the end, and for code without a value."""
        return self.snapshot().result

    @property
    def error(self) -> ErrorInfo | None:
        """The error that ended the code; None before the end, and after a success."""
        return self.snapshot().error

    @property
    def success(self) -> bool:
        """True if the code has ended without an error."""
        return self.snapshot().success

    # -- acting on the execution -------------------------------------------------------------

    def interrupt(self) -> Reply[None]:
        """Interrupt the code, as Ctrl-C does. The namespace stays.

        Code in a thread of this process is interrupted at its next Python instruction, but not inside
        ``time.sleep`` or C code. If it has not ended a second later, it is left running, and `complete` is
        emitted nevertheless. Code in a remote session gets KeyboardInterrupt even inside ``time.sleep`` and
        blocking I/O, and its child processes get SIGINT; code that catches the exception continues. A command
        and all processes that it started get SIGINT, then SIGTERM and then SIGKILL. Another call sends the
        next of these signals immediately.

        Returns:
            A reply that succeeds when the execution has ended, and fails if the session cannot be reached.
            The interrupt is sent even if the reply is not awaited.
        """
        return self._stop("interrupted")

    def kill(self) -> Reply[None]:
        """End the code by force, without a second of grace. Returns a reply like :meth:`interrupt`.

        For Python code in a remote session, the session's namespace is lost.
        """
        return self._stop("killed")

    def _stop(self, status: Status) -> Reply[None]:
        self._run.request_stop(status)
        ended: Reply[None] = Reply()
        self._run.when_done(lambda: ended.set_result(None))
        return ended

    def input(self, text: str | None, request: InputRequestMessage | None = None) -> None:
        """Answer a question of the code.

        Args:
            text: The line, without its newline; None signals the end of the input.
            request: The question; by default the newest one.

        Raises:
            UsageError: There is no question, or it was answered already.
        """
        if request is None:
            asked = [each for each in self._run.journal.snapshot() if isinstance(each, InputRequestMessage)]
            if not asked:
                raise UsageError(f"execution {self.id} has not asked for input")
            request = asked[-1]
        if not self._run.answer(request, text):
            raise UsageError(f"the question {request.prompt!r} of execution {self.id} was answered already")

    def asks(self, request: InputRequestMessage) -> bool:
        """Return True while ``request`` waits for its answer. A replay shows answered requests too."""
        return self._run.asks(request)

    def writer(self, source: str = "", stream: StreamType = StreamType.STDOUT) -> LineWriter:
        """Return a line-buffered text writer to this execution, for the program that hosts the session.

        Args:
            source: The label of the writer's messages.
            stream: The stream that the writer's messages belong to.

        Raises:
            UsageError: The execution runs in another process.
        """
        if not isinstance(self._run, Run):
            raise UsageError(f"execution {self.id} runs elsewhere: only its session can write into it")
        return LineWriter(self._run.writer, StreamType(stream), source)


class ProcessExecution(Execution):
    """An execution of a command, or of several steps, whose process can be controlled.

    The methods may be called from any thread. Methods that act on the command raise :class:`UsageError` once
    it has ended. In a remote session they wait for the host's answer; in this process they never wait.
    """

    @property
    def pid(self) -> int | None:
        """The process id of the command, or of the newest of several steps; None if it could not be started.

        Right after the start, this waits about a millisecond for the process to exist.
        """
        return self._runner.pid

    def write(self, data: str | bytes) -> int:
        """Queue input for the command, and return the length of ``data``.

        Raises:
            UsageError: The command reads other input, its input is closed, it has ended, or ``data`` has a
                line that is too long for its terminal.
        """
        if not isinstance(data, (str, bytes)):
            raise UsageError(f"input for a command must be text or bytes, not {type(data).__name__}")
        self._control("write", encode_text("the input", data) if isinstance(data, str) else data)
        return len(data)

    def close_stdin(self) -> None:
        """Close the command's standard input once all data that was queued for it has been written."""
        self._control("close_stdin")

    def send_signal(self, number: int) -> None:
        """Send the signal ``number`` to the command and to all processes that it started.

        Raises:
            UsageError: There is no such signal, or the command has ended.
        """
        if number not in signal.valid_signals():
            raise UsageError(f"{number!r} is not a signal of this system: use one of the module `signal`")
        self._control("send_signal", int(number))

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the command's terminal, if it has one.

        Raises:
            UsageError: A number is not from 1 to 65,535, or the command has ended.
        """
        check_size((rows, columns))
        self._control("resize", (rows, columns))

    @property
    def _runner(self) -> ProcessRunner:
        assert isinstance(self._run, Run)
        return cast("ProcessRunner", self._run.runner)

    def _control(self, method: str, *arguments: object) -> None:
        """Call a method of the running :class:`Child`."""
        self._runner.control(methodcaller(method, *arguments))
