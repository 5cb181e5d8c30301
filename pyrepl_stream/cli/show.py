"""Shows messages on the standard streams: text unchanged, progress on one line, other messages in words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..processors.terminal_text import TerminalText, is_of_code, text_of_bundle
from ..runtime.messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
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
        self._text = TerminalText()
        self._answered: set[int] = set()  # sequence numbers of questions answered on the user's terminal

    def show(self, messages: list[Message]) -> None:
        """Show messages. Raises :class:`BrokenPipeError` when the reader of the output is gone."""
        out = bytearray()
        target = OUTPUT
        for message in messages:
            if isinstance(message, CompleteMessage):
                self.complete = message
                self.failure_shown = self.failure_shown or bool(message.extra.get("printed"))
            elif isinstance(message, ErrorMessage) and not message.is_passing:
                self.failure_shown = True
            if self._text.has_updated and isinstance(message, (ResultMessage, ErrorMessage, CompleteMessage)):
                self._write(target, bytes(out))
                out.clear()
                self.close()
            parts = self._parts(message)
            for descriptor, data in parts:
                if data and descriptor != target:
                    self._write(target, bytes(out))
                    out.clear()
                    target = descriptor
                out += data
            if not parts or isinstance(message, ErrorMessage):
                self._write(target, bytes(out))
                out.clear()
                self._describe(message)
        self._write(target, bytes(out))

    def _parts(self, message: Message) -> list[tuple[int, bytes]]:
        """Return the descriptors and bytes of a message that is written to a stream."""
        if self.as_json:
            return [(OUTPUT, encode(message))]
        if isinstance(message, InputReplyMessage) and message.request in self._answered:
            return []
        parts = []
        for stream, data in self._text.of(message):
            descriptor = ERRORS if stream is StreamType.STDERR else OUTPUT
            if isinstance(data, str):
                data = self._encoded(data, descriptor, message)
            parts.append((descriptor, data))
        return parts

    def _encoded(self, text: str, descriptor: int, message: Message | None = None) -> bytes:
        """Return the bytes of a text. Colours that are not the program's own go only to a terminal."""
        if isinstance(message, OutputMessage):
            return text.encode("utf-8", "surrogatepass")
        if "\x1b" in text and descriptor not in self._on_screen:
            from ..processors.strip_ansi import stripped  # imported here, as most runs have no such text

            text = stripped(text)
        return text.encode("utf-8", "backslashreplace")

    def answered(self, request: InputRequestMessage) -> None:
        """Record that a question was answered on the user's terminal, which shows the answer."""
        self._answered.add(request.sequence)
        self._at_start = True
        self._text.end_line()

    def _describe(self, message: Message) -> None:
        if isinstance(message, ProgressMessage):
            self._progress(message)
        elif isinstance(message, DisplayMessage):
            self._update(message)
        elif isinstance(message, LogMessage):
            self.report(f"{message.level.lower()}: {message.text}")
        elif isinstance(message, GapMessage):
            self.report(f"warning: {message.text}")
        elif isinstance(message, ErrorMessage) and not is_of_code(message):  # it was not started
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
        """Show the newest text of a display that is updated below the text until the end."""
        if message.update and message.display_id:
            self._live().show_display(message.display_id, text_of_bundle(message).rstrip("\n"))
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
        for _, text in self._text.rest():
            assert isinstance(text, str)
            self._write(OUTPUT, self._encoded(text, OUTPUT))
