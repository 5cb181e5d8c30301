"""Reads a recording: an asciicast (https://docs.asciinema.org/manual/asciicast/), or messages as JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import IO, Any

from ..processors.terminal_text import TerminalText, note_of
from ..runtime.errors import ProtocolError
from ..runtime.messages import StreamType
from ..runtime.validation import short_repr
from ..runtime.wire import Decoder

Frame = tuple[float, StreamType, bytes]
"""Seconds since the start, which never decrease; the stream; the bytes written."""

_LONGEST_LINE = 16 << 20  # bytes
_LONGEST_TIME = 1e10  # seconds


class BadRecordingError(Exception):
    """A file cannot be played. The message continues a sentence that starts with the file's name."""


class Recording:
    """The frames in a file of either format, read line by line.

    Raises:
        BadRecordingError: The file is not a recording. Iteration may also raise it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        first = file.readline(_LONGEST_LINE)
        rest = iter(lambda: file.readline(_LONGEST_LINE), b"")
        self._lines = itertools.chain([first], rest)
        header = _parsed(first)
        if not isinstance(header, dict):
            if first.startswith(b"{") and not first.endswith(b"\n"):
                raise _bad(1, first, "")
            raise BadRecordingError("is not a recording: its first line is not a JSON object")
        self._version = header.get("version")
        if "version" in header and self._version not in (2, 3):
            version = short_repr(self._version)
            raise BadRecordingError(
                f"is an asciicast of version {version}, but only versions 2 and 3 can be played"
            )
        if "version" not in header and "sequence" not in header:
            raise BadRecordingError("is neither an asciicast nor the output of `pyrepl-stream run --json`")
        limit = header.get("idle_time_limit")
        self.idle_limit = float(limit) if limit and _is_time(limit) else None
        """The maximum pause in seconds that the recording specifies, or None."""

    def __iter__(self) -> Iterator[Frame]:
        latest = 0.0
        for moment, stream, data in self._events() if self._version else self._messages():
            latest = max(latest, moment)
            yield latest, stream, data

    def _events(self) -> Iterator[Frame]:
        moment = 0.0
        for number, line in enumerate(self._lines, 1):
            # Skip the header, blank lines, and comments, which exist in version 3.
            if number == 1 or line.startswith(b"#") or not line.strip():
                continue
            event = _parsed(line)
            if not _is_event(event):
                raise _bad(number, line, 'is not an event, such as [1.5, "o", "text"]')
            moment = moment + event[0] if self._version == 3 else event[0]
            if event[1] == "o":  # other types are input, markers and changes of the size
                yield moment, StreamType.STDOUT, event[2].encode("utf-8", "surrogatepass")

    def _messages(self) -> Iterator[Frame]:
        decoder = Decoder()
        text = TerminalText()
        started: float | None = None
        for number, line in enumerate(self._lines, 1):
            try:
                messages = list(decoder.feed(line if line.endswith(b"\n") else line + b"\n"))
            except ProtocolError as exc:
                raise _bad(number, line, f"is not a message: {exc}") from None
            for message in messages:
                started = message.timestamp if started is None else started
                for stream, data in (*text.of(message), (StreamType.STDERR, note_of(message))):
                    encoded = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
                    yield message.timestamp - started, stream, encoded


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_event(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 3 and _is_time(value[0]) and isinstance(value[2], str)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _LONGEST_TIME


def _bad(number: int, line: bytes, what: str) -> BadRecordingError:
    if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        return BadRecordingError(f"ends within line {number}: the recording was interrupted")
    return BadRecordingError(f"line {number} {what}")
