"""The text that a terminal shows for messages, for the command line and for recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence

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
    ResultMessage,
    StreamType,
)

Part = tuple[StreamType, str | bytes]
"""Text or bytes for a stream."""

# JSON does not escape these control characters.
_CONTROLS = {number: f"\\u{number:04x}" for number in range(0x7F, 0xA0)}


class TerminalText:
    """Returns the text for the messages of one reader, in order.

    A result, a display or an event begins on a line of its own. A display that is updated is shown again as
    it is before the result, an error or the end.
    """

    def __init__(self) -> None:
        self._in_line = False  # stdout ends within a line
        self._updated: dict[str, str] = {}  # the newest text of displays that were updated, by id

    def of(self, message: Message) -> Sequence[Part]:
        """Return the parts of the text; none for messages that a terminal does not show."""
        if isinstance(message, OutputMessage):
            if message.stream is StreamType.STDOUT and message.data:
                end = b"\n" if isinstance(message.data, bytes) else "\n"
                self._in_line = not message.data.endswith(end)  # type: ignore[arg-type]  # of the same type
            return ((message.stream, message.data),)
        if isinstance(message, DisplayMessage):
            return self._display(message)
        if isinstance(message, InputRequestMessage) and not message.extra.get("printed"):
            return self._inline(message.prompt)
        if isinstance(message, InputReplyMessage):
            return self._inline(f"{message.text or ''}\n")
        if isinstance(message, EventMessage):
            return self._lines(json.dumps(message.data, ensure_ascii=False).translate(_CONTROLS))
        if isinstance(message, ResultMessage):
            return (*self.rest(), *self._lines(text_of_bundle(message)))
        if isinstance(message, ErrorMessage):
            shown = is_of_code(message)
            text = "\n".join(message.traceback) + "\n"
            return (*self.rest(), *([(StreamType.STDERR, text)] if shown else ()))
        return self.rest() if isinstance(message, CompleteMessage) else ()

    @property
    def has_updated(self) -> bool:
        """True if a display was updated that is not shown as it is now."""
        return bool(self._updated)

    def rest(self) -> Sequence[Part]:
        """Return the newest text of the displays that were updated."""
        texts = [text for text in self._updated.values() if text]
        self._updated.clear()
        return self._lines("\n".join(texts)) if texts else ()

    def end_line(self) -> None:
        """Record that the line of a question was ended by the answer."""
        self._in_line = False

    def _display(self, message: DisplayMessage) -> Sequence[Part]:
        text = text_of_bundle(message)
        if message.update and message.display_id:
            self._updated.pop(message.display_id, None)  # the one that changed last is shown last
            self._updated[message.display_id] = text.rstrip("\n")
            return ()
        return self._lines(text) if text else ()

    def _lines(self, text: str) -> Sequence[Part]:
        start = "\n" if self._in_line else ""
        self._in_line = False
        return ((StreamType.STDOUT, f"{start}{text}\n"),)

    def _inline(self, text: str) -> Sequence[Part]:
        if text:
            self._in_line = not text.endswith("\n")
        return ((StreamType.STDOUT, text),) if text else ()


def text_of_bundle(message: ResultMessage | DisplayMessage) -> str:
    """Return the plain text of a result or display."""
    return str(message.data.get("text/plain", ""))


def is_of_code(error: ErrorMessage) -> bool:
    """Return True if the error has more of a traceback than its last line."""
    return len(error.traceback) > 1


def note_of(message: Message) -> str:
    """Return the line of a log message, a note for a `gap`, and nothing for other messages."""
    if isinstance(message, LogMessage):
        return f"{message.level} {message.logger}: {message.text}\n"
    return f"\n[{message.text}]\n" if isinstance(message, GapMessage) else ""
