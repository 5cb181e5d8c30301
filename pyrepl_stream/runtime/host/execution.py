"""The host's view of one execution, from the request until it can produce no more output."""

from __future__ import annotations

import json
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Callable, Literal, NamedTuple, Optional, Union

from ..errors import ExecutionEndedError, InsecurePathError, ProtocolError
from ..journal.spool.reader import SpoolReader, open_spool
from ..journal.spool.status import SpoolStatus
from ..journal.spool.writer import Spool
from ..messages import CompleteMessage, InputReplyMessage, Message, OutputMessage, StreamType
from ..process.pump import enlarge_pipe
from ..protocol.frames import Frame, FrameType
from ..protocol.requests import Request
from ..text import Utf8Decoder, utf8_size
from ..wire import unnumbered
from .loop import Timer

__all__ = (
    "MOVES",
    "READ_BYTES",
    "ExecutionState",
    "HostedExecution",
    "OutputPipe",
    "ReadableExecution",
    "Reply",
    "StopReason",
    "StoredExecution",
)

READ_BYTES = 256 << 10  # maximum bytes to read from a pipe at once
_KEYS = 256  # maximum number of remembered requests; one that is sent again has no second effect


class ExecutionState(Enum):
    """State of an execution that its host runs."""

    QUEUED = "queued"  # waits for its turn
    RUNNING = "running"  # the worker runs it
    COMPLETED = "completed"  # its `complete` message is recorded; threads and children may still write
    ENDED = "ended"  # it can produce no more output


MOVES: Mapping[ExecutionState, set[ExecutionState]] = {
    ExecutionState.QUEUED: {ExecutionState.RUNNING, ExecutionState.COMPLETED},
    ExecutionState.RUNNING: {ExecutionState.COMPLETED},
    ExecutionState.COMPLETED: {ExecutionState.ENDED},
    ExecutionState.ENDED: set(),
}


class StoredExecution:
    """The record of an execution that has ended.

    Args:
        directory: The directory of the record.
        status: The status of the execution.
        unreadable: Why the record cannot be read, but only removed; empty if it can be read.
    """

    asked = None

    def __init__(self, directory: str, status: SpoolStatus, unreadable: str = "") -> None:
        self.id = status.execution_id
        self.epoch = status.epoch
        self.status = status
        self.unreadable = unreadable
        self._directory = directory

    def reader(self, after: int, *, follow: bool) -> SpoolReader:
        """Return a reader, as :meth:`HostedExecution.reader` does. Raises :class:`ExecutionEndedError`."""
        try:
            if self.unreadable:
                raise ProtocolError(self.unreadable)
            spool = open_spool(self._directory)
        except (ProtocolError, InsecurePathError) as exc:
            raise ExecutionEndedError(
                f"the record of {self.id} is broken ({exc}); `fresh` or `close` removes it"
            ) from exc
        return spool.reader(after, follow=follow)


class Reply:
    """The result of an operation with a key. A client may repeat the operation until it has the result.

    Like ``concurrent.futures.Future``, without threads: importing that would cost the host 10 ms at startup.
    """

    def __init__(self) -> None:
        self._result: Optional[Mapping[str, Any]] = None
        self._callbacks: list[Callable[[Mapping[str, Any]], object]] = []

    def add_done_callback(self, callback: Callable[[Mapping[str, Any]], object]) -> None:
        """Call ``callback`` with the result, immediately if it is already set."""
        if self._result is None:
            self._callbacks.append(callback)
        else:
            callback(self._result)

    def set_result(self, result: Mapping[str, Any]) -> None:
        """Set the result and pass it to all callbacks."""
        self._result = result
        for callback in self._callbacks:
            callback(result)
        self._callbacks.clear()


