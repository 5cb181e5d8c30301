"""The messages of an execution: each is one immutable, typed fact.

Standard library only, Python 3.9 or newer: this module also runs at the far end.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Literal, Optional, Union

__all__ = (
    "MessageType",
    "StreamType",
    "Status",
    "ExecutionStatus",
    "Message",
    "OutputMessage",
    "DisplayMessage",
    "ResultMessage",
    "ClearMessage",
    "ErrorMessage",
    "LogMessage",
    "ProgressMessage",
    "EventMessage",
    "InputRequestMessage",
    "InputReplyMessage",
    "GapMessage",
    "CompleteMessage",
    "UnknownMessage",
    "ExecuteMessage",
    "MESSAGE_CLASSES",
)

MimeBundle = Mapping[str, Any]
"""One value in several formats, by MIME type."""

Status = Literal[
    "ok",  # the code or command succeeded
    "error",  # it raised an exception, could not be started, or exited with a nonzero code
    "interrupted",  # it was interrupted
    "timeout",  # it took longer than its timeout, or was idle for too long
    "killed",  # it was killed, or its session was closed
    "lost",  # its host ended without reporting the end
]
"""How an execution ended."""

ExecutionStatus = Union[
    Literal[
        "queued",  # it waits for the executions before it
        "running",  # it has begun
    ],
    Status,
]
"""The status of an execution at any time."""


class MessageType(str, Enum):
    """The types of messages, with their names in the wire format."""

    OUTPUT = "output"
    DISPLAY = "display"
    RESULT = "result"
    CLEAR = "clear"
    ERROR = "error"
    LOG = "log"
    PROGRESS = "progress"
    EVENT = "event"
    INPUT_REQUEST = "input_request"
    INPUT_REPLY = "input_reply"
    GAP = "gap"
    COMPLETE = "complete"


class StreamType(str, Enum):
    """The two streams of output."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True)
class Message:
    """The fields that all messages share.

    Attributes:
        execution_id: The execution to which the message belongs.
        sequence: The message's number: 1 for the first message of an execution, then rising by exactly 1
            across all types. 0 means that the journal has not numbered the message yet.
        timestamp: Seconds since the epoch, UTC.
        source: A label for the output's origin; empty if there is only one origin.
        extra: Fields from a newer peer that this version does not know. They are kept and forwarded.
    """

    type: ClassVar[Union[MessageType, str]]

    execution_id: str = ""
    sequence: int = 0
    timestamp: float = 0.0
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """An id that is unique across all executions, and the same for every reader."""
        return f"{self.execution_id}:{self.sequence}"

    @property
    def span_start(self) -> int:
        """The first sequence number that this message stands for (a gap stands for many)."""
        return self.sequence

    @property
    def stamp(self) -> tuple[str, int, float, str]:
        """The first four fields, which a message that is derived from this one has too."""
        return self.execution_id, self.sequence, self.timestamp, self.source


@dataclass(frozen=True)
class OutputMessage(Message):
    """Output that was written.

    Attributes:
        stream: The stream that was written to.
        data: Text, or bytes where the output is not UTF-8.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.OUTPUT
    stream: StreamType = StreamType.STDOUT
    data: Union[str, bytes] = ""

    @property
    def text(self) -> str:
        """The data as text, with replacement characters for bytes that are not UTF-8."""
        return self.data if isinstance(self.data, str) else self.data.decode("utf-8", "replace")


@dataclass(frozen=True)
class DisplayMessage(Message):
    """A rich display.

    Attributes:
        data: The MIME bundle.
        metadata: Metadata of the bundle, by MIME type.
        display_id: The id by which later messages update the display.
        update: Replace the display that has this id, rather than add a new one.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.DISPLAY
    data: MimeBundle = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: Optional[str] = None
    update: bool = False


@dataclass(frozen=True)
class ResultMessage(Message):
    """The value of the last expression.

    Attributes:
        data: The value as a MIME bundle, always with ``text/plain``.
        metadata: Metadata of the bundle, by MIME type.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.RESULT
    data: MimeBundle = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClearMessage(Message):
    """A request to clear the output shown so far, like Jupyter's `clear_output`. The journal is not cleared.

    Attributes:
        wait: Clear only when the next output arrives.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.CLEAR
    wait: bool = False


