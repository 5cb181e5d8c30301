"""Limits the text of cells to the rate that the notebook server passes on.

The server drops stream text above 1 MB/s and all messages above 1,000/s, averaged over three seconds, and
does not notify the kernel. A kernel's socket drops messages when 1,000 are queued. A cell therefore
shows the tail of a flood of text, and a note in place of the rest. The run itself never waits.
"""

from __future__ import annotations

import threading
from collections import deque

INTERVAL = 0.1  # seconds between two messages
MAX_TEXT = 64 * 1024  # characters in one message
_RATE = 400_000  # characters/s over all cells of the kernel; a character takes one to four bytes
_BURST = 250_000  # characters that may be shown at once
_BACKLOG = 192 << 10  # characters that may wait; if there are more, only the tail is kept
_TAIL = 48 * 1024  # characters of the tail
_MAX_SEGMENTS = 20  # if the stream changes more often, all text is shown as one segment

Segment = tuple[str, str]
"""Stream name and text."""


class Budget:
    """A token bucket of characters, shared by all cells of this process."""

    def __init__(self, rate: float = _RATE, burst: float = _BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._lock = threading.Lock()  # guards the two attributes below
        self._tokens = burst
        self._at = 0.0

    def take(self, wanted: int, now: float) -> int:
        """Take up to ``wanted`` characters at time ``now``, in seconds, and return their number."""
        with self._lock:
            self._tokens = min(self._burst, self._tokens + self._rate * max(0.0, now - self._at))
            self._at = now
            granted = min(wanted, int(self._tokens))
            self._tokens -= granted
            return granted


class RateLimiter:
    """The text of one cell that is waiting to be shown. Time is a parameter, and there is no I/O here.

    Args:
        budget: The budget, shared with other cells.
        backlog: The number of characters that may wait.
        elsewhere: How to see the skipped text, for the note that replaces it.

    Attributes:
        size: The number of waiting characters.
    """

    def __init__(
        self, budget: Budget, *, backlog: int = _BACKLOG, elsewhere: str = "--out NAME retains all output"
    ) -> None:
        self._budget = budget
        self._backlog = backlog
        self._elsewhere = elsewhere
        self._waiting: deque[Segment] = deque()
        self.size = 0
        self._skipped_lines = 0
        self._skipped_bytes = 0

    def __bool__(self) -> bool:
        """True while text waits."""
        return bool(self._waiting)

    def add(self, stream: str, text: str) -> None:
        """Queue text. When too much waits, skip all but the tail."""
        if text:
            self._waiting.append((stream, text))
            self.size += len(text)
        if self.size > self._backlog:
            self._skip()

    def take(self, now: float) -> list[Segment]:
        """Return the segments to show at time ``now``, in seconds, in order."""
        granted = self._budget.take(min(self.size, 4 * MAX_TEXT), now)
        segments: list[Segment] = []
        if granted and self._skipped_bytes:
            segments.append(("stderr", self._note()))
        while granted > 0 and self._waiting:
            stream, text = self._waiting.popleft()
            if not segments or segments[-1][0] != stream or len(segments[-1][1]) >= MAX_TEXT:
                segments.append((stream, ""))
            before = segments.pop()[1]
            room = min(granted, MAX_TEXT - len(before))
            if len(text) > room:
                self._waiting.appendleft((stream, text[room:]))
                text = text[:room]
            granted -= len(text)
            self.size -= len(text)
            segments.append((stream, before + text))
        return segments if len(segments) <= _MAX_SEGMENTS else [("stdout", _merged(segments))]

    def _skip(self) -> None:
        """Keep the last ``_TAIL`` characters, from the start of a line if possible."""
        skipped: list[str] = []
        while (surplus := self.size - _TAIL) > 0:
            stream, text = self._waiting.popleft()
            cut = min(text.find("\n", surplus) + 1 or surplus, len(text))
            if cut == len(text) and not self._waiting:
                cut = surplus  # one line, longer than the tail: keep its end
            if cut < len(text):
                self._waiting.appendleft((stream, text[cut:]))
            skipped.append(text[:cut])
            self.size -= cut
        self._skipped_lines += sum(part.count("\n") for part in skipped)
        self._skipped_bytes += sum(len(part.encode("utf-8", "replace")) for part in skipped)

    def _note(self) -> str:
        lines, size = self._skipped_lines, self._skipped_bytes
        self._skipped_lines = self._skipped_bytes = 0
        return (
            f"\n[{lines:,} lines ({size:,} bytes) arrived faster than a notebook can show them and were "
            f"skipped; {self._elsewhere}]\n"
        )


def _merged(segments: list[Segment]) -> str:
    """Return segments as one text, with stderr in red. This keeps the order of the writes."""
    return "".join(text if name == "stdout" else f"\x1b[31m{text}\x1b[0m" for name, text in segments)
