"""Messages on our own standard streams: text as it is, progress in one line, the rest in words."""

from __future__ import annotations

import json

from ..messages import (
    CompleteMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    LogMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    StreamType,
)
from ..processors.progress import progress_line
from ..wire import encode
from .console import ERRORS, OUTPUT, Console

__all__ = ("Show",)

_ERASE = b"\r\x1b[2K"
_STEP = 10  # per cent between two lines of a bar, where it cannot be drawn over


class Show:
    """Shows messages, neighbours of one stream in one write. ``cursor``: stderr is where one can move."""

    def __init__(self, console: Console, *, as_json: bool = False, cursor: bool = False) -> None:
        self._console = console
        self._json = as_json
        self._cursor = cursor
        self.complete: CompleteMessage | None = None
        self._bar = b""  # the line of the newest bar, when it is on the screen
        self._at_start = True  # of a line, on the screen
        self._told: dict[str, float] = {}  # by bar, where there is no cursor: the percentage told last

    def show(self, messages: list[Message]) -> None:
        """Raises :class:`BrokenPipeError` when nobody reads."""
        out = bytearray()
        target = OUTPUT
        for message in messages:
            if isinstance(message, CompleteMessage):
                self.complete = message
            descriptor, data = self._data(message)
            if data and descriptor != target:
                self._write(target, bytes(out))
                out.clear()
                target = descriptor
            out += data
            if not data or isinstance(message, ErrorMessage):
                self._write(target, bytes(out))
                out.clear()
                self._tell(message)
        self._write(target, bytes(out))

    def _data(self, message: Message) -> tuple[int, bytes]:
        """What goes out as it is, and where."""
        if self._json:
            return OUTPUT, encode(message)
        if isinstance(message, EventMessage):  # a line of JSON was taken out of the text
            return OUTPUT, json.dumps(message.data, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if isinstance(message, OutputMessage):
            data = message.data
            descriptor = ERRORS if message.stream is StreamType.STDERR else OUTPUT
            return descriptor, data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        return OUTPUT, b""

    def _tell(self, message: Message) -> None:
        if isinstance(message, ProgressMessage):
            self._progress(message)
        elif isinstance(message, LogMessage):
            self._say(f"{message.level.lower()}: {message.text}")
        elif isinstance(message, GapMessage):
            size = "some" if message.bytes is None else f"{message.bytes:,} bytes of"
            self._say(f"warning: {size} output is missing: {message.reason}")
        elif isinstance(message, ErrorMessage):  # it could not be started
            self._say(message.value or message.name)

    def _say(self, text: str) -> None:
        self._erase()
        self._console.say(text)
        self._draw()

    def _write(self, descriptor: int, data: bytes) -> None:
        if data:
            self._erase()
            self._console.write(descriptor, data)
            self._at_start = data.endswith(b"\n")
            self._draw()

    # -- progress ------------------------------------------------------------------------------

    def _progress(self, message: ProgressMessage) -> None:
        line = progress_line(message)
        if not self._cursor:
            if self._is_due(message):
                self._console.write(ERRORS, line.encode("utf-8", "replace") + b"\n")
            return
        size = self._console.size()
        columns = size[1] if size else 80
        self._erase()
        self._bar = line[: columns - 1].encode("utf-8", "replace")
        if message.finished and self._at_start:
            self._console.write(ERRORS, self._bar + b"\n")
            self._bar = b""
        self._draw()

    def _is_due(self, message: ProgressMessage) -> bool:
        """Whether a bar that cannot be drawn over has moved by a step, or ends."""
        before = self._told.get(message.bar)
        now = message.percentage or 0.0
        if before is not None and not message.finished and now // _STEP <= before // _STEP:
            return False
        if message.finished:
            self._told.pop(message.bar, None)
        else:
            self._told[message.bar] = now
        return True

    def _erase(self) -> None:
        if self._bar and self._at_start:
            self._console.write(ERRORS, _ERASE)

    def _draw(self) -> None:
        """Where a line has begun there is no room for it: it comes back behind the line's end."""
        if self._bar and self._at_start:
            self._console.write(ERRORS, self._bar)

    def close(self) -> None:
        """Leave the screen as it is to be: nothing is under way any more."""
        self._erase()
        self._bar = b""
