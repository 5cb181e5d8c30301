"""Recordings of output that terminals and web pages can play: asciicast, version 2.

This is the format of asciinema: a line of JSON with the size of the terminal, followed by a line
``[seconds, "o", text]`` for each output.
"""

from __future__ import annotations

import json
import os
import re
from os import PathLike

from ..runtime.messages import Message
from ..runtime.process.command import DEFAULT_SIZE, check_size
from .sink import FileSink
from .terminal_text import TerminalText, note_of

__all__ = ("Recorder",)

_BARE_LINE_FEED = re.compile(r"(?<!\r)\n")


class Recorder(FileSink):
    """Records what a terminal shows, with its timing, in an asciicast file, and passes all messages.

    A terminal shows output, results, displays, errors, log messages, and questions with their answers.
    Players need a carriage return before each line feed; if the text has none, one is added. Bytes that are
    not UTF-8 become replacement characters.

    Args:
        path: The file.
        size: Rows and columns of the terminal in which the recording will be played.
        title: Title of the recording.

    Raises:
        UsageError: The size is not valid, or the file cannot be written.
    """

    def __init__(
        self, path: str | PathLike[str], *, size: tuple[int, int] = DEFAULT_SIZE, title: str = ""
    ) -> None:
        check_size(size)
        self._size = size
        self._title = title
        self._started: float | None = None
        self._elapsed = 0.0
        self._returned = False  # the text so far ends with a carriage return
        self._text = TerminalText()
        super().__init__(path)

    def take(self, message: Message) -> None:
        """Record one message."""
        parts = [*(data for _, data in self._text.of(message)), note_of(message)]
        text = "".join(part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in parts)
        if self._started is None:
            self._started = message.timestamp
            self._write_header(message.timestamp)
        if not text:
            return
        # The clock may be set back, but times in a recording must not decrease.
        self._elapsed = max(self._elapsed, message.timestamp - self._started)
        shown = _BARE_LINE_FEED.sub("\r\n", text)
        if self._returned and text.startswith("\n"):
            shown = shown[1:]
        self._returned = text.endswith("\r")
        self._write_line([round(self._elapsed, 6), "o", shown])

    def _write_header(self, started: float) -> None:
        rows, columns = self._size
        title = {"title": self._title} if self._title else {}
        env = {"TERM": os.environ.get("TERM", "xterm-256color")}
        self._write_line(
            {"version": 2, "width": columns, "height": rows, "timestamp": int(started), **title, "env": env}
        )

    def _write_line(self, value: object) -> None:
        # ASCII, whose escapes can represent lone surrogates. One whole line per write, so that an incomplete
        # recording can still be played.
        self._write(json.dumps(value).encode("ascii") + b"\n")
