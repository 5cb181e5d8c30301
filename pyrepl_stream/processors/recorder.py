"""Recordings that terminals and web pages can play: asciicast, version 2.

The format is that of asciinema: a line of JSON with the size of the terminal, then a line
``[seconds, "o", text]`` for each output.
"""

from __future__ import annotations

import json
import os
import re
from os import PathLike

from ..messages import Message
from ..process.command import DEFAULT_SIZE, check_size
from .sink import FileSink, text_of

__all__ = ("Recorder",)

_BARE_LINE_FEED = re.compile(r"(?<!\r)\n")


class Recorder(FileSink):
    """Records output with its times into an asciicast file, and lets all messages pass.

    ``size`` is (rows, columns) of the terminal to play it on. Our terminals leave line feeds alone, and
    players need a carriage return before each, so it is added. Bytes that are no UTF-8 become
    replacement characters. Raises :class:`UsageError`, also for a file that cannot be written.
    """

    def __init__(
        self, path: str | PathLike[str], *, size: tuple[int, int] = DEFAULT_SIZE, title: str = ""
    ) -> None:
        check_size(size)
        self._size = size
        self._title = title
        self._started: float | None = None
        self._elapsed = 0.0
        self._returned = False  # the last character was a carriage return
        super().__init__(path)

    def take(self, message: Message) -> None:
        data = text_of(message)
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        if self._started is None:
            self._started = message.timestamp
            self._write_line(self._header())
        if not text:
            return
        # Clocks are set back, players go on.
        self._elapsed = max(self._elapsed, message.timestamp - self._started)
        shown = _BARE_LINE_FEED.sub("\r\n", text)
        if self._returned and text.startswith("\n"):
            shown = shown[1:]
        self._returned = text.endswith("\r")
        self._write_line([round(self._elapsed, 6), "o", shown])

    def _header(self) -> dict[str, object]:
        rows, columns = self._size
        header: dict[str, object] = {"version": 2, "width": columns, "height": rows}
        header["timestamp"] = int(self._started or 0)
        if self._title:
            header["title"] = self._title
        header["env"] = {"TERM": os.environ.get("TERM", "xterm-256color")}
        return header

    def _write_line(self, value: object) -> None:
        # ASCII, so that lone surrogates stand as they are. A whole line at a time, so that what is left of
        # a recording that was cut off can be played.
        self._write(json.dumps(value).encode("ascii") + b"\n")
