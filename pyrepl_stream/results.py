"""What an execution said, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .messages import (
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

__all__ = ("ExecutionResult", "Result", "ExecutionError")


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
    that was dropped; ``status``, ``exit_code`` and ``value`` are those of `complete`, and ``reason`` is
    its ``error``. ``duration`` is in seconds.
    """

    id: str
    status: str = "running"
    success: bool = False
    result: Result | None = None
    error: ExecutionError | None = None
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
        elif isinstance(message, EventMessage):
            self.events.append(message)
        elif isinstance(message, CompleteMessage):
            self.success, self.status = message.success, message.status
            self.exit_code, self.duration = message.exit_code, message.duration
            self.value = message.value
            self.reason = message.error or ""
            if self.error is None and message.error:
                name, _, value = message.error.partition(": ")
                self.error = ExecutionError.of(ErrorMessage(name=name, value=value))

    def _joined(self, stream: StreamType) -> str:
        parts = self._text[stream]
        if len(parts) > 1:
            parts[:] = ["".join(parts)]
        return parts[0] if parts else ""
