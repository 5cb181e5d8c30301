"""Shows messages on the standard streams: text unchanged, progress on one line, other messages in words."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..runtime.messages import (
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
from ..runtime.wire import encode
from .console import ERRORS, OUTPUT, Console

if TYPE_CHECKING:
    from .bars import Bars


class Show:
    """Shows messages. Consecutive messages for one stream are written together.

    Args:
        console: The standard streams and the user's terminal.
        as_json: Write all messages to stdout as lines of JSON.
        cursor: True if the cursor of the terminal on stderr can be moved.
    """

    def __init__(self, console: Console, *, as_json: bool = False, cursor: bool = False) -> None:
        self._console = console
        self.as_json = as_json
        self.complete: CompleteMessage | None = None
        self.failure_shown = False
        self._cursor = cursor
        self._bars: Bars | None = None  # created for the first bar, as most runs have no bars
        self._on_screen = [number for number in (OUTPUT, ERRORS) if os.isatty(number)]
        self._at_start = True  # the cursor is at the start of a line
        self._in_line = False  # stdout, whether a terminal or not, ends within a line
        self._updated: dict[str, str] = {}  # the newest text of displays that were updated, by id
        self._answered: set[int] = set()  # sequence numbers of questions answered on the user's terminal

    def show(self, messages: list[Message]) -> None:
        """Show messages. Raises :class:`BrokenPipeError` when the reader of the output is gone."""
        out = bytearray()
        target = OUTPUT
        for message in messages:
            if isinstance(message, CompleteMessage):
                self.complete = message
                self.failure_shown = self.failure_shown or bool(message.extra.get("printed"))
            elif isinstance(message, ErrorMessage):
                self.failure_shown = True
            if self._updated and isinstance(message, (ResultMessage, ErrorMessage, CompleteMessage)):
                self._write(target, bytes(out))
                out.clear()
                self.close()
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
                self._describe(message)
        self._write(target, bytes(out))

    def _data(self, message: Message) -> tuple[int, bytes]:
        """Return the descriptor and the bytes of a message that is written unchanged."""
        if self.as_json:
            return OUTPUT, encode(message)
        if isinstance(message, EventMessage):
            return OUTPUT, self._line_end() + _line_of(message)
        if isinstance(message, OutputMessage):
            data = message.data
            descriptor = ERRORS if message.stream is StreamType.STDERR else OUTPUT
            return descriptor, data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        if isinstance(message, ErrorMessage) and _is_of_code(message):
            from ..processors.strip_ansi import stripped  # imported here, as most runs have no error

            text = "\n".join(message.traceback) + "\n"
            return ERRORS, _bytes(text if ERRORS in self._on_screen else stripped(text))
        if isinstance(message, DisplayMessage) and message.update and message.display_id:
            return OUTPUT, b""  # written at the end, as it is then
        if isinstance(message, (ResultMessage, DisplayMessage)):
            text = self._text(message)
            if text or isinstance(message, ResultMessage):
                return OUTPUT, self._line_end() + _bytes(text + "\n")
        if isinstance(message, InputRequestMessage) and not message.extra.get("printed"):
            return OUTPUT, _bytes(message.prompt)
        if isinstance(message, InputReplyMessage) and message.request not in self._answered:
            return OUTPUT, _bytes("\n" if message.text is None else f"{message.text}\n")
        return OUTPUT, b""

    def _text(self, message: ResultMessage | DisplayMessage) -> str:
        """Return the text of a bundle, without its colours if stdout is not a terminal."""
        text = str(message.data.get("text/plain", ""))
        if "\x1b" in text and OUTPUT not in self._on_screen:
            from ..processors.strip_ansi import stripped

            return stripped(text)
        return text

    def _line_end(self) -> bytes:
        """Return a line feed if stdout ends within a line, otherwise nothing."""
        return b"\n" if self._in_line else b""

    def answered(self, request: InputRequestMessage) -> None:
        """Record that a question was answered on the user's terminal, which shows the answer."""
        self._answered.add(request.sequence)
        self._at_start = True
        self._in_line = False

    def _describe(self, message: Message) -> None:
        if isinstance(message, ProgressMessage):
            self._progress(message)
        elif isinstance(message, DisplayMessage):
            self._update(message)
        elif isinstance(message, LogMessage):
            self.report(f"{message.level.lower()}: {message.text}")
        elif isinstance(message, GapMessage):
            self.report(f"warning: {message.text}")
        elif isinstance(message, ErrorMessage) and not _is_of_code(message):  # it was not started
            self.report(message.value or message.name)

    def report(self, text: str) -> None:
        """Write a message to the user on its own line."""
        self._erase()
        if not self._at_start:
            self._console.write(ERRORS, b"\n")
            self._at_start = True
        self._console.report(text)
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
            self._console.write(ERRORS, b"\n")  # the bar's last state stays, on its own line
            self._at_start = True
        self._live().show(message)
        self._draw()

    def _update(self, message: DisplayMessage) -> None:
        """Keep the newest text of a display, and show it below the text until the end."""
        if message.update and message.display_id:
            self._updated.pop(message.display_id, None)  # the one that changed last is written last
            self._updated[message.display_id] = text = self._text(message).rstrip("\n")
            self._live().show_display(message.display_id, text)
            self._draw()

    def _live(self) -> Bars:
        if self._bars is None:
            from .bars import Bars

            self._bars = Bars(self._write_bars, self._size if self._cursor else None)
        return self._bars

    def _write_bars(self, text: str) -> None:
        self._console.write(ERRORS, text.encode("utf-8", "replace"))

    def _size(self) -> tuple[int, int]:
        return self._console.size() or (24, 80)

    def _erase(self) -> None:
        if self._bars is not None:
            self._bars.erase()

    def _draw(self) -> None:
        # Within an unfinished line there is no room for bars: they are drawn after its end.
        if self._bars is not None and self._at_start:
            self._bars.draw()

    def close(self) -> None:
        """Erase the bars, and write the newest text of the displays that were updated."""
        if self._bars is not None:
            self._bars.clear()
        for text in filter(None, self._updated.values()):
            self._write(OUTPUT, self._line_end() + _bytes(text + "\n"))
            self._in_line = False
        self._updated.clear()


# JSON does not escape these control characters.
_CONTROLS = {number: f"\\u{number:04x}" for number in range(0x7F, 0xA0)}


def _is_of_code(error: ErrorMessage) -> bool:
    """Return True if the error has more of a traceback than its last line."""
    return len(error.traceback) > 1


def _line_of(event: EventMessage) -> bytes:
    return _bytes(json.dumps(event.data, ensure_ascii=False).translate(_CONTROLS) + "\n")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