@dataclass(frozen=True)
class ErrorMessage(Message):
    """The exception that ended the code, or one that the code has shown (``%tb``).

    Attributes:
        name: The name of the exception's class.
        value: The exception's text.
        traceback: The lines of the traceback, without line ends. Those of IPython have colours (escape
            sequences).
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.ERROR
    name: str = ""
    value: str = ""
    traceback: tuple[str, ...] = ()

    @property
    def is_passing(self) -> bool:
        """True if the code has shown the exception and gone on."""
        return bool(self.extra.get("is_passing"))


@dataclass(frozen=True)
class LogMessage(Message):
    """A record of :mod:`logging`, or a notice of this package (``logger`` is ``pyrepl_stream``).

    Attributes:
        level: The name of the record's level.
        logger: The name of the record's logger.
        text: The formatted message.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.LOG
    level: str = "INFO"
    logger: str = ""
    text: str = ""

    @property
    def line(self) -> str:
        """The message as views show it: as its handler would have written it, or with level and logger."""
        prefix = self.extra.get("prefix", f"{self.level} {self.logger}: ")
        return f"{prefix}{self.text}"


@dataclass(frozen=True)
class ProgressMessage(Message):
    """The state of one progress bar. A field is None or empty if the bar does not show that value.

    Attributes:
        bar: The id of the bar within the execution.
        description: The label of the bar.
        current: The count so far, in ``unit``.
        total: The count at the end, in ``unit``.
        unit: The unit of the counts.
        percentage: The completed share, from 0 to 100.
        rate: The speed, in ``unit`` per second.
        elapsed: Seconds since the bar began.
        remaining: Seconds until the bar is expected to end.
        finished: The bar will not change again.
        library: The library or program that draws it.
        raw: The bar as it was drawn.
        wiped: The bar is finished and was removed from the screen (as tqdm does with ``leave=False``).
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.PROGRESS
    bar: str = ""
    description: str = ""
    current: Optional[float] = None
    total: Optional[float] = None
    unit: str = ""
    percentage: Optional[float] = None
    rate: Optional[float] = None
    elapsed: Optional[float] = None
    remaining: Optional[float] = None
    finished: bool = False
    library: str = ""
    raw: str = ""
    wiped: bool = False


@dataclass(frozen=True)
class EventMessage(Message):
    """Data found in the output: a JSON line, a YAML document, or a match of a pattern.

    Attributes:
        name: The name of the event.
        data: The parsed data.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.EVENT
    name: str = ""
    data: Any = None


@dataclass(frozen=True)
class InputRequestMessage(Message):
    """A request for a line of input. The answer refers to it by its ``sequence``.

    Attributes:
        prompt: The prompt to show.
        password: Do not echo the answer.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.INPUT_REQUEST
    prompt: str = ""
    password: bool = False


@dataclass(frozen=True)
class InputReplyMessage(Message):
    """The answer to an input request.

    Attributes:
        request: The sequence number of the request.
        text: The line; None if it is a password.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.INPUT_REPLY
    request: int = 0
    text: Optional[str] = None


@dataclass(frozen=True)
class GapMessage(Message):
    """Replaces the messages ``first``..``sequence``, which are no longer available.

    Attributes:
        first: The first sequence number that is missing.
        bytes: How many bytes of output (as UTF-8) are missing; None if that is not known.
        reason: Why the messages are missing.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.GAP
    first: int = 0
    bytes: Optional[int] = 0
    reason: str = ""

    @property
    def span_start(self) -> int:
        """The first sequence number that is missing."""
        return self.first or self.sequence

    @property
    def text(self) -> str:
        """One sentence about the gap, as views show it."""
        size = "some" if self.bytes is None else f"{self.bytes:,}"
        return f"{size} bytes of output are missing: {self.reason}"


@dataclass(frozen=True)
class CompleteMessage(Message):
    """The end of an execution. Each execution has exactly one.

    Attributes:
        success: True when ``status`` is ``ok``.
        status: How the execution ended.
        exit_code: The exit code of a command, or of ``sys.exit``; negative for a signal.
        error: One line about the error; None when there was no error. If the output already contains it, but
            no `error` message does, ``extra["printed"]`` is True.
        duration: Seconds from the execution's start to its end.
        value: For an execution of several commands, the outcome of each.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.COMPLETE
    success: bool = False
    status: Status = "ok"
    exit_code: Optional[int] = None
    error: Optional[str] = None
    duration: float = 0.0
    value: Any = None


@dataclass(frozen=True)
class UnknownMessage(Message):
    """A message from a newer peer, of a type that this version does not know.

    Attributes:
        unknown_type: The message's type. Its fields are in ``extra``.
    """

    type: ClassVar[Union[MessageType, str]] = "unknown"
    unknown_type: str = ""


MESSAGE_CLASSES: Mapping[str, type] = {
    cls.type.value: cls for cls in Message.__subclasses__() if isinstance(cls.type, MessageType)
}
"""The class of each type of message."""


@dataclass(frozen=True)
class ExecuteMessage:
    """A request to run code.

    Attributes:
        code: Python source.
        id: The id of the execution; by default a random one.
        timestamp: Seconds since the epoch, UTC.
    """

    code: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    timestamp: float = field(default_factory=time.time)