class OutputPipe:
    """A pipe for the output of an execution. Raises OSError if no file descriptor is left.

    Args:
        stream: The stream to which the output belongs.
    """

    def __init__(self, stream: StreamType) -> None:
        self.stream = stream
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        enlarge_pipe(self.reader, READ_BYTES)
        self.decoder = Utf8Decoder()

    def read(self) -> Optional[bytes]:
        """Return up to ``READ_BYTES`` available bytes, possibly zero; None at the end of the pipe."""
        try:
            return os.read(self.reader, READ_BYTES) or None
        except BlockingIOError:
            return b""

    def take_writer(self) -> int:
        """Return the write end. The caller must close it."""
        writer, self.writer = self.writer, -1
        return writer

    def close(self) -> None:
        """Close the ends that this object still owns."""
        for descriptor in (self.reader, self.writer):
            if descriptor >= 0:
                os.close(descriptor)
        self.reader = self.writer = -1


class StopReason(NamedTuple):
    """The reason why an execution was asked to end."""

    status: Literal["interrupted", "killed", "timeout"]
    text: str


class HostedExecution:
    """An execution that this host runs, is going to run, or has run.

    Args:
        request: What to run.
        key: The key of the client's request; empty if it has none.
        spool: The record to write to.
    """

    def __init__(self, request: Request, key: str, spool: Spool) -> None:
        self.id = request.id
        self.epoch = spool.status.epoch
        self.is_command = request.command is not None
        self.timeout = request.timeout
        self.key = key
        self.state = ExecutionState.QUEUED
        self.ordinal = 0
        self.since = 0  # when it started, in `clock_ticks`
        self.pipes: list[OutputPipe] = []
        self.reason: Optional[StopReason] = None
        self.timers: list[Timer] = []  # cancelled when the execution completes
        self.code_closed = False  # its Python code can no longer write
        # Frames to send to the worker when the execution starts: the request, then any control frames.
        self.pending = [Frame(FrameType.EXECUTE, payload=json.dumps(request.as_json()).encode("ascii"))]
        self.readers: dict[object, Callable[[], object]] = {}  # by reader: called when there is more to read
        self.on_change: Callable[[], object] = lambda: None  # called when it starts, asks or completes
        self.replies: OrderedDict[str, Reply] = OrderedDict()  # by key
        self._spool = spool
        self._started: Optional[float] = None
        self._questions: OrderedDict[int, tuple[Any, bool]] = OrderedDict()  # by sequence number

    @property
    def status(self) -> SpoolStatus:
        """The current status."""
        status = replace(self._spool.status, last=self._spool.last)
        return replace(status, status="running") if self.state is ExecutionState.RUNNING else status

    @property
    def completed(self) -> bool:
        """True when its `complete` is recorded."""
        return self.state in (ExecutionState.COMPLETED, ExecutionState.ENDED)

    @property
    def asked(self) -> Optional[int]:
        """The sequence number of the question that waits for an answer, or None."""
        return next(iter(self._questions), None)

    def reader(self, after: int, *, follow: bool) -> SpoolReader:
        """Return a reader that begins after a sequence number.

        Args:
            after: The sequence number of the last message that the client has.
            follow: Continue after `complete`, until the execution can produce no more output.

        Raises:
            CursorError: There is no message with the number ``after``.
            OSError: The record cannot be opened, for example because no file descriptor is left.
        """
        return self._spool.reader(after, follow=follow)

    def remember(self, key: str, reply: Reply) -> None:
        """Remember the reply to the operation with ``key``. Do nothing if the key is empty."""
        if key:
            self.replies[key] = reply
            if len(self.replies) > _KEYS:
                self.replies.popitem(last=False)

    # -- events from the worker and the pipes --------------------------------------------------

    def move_to(self, state: ExecutionState) -> None:
        """Change the state. Raises RuntimeError for a move that is not allowed."""
        if state not in MOVES[self.state]:
            raise RuntimeError(f"{self.state} cannot be followed by {state}")
        self.state = state

    def start(self, ordinal: int, since: int) -> None:
        """Record that the worker has started the execution.

        Args:
            ordinal: Its number among the executions of this host.
            since: The time of the start, in :func:`clock_ticks`.
        """
        self.move_to(ExecutionState.RUNNING)
        self.ordinal, self.since = ordinal, since
        self._started = time.monotonic()
        self.on_change()

    def save(self) -> None:
        """Save the status of the execution as running."""
        self._spool.begin()

    def append(self, body: bytes, output: int, *, kept: bool = False) -> int:
        """Append a message that has no sequence number yet, and return its number.

        Args:
            body: The message as JSON.
            output: The bytes of output that it holds.
            kept: Never drop the message from the record.
        """
        self.end_text()
        return self._spool.append(body, output, kept=kept)

    def emit(self, message: Message, *, kept: bool = False) -> None:
        """Append a message that the host itself has made."""
        self.append(unnumbered(replace(message, timestamp=time.time())), 0, kept=kept)

    def append_output(self, pipe: OutputPipe, data: bytes) -> None:
        """Append data that was read from a pipe."""
        for piece in pipe.decoder.decode(data):
            self._append_piece(pipe, piece)

    def end_text(self, pipe: Optional[OutputPipe] = None) -> None:
        """Append an incomplete character left at the end of ``pipe``, or of every pipe if it is None."""
        for one in self.pipes if pipe is None else (pipe,):
            tail = one.decoder.flush()
            if tail:
                self._append_piece(one, tail)

    def _append_piece(self, pipe: OutputPipe, data: Union[str, bytes]) -> None:
        message = OutputMessage(timestamp=time.time(), stream=pipe.stream, data=data)
        self._spool.append(unnumbered(message), utf8_size(data))

    def ask(self, body: bytes, request: Any, *, password: bool) -> None:
        """Append a question; ``request`` is the worker's key for it."""
        self._questions[self.append(body, 0, kept=True)] = request, password
        self.on_change()

    def answer(self, sequence: int, text: Optional[str]) -> Any:
        """Record the answer to a question.

        Args:
            sequence: The sequence number of the question.
            text: The line that was entered; None for the end of the input.

        Returns:
            The worker's key for the question.

        Raises:
            ExecutionEndedError: There is no such question, or it has been answered.
        """
        if sequence not in self._questions:
            raise ExecutionEndedError(
                f"message {sequence} of execution {self.id} is not a question that waits for an answer"
            )
        request, password = self._questions.pop(sequence)
        self.emit(InputReplyMessage(request=sequence, text=None if password else text), kept=True)
        return request

    def complete(self, reported: CompleteMessage) -> None:
        """Record the end of the execution.

        Args:
            reported: The `complete` that the worker sent, or that the host made in its place. The duration is
                added, and the reason if the execution was asked to end.
        """
        self.end_text()
        status, error = reported.status, reported.error
        # If the interrupted code raised another exception, its status is "error", not "interrupted".
        if self.reason is not None and not reported.success and status != "error":
            status = self.reason.status
            error = error or self.reason.text if status == "interrupted" else self.reason.text
        duration = 0.0 if self._started is None else time.monotonic() - self._started
        message = replace(reported, success=status == "ok", status=status, error=error, duration=duration)
        try:
            self._spool.complete(message)
        except (TypeError, ProtocolError):  # the value is too long
            self._spool.complete(replace(message, value=None))
        self.move_to(ExecutionState.COMPLETED)
        self._questions.clear()
        for timer in self.timers:
            timer.cancel()
        self.wake()
        self.on_change()

    def end_if_silent(self) -> bool:
        """End a completed execution that can produce no more output. Returns True if it ends now."""
        if self.state is not ExecutionState.COMPLETED or not self.code_closed or self.pipes:
            return False
        self.move_to(ExecutionState.ENDED)
        return True

    # -- readers ---------------------------------------------------------------------------------

    def commit(self) -> bool:
        """Write the appended messages to the disk and wake the readers. Return False if some still wait."""
        if self._spool.commit():
            self.wake()
        return not self._spool.waits_for_room

    def wake(self) -> None:
        """Wake the readers."""
        for wake in self.readers.values():
            wake()

    def close(self) -> SpoolStatus:
        """Close the record; return its status, which :func:`sync_status` has yet to flush to the disk."""
        self._spool.close(sync=False)
        self.wake()
        return self._spool.status


ReadableExecution = Union[HostedExecution, StoredExecution]
