"""Keeps what a cell shows below what the notebook server lets through, and says what was skipped.

The server drops stream text above 1 MB/s, and everything above 1,000 messages/s, averaged over three
seconds, without a word to the kernel; a kernel's socket drops beyond 1,000 queued messages. So a
flood shows its tail and a note in place of the rest; nothing here makes the run itself wait.
"""

from __future__ import annotations

import threading
from collections import deque

__all__ = ("Budget", "Pacer", "INTERVAL", "MAX_TEXT")

INTERVAL = 0.1  # seconds between two showings
MAX_TEXT = 64 * 1024  # characters in one message
_RATE = 400_000  # characters a second over all cells of the kernel: most are one byte, some up to four
_BURST = 250_000  # characters that may come at once
_BACKLOG = 192 << 10  # characters that may wait; beyond that only the tail is kept
_TAIL = 48 * 1024
_MAX_SEGMENTS = 20  # changes of the stream in one showing, before they are shown as one text

Segment = tuple[str, str]
"""Stream name and text."""


class Budget:
    """A token bucket of characters, shared by all that shows output in this process."""

    def __init__(self, rate: float = _RATE, burst: float = _BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._lock = threading.Lock()  # guards the two below
        self._tokens = burst
        self._at = 0.0

    def take(self, wanted: int, now: float) -> int:
        """Spend up to ``wanted`` characters at time ``now`` (seconds); return how many."""
        with self._lock:
            self._tokens = min(self._burst, self._tokens + self._rate * max(0.0, now - self._at))
            self._at = now
            granted = min(wanted, int(self._tokens))
            self._tokens -= granted
            return granted


class Pacer:
    """Text of one cell that waits to be shown. Time is a parameter; no I/O here.

    ``backlog`` is how many characters may wait; ``elsewhere`` says how to get at what is skipped.
    """

    def __init__(
        self, budget: Budget, *, backlog: int = _BACKLOG, elsewhere: str = "--out NAME keeps all output"
    ) -> None:
        self._budget = budget
        self._backlog = backlog
        self._elsewhere = elsewhere
        self._waiting: deque[Segment] = deque()
        self._size = 0
        self._skipped_lines = 0
        self._skipped_bytes = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    @property
    def size(self) -> int:
        """Characters that wait."""
        return self._size

    def add(self, stream: str, text: str) -> None:
        """Queue text; when too much waits, skip to its tail."""
        if text:
            self._waiting.append((stream, text))
            self._size += len(text)
        if self._size > self._backlog:
            self._skip()

    def take(self, now: float) -> list[Segment]:
        """What may be shown at time ``now`` (seconds), in order; none when nothing may."""
        granted = self._budget.take(min(self._size, 4 * MAX_TEXT), now)
        segments: list[Segment] = []
        if granted and self._skipped_bytes:
            segments.append(("stderr", self._note()))
        while granted > 0 and self._waiting:
            stream, text = self._waiting.popleft()
            room = granted
            if segments and segments[-1][0] == stream:
                room = min(room, MAX_TEXT - len(segments[-1][1]))
            elif len(text) > MAX_TEXT:
                room = min(room, MAX_TEXT)
            if len(text) > room:
                self._waiting.appendleft((stream, text[room:]))
                text = text[:room]
            granted -= len(text)
            self._size -= len(text)
            if segments and segments[-1][0] == stream and text:
                segments[-1] = (stream, segments[-1][1] + text)
            elif text:
                segments.append((stream, text))
            elif room == 0:
                segments.append((stream, ""))  # the last one is full: begin a new one
        segments = [segment for segment in segments if segment[1]]
        return segments if len(segments) <= _MAX_SEGMENTS else [("stdout", _merged(segments))]

    def _skip(self) -> None:
        """Keep the last ``_TAIL`` characters, from the start of a line on where there is one."""
        skipped: list[str] = []
        while self._waiting and self._size - len(self._waiting[0][1]) >= _TAIL:
            skipped.append(self._waiting.popleft()[1])
            self._size -= len(skipped[-1])
        cut = self._size - _TAIL
        if cut > 0:
            stream, text = self._waiting.popleft()
            cut = text.find("\n", cut) + 1 or cut
            if cut == len(text) and not self._waiting:
                cut = self._size - _TAIL  # one line that is longer than the tail: its end is better than none
            skipped.append(text[:cut])
            if cut < len(text):
                self._waiting.appendleft((stream, text[cut:]))
            self._size -= cut
        self._skipped_lines += sum(part.count("\n") for part in skipped)
        self._skipped_bytes += sum(len(part.encode("utf-8", "replace")) for part in skipped)

    def _note(self) -> str:
        lines, size = self._skipped_lines, self._skipped_bytes
        self._skipped_lines = self._skipped_bytes = 0
        return (
            f"\n[{lines:,} lines ({size:,} bytes) came faster than a notebook can show and are not "
            f"shown here; {self._elsewhere}]\n"
        )


def _merged(segments: list[Segment]) -> str:
    """Many changes of the stream as one text, stderr in red, so that the order stays."""
    return "".join(text if name == "stdout" else f"\x1b[31m{text}\x1b[0m" for name, text in segments)
