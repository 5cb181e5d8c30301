"""Messages on our own standard streams: text as it is, progress in one line, the rest in words."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    ResultMessage,
    StreamType,
)
from ..wire import encode
from .console import ERRORS, OUTPUT, Console

if TYPE_CHECKING:
    from .bars import Bars

__all__ = ("Show",)


class Show:
    """Shows messages, neighbours of one stream in one write. ``cursor``: stderr is where one can move."""

    def __init__(self, console: Console, *, as_json: bool = False, cursor: bool = False) -> None:
        self._console = console
        self.as_json = as_json
        self.complete: CompleteMessage | None = None
        self.failure_shown = False
        self._cursor = cursor
        self._bars: Bars | None = None  # made with the first bar: most runs have none
        self._on_screen = [number for number in (OUTPUT, ERRORS) if os.isatty(number)]
        self._at_start = True  # of a line, on the screen
        self._in_line = False  # on stdout, wherever it leads
        self._answered: set[int] = set()  # questions that were answered on our terminal, by sequence

    def show(self, messages: list[Message]) -> None:
        """Raises :class:`BrokenPipeError` when nobody reads."""
        out = bytearray()
        target = OUTPUT
        for message in messages:
            if isinstance(message, CompleteMessage):
                self.complete = message
            elif isinstance(message, ErrorMessage):
                self.failure_shown = True
            descriptor, data = self._data(message)
            if data and descriptor != target:
                self._write(target, bytes(out))
                out.clear()
                target = descriptor
            out += data
            if data and descriptor == OUTPUT:
                self._in_line = not data.endswith(b"\n")
            if not data or isinstance(message, ErrorMessage):
                self._write(target, bytes(out))
                out.clear()
                self._tell(message)
        self._write(target, bytes(out))

    def _data(self, message: Message) -> tuple[int, bytes]:
        """What goes out as it is, and where."""
        if self.as_json:
            return OUTPUT, encode(message)
        if isinstance(message, EventMessage):
            return OUTPUT, self._line_end() + _line_of(message)
        if isinstance(message, OutputMessage):
            data = message.data
            descriptor = ERRORS if message.stream is StreamType.STDERR else OUTPUT
            return descriptor, data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        if isinstance(message, ErrorMessage) and _is_of_code(message):
            return ERRORS, _bytes("\n".join(message.traceback) + "\n")
        if isinstance(message, (ResultMessage, DisplayMessage)):
            return OUTPUT, self._line_end() + _bytes(f"{message.data.get('text/plain', '')}\n")
        if isinstance(message, InputRequestMessage) and not message.extra.get("printed"):
            return OUTPUT, _bytes(message.prompt)
        if isinstance(message, InputReplyMessage) and message.request not in self._answered:
            return OUTPUT, _bytes("\n" if message.text is None else f"{message.text}\n")
        return OUTPUT, b""

    def _line_end(self) -> bytes:
        """What has to come before a line of its own."""
        return b"\n" if self._in_line else b""

    def answered(self, request: InputRequestMessage) -> None:
        """A line was typed behind the question: it is on the screen."""
        self._answered.add(request.sequence)
        self._at_start = True
        self._in_line = False

    def _tell(self, message: Message) -> None:
        if isinstance(message, ProgressMessage):
            self._progress(message)
        elif isinstance(message, LogMessage):
            self.say(f"{message.level.lower()}: {message.text.translate(_HARMLESS)}")
        elif isinstance(message, GapMessage):
            size = "some" if message.bytes is None else f"{message.bytes:,} bytes of"
            self.say(f"warning: {size} output is missing: {message.reason}")
        elif isinstance(message, ErrorMessage) and not _is_of_code(message):  # it could not be started
            self.say(message.value or message.name)

    def say(self, text: str) -> None:
        """Tell the user something, on a line of its own."""
        self._erase()
        if not self._at_start:
            self._console.write(ERRORS, b"\n")
            self._at_start = True
        self._console.say(text)
        self._draw()

    def _write(self, descriptor: int, data: bytes) -> None:
        if data:
            self._erase()
            self._console.write(descriptor, data)
            if descriptor in self._on_screen:
                self._at_start = data.endswith(b"\n")
            self._draw()

    def _progress(self, message: ProgressMessage) -> None:
        if message.finished and not self._at_start:
            self._console.write(ERRORS, b"\n")  # its last state stays, on a line of its own
            self._at_start = True
        if self._bars is None:
            from .bars import Bars

            self._bars = Bars(self._write_bars, self._columns if self._cursor else None)
        self._bars.show(message)
        self._draw()

    def _write_bars(self, text: str) -> None:
        self._console.write(ERRORS, text.encode("utf-8", "replace"))

    def _columns(self) -> int:
        size = self._console.size()
        return size[1] if size else 80

    def _erase(self) -> None:
        if self._bars is not None:
            self._bars.erase()

    def _draw(self) -> None:
        # Within a line there is no room for bars: they come back behind its end.
        if self._bars is not None and self._at_start:
            self._bars.draw()

    def close(self) -> None:
        """Leave the screen as it is to be: nothing is under way any more."""
        self._erase()


# Terminals obey them: in what we say they are shown.
_HARMLESS = {number: f"\\x{number:02x}" for number in (*range(9), *range(11, 32), *range(0x7F, 0xA0))}
# JSON does not escape them.
_CONTROLS = {number: f"\\u{number:04x}" for number in range(0x7F, 0xA0)}


def _is_of_code(error: ErrorMessage) -> bool:
    """Whether there is a traceback to show: not only what the last line of one says."""
    return len(error.traceback) > 1


def _line_of(event: EventMessage) -> bytes:
    return _bytes(json.dumps(event.data, ensure_ascii=False).translate(_CONTROLS) + "\n")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
