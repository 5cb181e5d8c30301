"""The vocabulary: one immutable, typed fact a message.

Standard library only, Python 3.9 or newer: this file also runs at the far end.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Optional, Union

__all__ = (
    "MessageType",
    "StreamType",
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


class MessageType(str, Enum):
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
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True)
class Message:
    """What all messages share.

    ``sequence`` starts at 1 in each execution and rises by exactly 1 over all types; 0 means that
    the journal has not numbered it yet. ``timestamp`` is in seconds since the epoch, UTC.
    ``source`` is a label, empty where there is one source. ``extra`` holds the fields of a newer
    peer that this version does not know: they are kept and sent on.
    """

    type: ClassVar[Union[MessageType, str]]

    execution_id: str = ""
    sequence: int = 0
    timestamp: float = 0.0
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """Derived: unique over all executions, the same at every reader."""
        return f"{self.execution_id}:{self.sequence}"

    @property
    def span_start(self) -> int:
        """The first sequence number that this message stands for (a gap stands for many)."""
        return self.sequence


@dataclass(frozen=True)
class OutputMessage(Message):
    """Text that was written; ``bytes`` where what was written is no UTF-8."""

    type: ClassVar[Union[MessageType, str]] = MessageType.OUTPUT
    stream: StreamType = StreamType.STDOUT
    data: Union[str, bytes] = ""

    @property
    def text(self) -> str:
        """``data`` for showing: bytes are decoded with replacement characters."""
        return self.data if isinstance(self.data, str) else self.data.decode("utf-8", "replace")


@dataclass(frozen=True)
class DisplayMessage(Message):
    """A rich display: a MIME bundle, new or (``update``) in place of an earlier one."""

    type: ClassVar[Union[MessageType, str]] = MessageType.DISPLAY
    data: MimeBundle = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: Optional[str] = None
    update: bool = False


@dataclass(frozen=True)
class ResultMessage(Message):
    """The value of the last expression, as a MIME bundle; ``text/plain`` is always there."""

    type: ClassVar[Union[MessageType, str]] = MessageType.RESULT
    data: MimeBundle = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClearMessage(Message):
    """What was said before is to be seen no more: Jupyter's `clear_output`. The record keeps it.

    ``wait``: not before there is something else to see.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.CLEAR
    wait: bool = False


@dataclass(frozen=True)
class ErrorMessage(Message):
    """An exception that ended the code. ``traceback``: lines without their line ends."""

    type: ClassVar[Union[MessageType, str]] = MessageType.ERROR
    name: str = ""
    value: str = ""
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogMessage(Message):
    """A record of :mod:`logging`, or something the product itself has to say."""

    type: ClassVar[Union[MessageType, str]] = MessageType.LOG
    level: str = "INFO"
    logger: str = ""
    text: str = ""


@dataclass(frozen=True)
class ProgressMessage(Message):
    """The state of one progress bar; ``rate`` is per second, times are in seconds.

    ``wiped``: it is finished, and was cleared away (as tqdm does with ``leave=False``).
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
    """A parsed JSON line, a YAML document, a pattern match."""

    type: ClassVar[Union[MessageType, str]] = MessageType.EVENT
    name: str = ""
    data: Any = None


@dataclass(frozen=True)
class InputRequestMessage(Message):
    """The code asks for a line of input; answer it by its ``sequence``."""

    type: ClassVar[Union[MessageType, str]] = MessageType.INPUT_REQUEST
    prompt: str = ""
    password: bool = False


@dataclass(frozen=True)
class InputReplyMessage(Message):
    """The question with the sequence ``request`` was answered. ``text`` is None for a password."""

    type: ClassVar[Union[MessageType, str]] = MessageType.INPUT_REPLY
    request: int = 0
    text: Optional[str] = None


@dataclass(frozen=True)
class GapMessage(Message):
    """Stands for the messages ``first``..``sequence``, which are not to be had.

    ``bytes`` counts the UTF-8 bytes of output among them; ``None`` where that is not known.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.GAP
    first: int = 0
    bytes: Optional[int] = 0
    reason: str = ""

    @property
    def span_start(self) -> int:
        return self.first or self.sequence


@dataclass(frozen=True)
class CompleteMessage(Message):
    """The one end of an execution. ``duration`` is in seconds.

    ``status`` is one of ``ok``, ``error``, ``interrupted``, ``timeout``, ``killed``, ``lost``.
    """

    type: ClassVar[Union[MessageType, str]] = MessageType.COMPLETE
    success: bool = False
    status: str = "ok"
    exit_code: Optional[int] = None
    error: Optional[str] = None
    duration: float = 0.0
    value: Any = None


@dataclass(frozen=True)
class UnknownMessage(Message):
    """A message of a newer peer; its fields are in ``extra``, its type in ``unknown_type``."""

    type: ClassVar[Union[MessageType, str]] = "unknown"
    unknown_type: str = ""


MESSAGE_CLASSES: Mapping[str, type] = {
    cls.type.value: cls
    for cls in (
        OutputMessage,
        DisplayMessage,
        ResultMessage,
        ClearMessage,
        ErrorMessage,
        LogMessage,
        ProgressMessage,
        EventMessage,
        InputRequestMessage,
        InputReplyMessage,
        GapMessage,
        CompleteMessage,
    )
    if isinstance(cls.type, MessageType)
}


@dataclass(frozen=True)
class ExecuteMessage:
    """A request to run ``code`` under the id ``id`` (made up when it is empty)."""

    code: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    timestamp: float = field(default_factory=time.time)
