"""An execution as its caller sees it: live messages, or one result at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Generator, Iterable, Iterator
from typing import Any, Callable, Protocol

from .chain import AnyProcessor, Chain
from .engine.run import Run
from .engine.streams import LineWriter
from .errors import UsageError
from .message_stream import MessageStream, ReadCursor, ReadJournal
from .messages import InputRequestMessage, Message, StreamType
from .results import ExecutionError, ExecutionResult, Result
from .waiting import wait_async

__all__ = ("Execution",)


def streaming_default(streaming: bool) -> bool:
    """``streaming``, unless ``PYREPL_STREAM_DISABLE_STREAMING`` turns all runs into batch."""
    return streaming and os.environ.get("PYREPL_STREAM_DISABLE_STREAMING", "") in ("", "0")


def check_timeout(timeout: object) -> None:
    """Raises :class:`UsageError` unless ``timeout`` is None or a time in seconds, more than 0."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise UsageError(f"timeout is {timeout!r}, but must be more than 0 seconds")


class ExecutedRun(Protocol):
    """What an execution needs of what runs, here or elsewhere: see :class:`Run`."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def journal(self) -> ReadJournal: ...

    def request_stop(self, status: str) -> None:
        """Ask the code to end with that ``status``, ``interrupted`` or ``killed``. Never waits."""

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when it has ended, whether or not anybody reads it."""

    def answer(self, request: InputRequestMessage, text: str | None) -> bool:
        """Give the line that ``request`` asked for; False when it was answered already."""

    def asks(self, request: InputRequestMessage) -> bool:
        """Whether ``request`` still waits for its answer."""


