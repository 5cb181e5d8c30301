"""Results of executions, assembled from their messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .runtime.messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
    StreamType,
)

__all__ = ("ExecutionResult", "RichValue", "ErrorInfo")

_LISTS = {DisplayMessage: "displays", LogMessage: "logs", GapMessage: "gaps", EventMessage: "events"}


class RichValue(str):
    """The value of the last expression: its text, with its other representations.

    ``value.data`` has all representations by MIME type, and ``value["text/html"]`` returns one of them.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, message: ResultMessage) -> RichValue:
        """Create an instance from the `result` message."""
        self = cls(message.data.get("text/plain", ""))
        self.data, self.metadata = message.data, message.metadata
        return self

    def __getitem__(self, key: Any) -> Any:
        return self.data[key] if isinstance(key, str) else super().__getitem__(key)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return self.data, self.metadata


class ErrorInfo(str):
    """The error that ended the code, as the text ``Name: value``.

    It has the attributes ``name``, ``value``, ``traceback`` (a tuple of lines) and ``printed`` (True if the
    text is in the output already). It is not an exception.
    """

    name: str = ""
    value: str = ""
    traceback: tuple[str, ...] = ()
    printed: bool = False

    @classmethod
    def of(cls, message: ErrorMessage) -> ErrorInfo:
        """Create an instance from the `error` message."""
        self = cls(f"{message.name}: {message.value}" if message.value else message.name)
        self.name, self.value, self.traceback = message.name, message.value, message.traceback
        return self


def _timeout_error(reason: str, error: ErrorInfo | None) -> ErrorInfo:
    """Return the error of an execution that was interrupted after its timeout; ``error`` ended its code."""
    value = reason.partition(": ")[2] or reason
    traceback = (*error.traceback, f"TimeoutError: {value}") if error is not None and error.traceback else ()
    return ErrorInfo.of(ErrorMessage(name="TimeoutError", value=value, traceback=traceback))


@dataclass
class ExecutionResult:
    """The result of an execution, assembled from its messages.

    Attributes:
        id: The id of the execution.
        status: ``running``, or the status of `complete`.
        success: True if the code has ended without an error.
        result: The value of the last expression.
        error: The error that ended the code.
        exit_code: The exit code of a command.
        reason: Why the execution ended, unless it ended by itself.
        duration: Seconds from the start to the end.
        value: The ``value`` of `complete`, such as the list of steps of :func:`run_steps`.
        displays: The displays, in order.
        logs: The log messages, in order.
        gaps: The ranges of messages that are missing.
        events: The events that processors found in the output.
    """

    id: str
    status: str = "running"
    success: bool = False
    result: RichValue | None = None
    error: ErrorInfo | None = None
    exit_code: int | None = None
    reason: str = ""
    duration: float = 0.0
    value: Any = None
    displays: list[DisplayMessage] = field(default_factory=list)
    logs: list[LogMessage] = field(default_factory=list)
    gaps: list[GapMessage] = field(default_factory=list)
    events: list[EventMessage] = field(default_factory=list)
    _text: dict[StreamType, list[str]] = field(
        default_factory=lambda: {stream: [] for stream in StreamType}, repr=False
    )

    @property
    def stdout(self) -> str:
        """The standard output. Bytes that are not UTF-8 become surrogate escapes.

        ``stdout.encode("utf-8", "surrogateescape")`` gives the bytes that were written.
        """
        return self._joined(StreamType.STDOUT)

    @property
    def stderr(self) -> str:
        """The standard error, decoded like :attr:`stdout`."""
        return self._joined(StreamType.STDERR)

    @property
    def missing_bytes(self) -> int:
        """The number of bytes of output that were dropped."""
        return sum(gap.bytes or 0 for gap in self.gaps)

    def add(self, message: Message) -> None:
        """Add the next message."""
        if isinstance(message, OutputMessage):
            data = message.data
            text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
            self._text[message.stream].append(text)
        elif isinstance(message, ResultMessage):
            self.result = RichValue.of(message)
        elif isinstance(message, ErrorMessage):
            if not message.is_passing:
                self.error = ErrorInfo.of(message)
        elif type(message) in _LISTS:
            getattr(self, _LISTS[type(message)]).append(message)
        elif isinstance(message, CompleteMessage):
            self.success, self.status = message.success, message.status
            self.exit_code, self.duration = message.exit_code, message.duration
            self.value = message.value
            self.reason = message.error or ""
            if message.status == "timeout" and self.reason.startswith("timeout: "):  # not an idle command
                self.error = _timeout_error(self.reason, self.error)
            elif self.error is None and message.error:
                name, _, value = message.error.partition(": ")
                self.error = ErrorInfo.of(ErrorMessage(name=name, value=value))
                self.error.printed = bool(message.extra.get("printed"))

    def _joined(self, stream: StreamType) -> str:
        parts = self._text[stream]
        if len(parts) > 1:
            parts[:] = ["".join(parts)]
        return parts[0] if parts else ""
