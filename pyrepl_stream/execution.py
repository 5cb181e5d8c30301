"""An execution as its caller sees it: live messages, or one result at the end."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .engine.run import Run
from .engine.streams import LineWriter
from .errors import UsageError
from .journal import Cursor
from .messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    GapMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
    StreamType,
)

__all__ = (
    "Execution",
    "ExecutionResult",
    "MessageStream",
    "Processor",
    "Result",
    "ExecutionError",
    "wait_async",
)

Processed = Message | Iterable[Message] | None
Processor = Callable[[Message], Processed | Awaitable[Processed]]
"""From a message to a message, to several, or to None, which drops it; plain or ``async``."""


class Result(str):
    """The text of a value; its other forms are in ``data``, by MIME type, and ``result["text/html"]``."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, message: ResultMessage) -> Result:
        self = cls(message.data.get("text/plain", ""))
        self.data, self.metadata = message.data, message.metadata
        return self

    def __getitem__(self, key: Any) -> Any:
        return self.data[key] if isinstance(key, str) else super().__getitem__(key)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return self.data, self.metadata


class ExecutionError(str):
    """``Name: value`` of what ended the code; ``name``, ``value`` and ``traceback`` (lines) apart."""

    name: str = ""
    value: str = ""
    traceback: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: ErrorMessage) -> ExecutionError:
        self = cls(f"{message.name}: {message.value}" if message.value else message.name)
        self.name, self.value, self.traceback = message.name, message.value, message.traceback
        return self


@dataclass
class ExecutionResult:
    """All that an execution said, put together.

    ``stdout`` and ``stderr`` hold bytes that were no UTF-8 as surrogate escapes, so that
    ``stdout.encode("utf-8", "surrogateescape")`` is what was written. ``missing_bytes`` counts output
    that was dropped; ``status`` is that of `complete`. ``duration`` is in seconds.
    """

    id: str
    status: str = "running"
    success: bool = False
    result: Result | None = None
    error: ExecutionError | None = None
    exit_code: int | None = None
    duration: float = 0.0
    displays: list[DisplayMessage] = field(default_factory=list)
    logs: list[LogMessage] = field(default_factory=list)
    gaps: list[GapMessage] = field(default_factory=list)
    _text: dict[StreamType, list[str]] = field(
        default_factory=lambda: {stream: [] for stream in StreamType}, repr=False
    )

    @property
    def stdout(self) -> str:
        return self._joined(StreamType.STDOUT)

    @property
    def stderr(self) -> str:
        return self._joined(StreamType.STDERR)

    @property
    def missing_bytes(self) -> int:
        return sum(gap.bytes or 0 for gap in self.gaps)

    def add(self, message: Message) -> None:
        """Take one message more into account."""
        if isinstance(message, OutputMessage):
            data = message.data
            text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
            self._text[message.stream].append(text)
        elif isinstance(message, ResultMessage):
            self.result = Result.of(message)
        elif isinstance(message, ErrorMessage):
            self.error = ExecutionError.of(message)
        elif isinstance(message, DisplayMessage):
            self.displays.append(message)
        elif isinstance(message, LogMessage):
            self.logs.append(message)
        elif isinstance(message, GapMessage):
            self.gaps.append(message)
        elif isinstance(message, CompleteMessage):
            self.success, self.status = message.success, message.status
            self.exit_code, self.duration = message.exit_code, message.duration
            if self.error is None and message.error:
                name, _, value = message.error.partition(": ")
                self.error = ExecutionError.of(ErrorMessage(name=name, value=value))

    def _joined(self, stream: StreamType) -> str:
        parts = self._text[stream]
        if len(parts) > 1:
            parts[:] = ["".join(parts)]
        return parts[0] if parts else ""


class MessageStream:
    """Messages in order, for ``async for`` (asyncio or trio) and for a plain ``for``.

    It ends at `complete`, or with ``follow=True`` when the session closes. Whoever leaves it early
    holds the execution no longer.
    """

    def __init__(self, run: Run, cursor: Cursor, processors: tuple[Processor, ...], batch: bool) -> None:
        self._run = run
        self._cursor = cursor
        self._processors = processors
        self._batch = batch
        self._messages: deque[Message] = deque()

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> Message:
        while not self._messages:
            if self._batch:
                await wait_async(self._run.journal.when_complete)
                self._batch = False
            read = self._cursor.read()
            if not read and self._cursor.ended:
                self.close()
                raise StopAsyncIteration
            if not read:
                await wait_async(self._cursor.when_ready)
            elif not self._processors:
                self._messages.extend(read)
            else:
                for message in read:
                    self._messages.extend(await self._process(message))
        return self._messages.popleft()

    def __iter__(self) -> Iterator[Message]:
        if any(inspect.iscoroutinefunction(processor) for processor in self._processors):
            raise UsageError("an async processor needs `async for`")
        try:
            while (received := self.receive()) is not None:
                yield from received
        finally:
            self.close()

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        """Without an event loop: what has come, empty after ``timeout`` seconds; None at the end."""
        if self._batch:
            if not _wait(self._run.journal.when_complete, timeout):
                return []
            self._batch = False
        read = self._cursor.read()
        if not read and not self._cursor.ended and _wait(self._cursor.when_ready, timeout):
            read = self._cursor.read()
        if not read:
            return None if self._cursor.ended else []
        if not self._processors:
            return read
        return [out for message in read for out in _run_chain(message, self._processors)]

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._cursor.close()

    def __del__(self) -> None:
        self.close()

    async def _process(self, message: Message) -> list[Message]:
        messages = [message]
        for processor in self._processors:
            processed: list[Message] = []
            for one in messages:
                returned = processor(one)
                processed.extend(_listed(await returned if inspect.isawaitable(returned) else returned))
            messages = processed
        return messages