class Execution:
    """One run of code or of a command. Iterate it for live messages, or await it for the result.

    Each iteration begins at the first message (one that is no longer kept shows as a gap). As long as
    nobody has begun to read, a full buffer waits a few seconds for a reader and then goes on with the
    newest output; :meth:`detach` says that no reader will come.
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
        self._so_far: tuple[ExecutionResult, int, Chain] | None = None  # of a `wait` that was broken off
        self._run = run
        self._processors = tuple(processors)
        self._batch = batch
        # Made at the start, so that the first iteration misses nothing, however fast the code is.
        if awaits_reader:
            self._first = run.journal.cursor()
        self._result: ExecutionResult | None = None

    def __repr__(self) -> str:
        return f"<Execution {self.id} {self.status}>"

    def __del__(self) -> None:
        if self._first is not None:
            self._first.abandon()
        if self._so_far is not None:
            self._so_far[2].close()

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def status(self) -> str:
        """``queued``, ``running``, or how it ended (see :class:`CompleteMessage`)."""
        return self._run.status

    async def started(self) -> bool:
        """Wait until the session has accepted the run; False when it had one of that id and code before.

        Raises what the session has against it, :class:`UsageError` mostly. In this process a run is
        accepted at once.
        """
        return True

    def wait_started(self, timeout: float | None = None) -> bool:
        """:meth:`started` without an event loop. Raises :class:`TimeoutError` too."""
        return True

    # -- reading -----------------------------------------------------------------------------

    def __aiter__(self) -> MessageStream:
        return self._stream()

    def __iter__(self) -> Iterator[Message]:
        return iter(self._stream())

    def __await__(self) -> Generator[Any, None, ExecutionResult]:
        return self._collect().__await__()

    def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait without an event loop and return the result. Raises :class:`TimeoutError`.

        It reads meanwhile, and goes on where it was when it is called again. Do not call it on a thread
        that runs an event loop: await the execution there.
        """
        if self._result is None:
            self._result = self._wait(timeout)
        return self._result

    def _wait(self, timeout: float | None) -> ExecutionResult:
        deadline = None if timeout is None else time.monotonic() + timeout
        result, after, chain = self._so_far or (ExecutionResult(self.id), 0, None)
        self._so_far = None
        stream = self._stream(after, chain)
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
            # Whoever has given up reading holds the code no longer, so the stream is left.
            self._so_far = (result, stream.after, stream.leave())
            raise
        finally:
            stream.close()

    def attach(self, after: int = 0, *, follow: bool = False) -> MessageStream:
        """Read what comes after sequence number ``after``, also after the end.

        ``follow`` goes on after `complete` with what background threads write. Raises
        :class:`CursorError` for a negative ``after`` and one beyond the last message.
        """
        cursor = self._run.journal.cursor(after, follow=follow)
        self.detach()  # the first reader has come
        return MessageStream(self._run, cursor, Chain(self._processors), self._batch)

    def detach(self) -> None:
        """No reader will come: never wait for one, keep the newest output."""
        cursor, self._first = self._first, None
        if cursor is not None:
            cursor.close()

    def _stream(self, after: int = 0, chain: Chain | None = None) -> MessageStream:
        cursor, self._first = self._first, None
        cursor = cursor or self._run.journal.cursor(after)
        return MessageStream(self._run, cursor, chain or Chain(self._processors), self._batch)

    async def _collect(self) -> ExecutionResult:
        if self._result is None:
            result = ExecutionResult(self.id)
            async for message in self._stream():
                result.add(message)
            self._result = result
        return self._result

    # -- what is known so far ----------------------------------------------------------------

    def snapshot(self) -> ExecutionResult:
        """The result so far, as far as it is kept in memory."""
        if self._result is not None:
            return self._result
        result = ExecutionResult(self.id)
        for message in self._run.journal.snapshot():
            result.add(message)
        return result

    @property
    def stdout(self) -> str:
        return self.snapshot().stdout

    @property
    def stderr(self) -> str:
        return self.snapshot().stderr

    @property
    def result(self) -> Result | None:
        return self.snapshot().result

    @property
    def error(self) -> ExecutionError | None:
        return self.snapshot().error

    @property
    def success(self) -> bool:
        return self.snapshot().success

    # -- acting on it ------------------------------------------------------------------------

    def interrupt(self) -> Awaitable[None]:
        """Interrupt the code, now; await the returned object to wait until it has ended.

        Code in a thread is interrupted at its next Python instruction; ``time.sleep`` and C code
        cannot be. What has not ended after a second is left to itself, and `complete` comes
        nevertheless, so the caller gets control back. A command ends with all that it started: what
        does not react gets SIGTERM and then SIGKILL, at once when this is called again.
        """
        self._run.request_stop("interrupted")
        return _Done(self._run)

    def kill(self) -> Awaitable[None]:
        """As :meth:`interrupt`, by every means there is, without the second of patience."""
        self._run.request_stop("killed")
        return _Done(self._run)

    def input(self, text: str | None, request: InputRequestMessage | None = None) -> None:
        """Answer an ``input_request``, the newest by default; None is the end of the input.

        Raises :class:`UsageError` when nothing was asked, or when it was answered already.
        """
        if request is None:
            for message in reversed(self._run.journal.snapshot()):
                if isinstance(message, InputRequestMessage):
                    request = message
                    break
            else:
                raise UsageError(f"execution {self.id} has not asked for input")
        if not self._run.answer(request, text):
            raise UsageError(f"the question {request.prompt!r} of execution {self.id} was answered already")

    def asks(self, request: InputRequestMessage) -> bool:
        """Whether ``request`` still waits for its answer; a replay shows those that were answered too."""
        return self._run.asks(request)

    def writer(self, source: str = "", stream: StreamType = StreamType.STDOUT) -> LineWriter:
        """A line-buffered writer with a label of its own, for the program that hosts the session.

        Raises :class:`UsageError` for an execution elsewhere.
        """
        if not isinstance(self._run, Run):
            raise UsageError(f"execution {self.id} runs elsewhere: only its session can write into it")
        return LineWriter(self._run.writer, StreamType(stream), source)


class _Done:
    """Awaited: the execution has ended."""

    def __init__(self, run: ExecutedRun) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, None]:
        yield from wait_async(self._run.when_done).__await__()