def _run_chain(message: Message, processors: tuple[Processor, ...]) -> list[Message]:
    messages = [message]
    for processor in processors:
        messages = [out for one in messages for out in _listed(processor(one))]  # type: ignore[arg-type]  # no async processor gets here
    return messages


def _listed(processed: Processed) -> list[Message]:
    if processed is None:
        return []
    return [processed] if isinstance(processed, Message) else list(processed)


class Execution:
    """One run of code or of a command. Iterate it for live messages, or await it for the result.

    Each iteration begins at the first message (one that is no longer kept shows as a gap). As long as
    nobody has begun to read, a full buffer waits a few seconds for a reader and then goes on with the
    newest output; :meth:`detach` says that no reader will come.
    """

    def __init__(
        self,
        run: Run,
        *,
        processors: Iterable[Processor] = (),
        batch: bool = False,
        awaits_reader: bool = False,
    ) -> None:
        self._run = run
        self._processors = tuple(processors)
        self._batch = batch
        # Made at the start, so that the first iteration misses nothing, however fast the code is.
        self._first: Cursor | None = run.journal.cursor() if awaits_reader else None
        self._result: ExecutionResult | None = None

    def __repr__(self) -> str:
        return f"<Execution {self.id} {self.status}>"

    def __del__(self) -> None:
        self.detach()

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def status(self) -> str:
        """``queued``, ``running``, or how it ended (see :class:`CompleteMessage`)."""
        return self._run.status

    # -- reading -----------------------------------------------------------------------------

    def __aiter__(self) -> MessageStream:
        return self._stream()

    def __iter__(self) -> Iterator[Message]:
        return iter(self._stream())

    def __await__(self) -> Generator[Any, None, ExecutionResult]:
        return self._collect().__await__()

    def wait(self, timeout: float | None = None) -> ExecutionResult:
        """Wait without an event loop and return the result. Raises :class:`TimeoutError`.

        Do not call it on a thread that runs an event loop: await the execution there.
        """
        if self._result is None:
            if timeout is not None and not _wait(self._run.when_done, timeout):
                raise TimeoutError(f"execution {self.id} has not ended within {timeout} s")
            result = ExecutionResult(self.id)
            for message in self._stream():
                result.add(message)
            self._result = result
        return self._result

    def attach(self, after: int = 0, *, follow: bool = False) -> MessageStream:
        """Read what comes after sequence number ``after``, also after the end.

        ``follow`` goes on after `complete` with what background threads write. Raises
        :class:`CursorError` for a negative ``after`` and one beyond the last message.
        """
        cursor = self._run.journal.cursor(after, follow=follow)
        return MessageStream(self._run, cursor, self._processors, False)

    def detach(self) -> None:
        """No reader will come: never wait for one, keep the newest output."""
        cursor, self._first = self._first, None
        if cursor is not None:
            cursor.close()

    def _stream(self) -> MessageStream:
        cursor, self._first = self._first, None
        cursor = cursor or self._run.journal.cursor()
        return MessageStream(self._run, cursor, self._processors, self._batch)

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
        nevertheless, so the caller gets control back.
        """
        self._run.request_stop("interrupted")
        return _Done(self._run)

    def kill(self) -> Awaitable[None]:
        """As :meth:`interrupt`, by every means there is, without the second of patience."""
        self._run.request_stop("killed")
        return _Done(self._run)

    def input(self, text: str | None, request: InputRequestMessage | None = None) -> None:
        """Answer an ``input_request``, the newest by default; None is the end of the input."""
        if request is None:
            for message in reversed(self._run.journal.snapshot()):
                if isinstance(message, InputRequestMessage):
                    request = message
                    break
            else:
                raise UsageError(f"execution {self.id} has not asked for input")
        self._run.answer(request, text)

    def writer(self, source: str = "", stream: StreamType = StreamType.STDOUT) -> LineWriter:
        """A line-buffered writer with a label of its own, for the program that hosts the session."""
        return LineWriter(self._run.writer, StreamType(stream), source)


class _Done:
    """Awaited: the execution has ended."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, None]:
        return wait_async(self._run.when_done).__await__()


async def wait_async(subscribe: Callable[[Callable[[], None]], None]) -> None:
    """Wait, on asyncio or trio, until the callback given to ``subscribe`` is called, by any thread."""
    import anyio  # here, so that `import pyrepl_stream` does not pay for it

    event = anyio.Event()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()

        def wake() -> None:
            try:
                token.run_sync_soon(event.set)
            except trio.RunFinishedError:
                pass  # nobody waits any more
    else:

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:
                pass  # the loop was closed: nobody waits any more

    subscribe(wake)
    await event.wait()


def _wait(subscribe: Callable[[Callable[[], None]], None], timeout: float | None) -> bool:
    event = threading.Event()
    subscribe(event.set)
    return event.wait(timeout)
